"""``fxtui cache``: the features that are kept for later runs, and how to be rid of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from fxtui.cli.options import Json, Yes
from fxtui.text import numbers as fmt

if TYPE_CHECKING:
    from fxtui.run.caches import FeatureCache

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def cache(context: typer.Context, json: Json = False) -> int:
    """List the caches of frozen layers' features: what of, how large, how long unused."""
    if context.invoked_subcommand is not None:
        return 0
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json
    from fxtui.cli.output.tables import Column, table_lines
    from fxtui.machine.directories import data_sets, feature_caches
    from fxtui.run.caches import list_caches
    from fxtui.run.catalogue import size_of

    root, now = feature_caches(), time.time()
    found = list_caches(root)
    data = size_of(data_sets())
    if json:
        for one in found:
            print_json(_row(one))
        if data:
            print_json({"kind": "data", "path": str(data_sets()), "bytes": data})
        return 0
    console = make_console()
    if found:
        columns = (Column("cache"), Column("of"), Column("size", right=True), Column("unused for", right=True))
        for number, line in enumerate(table_lines(columns, [_cells(one, now) for one in found])):
            console.print(line, style="" if number else "bold")
        console.print(f"{fmt.size(sum(one.bytes for one in found))} in {root}; fxtui cache clear removes them")
    else:
        console.print(f"no caches in {root}")
    if data:
        console.print(f"{fmt.size(data)} of downloaded data sets in {data_sets()}")
    return 0


@app.command("clear")
def clear(yes: Yes = False, json: Json = False) -> int:
    """Remove all caches but those that are being written; later runs compute their features again."""
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json
    from fxtui.cli.output.questions import agreed
    from fxtui.cli.output.streams import complain
    from fxtui.machine.directories import feature_caches
    from fxtui.run.caches import list_caches, remove_cache

    root = feature_caches()
    found = [one for one in list_caches(root) if not one.under_way]
    size = sum(one.bytes for one in found)
    if found and not yes and not agreed(f"Remove {fmt.plural(len(found), 'cache')}, {fmt.size(size)}, in {root}?"):
        complain("the caches stay")
        return 1
    status, freed = 0, 0
    for one in found:
        try:
            remove_cache(one)
        except OSError as error:
            complain(f"{error.filename or one.path}: cannot be removed: {error.strerror}")
            status = 1
            continue
        freed += one.bytes
        if json:
            print_json(_row(one) | {"removed": True})
    if not json:
        make_console().print(f"{fmt.size(freed)} removed from {root}" if found else f"no caches in {root}")
    return status


def _row(one: FeatureCache) -> dict[str, Any]:
    return {
        "kind": "features",
        "path": str(one.path),
        "bytes": one.bytes,
        "used": round(one.used, 3),
        "images": one.images or None,
        "shapes": one.shapes,
        "dtype": one.dtype or None,
        "state": _state(one),
    }


def _state(one: FeatureCache) -> str:
    return "being written" if one.under_way else "left unfinished" if one.left else "ready" if one.shapes else "damaged"


def _cells(one: FeatureCache, now: float) -> tuple[str, ...]:
    state = _state(one)
    shapes = " and ".join(fmt.shape(shape[1:]) for shape in one.shapes)
    what = f"{fmt.plural(one.images, 'image')}, {shapes} {one.dtype}" if state == "ready" else state
    return one.path.name.lstrip(".")[:8], what, fmt.size(one.bytes), fmt.age(now - one.used)
