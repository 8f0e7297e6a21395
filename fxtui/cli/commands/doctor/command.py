"""``fxtui doctor``: what fxtui finds on this machine, one line a finding, in words and never as a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from fxtui.cli.options import Json

Level = Literal["ok", "warning", "error"]
_SIGNS: dict[Level, str] = {"ok": "✓", "warning": "!", "error": "✗"}
_STYLES: dict[Level, str] = {"ok": "green", "warning": "yellow", "error": "red"}


class Finding(Struct, frozen=True):
    """One thing that was looked at: what, how it is, in words."""

    check: str
    level: Level
    text: str


Check = Callable[[], Iterator[Finding]]


def doctor(json: Json = False) -> int:
    """Check versions, devices, terminal and writable directories."""
    from fxtui.cli.commands.doctor.checks import CHECKS
    from fxtui.cli.following.json_lines import print_json
    from fxtui.cli.output.console import make_console

    console = make_console()
    worst: Level = "ok"
    for finding in findings(CHECKS):
        if finding.level == "error":
            worst = "error"
        if json:
            print_json(finding)
        else:
            console.print(describe(finding), style=_STYLES[finding.level] if finding.level != "ok" else "")
    return 1 if worst == "error" else 0


def findings(checks: Sequence[tuple[str, Check]]) -> Iterator[Finding]:
    """What every check finds. One that breaks is itself a finding: a sick machine is what the doctor is for."""
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001
            yield Finding(name, "error", f"could not be checked: {type(error).__name__}: {error}")


def describe(finding: Finding) -> str:
    """A finding as a line."""
    return f"{_SIGNS[finding.level]} {finding.check:<14}{' '.join(finding.text.split())}"
