"""What the launcher says, as pure functions from what was found to lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fxtui.config import RunConfig
from fxtui.run.nearby import FoundConfig, ImageFolder, Nearby, PastRun
from fxtui.text import numbers as fmt
from fxtui.text.cells import cut, fill
from fxtui.text.lines import Line, Piece, fit, spread, title, wrap
from fxtui.tui.views.runs import RUN_MARKS

_NAME, _STATE = 34, 15
# Room for the columns of a run.
_COLUMNS = 92


@dataclass(frozen=True, slots=True)
class NewRun:
    """The entry that opens an empty form."""


_DOES = {"running": "trains in another process", "holding": "holds in another process"}

Entry = NewRun | PastRun | FoundConfig | ImageFolder


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list; ``entry`` is None for headings and gaps."""

    line: Line
    entry: Entry | None = None


def rows(found: Nearby | None, width: int, now: float) -> list[Row]:
    """The whole list; None: still looking. ``now`` is in seconds since the epoch."""
    made = [
        Row(title("New run", (), (), width)),
        Row((("   choose images, a backbone, and how to train", ""),), NewRun()),
    ]
    if found is None:
        return [*made, Row(()), Row((("   looking for runs and configurations", "muted"),))]
    if found.runs:
        made += [Row(()), Row(_runs_heading(width)), *(Row(_run_line(run, width, now), run) for run in found.runs)]
    if found.folders:
        made += [Row(()), Row(title("Folders of images", (), (), width))]
        made += [Row(_folder_line(folder), folder) for folder in found.folders]
    if found.configs:
        made += [Row(()), Row(title("Configurations", (), (), width))]
        made += [Row(_config_line(config), config) for config in found.configs]
    return made


def enter_does(entry: Entry | None) -> tuple[str, str]:
    """What the enter key does with an entry: in a word or two for the key line, and in a sentence."""
    match entry:
        case PastRun(attachable=True):
            return "watch", f"it {_DOES[entry.summary.status]}: enter watches it; e makes a new run of it"
        case PastRun(resumable=True, config=RunConfig() as config):
            planned = fmt.plural(config.train.epochs, "epoch")
            done = f" with {entry.epochs} of {planned} done" if entry.epochs else ""
            return "go on", f"enter goes on from its last checkpoint{done}; e makes a new run of it"
        case PastRun(config=None):
            return "", f"{entry.name}: {entry.fault}"
        case PastRun():
            status = entry.summary.status
            why = "it has finished" if status == "finished" else f"{status}, no checkpoint to go on from"
            return "new run", f"enter fills in the form as this run had it: {why}"
        case FoundConfig(config=None):
            return "", f"{entry.path}: {entry.fault}"
        case FoundConfig():
            return "start", f"enter starts {entry.path.name}; e changes it first"
        case ImageFolder():
            return "new run", f"enter fills in the form for {entry.path}"
        case _:
            return "new run", "enter opens the form"


def details(entry: Entry | None, width: int, now: float) -> list[Line]:
    """What is known of an entry, for the column beside the list."""
    match entry:
        case PastRun(config=RunConfig() as config):
            facts: list[tuple[str, Piece]] = [
                ("state", _state(entry)),
                ("epochs", (_epochs(entry), "")),
                ("best val", _best(entry)),
                ("started", (ago(entry.started, now), "")),
            ]
            lines = [title(entry.name, (), (), width), (), *(_fact(label, value, width) for label, value in facts), ()]
            reason: list[Line] = wrap(entry.summary.reason, width, "warn") if entry.summary.reason else []
            return [*lines, *reason, *([()] if reason else []), *_config_facts(config, width)]
        case PastRun():
            return [title(entry.name, (), (), width), (), *wrap(entry.fault, width, "error")]
        case FoundConfig(config=RunConfig() as config):
            return [title(entry.path.name, (), (), width), (), *_config_facts(config, width)]
        case FoundConfig():
            return [title(entry.path.name, (), (), width), (), *wrap(entry.fault, width, "error")]
        case ImageFolder():
            shown = list(entry.classes[:20])
            more = ["…"] if entry.more or len(entry.classes) > len(shown) else []
            heading = title(str(entry.path), ((_count(entry), "muted"),), (), width)
            return [heading, (), *(((f"{name}", ""),) for name in shown + more)]
        case _:
            return []


def ago(then: float, now: float) -> str:
    """When something was: `5m ago`, `3h ago`, a date from the second day on."""
    seconds = max(0.0, now - then)
    if not then:
        return fmt.NONE
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)}m ago"
    if seconds < 86400:
        return f"{int(seconds // 3600)}h ago"
    return time.strftime("%Y-%m-%d", time.localtime(then))


def trains(config: RunConfig) -> str:
    """What trains from the start."""
    return ", ".join(("head", *config.freeze.trainable))


def key_line(entry: Entry | None, width: int) -> Line:
    """The keys that work on the list."""
    word, _ = enter_does(entry)
    keys = [("↑↓", "choose"), ("enter", word), ("n", "new run"), ("e", "edit"), ("q", "quit")]
    pieces: list[Piece] = []
    for key, what in keys:
        able = bool(what) and not (key == "e" and not editable(entry))
        pieces += [(f" {key}", "key" if able else "muted"), (f" {what or 'start'} ", "" if able else "muted")]
    return fit(tuple(pieces), width)


def editable(entry: Entry | None) -> bool:
    """Whether there is a configuration to begin the form with."""
    return isinstance(entry, ImageFolder) or (isinstance(entry, PastRun | FoundConfig) and entry.config is not None)


def header(folder: Path, version: str, width: int) -> Line:
    """The first line."""
    return spread(((" fxtui ", "strong"), (f" {folder}", "muted")), ((f"{version} ", "muted"),), width)


def _runs_heading(width: int) -> Line:
    if width < _COLUMNS:
        return title("Recent runs", (), (("best val", "muted"),), width)
    columns = f"{'state':<{_STATE}}{'epochs':>9}{'best val':>10}{'started':>12}  starts with"
    left = title("Recent runs", (), (), _NAME)
    return fit((*left, (f"{'':2}{columns}", "muted")), width)


def _state(run: PastRun) -> Piece:
    mark, role = RUN_MARKS[run.summary.status]
    return f"{mark} {run.summary.status}", role


def _best(run: PastRun) -> Piece:
    best = run.summary.best_accuracy
    return fmt.accuracy(best), "val" if best is not None else "muted"


def _run_line(run: PastRun, width: int, now: float) -> Line:
    state, role = _state(run)
    name = cut(run.name, _NAME - 4)
    best = _best(run)
    if width < _COLUMNS:
        return spread((("   ", ""), (name, ""), ("  ", ""), (state, role)), (best,), width)
    what = trains(run.config) if run.config else ""
    start: Line = (("   ", ""), (fill(name, _NAME - 1), ""), (fill(state, _STATE), role))
    figures: Line = (
        (f"{_epochs(run):>9}", ""),
        (f"{best[0]:>10}", best[1]),
        (f"{ago(run.started, now):>12}", "muted"),
        (f"  {what}", "muted"),
    )
    return (*start, *figures)


def _epochs(run: PastRun) -> str:
    planned = str(run.config.train.epochs) if run.config else fmt.NONE
    return f"{fmt.NONE if run.epochs is None else run.epochs}/{planned}"


def _config_line(found: FoundConfig) -> Line:
    shown = f"{found.path.stem} (comes with fxtui)" if found.bundled else str(found.path)
    name: Piece = ("   " + fill(cut(shown, _NAME - 4), _NAME), "")
    if found.config is None:
        return (name, ("! ", "error"), (found.fault, "error"))
    config = found.config
    return (name, (f"{config.data.source}  {config.model.backbone}  {trains(config)}", "muted"))


def _folder_line(folder: ImageFolder) -> Line:
    name = "this folder" if folder.path == Path() else f"{folder.path}/"
    names = ", ".join(folder.classes[:8]) + (", …" if len(folder.classes) > 8 or folder.more else "")
    return (("   " + fill(cut(name, _NAME - 4), _NAME), ""), (f"{_count(folder)}: {names}", "muted"))


def _count(folder: ImageFolder) -> str:
    return f"{len(folder.classes)}{' or more' if folder.more else ''} classes"


def _config_facts(config: RunConfig, width: int) -> list[Line]:
    train, size = config.train, config.data.image_size
    facts: Sequence[tuple[str, str]] = (
        ("images", config.data.source),
        ("size", f"{size}×{size}" if size else "as the weights want it"),
        ("backbone", config.model.backbone),
        ("weights", config.model.weights),
        ("starts with", trains(config)),
        ("epochs", f"{train.epochs} of batches of {train.batch_size}"),
        ("optimizer", f"{train.optimizer}, lr {fmt.lr(train.lr)}, {train.schedule}"),
        ("device", config.device),
    )
    return [_fact(label, (value, ""), width) for label, value in facts]


def _fact(label: str, value: Piece, width: int) -> Line:
    return fit(((fill(label, 13), "muted"), value), width)
