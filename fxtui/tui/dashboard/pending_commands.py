"""What was asked of the engine and has not been answered yet."""

from __future__ import annotations

from collections.abc import Mapping

from fxtui.advice.rules import next_stage
from fxtui.protocol import commands as cmd
from fxtui.protocol.events import CommandDone, CommandRefused, Event
from fxtui.run.state import RunState


class PendingCommands:
    """What the user asked of the engine and it has not answered; questions about images are not among it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, Mapping[str, bool]]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def layers(self) -> dict[str, bool]:
        """Path to whether it is to train, as it was asked last."""
        return {path: value for _, layers in self._waiting for path, value in layers.items()}

    def ask(self, command: cmd.AnyCommand, state: RunState) -> None:
        """Remember a command that is sent in a state."""
        if not isinstance(command, cmd.Predict | cmd.Evaluate):
            self._waiting.append((command.name, _layers_of(command, state)))

    def answer(self, event: Event) -> None:
        """Forget what an event answers. Commands of one kind are answered in their order."""
        if isinstance(event, CommandDone | CommandRefused) and getattr(event, "origin", "user") == "user":
            at = next((at for at, (name, _) in enumerate(self._waiting) if name == event.command), None)
            if at is not None:
                del self._waiting[at]


def _layers_of(command: cmd.AnyCommand, state: RunState) -> dict[str, bool]:
    match command:
        case cmd.SetTrainable(paths=paths, value=value):
            return dict.fromkeys(paths, value)
        case cmd.UnfreezeNext() if (stage := next_stage(state)) is not None:
            return {stage.path: True}
        case cmd.FreezeAll():
            return {row.path: False for row in state.layers if row.trainable != "none" and not row.is_head}
        case _:
            return {}
