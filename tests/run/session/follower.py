"""Who follows a run as a view does."""

from __future__ import annotations

from fxtui.run.session.attached import AttachedSession
from fxtui.run.state import RunState
from tests.run.session.scripted import SECONDS, until


class Follower:
    """Folds what a session gives, as a view does, and looks that nothing comes twice or late."""

    def __init__(self, session: AttachedSession) -> None:
        self._session = session
        past = session.take_past(SECONDS)
        assert past is not None
        self.state: RunState = past
        self.seqs: list[int] = []

    def follow_to(self, seq: int) -> None:
        """Take in what comes, up to this number."""
        until(lambda: self._take() >= seq)

    def _take(self) -> int:
        for event in self._session.events():
            assert event.seq > self.state.seq
            self.seqs.append(event.seq)
            self.state.apply(event)
        return self.state.seq
