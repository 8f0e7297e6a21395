"""The machine's figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fxtui.text.lines import width_of
from fxtui.tui.views.system import machine_lines, round_figures, system_panel_lines
from tests.tui.samples import SAMPLE, text_of


def test_the_panel_fits_and_tells_what_is_known() -> None:
    lines = system_panel_lines(SAMPLE, 5_120_000, 1126.0, 46, 4)
    assert [width_of(line) for line in lines] == [46] * 4
    shown = text_of(lines)
    for words in ("screen 1.1 KiB/s", "38%", "3.0/16.0 GiB", "71%", "0.5/ 8.0 GiB", "cache 4.9 MiB", "41.0 GiB free"):
        assert words in shown


def test_what_is_not_measured_is_a_dash() -> None:
    shown = text_of(system_panel_lines(None, None, 0.0, 46, 4))
    assert "0%" not in shown
    assert shown.count("–") == 6


def test_the_full_figures_name_every_core_and_device() -> None:
    shown = text_of(machine_lines(SAMPLE, [SAMPLE] * 5, 118))
    assert "2 cores" in shown
    assert "  0 " in shown
    assert "61 °C" in shown
    assert "RTX" in shown


def test_sparks_end_with_the_newest() -> None:
    def cpu_line(*uses: float) -> str:
        return text_of(machine_lines(SAMPLE, [replace(SAMPLE, cpu=use) for use in uses], 60)[1:2]).rstrip()

    assert cpu_line(0.0, 0.5, 1.0, 2.0).endswith(" ▁▄██")
    # There is room for sixteen.
    assert cpu_line(*[0.0] * 100, 1.0).endswith("▁" * 15 + "█")


@pytest.mark.parametrize(("value", "shown"), [(0.0, 0), (7.0, 7), (1126.0, 1100), (987.0, 990)])
def test_rates_are_rounded_to_two_figures(value: float, shown: int) -> None:
    assert round_figures(value) == shown
