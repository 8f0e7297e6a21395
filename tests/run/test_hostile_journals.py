"""Journals from elsewhere: whatever is in them is that run's damage, said in one line, and hides no other run."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxtui.bench.faults.hostile import hostile_journals
from fxtui.cli.commands.show import describe, details
from fxtui.cli.main import main
from fxtui.config import ConfigError, parse_config
from fxtui.protocol.encoding import encode
from fxtui.run.catalogue import Catalogue
from fxtui.run.journal import JournalError, JournalWriter, read_journal
from fxtui.run.nearby import look_around
from fxtui.run.store import RunDirectory, RunStore
from fxtui.run.summary import read_summary
from tests.run.samples import whole_run

JOURNALS = dict(hostile_journals(40 << 20))
WHOLE = b"".join(encode(event) + b"\n" for event in whole_run())


def make(root: Path, name: str, journal: bytes) -> RunDirectory:
    run = RunStore(root).create(parse_config({"name": name, "data": {"source": "digits"}}, []))
    run.journal.write_bytes(journal)
    return run


def read_everywhere(root: Path, run: RunDirectory) -> str:
    """Read a run in every way there is; returns its status."""
    (entry,) = (entry for entry in Catalogue(root).entries() if entry.path == run.path)
    # A list passes over what it does not tell, so that it may not see what is wrong there.
    assert entry.status in (read_summary(run).status, "damaged")
    fault = ""
    try:
        state = run.load_state()
        details(run, state)
        list(describe(run, state))
    except ConfigError as error:
        fault = str(error)
    assert not fault or (fault.isprintable() and len(fault) < 1000)
    return entry.status


@pytest.mark.parametrize("name", JOURNALS)
def test_damage_is_one_line_and_hides_no_other_run(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = make(tmp_path, "good", WHOLE)
    bad = make(tmp_path, "bad", JOURNALS[name])
    assert read_everywhere(tmp_path, bad) in ("damaged", "interrupted")
    assert read_everywhere(tmp_path, good) == "finished"
    assert {run.name for run in look_around(tmp_path, tmp_path).runs} == {good.name, bad.name}
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert good.name in capsys.readouterr().out
    assert main(["show", bad.name, "--runs", str(tmp_path)]) in (0, 2)
    said = capsys.readouterr()
    assert said.err.count("\n") <= 1
    assert "\x1b" not in said.out + said.err


def test_a_line_of_any_length_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * (120 << 20))
    tracemalloc.start()
    with pytest.raises(JournalError, match=r"events\.jsonl:1: not an event: longer than any that is written"):
        list(read_journal(path))
    JournalWriter(path).close()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 80 << 20
    assert path.read_bytes() == b""


@pytest.mark.parametrize("last", [b"[" * 200_000, b"nonsense", b'{"seq":1e400}', b"\xff\xff"])
def test_a_damaged_last_line_is_not_gone_on_from(tmp_path: Path, last: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(WHOLE + last + b"\n")
    with pytest.raises(JournalError, match="its last line is not an event"):
        JournalWriter(path)
    assert path.read_bytes() == WHOLE + last + b"\n"


def test_any_number_of_empty_lines_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(WHOLE + b"\n" * 3_000_000)
    with JournalWriter(path) as journal:
        assert journal.next_seq == len(whole_run())


_JUNK = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"\0", b"\x1b[2J", b"9" * 400, b"-1", b"1e308", b"null", b"{}", b"[]", b'"\\ud800"', b"\n", b"\xff"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 60), _JUNK), min_size=1, max_size=4))
def test_a_journal_changed_anywhere_is_read_or_said_to_be_damaged(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, bytes]]
) -> None:
    journal = WHOLE
    for at, length, junk in changes:
        journal = journal[:at] + junk + journal[at + length :]
    root = tmp_path_factory.mktemp("runs")
    read_everywhere(root, make(root, "fuzzed", journal))


_NUMBER = st.one_of(st.integers(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_figures_of_any_size_are_read_or_said_to_be_damaged(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    spots = [found.span(1) for found in re.finditer(rb":(-?\d+(?:\.\d+)?)[,}]", WHOLE)]
    journal = WHOLE
    for start, end in sorted(data.draw(st.lists(st.sampled_from(spots), max_size=6, unique=True)), reverse=True):
        journal = journal[:start] + str(data.draw(_NUMBER)).encode() + journal[end:]
    root = tmp_path_factory.mktemp("runs")
    read_everywhere(root, make(root, "fuzzed", journal))


@pytest.mark.parametrize("name", ["events.jsonl", "config.toml", "summary.json", ".lock"])
def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    good = make(tmp_path, "good", WHOLE)
    bad = make(tmp_path, "bad", WHOLE)
    (bad.path / name).unlink(missing_ok=True)
    os.mkfifo(bad.path / name)
    read_everywhere(tmp_path, bad)
    assert read_everywhere(tmp_path, good) == "finished"
    assert good.name in {run.name for run in look_around(tmp_path, tmp_path).runs}
