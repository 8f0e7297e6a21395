"""The journal: torn ends, strangers, damage, growth."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui.protocol import events as ev
from fxtui.protocol.encoding import encode
from fxtui.run.journal import JournalError, JournalReader, JournalWriter, read_journal
from tests.run.samples import stamped, whole_run


def write(path: Path, events: list[ev.Event]) -> bytes:
    """Write events as a run would and return the file's bytes."""
    with JournalWriter(path) as journal:
        for event in events:
            journal.append(event)
    return path.read_bytes()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, whole_run())
    assert list(read_journal(path)) == whole_run()


def test_a_journal_torn_at_any_byte_of_its_last_line_loses_only_that_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    whole = write(
        path, stamped([ev.RunWarning(text="one"), ev.RunWarning(text="two"), ev.RunWarning(text="three – ü")])
    )
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert [event.seq for event in read_journal(path)] == [0, 1]
        with JournalWriter(path) as journal:
            assert journal.next_seq == 2
        assert path.read_bytes() == whole[:start]


def test_a_writer_that_continues_appends_after_the_last_complete_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    whole = write(path, stamped([ev.RunWarning(text="one")]))
    path.write_bytes(whole + b'{"type":"warn')
    with JournalWriter(path) as journal:
        journal.append(ev.RunWarning(text="two", seq=journal.next_seq))
    assert [(event.seq, event.text) for event in read_journal(path) if isinstance(event, ev.RunWarning)] == [
        (0, "one"),
        (1, "two"),
    ]


@pytest.mark.parametrize("content", [b"", b"{", b'{"type":"warning","text":"x","seq":0'])
def test_a_journal_without_a_complete_line_is_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(content)
    assert list(read_journal(path)) == []
    with JournalWriter(path) as journal:
        assert journal.next_seq == 0
    assert path.read_bytes() == b""


def test_a_last_line_longer_than_a_read_is_found_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    whole = write(path, stamped([ev.RunWarning(text="short"), ev.RunWarning(text="x" * 2_500_000)]))
    with JournalWriter(path) as journal:
        assert journal.next_seq == 2
    path.write_bytes(whole[:-1])
    with JournalWriter(path) as journal:
        assert journal.next_seq == 1
    assert [event.seq for event in read_journal(path)] == [0]


def test_unknown_events_are_skipped_and_counted_in_the_sequence(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [
        encode(ev.RunWarning(text="a", seq=0)),
        b'{"type":"from_the_future","t":1.5,"seq":1}',
        b"",
        encode(ev.RunWarning(text="b", seq=2)),
        b'{"type":"from_the_future","t":1.5,"seq":3}',
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert [event.seq for event in read_journal(path)] == [0, 2]
    with JournalWriter(path) as journal:
        assert journal.next_seq == 4


@pytest.mark.parametrize("damage", [b"\0\0\0\0", b'{"type":"warning"}', b"[1]", b'"text"', b'{"type":"epoch_end"'])
def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "events.jsonl"
    good = encode(ev.RunWarning(text="a", seq=0))
    path.write_bytes(good + b"\n" + damage + b"\n" + good + b"\n")
    events = read_journal(path)
    assert next(events).seq == 0
    with pytest.raises(JournalError, match=r"events\.jsonl:2: not an event"):
        next(events)


def test_a_reader_follows_a_journal_while_it_grows_by_any_number_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    whole = write(tmp_path / "source.jsonl", whole_run()[:8])
    path.write_bytes(b"")
    reader, seen = JournalReader(path), []
    for at in range(0, len(whole), 7):
        with path.open("ab") as file:
            file.write(whole[at : at + 7])
        before = path.read_bytes().count(b"\n")
        seen += [event.seq for event in reader.poll()]
        assert len(seen) == before
    assert seen == list(range(8))
    assert list(reader.poll()) == []


def test_a_missing_journal_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_journal(tmp_path / "none.jsonl"))


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "events.jsonl")
    journal.close()
    journal.close()
