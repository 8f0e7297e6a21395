"""The price of a change of freezing before it is made: now, after, change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fxtui.protocol.events import Cost, CostEstimated
from fxtui.run.cost_words import held_bytes, pace
from fxtui.run.state import RunState
from fxtui.text import numbers as formats
from fxtui.text.lines import Line, fit, title

_ACTS = {"freeze_all": "f", "unfreeze_next": "u", "undo": "z"}


def what_if_lines(state: RunState, selected: str, width: int, height: int) -> list[Line]:
    """The last estimate as a table; without one, how to get it. ``selected`` is the layer under the cursor."""
    estimate = state.estimate
    if estimate is None:
        ask = f" asks what toggling {selected} would cost" if selected else " asks what a change would cost"
        return [title("What if", (), (), width), fit((("w", "key"), (ask, "muted")), width)][:height]
    images = max(estimate.now.measured_images, estimate.then.measured_images)
    note = f"≈ tried on {formats.plural(images, 'image')}" if images else ""
    heading = title("What if", ((_about(state, estimate), "strong"),), ((note, "muted"),) if note else (), width)
    wide = width >= 52
    lines = [heading]
    if wide:
        lines.append(fit(((_row("", "now", "after", "change", True), "muted"),), width))
    for label, now, then, change in rows(state, estimate):
        guess = "≈" in then
        if wide:
            text = _row(label, now, then, change, True)
            lines.append(fit(((text[:17], "muted"), (text[17:28], ""), (text[28:41], "warn" if guess else "strong"),
                              (text[41:], "warn" if guess else "")), width))  # fmt: skip
        else:
            text = _row(label, now, f"→ {then}", "", False)
            lines.append(
                fit(((text[:18], "muted"), (text[18:30], ""), (text[30:], "warn" if guess else "strong")), width)
            )
    return lines[:height]


def rows(state: RunState, estimate: CostEstimated) -> list[tuple[str, str, str, str]]:
    """The table: label, now, after, change."""
    now, then = estimate.now, estimate.then
    found = [
        _counted("trainable params", now, then, lambda cost: cost.trainable_parameters, formats.params),
        _counted("optimizer, grads", now, then, held_bytes, formats.size),
        _counted("activations ≈", now, then, lambda cost: cost.activation_bytes, formats.size),
        _counted("feature cache", now, then, lambda cost: cost.cache_bytes, formats.size),
    ]
    before, after = now.seconds_per_epoch, then.seconds_per_epoch
    change = formats.NONE
    if before is not None and after is not None:
        change = f"{'-' if after < before else '+'}{formats.roughly(abs(after - before))}"
    found.append(("an epoch", pace(now), pace(then), change))
    left = state.epochs_planned - len(state.epochs)
    if after is not None and left > 0 and not state.ended:
        rest = state.seconds_left
        found.append(
            (
                "time left",
                formats.NONE if rest is None else f"≈{formats.roughly(rest)}",
                f"≈{formats.roughly(after * left)}",
                ""
                if rest is None
                else f"{'-' if after * left < rest else '+'}{formats.roughly(abs(after * left - rest))}",
            )
        )
    return found


def _about(state: RunState, estimate: CostEstimated) -> str:
    trained = {row.path for row in state.layers if row.trainable == "all"}
    gained = [path for path in estimate.after if path not in trained]
    if gained:
        return f"{_names(gained)} trained"
    lost = [
        r.path for r in state.layers if r.is_stage and r.trainable != "none" and not _within(r.path, estimate.after)
    ]
    return f"{_names(lost)} frozen" if lost else estimate.change


def _within(path: str, after: Sequence[str]) -> bool:
    return any(name == path or name.startswith(path + ".") or path.startswith(name + ".") for name in after)


def _names(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _counted(
    label: str, now: Cost, then: Cost, figure: Callable[[Cost], int], shown: Callable[[int], str]
) -> tuple[str, str, str, str]:
    before, after = figure(now), figure(then)
    change = f"{'-' if after < before else '+'}{shown(abs(after - before))}" if after != before else "same"
    return label, shown(before), shown(after), change


def _row(label: str, now: str, then: str, change: str, wide: bool) -> str:
    if wide:
        return f"{label:<17}{now:>11}  {then:>11}  {change:>11}"
    return f"{label:<18}{now:>11} {then:>14}"
