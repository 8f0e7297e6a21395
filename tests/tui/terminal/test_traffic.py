"""What goes to the terminal is counted."""

from __future__ import annotations

from pathlib import Path

from fxtui.tui.terminal.traffic import CountedFile, Traffic


def test_traffic_forgets_what_is_old_but_for_the_total(tmp_path: Path) -> None:
    now = 100.0
    traffic = Traffic(lambda: now)
    assert (traffic.total, traffic.per_second, traffic.latency) == (0, 0.0, None)
    with (tmp_path / "out").open("w", encoding="utf-8") as plain:
        file = CountedFile(plain, traffic)
        file.write("é")
        file.write("ab")
        assert traffic.total == 0
        file.flush()
        file.flush()
    assert (traffic.total, traffic.per_second) == (4, 1.0)
    traffic.add(100, 0.2)
    now = 104.5
    assert (traffic.total, traffic.per_second, traffic.latency) == (104, 0.0, None)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "éab"
