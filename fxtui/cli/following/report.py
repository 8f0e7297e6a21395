"""What headless training says, event by event, as plain lines of at most 80 columns where names allow it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fxtui.cli.options import DEFAULT_RUNS
from fxtui.protocol import events as ev
from fxtui.protocol.records import SkippedFile, WeightsReport
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory
from fxtui.text import numbers as fmt

_NAMES_SHOWN = 3
EPOCH_HEADING = "epoch   loss  val loss  accuracy  val acc     lr     s  observation"


@dataclass(frozen=True, slots=True)
class Line:
    """A line for the user. ``style`` is Rich's name of a style; it never carries a meaning alone."""

    text: str
    style: str = ""


class Report:
    """Turns the events of a run into lines, each said when it is known. ``state`` is the run so far."""

    def __init__(self, run: RunDirectory) -> None:
        # A run that goes on from a checkpoint has a past.
        self.state = run.load_state() if run.journal.is_file() else RunState()
        self._run = run
        self._headed = False

    def take(self, event: ev.Event) -> list[Line]:
        """The lines that an event gives rise to."""
        first_layers = not self.state.layers
        self.state.apply(event)
        match event:
            case ev.RunStarted():
                return [_fact("run", str(self._run.path))]
            case ev.RunContinued():
                where = f"in epoch {event.epoch} of {event.epochs}, after step {event.step:,}"
                note = [Line(f"      ! {event.note}", "yellow")] if event.note else []
                return [_fact("run", str(self._run.path)), _fact("goes on", where), *note]
            case ev.DataReady():
                return list(_data(event))
            case ev.ImagesSkipped():
                return [_fact("left out", names_of(event.skipped, "unreadable"), "yellow")]
            case ev.ModelReady():
                return [_fact("model", _model(event))]
            case ev.Layers() if first_layers:
                return [_fact("trains", trains(self.state))]
            case ev.ExtractionProgress(done=0):
                return [_fact("extracts", f"{event.total:,} images through the frozen layers")]
            case ev.CacheReady():
                return list(_cache(event))
            case ev.EpochEnd():
                heading = [] if self._headed else [Line(EPOCH_HEADING, "bold")]
                self._headed = True
                return [*heading, Line(epoch_row(event), "bold green" if event.best else "")]
            case ev.FreezeChanged():
                return [Line(f"      ◆ {event.text}", "magenta")]
            case ev.CommandDone(command="set_lr" | "set_epochs"):
                return [Line(f"      · {event.text}")]
            case ev.Advice():
                return [Line(f"      ▸ {event.text}", "cyan")]
            case ev.RunWarning():
                return [Line(f"      ! {event.text}", "yellow")]
            case ev.CommandRefused():
                return [Line(f"      ! {event.command}: {event.reason}", "yellow")]
            case ev.Output():
                return [Line(event.text)]
            case ev.RunFinished():
                return ending(self.state, self._run)
        return []


def epoch_row(epoch: ev.EpochEnd) -> str:
    """One line of the epoch table, under `EPOCH_HEADING`."""
    cells = (
        f"{epoch.epoch:>5}",
        f"{_number(epoch.train_loss, 4):>6}",
        f"{_number(epoch.val_loss, 4):>9}",
        f"{fmt.accuracy(epoch.train_accuracy):>9}",
        f"{fmt.accuracy(epoch.val_accuracy):>8}",
        f"{fmt.lr(epoch.lr):>6}",
        f"{_number(epoch.seconds, 2):>5}",
        f" {epoch.observation}",
    )
    return " ".join(cells).rstrip()


def trains(state: RunState) -> str:
    """How many parameters train, of how many, and where they are."""
    stages = [row.path for row in state.layers if row.is_stage and not row.is_head and row.trainable != "none"]
    heads = [row.path for row in state.layers if row.is_head and row.trainable != "none"]
    where = ", ".join([*stages, *(f"{head} (head)" for head in heads)])
    text = f"{fmt.params(state.trainable_parameters)} of {fmt.params(state.parameters)} parameters"
    return f"{text}: {where}" if where else text


def weights(report: WeightsReport) -> str:
    """What was loaded into a backbone."""
    if report.source == "none":
        return "random weights"
    text = f"{report.loaded} of {report.total} tensors from {report.source}"
    for words, names in (("missing", report.missing), ("unexpected", report.unexpected)):
        if names:
            text += f"; {words}: {_few(names)}"
    return text


def names_of(skipped: Sequence[SkippedFile], what: str) -> str:
    """How many files were left out, with the names of the first few and their reasons."""
    shown = [f"{file.path} ({file.reason})" for file in skipped[:_NAMES_SHOWN]]
    return f"{fmt.plural(len(skipped), 'file')} {what}: {_few(shown, len(skipped))}"


def ending(state: RunState, run: RunDirectory) -> list[Line]:
    """How a run ended: its status, its best epoch, where it is saved and what to do with it."""
    if state.finished is None:
        return [_fact("interrupted", "it ended without a result", "yellow")]
    finished, lines = state.finished, []
    parts = [f"{fmt.plural(len(state.epochs), 'epoch')} in {fmt.duration(state.elapsed)}"]
    if finished.best:
        parts.insert(0, f"best val {fmt.accuracy(finished.best.val_accuracy)} at epoch {finished.best.epoch}")
    text = "; ".join(filter(None, (finished.reason, ", ".join(parts))))
    style = {"finished": "bold green", "stopped": "bold yellow", "failed": "bold red"}[finished.status]
    lines.append(_fact(finished.status, text, style))
    if state.checkpoints:
        kept = ", ".join(f"{kind} (epoch {saved.epoch})" for kind, saved in sorted(state.checkpoints.items()))
        lines.append(_fact("saved", f"{run.checkpoints}: {kept}"))
        lines.append(_fact("predict", f"fxtui predict {reference(run)} IMAGE"))
    elif state.epochs:
        lines.append(_fact("saved", "nothing: no checkpoint could be written", "yellow"))
    if "last" in state.checkpoints and finished.status != "failed":
        lines.append(_fact("go on", f"fxtui train --resume {reference(run)} --set train.epochs={_more_epochs(state)}"))
    lines.append(_fact("show", f"fxtui show {reference(run)}"))
    return lines


def _more_epochs(state: RunState) -> int:
    """As many as were planned, where they were not all done; else a few more."""
    done = len(state.epochs)
    return state.epochs_planned if done < state.epochs_planned else done + 5


def reference(run: RunDirectory) -> str:
    """What a user types to mean this run."""
    return run.name if run.path.parent == DEFAULT_RUNS else str(Path(run.path))


def way_back(run: RunDirectory, status: str) -> str:
    """The command that goes on with a run that has not ended: it is watched where it runs, and resumed where not."""
    if status in ("running", "holding"):
        return f"fxtui attach {reference(run)}"
    return f"fxtui train --resume {reference(run)}" if status == "interrupted" else ""


def _number(value: float, decimals: int) -> str:
    """A figure of constant width: each digit before the point more takes one behind it away."""
    if not math.isfinite(value):
        return fmt.NONE
    digits = len(f"{abs(value):.0f}") - 1
    return f"{value:.{decimals - digits}f}" if digits <= decimals else f"{value:.1e}"


def _data(event: ev.DataReady) -> Iterator[Line]:
    text = f"{event.source}: {event.train:,} train, {event.val:,} validation, {len(event.classes):,} classes"
    yield _fact("data", text)
    if event.not_images:
        yield _fact("left out", f"{fmt.plural(event.not_images, 'file')}: not images", "yellow")
    if event.skipped:
        yield _fact("left out", names_of(event.skipped, "unusable"), "yellow")


def _model(event: ev.ModelReady) -> str:
    return f"{event.backbone} on {event.device}, {event.features:,} features, {weights(event.weights)}"


def _cache(event: ev.CacheReady) -> Iterator[Line]:
    shapes = ", ".join(fmt.shape(shape) for shape in event.shape)
    if event.where == "none":
        yield _fact("features", f"{shapes} {event.dtype}, computed in every batch")
    else:
        where = {"device": "on the device", "host": "in memory", "file": "on disk"}[event.where]
        how = "found again" if event.reused else f"computed in {fmt.duration(event.seconds)}"
        yield _fact("features", f"{shapes} {event.dtype}, {fmt.size(event.bytes)} {where}, {how}")
    if event.note:
        yield _fact("", event.note)


def _few(names: Sequence[str], total: int | None = None) -> str:
    shown, total = list(names[:_NAMES_SHOWN]), len(names) if total is None else total
    more = total - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def _fact(label: str, text: str, style: str = "") -> Line:
    return Line(f"{label:<10}{text}", style)
