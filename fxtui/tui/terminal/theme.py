"""The themes of fxtui. Train and validation differ in lightness too, so they can be told apart without hue."""

from __future__ import annotations

import difflib

from textual.theme import BUILTIN_THEMES, Theme

from fxtui.config import ConfigError

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
# For terminals with 16 colours: the terminal's own, on its own background, whatever they are.
SIXTEEN = Theme(
    name="fxtui-16",
    ansi=True,
    dark=True,
    primary="ansi_magenta",
    secondary="ansi_cyan",
    accent="ansi_magenta",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,
        "fx-bar": "ansi_default",
        "fx-selection": "ansi_default",
        "fx-strong": "ansi_default",
        "fx-muted": "ansi_bright_black",
        "fx-rule": "ansi_bright_black",
        "fx-train": "ansi_cyan",
        "fx-val": "ansi_yellow",
    },
)
_SHORT_NAMES = {"dark": DARK.name, "light": LIGHT.name, "16": SIXTEEN.name}


def theme_named(name: str) -> str:
    """The full name of a theme: dark, light, 16, or one of Textual's.

    Raises:
        ConfigError: there is no theme of that name.
    """
    known = {**_SHORT_NAMES, **{its: its for its in (*_SHORT_NAMES.values(), *BUILTIN_THEMES)}}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"expected {', '.join(_SHORT_NAMES)} or one of Textual's"
    raise ConfigError(f"--theme {name}: no such theme; {hint}")


def role_variables(theme: Theme) -> dict[str, str]:
    """Our colour roles in a theme that does not know them: its own if it is ours, else by its lightness."""
    if theme.ansi:
        return SIXTEEN.variables
    return (DARK if theme.dark else LIGHT).variables
