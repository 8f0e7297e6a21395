"""From measurements to rows, and reading a terminal of one's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fxtui.bench.dashboard.figures import has_ended, limit_row, moments, percentile, seconds_between, wall_row
from fxtui.bench.dashboard.pseudo_terminal import PseudoTerminal
from fxtui.bench.rows import BenchError, exit_status
from fxtui.cli.commands.bench import lines_of


@pytest.mark.parametrize(("share", "value"), [(0.5, 10), (0.95, 19), (1.0, 20), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    assert percentile(list(range(20, 0, -1)), share) == value


def test_a_limit_is_for_the_value_and_that_of_seconds_for_the_ratio() -> None:
    keys = limit_row("cursor p95", 10.0, 50.0, "ms", 50.0)
    assert (keys.ratio, keys.met) == (5.0, True)
    assert limit_row("idle", 0.0, 1.0, "B/s", 0.0).met is False
    wall = wall_row("head", [10.0, 30.0, 11.0], [12.0, 12.1, 90.0], 1.1)
    assert (wall.baseline, wall.value, wall.ratio) == (11.0, 12.1, pytest.approx(1.1))
    assert wall_row("head", [10.0], [11.6], 1.15).met is False
    assert exit_status([keys]) == 0
    assert exit_status([keys, limit_row("idle", 0.0, 1.0, "B/s", 0.0)]) == 1


def test_rows_say_what_their_budget_limits() -> None:
    lines = "\n".join(lines_of([limit_row("keys", 10.0, 12.0, "ms", 50.0), wall_row("head", [10.0], [11.0], 1.15)]))
    assert "at most 50 ms" in lines
    assert "at most 1.15x" in lines


def test_a_journal_is_read_up_to_its_torn_end(tmp_path: Path) -> None:
    journal = tmp_path / "events.jsonl"
    assert moments(journal) == []
    assert not has_ended(journal)
    journal.write_text('{"type":"a","t":1.0}\n{"type":"b","t":2.5}\n{"type":"a","t":4.0}\n{"type":"c"')
    assert moments(journal) == [("a", 1.0), ("b", 2.5), ("a", 4.0)]
    assert seconds_between(moments(journal), "a", "b") == 1.5
    assert seconds_between(moments(journal), "b", "a") == 1.5
    with pytest.raises(ValueError, match="no c in the journal"):
        seconds_between(moments(journal), "a", "c")
    journal.write_text(journal.read_text() + '\n{"type":"run_finished","t":5.0}\n')
    assert has_ended(journal)


def test_keys_are_answered_and_what_never_comes_is_said() -> None:
    script = "import sys, tty; tty.setraw(0); print('ready', flush=True); print('got', sys.stdin.read(1), flush=True)"
    terminal = PseudoTerminal([sys.executable, "-c", script], os.environ)
    try:
        terminal.wait_for(b"ready")
        at = terminal.press(b"k")
        assert terminal.wait_for(b"got k") > at
        assert terminal.count >= len("ready") + len("got k")
        with pytest.raises(BenchError, match="never came to drawing 'more'"):
            terminal.wait_for(b"more", 1.0)
    finally:
        terminal.close()
