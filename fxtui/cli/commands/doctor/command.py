"""``fxtui doctor``: what fxtui finds on this machine, one line a finding, in words and never as a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fxtui.cli.options import Json

if TYPE_CHECKING:
    from fxtui.cli.commands.doctor.findings import Finding, Level

_SIGNS: dict[Level, str] = {"ok": "✓", "warning": "!", "error": "✗"}
_STYLES: dict[Level, str] = {"ok": "", "warning": "yellow", "error": "red"}


def doctor(json: Json = False) -> int:
    """Check versions, devices, terminal and writable directories."""
    from fxtui.cli.commands.doctor.checks import CHECKS
    from fxtui.cli.commands.doctor.findings import findings
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json

    console = make_console()
    failed = False
    for finding in findings(CHECKS):
        failed = failed or finding.level == "error"
        if json:
            print_json(finding)
        else:
            console.print(describe(finding), style=_STYLES[finding.level])
    return 1 if failed else 0


def describe(finding: Finding) -> str:
    """A finding as a line."""
    return f"{_SIGNS[finding.level]} {finding.check:<14}{' '.join(finding.text.split())}"
