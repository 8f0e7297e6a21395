"""The lines of the runs screen: exact widths, columns that stand below each other, figures that are right or absent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from fxtui.run.catalogue import Catalogue, RunEntry
from fxtui.text.glyphs import to_ascii
from fxtui.text.lines import Line, width_of
from fxtui.tui.views.runs import curve_in_a_line, difference_lines, history_lines, labels_of, noise_note, run_lines
from tests.tui.runs import some_runs

WIDE_NAME = "20260101-0101-犬猫データ集合の学習実験その一二三四五六"


def entries_in(root: Path) -> list[RunEntry]:
    some_runs(root)
    damaged = RunEntry(WIDE_NAME, root / WIDE_NAME, "damaged", "has no events.jsonl")
    return [*Catalogue(root / "runs").entries(), damaged]


def text(line: Line) -> str:
    return "".join(piece for piece, _ in line)


def table(runs: list[RunEntry], width: int) -> list[str]:
    lines = run_lines(runs, [run.name for run in runs], "newest first", width, 20, 0, 0, False)
    return [text(line) for line in lines]


@pytest.mark.parametrize("width", [78, 118, 198])
def test_every_line_is_as_wide_as_its_panel(tmp_path: Path, width: int) -> None:
    runs = entries_in(tmp_path)
    lines = run_lines(runs, [runs[0].name], "newest first", width, 20, 1, 0, True)
    lines += difference_lines(runs, width, 30)
    lines += [line for run in (*runs, None) for line in history_lines(run, width, 20)]
    assert {width_of(line) for line in lines} == {width}


@pytest.mark.parametrize("width", [78, 118, 198])
def test_a_name_of_wide_letters_moves_no_column(tmp_path: Path, width: int) -> None:
    rows = table(entries_in(tmp_path), width)
    starts = [cell_len(row[: row.index(word)]) for row, word in zip(rows[1:], STATES, strict=True)]
    assert len(set(starts)) == 1


STATES = ("state", "interrupted", "failed", "stopped", "finished", "damaged")


def test_a_run_of_which_nothing_is_known_shows_no_figures(tmp_path: Path) -> None:
    row = table(entries_in(tmp_path), 198)[-1]
    assert not any(letter.isdigit() for letter in row.split("damaged")[1])


def test_states_and_marks_have_twins_in_ascii_of_the_same_width(tmp_path: Path) -> None:
    runs = entries_in(tmp_path)
    running = replace(runs[0], name="20260101-0102-own", status="running")
    for row in table([running, *runs[:-1]], 118):
        assert to_ascii(row).isascii()
        assert "?" not in to_ascii(row)
        assert len(to_ascii(row)) == cell_len(row)


def test_a_curve_in_one_line_goes_from_the_lowest_to_the_highest() -> None:
    assert curve_in_a_line([], 8) == ""
    assert curve_in_a_line([0.5], 8) == "▄"
    assert curve_in_a_line([0.0, 0.5, 1.0], 8) == "▁▄█"
    assert len(curve_in_a_line([at / 100 for at in range(100)], 16)) == 16


def test_runs_of_one_name_are_told_apart_by_day_and_minute(tmp_path: Path) -> None:
    def entry(name: str) -> RunEntry:
        return RunEntry(name, tmp_path / name, "finished")

    runs = [
        entry("20261125-1935-digits-demo"),
        entry("20261125-1935-digits-demo-2"),
        entry("20261124-0910-digits-demo"),
    ]
    assert list(labels_of(runs).values()) == ["1125-1935-digits-demo", "digits-demo-2", "1124-0910-digits-demo"]
    shown = "\n".join(text(line) for line in run_lines(runs, [], "", 120, 9, 0, 0, False))
    assert all(label in shown for label in labels_of(runs).values())


def test_runs_within_the_noise_are_named_and_others_are_not(tmp_path: Path) -> None:
    runs = entries_in(tmp_path)
    first = runs[3]
    assert first.best is not None
    near = replace(first, name="near")
    assert noise_note([first, near]).startswith("▪1 and ▪2: within the noise")
    assert noise_note([runs[1], first]) == ""
    assert noise_note([first, runs[-1]]) == ""
