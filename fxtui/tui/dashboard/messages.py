"""What screens tell the application."""

from __future__ import annotations

from typing import Literal

from textual.message import Message

from fxtui.protocol.commands import AnyCommand
from fxtui.run.catalogue import RunEntry

Severity = Literal["information", "warning", "error"]


class CommandWanted(Message):
    """The user wants this of the engine."""

    def __init__(self, command: AnyCommand) -> None:
        super().__init__()
        self.command = command


class Notice(Message):
    """Something to tell the user in passing."""

    def __init__(self, text: str, severity: Severity = "information") -> None:
        super().__init__()
        self.text = text
        self.severity: Severity = severity


class ImagesWanted(Message):
    """The user wants to see the validation images of one true class that were taken for another."""

    def __init__(self, true: int, predicted: int) -> None:
        super().__init__()
        self.true = true
        self.predicted = predicted


class OverlayChosen(Message):
    """The user wants the curves of these runs beside this one's; none: only its own."""

    def __init__(self, runs: tuple[RunEntry, ...]) -> None:
        super().__init__()
        self.runs = runs
