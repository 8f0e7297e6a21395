"""The header of every screen: which run, how it is going, and the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fxtui.machine.samples import MachineSample
from fxtui.protocol.events import RunHolding, StageName
from fxtui.run.state import RunState
from fxtui.run.store import plain_name
from fxtui.text import numbers as formats
from fxtui.text.cells import cut, fill, text_width
from fxtui.text.lines import Line, Piece, bar, fit, spread, width_of

_WIDE = 100
_PROGRAM = " fxtui  "
_STAGE_NAMES: dict[StageName, str] = {
    "images": "Raw Image Input",
    "preprocess": "Preprocessing",
    "features": "Feature Extraction",
    "train": "Classifier Training",
    "validate": "Validation",
}
_MARKS: dict[str, Piece] = {"done": ("✓", "ok"), "working": ("●", "ok"), "waiting": ("·", "muted")}
_PHASES: dict[str, Piece] = {
    "starting": ("● starting", "muted"),
    "loading": ("● loading", "muted"),
    "extracting": ("● extracting", "ok"),
    "training": ("● training", "ok"),
    "validating": ("● validating", "ok"),
    "paused": ("● paused", "warn"),
    "holding": ("◎ holding", "accent"),
    "finished": ("✓ finished", "ok"),
    "stopped": ("✓ stopped", "warn"),
    "failed": ("✗ failed", "error"),
}


@dataclass(frozen=True, slots=True)
class ScreenTab:
    """A screen in the top line, by its key's number; ``short``: its name where there is less room."""

    name: str
    label: str
    short: str = ""


@dataclass(frozen=True, slots=True)
class Tabs:
    """The screens in their order, and the name of the open one."""

    screens: Sequence[ScreenTab]
    open: str


@dataclass(frozen=True, slots=True)
class RunView:
    """When the run is looked at, in seconds since the epoch, what keeps it from being heard of, and whether only so."""

    now: float
    trouble: str = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class _Load:
    """How busy a device is, such as ``  38%``, and how full, such as ``ram  19%``; empty: not known."""

    use: str = ""
    memory: str = ""


def header_lines(
    state: RunState, tabs: Tabs, machine: MachineSample | None, view: RunView, width: int, height: int
) -> list[Line]:
    """All of the header that there is room for; the pipeline goes first."""
    load = _load(state.model.device if state.model else "", machine)
    lines = [_top_line(state, tabs, load, width), _status_line(state, width, view)]
    if height > len(lines):
        lines += _pipeline_lines(state, load, width)
    return lines[:height]


def _load(device: str, machine: MachineSample | None) -> _Load:
    """How busy the device of the run is, and how full its memory."""
    if machine is None or not device:
        return _Load()
    if not device.startswith("cuda"):
        return _Load(_percent(machine.cpu), f"ram{_percent(machine.ram_used / max(machine.ram_total, 1))}")
    number = int(device.partition(":")[2] or 0)
    if number >= len(machine.gpus):
        return _Load()
    gpu = machine.gpus[number]
    if gpu.memory_used is None or not gpu.memory_total:
        return _Load(_percent(gpu.use))
    return _Load(_percent(gpu.use), f"mem{_percent(gpu.memory_used / gpu.memory_total)}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:5.0%}"


def _top_line(state: RunState, tabs: Tabs, load: _Load, width: int) -> Line:
    """The screens, the one that is open marked, and what runs where."""
    names: list[Piece] = [(_PROGRAM, "strong")]
    for name, text in _labels(tabs.screens, width):
        number, label = text.split(" ", 1)
        if name == tabs.open:
            names.append((f" {number} {label} ", "tab"))
        else:
            names += [(f" {number}", "key"), (f" {label} ", "")]
    model = state.model
    where: list[Line] = [((plain_name(state.name), "strong"),)]
    if model:
        where += [(("  " + model.backbone, "muted"),), (("  " + model.device, "muted"),)]
        where += [((load.use, ""),)] if load.use else []
        where += [(("  " + load.memory, "muted"),)] if load.memory else []
    room = width - width_of(tuple(names)) - 1
    while len(where) > 1 and sum(map(width_of, where)) > room:
        where.pop()
    if len(where) == 1:
        where = [((cut(where[0][0][0], max(0, room)), "strong"),)]
    return spread(tuple(names), tuple(piece for part in where for piece in part), width)


def screen_at(screens: Sequence[ScreenTab], width: int, x: int) -> str | None:
    """The screen whose name stands at this cell of the top line."""
    at = len(_PROGRAM)
    for name, text in _labels(screens, width):
        size = len(text) + 2
        if at <= x < at + size:
            return name
        at += size
    return None


def _labels(screens: Sequence[ScreenTab], width: int) -> list[tuple[str, str]]:
    every = enumerate(screens, 1)
    if width >= _WIDE:
        return [(tab.name, f"{number} {tab.label}") for number, tab in every]
    if width >= 76:
        return [(tab.name, f"{number} {tab.short or tab.label}") for number, tab in every]
    return [(tab.name, f"{number} {tab.label[:2]}") for number, tab in every]


def _status_line(state: RunState, width: int, view: RunView) -> Line:
    """How it is going, in one line."""
    wide = width >= _WIDE
    phase = _phase(state, view)
    if state.reason and state.phase == "failed":
        return fit((*phase, (f": {state.reason}", "error")), width)
    if state.holding and not view.trouble:
        return _holding_line(state, state.holding, phase, width)
    done = len(state.epochs)
    running = state.batch is not None and state.batch.epoch > done and not state.ended
    current = state.batch.epoch if state.batch and running else done
    part = state.batch.batch / state.batch.batches if state.batch and running else 0.0
    planned = max(state.epochs_planned, 1)
    left: list[Piece] = [*phase, ("   " if wide else "  ", "")]
    if not state.epochs_planned:
        return fit(tuple(phase), width)
    if wide:
        left.append(("epoch ", "muted"))
    left += [
        (f"{current:>{len(str(planned))}}/{planned}", "strong"),
        ("  ", ""),
        *bar((done + part) / planned, 14 if wide else 9),
    ]
    if running and state.batch and wide:
        size = len(str(state.batch.batches))
        left += [("  step ", "muted"), (f"{state.batch.batch:>{size}}/{state.batch.batches}", "")]
    if (pace := state.seconds_per_epoch) is not None:
        left += [
            ("  ", ""),
            (formats.duration(pace).removesuffix(" s"), ""),
            (" s/epoch" if pace < 59.9 else "/epoch", "muted"),
        ]
    elapsed = state.elapsed
    if state.started and not state.ended:
        elapsed += max(0.0, view.now - state.updated)
    # From the right the most telling first; what there is no room for is left out.
    facts: list[Line] = []
    if state.best:
        at = f" epoch {state.best.epoch}" if wide else f" @{state.best.epoch}"
        facts.append((("best ", "muted"), (formats.accuracy(state.best.val_accuracy), "val"), (at, "muted")))
    if (rest := state.seconds_left) is not None and rest > 0:
        facts.append((("left ", "muted"), (f"≈{formats.roughly(rest)}", "")))
    if wide and state.started:
        facts.append((("run ", "muted"), (formats.whole_seconds(elapsed), "")))
    right: Line = ((" ", ""),)
    for fact in facts:
        if width_of(tuple(left)) + width_of(fact) + width_of(right) + 4 <= width:
            right = (*fact, *((("   ", ""), *right) if len(right) > 1 else right))
    return spread(tuple(left), right, width)


def _phase(state: RunState, view: RunView) -> list[Piece]:
    """What it is at, or what is wrong with the process it is in, and that nothing can be changed from here."""
    trouble = "" if state.ended else view.trouble
    pieces: list[Piece] = [(" ", ""), (f"! {trouble}", "error") if trouble else _PHASES[state.phase]]
    return [*pieces, ("  read-only", "warn")] if view.read_only else pieces


def _holding_line(state: RunState, holding: RunHolding, phase: Sequence[Piece], width: int) -> Line:
    """What is held, why nothing trains, and when it ends; what there is no room for is left out from the end."""
    parts: list[Line] = [tuple(phase), ((f"   {holding.reason}", ""),)]
    if state.best:
        accuracy = formats.accuracy(state.best.val_accuracy)
        parts.append((("   best ", "muted"), (accuracy, "val"), (f" @{state.best.epoch}", "muted")))
    left = tuple(piece for part in parts for piece in part)
    held = f"holds {formats.size(holding.held_bytes)} on {holding.device}"
    ends = f"{held}, ends after {holding.minutes:g} min unwatched "
    for text in (ends, f"{held} "):
        if width_of(left) + len(text) + 2 <= width:
            return spread(left, ((text, "muted"),), width)
    return fit(left, width)


def _pipeline_lines(state: RunState, load: _Load, width: int) -> list[Line]:
    """The five stages with marks, shapes and rates in two lines; where it is narrow in one, ending with the load."""
    if width < _WIDE:
        pieces: list[Piece] = [(" ", "")]
        shown = ""
        for stage in _STAGE_NAMES:
            mark = _MARKS[state.stage_mark(stage)]
            text = _stage_shape(state, stage)
            word = {"train": " train", "validate": " val"}.get(stage, "")
            if stage == "features" and state.phase == "extracting" and state.extraction:
                text = f"{state.extraction.done}/{state.extraction.total} {formats.rate(state.extraction.images_per_s)}"
            same = text == shown and text != formats.NONE
            pieces += [mark, (f" {'same' if same else text}{word}", ""), (" → ", "muted")]
            shown = text
        device = "gpu" if state.model and state.model.device.startswith("cuda") else "cpu"
        busy = ((f"{device} ", "muted"), (f"{load.use.strip()} ", "")) if load.use else ()
        return [spread(tuple(pieces[:-1]), busy, width)]
    # The last has no arrow behind it and needs less.
    column = (width - 18) // 4
    names: list[Piece] = [(" ", "")]
    shapes: list[Piece] = [(" ", "")]
    for number, (stage, name) in enumerate(_STAGE_NAMES.items()):
        reached = state.stage_mark(stage)
        arrow = "→ " if number < 4 else ""
        room = column - 3 - len(arrow)
        shown = name if text_width(name) <= room else name.split()[-1]
        names += [
            _MARKS[reached],
            (f" {fill(shown, room)} ", "muted" if reached == "waiting" else "strong"),
            (arrow, "muted"),
        ]
        shape, figure = _stage_shape(state, stage), _stage_figure(state, stage)
        text = f"  {shape}{figure}"
        # Half a figure would be another one.
        text = text if text_width(text) < column else f"  {shape}"
        shapes.append((fill(cut(text, column, ""), column), "muted"))
    return [fit(tuple(names), width), fit(tuple(shapes), width)]


def _stage_shape(state: RunState, stage: StageName) -> str:
    event = state.stages.get(stage)
    return formats.shape(event.shape_out) if event else formats.NONE


def _stage_figure(state: RunState, stage: StageName) -> str:
    if stage == "features" and state.extraction and not state.epochs:
        extraction = state.extraction
        if state.phase == "extracting" and extraction.images_per_s:
            left = (extraction.total - extraction.done) / extraction.images_per_s
            return f"  {extraction.done / extraction.total:.0%} ≈{formats.duration(left)}"
        return f"  {formats.rate(extraction.images_per_s)}" if extraction.images_per_s else ""
    if stage == "features" and state.cache and state.cache.reused:
        return "  reused"
    if stage == "train" and state.batch and state.batch.images_per_s:
        # To two figures: more would be another with every batch.
        return f"  {formats.rate(float(f'{state.batch.images_per_s:.1e}'))}"
    if stage == "validate" and state.epochs:
        return f"  {formats.accuracy(state.epochs[-1].val_accuracy)}"
    return ""
