"""A listener's queue: nothing lost without saying so, nothing kept beyond its bound, and a wake-up only when needed."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.protocol import events as ev
from fxtui.run.journal import JournalWriter, read_journal
from fxtui.run.session.link import EngineLink
from fxtui.run.session.listener import Listener
from fxtui.run.session.once import EachOnce, end_of
from fxtui.run.session.subscription import Subscription
from fxtui.run.state import fold
from tests.run.samples import stamped, trained, whole_run
from tests.run.session.scripted import FINISHED, made


def extracted(done: int) -> ev.ExtractionProgress:
    return ev.ExtractionProgress(done=done, total=100, images_per_s=1.0)


def line(number: int) -> ev.Output:
    return ev.Output(text=str(number), seq=number)


def test_what_is_put_is_taken_once_in_order() -> None:
    said = Subscription(0)
    for number in range(3):
        said.put(line(number))
    assert [event.seq for event in said.take().events] == [0, 1, 2]
    assert said.take() == (taken := said.take())
    assert (taken.missed, taken.events, taken.told) == (None, [], [])


def test_too_many_are_dropped_and_the_first_that_lacks_is_named() -> None:
    said = Subscription(0, bound=3)
    for number in range(10):
        said.put(line(number))
    taken = said.take()
    assert (taken.missed, taken.events) == (0, [])
    said.put(line(10))
    taken = said.take()
    assert (taken.missed, [event.seq for event in taken.events]) == (None, [10])


def test_what_the_journal_lacks_is_kept_whatever_overflows() -> None:
    said = Subscription(0, bound=2)
    for number in range(5):
        said.put(line(number))
    said.tell(ev.Output(text="told"))
    taken = said.take()
    assert (taken.missed, [event.text for event in taken.told]) == (0, ["told"])  # type: ignore[attr-defined]


def test_of_progress_the_last_is_kept_and_of_batches_all() -> None:
    events = stamped([extracted(1), extracted(2), *trained(1, 0.9)[:2], extracted(3), line(0), extracted(4)])
    said = Subscription(0, merges=True)
    for event in events:
        said.put(event)
    assert [event.seq for event in said.take().events] == [1, 2, 3, 4, 5, 6]
    assert said.take().missed is None


def test_a_flood_of_progress_does_not_overflow() -> None:
    said = Subscription(0, merges=True, bound=2)
    for number in range(1000):
        said.put(msgspec.structs.replace(extracted(number), seq=number))
    assert [event.seq for event in said.take().events] == [999]


def test_it_wakes_once_until_it_is_taken_from() -> None:
    woken: list[int] = []
    said = Subscription(0, bound=4, wake=lambda: woken.append(1))
    for number in range(20):
        said.put(line(number))
    assert len(woken) == 1
    said.take()
    said.put(line(20))
    assert len(woken) == 2


def test_waiting_ends_with_an_event_or_in_time() -> None:
    said = Subscription(0)
    assert not said.wait(0.01)
    threading.Timer(0.02, said.put, [line(0)]).start()
    assert said.wait(30)
    assert said.wait()


@given(st.lists(st.sampled_from(whole_run()), max_size=60))
def test_merged_or_not_the_state_is_the_same(events: list[ev.Event]) -> None:
    events = stamped(events)
    said = Subscription(0, merges=True)
    for event in events:
        said.put(event)
    assert fold(said.take().events) == fold(events)


@pytest.fixture
def link(tmp_path: Path) -> EngineLink:
    run = made(tmp_path)
    return EngineLink(run, JournalWriter(run.journal))


def test_with_nobody_listening_nothing_is_kept(link: EngineLink) -> None:
    said = link.subscribe()
    link.emit(line(0))
    link.unsubscribe(said)
    link.emit(line(0))
    assert [event.seq for event in said.take().events] == [0]
    assert link.subscribe().next_seq == 2


def test_a_listener_that_was_too_slow_is_given_all_in_slices(link: EngineLink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fxtui.run.session.listener._SLICE", 300)
    link.emit(line(0))
    listener = Listener(link)
    for _ in range(5000):
        link.emit(line(0))
    assert [event.seq for event in listener.events()] == list(range(1, 301))
    link.emit(FINISHED)
    link.tell(ev.Output(text="told"))
    got: list[ev.Event] = []
    while events := listener.events():
        got += events
    assert [event.seq for event in got] == [*range(301, 5002), 5001]
    assert got[:-1] == list(read_journal(link.run.journal))[301:]


def test_a_listener_reads_single_events_across_an_overflow(link: EngineLink) -> None:
    listener = Listener(link)
    for _ in range(5000):
        link.emit(line(0))
    for number in range(5000):
        event = listener.wait_event(10)
        assert event is not None
        assert event.seq == number
    assert listener.wait_event(0.01) is None


@given(st.integers(0, 12), st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=8), st.data())
def test_each_event_is_handed_out_once_heard_or_read(
    tmp_path_factory: pytest.TempPathFactory, begins: int, turns: list[tuple[bool, int]], data: st.DataObject
) -> None:
    journal = tmp_path_factory.mktemp("once") / "events.jsonl"
    with JournalWriter(journal) as writer:
        for number in range(begins):
            writer.append(line(number))
        once = EachOnce(journal, *end_of(journal))
        assert once.last_seq == begins - 1
        got: list[int] = []
        following = begins
        heard_all = True
        for reads, count in turns:
            events = [line(number) for number in range(following, following + count)]
            following += count
            for event in events:
                writer.append(event)
            if reads or not heard_all:
                heard_all = True
                got += [event.seq for event in once.unread()]
            elif data.draw(st.booleans()):
                got += [event.seq for event in events if once.is_new(event)]
            else:
                heard_all = False
        got += [event.seq for event in once.unread()]
    assert got == list(range(begins, following))


@pytest.mark.parametrize("torn", [b"", b'{"type":"outp'])
def test_the_end_of_a_journal_is_after_its_last_whole_line(tmp_path: Path, torn: bytes) -> None:
    journal = tmp_path / "events.jsonl"
    assert end_of(journal) == (0, -1)
    journal.write_bytes(torn)
    assert end_of(journal) == (0, -1)
    first = b'{"type":"output","seq":0,"text":"' + b"x" * 200_000 + b'"}\n'
    journal.write_bytes(first + torn)
    assert end_of(journal) == (len(first), 0)
    second = b'{"type":"output","seq":1,"text":""}\n'
    journal.write_bytes(first + second + torn)
    assert end_of(journal) == (len(first) + len(second), 1)


def test_damaged_lines_are_left_out_and_a_journal_that_is_away_is_waited_for(tmp_path: Path) -> None:
    journal = tmp_path / "events.jsonl"
    once = EachOnce(journal)
    assert list(once.unread()) == []
    journal.write_bytes(b'{"type":"output","seq":0,"text":""}\nrubbish\n{"type":"output","seq":2,"text":""}\n')
    assert [event.seq for event in once.unread()] == [0, 2]
