"""Rich consoles as fxtui uses them: lines are never wrapped or reinterpreted, and a lost terminal ends nothing."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from fxtui.cli.output.streams import discard_stdout


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave the error to the caller: Rich would end the process, and with it the training."""
        raise


def make_console() -> Console:
    """A console on standard output. NO_COLOR and TERM=dumb are Rich's to honour."""
    return _Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


class SteadyConsole:
    """Prints until standard output is gone (its reader has left, its terminal was closed), then keeps silent."""

    def __init__(self) -> None:
        self.console = make_console()
        self._lost = False

    def print(self, text: str, style: str = "") -> None:
        """One line, as it is."""
        self.attempt(lambda: self.console.print(Text(text, style=style)))

    def attempt(self, draw: Callable[[], object]) -> None:
        """Draw unless the output is lost; from the first failure on it is."""
        if self._lost:
            return
        try:
            draw()
        except OSError:
            self._lost = True
            discard_stdout()
