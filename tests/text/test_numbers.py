"""Numbers as users read them."""

from __future__ import annotations

import math

import pytest

from fxtui.text import numbers as fmt


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.18834, "0.1883"), (12.0, "12.0000"), (123456.0, "1.23e+05"), (None, "–"), (math.nan, "–"), (math.inf, "–")],
)
def test_loss(value: float | None, text: str) -> None:
    assert fmt.loss(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.935, "93.5%"), (1.0, "100.0%"), (0.0, "0.0%"), (None, "–")])
def test_accuracy(value: float | None, text: str) -> None:
    assert fmt.accuracy(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-3, "1e-3"), (3.3e-4, "3.3e-4"), (0.1, "1e-1"), (1.0, "1e0"), (0.000999, "1e-3"), (None, "–")],
)
def test_lr(value: float | None, text: str) -> None:
    assert fmt.lr(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (5_130, "5,130"),
        (9_999, "9,999"),
        (10_000, "10.0k"),
        (147_968, "148k"),
        (999_400, "999k"),
        (999_600, "1.00M"),
        (2_099_712, "2.10M"),
        (11_181_642, "11.2M"),
        (632_000_000, "632M"),
        (7_000_000_000, "7.00B"),
    ],
)
def test_params(value: int, text: str) -> None:
    assert fmt.params(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00 s"),
        (9.18, "9.18 s"),
        (9.996, "10.0 s"),
        (59.96, "60.0 s"),
        (59.999, "1m 00s"),
        (70.4, "1m 10s"),
        (3599.6, "1h 00m"),
        (7500.0, "2h 05m"),
        (360_000.0, "100h 00m"),
        (None, "–"),
    ],
)
def test_duration(value: float | None, text: str) -> None:
    assert fmt.duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "<0.001 s"),
        (0.0042, "0.004 s"),
        (0.42, "0.42 s"),
        (0.996, "1.0 s"),
        (4.16, "4.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (70, "1m 10s"),
    ],
)
def test_roughly(value: float, text: str) -> None:
    assert fmt.roughly(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (16_357_785, "15.6 MiB"), (2**31, "2.0 GiB"), (2**42, "4.0 TiB")],
)
def test_size(value: int, text: str) -> None:
    assert fmt.size(value) == text


def test_rate_shape_and_plural() -> None:
    assert fmt.rate(1234.4) == "1,234 img/s"
    assert fmt.shape((1000, 3, None, 64)) == "1000×3×?×64"
    assert [fmt.plural(count, "file") for count in (0, 1, 1234)] == ["0 files", "1 file", "1,234 files"]
