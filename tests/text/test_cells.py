"""Text that is cut and filled by the cells it takes, whatever its letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.text.cells import cut, fill, left, right, text_width

TEXTS = st.text(alphabet="ab 1-é漢字がカ·…")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("cat", "cat"), ("kitten", "kitt…"), ("漢字", "漢字"), ("漢字が", "漢字…"), ("a漢字が", "a漢 …")],
)
def test_what_is_cut_ends_in_a_sign(text: str, shown: str) -> None:
    assert cut(text, 5) == shown


def test_it_may_be_cut_without_a_sign_and_filled_without_being_cut() -> None:
    assert cut("kitten", 4, "") == "kitt"
    assert fill("cat", 5) == "cat  "
    assert fill("kitten", 4) == "kitten"


@given(text=TEXTS, width=st.integers(1, 12))
def test_columns_are_as_wide_as_they_should_be(text: str, width: int) -> None:
    assert text_width(cut(text, width)) <= width
    assert text_width(left(text, width)) == text_width(right(text, width)) == width


@given(text=st.text(alphabet="abc 1", min_size=0, max_size=15), width=st.integers(1, 12))
def test_ascii_is_cut_and_filled_as_by_its_length(text: str, width: int) -> None:
    shown = text if len(text) <= width else text[: width - 1] + "…"
    assert (left(text, width), right(text, width)) == (shown.ljust(width), shown.rjust(width))
