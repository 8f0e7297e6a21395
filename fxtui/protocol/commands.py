"""Everything that anyone can want of a running engine. Each command is carried out between two batches, or refused."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from fxtui.protocol.naming import snake_case
from fxtui.protocol.records import CommandOrigin


class CommandRefusedError(ValueError):
    """A command that cannot be carried out, and why, in one line for the user."""


class Command(Struct, frozen=True, kw_only=True, tag_field="type", tag=snake_case):
    """The base of all commands.

    The event that answers a command echoes its ``id`` and its ``client``, which tell it from others and who sent it.
    """

    id: str = ""
    client: str = ""
    origin: CommandOrigin = "user"

    @property
    def name(self) -> str:
        """The command's name on the wire, e.g. ``set_trainable``."""
        return snake_case(type(self).__name__)


class SetTrainable(Command, frozen=True, kw_only=True):
    """Make modules or parameters trainable, or freeze them. Paths may be patterns such as ``*.bn*``.

    ``only``: and everything else in the backbone the other way round.
    """

    paths: tuple[str, ...]
    value: bool
    only: bool = False


class FreezeAll(Command, frozen=True, kw_only=True):
    """Freeze everything but the head."""


class UnfreezeNext(Command, frozen=True, kw_only=True):
    """Unfreeze the deepest stage that is not wholly trainable."""


class UnfreezeAll(Command, frozen=True, kw_only=True):
    """Make every parameter trainable."""


class Undo(Command, frozen=True, kw_only=True):
    """Restore the freeze state before the last change.

    ``depth`` is how many changes there were to undo when it was asked for: if another has come or gone since, it is not
    the change that was meant, and the command is refused. None: whichever is the last.
    """

    depth: int | None = None


FreezeCommand = SetTrainable | FreezeAll | UnfreezeNext | UnfreezeAll | Undo


class Estimate(Command, frozen=True, kw_only=True):
    """Ask what a change of freezing would cost, without making it."""

    change: FreezeCommand


class SetLr(Command, frozen=True, kw_only=True):
    """Set the head's learning rate; the backbone's rates keep their ratio to it."""

    lr: float


class SetEpochs(Command, frozen=True, kw_only=True):
    """Change how many epochs the run is to have."""

    epochs: int


class AddEpochs(Command, frozen=True, kw_only=True):
    """Have the run train so many epochs more than are planned, or fewer. Where it holds, it goes on."""

    n: int = 1


class TogglePause(Command, frozen=True, kw_only=True):
    """Pause, or go on."""


class Pause(Command, frozen=True, kw_only=True):
    """Wait after the current batch."""


class Resume(Command, frozen=True, kw_only=True):
    """Go on after a pause."""


class Stop(Command, frozen=True, kw_only=True):
    """End the run: after this epoch, or now, between two batches, with a checkpoint of where it stands."""

    when: Literal["epoch", "now"] = "epoch"
    interrupted: bool = False


class Checkpoint(Command, frozen=True, kw_only=True):
    """Write the `last` checkpoint now."""


class Predict(Command, frozen=True, kw_only=True):
    """Ask for predictions of images: numbers of validation images, or paths of files."""

    images: tuple[int | str, ...]


class Evaluate(Command, frozen=True, kw_only=True):
    """Ask for the evaluation of the last epoch with so many of its images, the greatest loss first."""

    limit: int = 500


AnyCommand = (
    SetTrainable
    | FreezeAll
    | UnfreezeNext
    | UnfreezeAll
    | Undo
    | Estimate
    | SetLr
    | SetEpochs
    | AddEpochs
    | TogglePause
    | Pause
    | Resume
    | Stop
    | Checkpoint
    | Predict
    | Evaluate
)

_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)


def decode_command(line: bytes) -> AnyCommand:
    """A command from its JSON object.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _decoder.decode(line)
