"""Journals that no run writes: what a disk, an editor or an enemy makes of them."""

from __future__ import annotations

from collections.abc import Iterator

_START = b'{"type":"run_started","name":"x","version":"1","epochs":1,"config":{},"t":1.0,"seq":0}\n'
_CONFIG = b'{"type":"run_started","name":"x","version":"1","epochs":1,"config":{"a":%s},"t":1.0,"seq":0}'
_BATCH = b'{"type":"batch_end","epoch":%s,"step":%s,"batch":1,"batches":%s,"loss":1,"accuracy":1,"lr":1,"t":%s,"seq":1}'
_DEEP = 200_000
LONG = 100 << 20


def hostile_journals(long: int = LONG) -> Iterator[tuple[str, bytes]]:
    """What is wrong, and the journal: each is one run's damage. The longest line has ``long`` bytes."""
    yield "brackets, 200,000 deep", _START + b"[" * _DEEP + b"\n"
    yield "an unknown event of brackets", _START + b'{"type":"unknown","x":' + b"[" * _DEEP + b"\n"
    yield "a configuration of brackets", _CONFIG % (b"[" * _DEEP + b"]" * _DEEP) + b"\n"
    yield "a line of any length", _START + b'{"type":"warning","text":"' + b"x" * long + b'"}\n'
    yield "a line without an end", _START + b"x" * long
    yield "a first line without an end", b"x" * long
    yield "a number of a million digits", _START + _BATCH % (b"9" * 1_000_000, b"1", b"1", b"1") + b"\n"
    yield "a number of 4,000 digits", _START + _BATCH % (b"9" * 4000, b"1", b"1", b"1") + b"\n"
    yield "a number beyond 64 bits", _START + _BATCH % (b"1", b"9" * 30, b"1", b"1") + b"\n"
    yield "a time beyond all calendars", _START + _BATCH % (b"1", b"1", b"1", b"1e300") + b"\n"
    yield "a time before all time", _START + _BATCH % (b"1", b"1", b"1", b"-1e300") + b"\n"
    yield "a time without bounds", _START + _BATCH % (b"1", b"1", b"1", b"1e999") + b"\n"
    yield "an epoch of no batches", _START + _BATCH % (b"1", b"1", b"0", b"1") + b"\n"
    yield "bytes that are no text", _START + b'{"type":"warning","text":"\xff\xfe"}\n'
    yield "zeros", _START + b"\0" * 4096 + b"\n"
    yield "escapes in a name", _START.replace(b"run_started", b"run_\\u001b[31mstarted\\ud800") + b"\n"
    yield "escapes as they are", b"\x1b[2J\x1b]0;owned\x07\n"
    yield "half a letter", _START + b'{"type":"warning","text":"\\ud83d"}\n'
    yield "another list", b'[{"type":"warning","text":"x"}]\n'
