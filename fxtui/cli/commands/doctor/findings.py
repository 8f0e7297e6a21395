"""What a check of the machine says: a finding each, and what is said where the check itself breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

Level = Literal["ok", "warning", "error"]


class Finding(Struct, frozen=True):
    """One thing that was looked at: what, how it is, in words."""

    check: str
    level: Level
    text: str


Check = Callable[[], Iterator[Finding]]


def findings(checks: Sequence[tuple[str, Check]]) -> Iterator[Finding]:
    """What every check finds. One that breaks is itself a finding: a sick machine is what the doctor is for."""
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001
            yield Finding(name, "error", f"could not be checked: {type(error).__name__}: {error}")
