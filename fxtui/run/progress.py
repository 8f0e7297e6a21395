"""How far a run is, read from its journal without decoding what a list of runs does not tell.

Nearly all of a journal are batches, figures of layers and pictures. Of these only the last batch before any other event
is taken in: the state is the whole one but for its curves, layers, predictions, evaluation and log.
"""

from __future__ import annotations

from fxtui.config import ConfigError
from fxtui.run.journal import JournalError, JournalReader, printable
from fxtui.run.state import RunState
from fxtui.run.store import NONSENSE, RunDirectory

_BATCH = b'{"type":"batch_end"'
_PASSED_OVER = (
    _BATCH,
    *(
        b'{"type":"%b"' % name
        for name in (b"validation_progress", b"layer_figures", b"evaluation", b"prediction", b"output", b"layers")
    ),
)


class ProgressReader:
    """Follows the journal of the run at ``path``: each :meth:`poll` takes in what was written since."""

    def __init__(self, run: RunDirectory) -> None:
        self.state = RunState()
        self.path = run.path
        self._run = run
        self._batch = b""
        self._last = b""
        self._reader = JournalReader(run.journal, pass_over=self._passes_over)

    def poll(self) -> RunState:
        """The run as its journal has it now.

        Raises:
            ConfigError: the journal is missing, damaged or cannot be read.
        """
        try:
            for event in self._reader.poll():
                self._take_batch()
                self._last = b""
                self.state.apply(event)
            self._take_batch()
            if self._last:
                self._take(self._last)
                self._last = b""
        except FileNotFoundError:
            raise ConfigError(f"{self._run.path}: has no events.jsonl, so it is not a run") from None
        except OSError as error:
            raise ConfigError(f"{self._run.journal}: cannot be read: {error.strerror}") from None
        except JournalError as error:
            raise ConfigError(str(error)) from None
        except NONSENSE as error:
            raise ConfigError(f"{self._run.journal}: makes no sense: {printable(str(error))}") from None
        return self.state

    def _passes_over(self, line: bytes) -> bool:
        if not line.startswith(_PASSED_OVER) or not line.endswith(b"}"):
            return False
        if line.startswith(_BATCH):
            self._batch = line
        self._last = line
        return True

    def _take_batch(self) -> None:
        if self._batch:
            if self._last == self._batch:
                self._last = b""
            self._take(self._batch)
            self._batch = b""

    def _take(self, line: bytes) -> None:
        if (event := self._reader.decode_line(line)) is not None:
            self.state.apply(event)
