"""Events as JSON objects, one each, and back."""

from __future__ import annotations

from typing import Any

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
    """One JSON object, without a line end. Infinite and NaN figures become null.

    Of a text that is no Unicode, e.g. the name of a file, the bytes that are not are written out: ``\\udce9``.
    """
    try:
        return _encoder.encode(event)
    except UnicodeEncodeError:
        return _encoder.encode(_written_out(msgspec.to_builtins(event)))


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


def _written_out(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_written_out(key): _written_out(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_written_out(part) for part in value]
    return value
