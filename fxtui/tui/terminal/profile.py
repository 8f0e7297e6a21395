"""What this terminal can show, and what of it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Terminals whose fonts lack the braille and block characters of the curves.
_PLAIN_TERMINALS = ("dumb", "linux", "vt100", "vt102", "vt220")


@dataclass(frozen=True, slots=True)
class TerminalProfile:
    """``ascii_only``: no sign beyond ASCII; ``low_bandwidth``: draw seldom; ``no_color``: bold and reverse at most."""

    ascii_only: bool = False
    low_bandwidth: bool = False
    no_color: bool = False


def profile_for(
    environment: Mapping[str, str], encoding: str, *, ascii_only: bool, low_bandwidth: bool, no_color: bool
) -> TerminalProfile:
    """What the user asks for, and what the terminal cannot do without: by NO_COLOR, TERM and its encoding."""
    terminal = environment.get("TERM", "")
    utf8 = encoding.lower().replace("-", "") == "utf8"
    return TerminalProfile(
        ascii_only=ascii_only or not utf8 or terminal in _PLAIN_TERMINALS,
        low_bandwidth=low_bandwidth,
        no_color=no_color or bool(environment.get("NO_COLOR")) or terminal == "dumb",
    )
