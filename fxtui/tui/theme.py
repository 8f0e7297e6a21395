"""The two themes of fxtui. Train and validation differ in lightness too, so they can be told apart without hue."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="fxtui-dark",
    dark=True,
    primary="#b8a4ff",
    secondary="#56b4e9",
    accent="#b8a4ff",
    foreground="#d8dee7",
    background="#0f141b",
    surface="#18202a",
    panel="#18202a",
    success="#5cc8a1",
    warning="#e6cf5c",
    error="#ff8088",
    variables={
        "fx-bar": "#18202a",
        "fx-selection": "#2b3a52",
        "fx-strong": "#f5f8fc",
        "fx-muted": "#9aa8b9",
        "fx-rule": "#3a4a5c",
        "fx-train": "#56b4e9",
        "fx-val": "#f2a33a",
    },
)
LIGHT = Theme(
    name="fxtui-light",
    dark=False,
    primary="#5b34c0",
    secondary="#0a5f9e",
    accent="#5b34c0",
    foreground="#2a2f36",
    background="#fbfaf7",
    surface="#efece5",
    panel="#efece5",
    success="#0b6b4f",
    warning="#725800",
    error="#b3122b",
    variables={
        "fx-bar": "#efece5",
        "fx-selection": "#d5dff0",
        "fx-strong": "#0b0e12",
        "fx-muted": "#565e6a",
        "fx-rule": "#bdb7aa",
        "fx-train": "#0a5f9e",
        "fx-val": "#9c4600",
    },
)
