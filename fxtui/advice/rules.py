"""What a run's figures suggest to do next: evidence first, then the act and its key, then its price.

Each rule reads a `RunState` and says something or nothing; the first that speaks is heard. A difference in validation
accuracy counts only beyond one standard error, so that no advice rests on noise.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

from fxtui.protocol.events import Advice, EpochEnd
from fxtui.protocol.records import LayerRow
from fxtui.run.state import RunState
from fxtui.text import numbers as fmt

_PATIENCE = 3
_LOSS_RISE = 1.05

Rule = Callable[[RunState], Advice | None]


def advise(state: RunState) -> Advice | None:
    """The most pressing advice for a run as it stands, None where there is nothing useful to say."""
    for rule in RULES:
        if advice := rule(state):
            return advice
    return None


def held_advice(state: RunState) -> tuple[Advice, ...]:
    """What a run that holds could do next, the longest way of saying it first; nothing for one that does not hold.

    Where there is little room the evidence is shortened first, then the price goes; the act and its key stay.
    """
    if state.holding is None:
        return ()
    best = state.best
    if best is None:
        return (Advice(text="nothing is trained yet: go on (+), or end it (q)", key="+"),)
    stands = (f"this run is at {_percent(state, best)}", f"at {best.val_accuracy:.1%}")
    if best.val_accuracy >= 1:
        right = ("validation is at 100.0%, nothing is left to gain there", "at 100.0%")
        return tuple(Advice(text=f"{text}: end it (q), or go on (+)", key="q") for text in right)
    if (stage := next_stage(state)) is None:
        every = (f"{stands[0]} and every layer trains", f"{stands[1]}, all train")
        return tuple(Advice(text=f"{text}: go on as it is (+), or end it (q)", key="+") for text in every)
    if _was_tried(state, stage):
        tried = (f"{stands[0]} and {stage.path} was tried", f"{stage.path} was tried")
        return tuple(Advice(text=f"{text}: go on as it is (+), or end it (q)", key="+") for text in tried)
    act = f"train {stage.path} too (u)" if stage.trainable == "none" else f"train the rest of {stage.path} (u)"
    price, rest = _price_of(stage, state), "or go on as it is (+)"
    ways = (
        f"{stands[0]}: {act}, {price}, {rest}",
        f"{stands[1]}: {act}, {price}, {rest}",
        f"{act}, {price}, {rest}",
        f"{act}, {rest}",
        act,
    )
    return tuple(Advice(text=text, key="u") for text in ways)


def standard_error(accuracy: float, images: int) -> float:
    """The standard error of an accuracy measured on so many images (binomial), as a fraction.

    At 0 and 1 the formula would say 0; there the accuracy is taken as Laplace's rule of succession puts it.
    """
    margin = 1 / (images + 2)
    likely = min(max(accuracy, margin), 1 - margin)
    return math.sqrt(likely * (1 - likely) / max(images, 1))


def next_stage(state: RunState) -> LayerRow | None:
    """The deepest stage that is not wholly trainable, None if every stage trains or the layers are not known."""
    open_rows = [row for row in state.layers if row.is_stage and not row.is_head and row.trainable != "all"]
    return open_rows[-1] if open_rows else None


def stuck_epochs(state: RunState) -> int:
    """For how many epochs validation accuracy has made no real gain since the layers that train last changed."""
    epochs = _since_change(state)
    if not epochs:
        return 0
    reference, at = epochs[0].val_accuracy, 0
    for index, epoch in enumerate(epochs):
        if epoch.val_accuracy > reference + _noise(state, reference):
            reference, at = epoch.val_accuracy, index
    return len(epochs) - 1 - at


def _failed(state: RunState) -> Advice | None:
    if state.phase != "failed":
        return None
    if not state.best:
        return Advice(text=f"{state.reason or 'failed'}: nothing was saved")
    return Advice(text=f"{state.reason or 'failed'}: kept is epoch {state.best.epoch}, {_measured(state, state.best)}")


def _holds(state: RunState) -> Advice | None:
    return next(iter(held_advice(state)), None)


def _price_of(stage: LayerRow, state: RunState) -> str:
    """What training a stage, too, would cost: the epochs planned at first, and their seconds where they are known."""
    settings = state.config.get("train")
    planned = settings.get("epochs") if isinstance(settings, dict) else None
    epochs = planned if isinstance(planned, int) else state.epochs_planned
    estimate = state.estimate
    seconds = estimate.then.seconds_per_epoch if estimate and estimate.change == "unfreeze_next" else None
    much = f"+{fmt.params(stage.parameters)} params" if seconds is None else f"≈{fmt.roughly(epochs * seconds)}"
    return f"{fmt.plural(epochs, 'epoch')}, {much}"


def _ended(state: RunState) -> Advice | None:
    if not state.ended or not state.best:
        return None
    best = state.best
    return Advice(text=f"best is epoch {best.epoch}, {_measured(state, best)}: fxtui predict {state.name} IMAGE")


def _waiting(state: RunState) -> Advice | None:
    if state.phase == "paused":
        return Advice(text="paused between two batches: go on (p)", key="p")
    if state.phase == "extracting":
        width = f"{state.model.features:,} features" if state.model and state.only_head_trains else "the result"
        return Advice(text=f"every image runs through the frozen layers once; epochs then read {width} from the cache")
    return None


def _loss_rises(state: RunState) -> Advice | None:
    epochs = state.epochs[-_PATIENCE:]
    losses = [epoch.train_loss for epoch in epochs]
    if state.ended or len(losses) < _PATIENCE or not _rising(losses) or losses[-1] < losses[0] * _LOSS_RISE:
        return None
    text = f"training loss rises for {len(losses) - 1} epochs, {losses[0]:.4f} to {losses[-1]:.4f}"
    return Advice(text=f"{text}: lower the learning rate (l)", key="l")


def _change_hurts(state: RunState) -> Advice | None:
    """Validation is really worse than before the last change of freezing, two epochs or more after it."""
    after = _since_change(state)
    before = state.epochs[: len(state.epochs) - len(after)]
    if state.ended or not before or len(after) < 2:
        return None
    reference = before[-1].val_accuracy
    latest = max(epoch.val_accuracy for epoch in after)
    if latest >= reference - _noise(state, reference):
        return None
    text = f"validation fell from {reference:.1%} to {latest:.1%} since the layers that train changed"
    return Advice(text=f"{text}: undo (z)", key="z")


def _drifts_apart(state: RunState) -> Advice | None:
    window = state.epochs[-_PATIENCE - 1 :]
    if state.ended or len(window) <= _PATIENCE:
        return None
    first, last = window[0], window[-1]
    learns = last.train_accuracy > first.train_accuracy and last.train_loss < first.train_loss
    gains = last.val_accuracy > first.val_accuracy + _noise(state, first.val_accuracy)
    if not learns or gains or not _rising([epoch.val_loss for epoch in window]):
        return None
    text = f"validation loss rises for {_PATIENCE} epochs, {first.val_loss:.4f} to {last.val_loss:.4f}"
    text += f", while train reaches {last.train_accuracy:.1%}"
    act = "stop (s)" if state.only_head_trains else "stop (s) or freeze all but the head (f)"
    return Advice(text=f"{text}: {act}", key="s")


def _stuck(state: RunState) -> Advice | None:
    stuck = stuck_epochs(state)
    if state.ended or stuck < _PATIENCE or not state.best:
        return None
    last = state.epochs[-1]
    # The best since the layers that train changed: a better one from before them is _change_hurts' to tell.
    best = max(_since_change(state), key=lambda epoch: epoch.val_accuracy)
    text = f"validation stuck at {_percent(state, best)} for {stuck} epochs, train {last.train_accuracy:.1%}"
    stage = next_stage(state)
    if 1 - best.val_accuracy <= 2 * _noise(state, best.val_accuracy):
        return Advice(text=f"{text}, hardly more to gain than noise: stop (s)", key="s")
    if stage is not None and _was_tried(state, stage):
        return Advice(text=f"{text}, {stage.path} was tried: stop (s), or lower the learning rate (l)", key="s")
    if stage is not None:
        price = f"+{fmt.params(stage.parameters)} params" if stage.trainable == "none" else "the rest of it"
        return Advice(text=f"{text}: unfreeze {stage.path} (u)  {price}", key="u")
    if state.layers:
        return Advice(text=f"{text}, and every layer trains: stop (s)", key="s")
    return None


def _was_tried(state: RunState, stage: LayerRow) -> bool:
    """Whether a stage has trained before and was frozen again."""
    return any(mark.kind == "freeze" and f"{stage.path} frozen again" in mark.text for mark in state.marks)


def _still_gains(state: RunState) -> Advice | None:
    """The planned end is near while validation really gains."""
    if state.ended or len(state.epochs) < _PATIENCE or len(state.epochs) < state.epochs_planned - 1:
        return None
    before, last = state.epochs[-_PATIENCE], state.epochs[-1]
    gain = last.val_accuracy - before.val_accuracy
    if gain <= _noise(state, before.val_accuracy):
        return None
    text = f"validation gained {gain * 100:.1f} points in {_PATIENCE - 1} epochs and {state.epochs_planned} are planned"
    return Advice(text=f"{text}: more epochs (+)", key="+")


RULES: tuple[Rule, ...] = (
    _failed,
    _ended,
    _holds,
    _waiting,
    _loss_rises,
    _change_hurts,
    _drifts_apart,
    _stuck,
    _still_gains,
)


def _since_change(state: RunState) -> list[EpochEnd]:
    """The epochs that ended after the last change of freezing."""
    changed = max((mark.step for mark in state.marks if mark.kind == "freeze"), default=-1)
    return [epoch for epoch in state.epochs if epoch.step > changed]


def _rising(values: list[float]) -> bool:
    return all(after > before for before, after in itertools.pairwise(values))


def _noise(state: RunState, accuracy: float) -> float:
    return standard_error(accuracy, state.data.val if state.data else 0)


def _percent(state: RunState, epoch: EpochEnd) -> str:
    return f"{epoch.val_accuracy:.1%} ±{_noise(state, epoch.val_accuracy) * 100:.1f}"


def _measured(state: RunState, epoch: EpochEnd) -> str:
    return f"val {_percent(state, epoch)}"
