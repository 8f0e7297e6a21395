"""Training with ``--json``: standard output carries the events and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from fxtui.cli.following.event_loop import follow_events
from fxtui.cli.output.json_lines import JsonOutput
from fxtui.cli.output.streams import complain
from fxtui.protocol.encoding import encode
from fxtui.run.session.local import LocalSession


def follow_as_json(open_session: Callable[[], LocalSession]) -> int:
    """Follow a run to its end, its events on standard output; returns the exit status.

    Raises:
        ConfigError: the session cannot be opened.
    """
    with closing(JsonOutput()) as output:
        return follow_events(open_session(), lambda event: output.write(encode(event)), complain)
