"""``fxtui layers``: the layer table of a configuration or of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fxtui.cli.options import DEFAULT_RUNS, Json, Overrides, Runs
from fxtui.config import ConfigError

if TYPE_CHECKING:
    from fxtui.protocol.events import Layers
    from fxtui.protocol.records import LayerRow, Share

_WORDS: dict[Share, str] = {"all": "yes", "some": "part", "none": "no"}


def layers(
    target: Annotated[str, typer.Argument(metavar="CONFIG|RUN", help="A TOML file, or a run.")],
    overrides: Overrides = None,
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """The layer table: what trains, what is frozen, at which learning rate."""
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json

    table = find_layers(target, overrides or [], runs)
    if json:
        for row in table.rows:
            print_json({"type": "layer"} | msgspec.to_builtins(row))
        total = {"type": "total", "parameters": table.parameters, "trainable_parameters": table.trainable_parameters}
        print_json(total)
        return 0
    console = make_console()
    for number, line in enumerate(layer_lines(table)):
        console.print(line, style="" if number else "bold")
    return 0


def find_layers(target: str, overrides: Sequence[str], runs: Path) -> Layers:
    """The layer table of a configuration, which needs torch, or of a run, which needs its journal.

    Raises:
        ConfigError: there is no such file or run, or the configuration is wrong.
    """
    path = Path(target)
    if path.suffix.lower() == ".toml" or (path.is_dir() and not (path / "events.jsonl").is_file()):
        from fxtui.cli.configuration import announce_code, check_without_torch, config_at

        config = config_at(path, list(overrides))
        check_without_torch(config)
        announce_code(config)
        from fxtui.engine.layers.table import layers_of_config

        return layers_of_config(config)
    if overrides:
        raise ConfigError(f"--set {overrides[0]}: a run has its configuration; give a .toml file to change one")
    from fxtui.run.store import RunStore

    state = RunStore(runs).find(target).load_state()
    from fxtui.protocol.events import Layers

    if not state.layers:
        raise ConfigError(f"RUN {target}: ended before its layers were known")
    return Layers(
        rows=tuple(state.layers), parameters=state.parameters, trainable_parameters=state.trainable_parameters
    )


def layer_lines(table: Layers) -> list[str]:
    """The table as lines, its sums at the end, and every fault in a sentence."""
    from fxtui.cli.output.tables import Column, table_lines

    columns = (
        Column("layer"),
        Column("type"),
        Column("params", right=True),
        Column("grad"),
        Column("optim"),
        Column("lr", right=True),
        Column("mode"),
    )
    lines = table_lines(columns, [_cells(row) for row in table.rows])
    lines.append("")
    lines.append(f"{table.parameters:,} parameters, {table.trainable_parameters:,} train")
    lines += [f"! {row.path}: {row.fault}" for row in table.rows if row.fault]
    return lines


def _cells(row: LayerRow) -> tuple[str, ...]:
    from fxtui.text import numbers as fmt

    return (
        row.path,
        row.kind,
        fmt.params(row.parameters),
        _WORDS[row.trainable],
        _WORDS[row.in_optimizer],
        fmt.lr(row.lr),
        row.mode,
    )
