"""The past of a run that is watched from elsewhere: its journal folded while the first picture stands already."""

from __future__ import annotations

import contextlib
import itertools
import time

import msgspec

from fxtui.config import ConfigError
from fxtui.protocol.encoding import decode
from fxtui.protocol.events import BatchEnd, EpochEnd, RunFinished
from fxtui.run.journal import JournalError, JournalReader
from fxtui.run.session.once import EachOnce, last_line
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory

# Events after which others have a turn, and how long it is: a screen is to be drawn meanwhile.
_SLICE, _TURN_SECONDS = 1000, 0.0005


class History:
    """Folds a journal as far as it is written, in one thread; another asks how far it is, and at last for the state."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._state: RunState | None = None
        self._fault: ConfigError | None = None
        self._cancelled = False
        # The part that has been read, from 0 to 1.
        self.read_part = 0.0
        # Once it is read: whether the run had ended then, and when the last event was.
        self.ended = False
        self.updated = 0.0

    def first_look(self) -> RunState:
        """What the journal's first lines say: all up to the first batch, such as data, model and layers.

        Enough for a first picture. What changes later is not what it is now.
        """
        state = RunState(name=self._run.name)
        # What is wrong with it is said by who reads all of it.
        with contextlib.suppress(Exception):
            for event in itertools.islice(JournalReader(self._run.journal).poll(), _SLICE):
                if isinstance(event, BatchEnd | EpochEnd | RunFinished):
                    break
                state.apply(event)
        return state

    def read(self) -> EachOnce | None:
        """Fold the journal; where it goes on from there. None if it cannot be read, or was cancelled."""
        state = RunState(name=self._run.name)
        try:
            size = self._run.journal.stat().st_size
            reader = JournalReader(self._run.journal)
            for number, event in enumerate(reader.poll(), 1):
                state.apply(event)
                if number % _SLICE == 0:
                    if self._cancelled:
                        return None
                    self.read_part = min(1.0, reader.offset / max(size, 1))
                    time.sleep(_TURN_SECONDS)
        except FileNotFoundError:
            self._fault = ConfigError(f"{self._run.path}: has no events.jsonl, so it is not a run")
        except OSError as error:
            self._fault = ConfigError(f"{self._run.journal}: cannot be read: {error.strerror}")
        except JournalError as error:
            self._fault = ConfigError(str(error))
        # Events that are none of ours, though they look like it, can be anything.
        except Exception as error:  # noqa: BLE001
            self._fault = ConfigError(f"{self._run.journal}: cannot be replayed: {type(error).__name__}: {error}")
        finally:
            self.read_part = 1.0
            self.ended, self.updated = state.ended, state.updated
            self._state = state
        return None if self._fault else EachOnce(self._run.journal, reader.offset, state.seq)

    def skip(self) -> EachOnce:
        """Leave the past alone, but for its last event; where the journal goes on."""
        offset, line = last_line(self._run.journal)
        last = None
        with contextlib.suppress(msgspec.DecodeError):
            last = decode(line)
        if last is not None:
            self.ended, self.updated = isinstance(last, RunFinished), last.t
        self.read_part = 1.0
        return EachOnce(self._run.journal, offset, last.seq if last is not None else -1)

    def cancel(self) -> None:
        """Read no further."""
        self._cancelled = True

    def take(self) -> RunState | None:
        """The state at the end of what was read, for the caller to own, once; else None.

        Raises:
            ConfigError: the journal cannot be read.
        """
        if self._fault is not None:
            raise self._fault
        state, self._state = self._state, None
        return state
