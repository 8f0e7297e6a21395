"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_RUNS = Path("runs")

Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a configuration key; may be repeated.")
]
Headless = Annotated[bool, typer.Option("--headless", help="Print lines, open no dashboard.")]
Detach = Annotated[
    bool, typer.Option("--detach", help="Start it and give the prompt back; fxtui attach comes back to it.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where the runs are.")]
RunReference = Annotated[
    str, typer.Argument(metavar="RUN", help="A directory, a name, a unique prefix of one, or `last`.")
]
LowBandwidth = Annotated[bool, typer.Option("--low-bandwidth", help="Draw seldom: for slow connections.")]
Ascii = Annotated[bool, typer.Option("--ascii", help="No signs beyond ASCII.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR does the same.")]
ThemeName = Annotated[
    str | None, typer.Option("--theme", metavar="NAME", help="dark, light, 16, or one of Textual's themes.")
]
