"""Events as JSON objects, one each, and back."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from fxtui.protocol.events import AnyEvent, Event

_TYPES = frozenset(str(kind.__struct_config__.tag) for kind in AnyEvent.__args__)
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class _Tag(Struct):
    type: str = ""


_tag_decoder = msgspec.json.Decoder(_Tag)


def encode(event: Event) -> bytes:
    """One JSON object, without a line end. Infinite and NaN figures become null."""
    return _encoder.encode(event)


def decode(line: bytes) -> AnyEvent | None:
    """An event from its JSON object; None if its type is unknown here.

    Raises:
        msgspec.DecodeError: the line is not an event at all.
    """
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError:
        if _tag_decoder.decode(line).type in _TYPES:
            raise
        return None
