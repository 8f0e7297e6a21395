"""What one can do, in one list: it feeds the keys, the key line, the help and the command palette."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.binding import Binding

from fxtui.advice.rules import next_stage
from fxtui.run.state import RunState
from fxtui.tui.views.footer import KeyHint
from fxtui.tui.views.header import ScreenTab

Refusal = Callable[[RunState], str]

# The screens in the order of their keys.
TABS: tuple[ScreenTab, ...] = (
    ScreenTab("main", "Main"),
    ScreenTab("layers", "Layers"),
    ScreenTab("predict", "Predict"),
    ScreenTab("confusion", "Confusion", "Confus"),
    ScreenTab("runs", "Runs"),
    ScreenTab("log", "Log"),
    ScreenTab("system", "System", "Sys"),
)
SCREENS: dict[str, str] = {tab.name: tab.label for tab in TABS}


def _never(_state: RunState) -> str:
    return ""


def _while_running(state: RunState) -> str:
    return "the run has ended" if state.ended else ""


def _while_training(state: RunState) -> str:
    if state.ended:
        return "the run has ended"
    return "" if state.layers else "the model is still being loaded"


def _while_something_is_frozen(state: RunState) -> str:
    return _while_training(state) or ("" if next_stage(state) else "every layer trains already")


def _while_something_trains(state: RunState) -> str:
    trains = any(row.trainable != "none" and not row.is_head for row in state.layers)
    return _while_training(state) or ("" if trains else "nothing left to freeze: the head stays trainable")


def _after_a_change(state: RunState) -> str:
    changed = any(mark.kind == "freeze" for mark in state.marks)
    return _while_training(state) or ("" if changed else "nothing to undo: the freezing has not been changed")


@dataclass(frozen=True, slots=True)
class Action:
    """``refuse`` says why it cannot be done in a state, or nothing; ``short`` is for the key line.

    ``key`` is Textual's name of the key, ``shown`` the user's. ``screens`` are those it works on, empty: everywhere.
    """

    id: str
    key: str
    shown: str
    short: str
    text: str
    refuse: Refusal = _never
    in_line: bool = True
    screens: tuple[str, ...] = ()


_TREES = ("main", "layers")
_PLOTS = ("main",)

ACTIONS: tuple[Action, ...] = (
    Action("toggle", "space", "space", "toggle", "train or freeze the layer under the cursor", _while_training,
           screens=_TREES),
    Action("unfreeze_next", "u", "u", "unfreeze", "unfreeze the next deepest stage", _while_something_is_frozen,
           screens=_TREES),
    Action("freeze_all", "f", "f", "freeze", "freeze all but the head", _while_something_trains, screens=_TREES),
    Action("undo", "z", "z", "undo", "undo the last freeze change", _after_a_change, screens=_TREES),
    Action("what_if", "w", "w", "cost", "what toggling it would cost, without doing it", _while_training,
           screens=_TREES),
    Action("only_this", "o", "o", "only this", "train the layer under the cursor and the head, freeze the others",
           _while_training, screens=("layers",)),
    Action("only_norms", "n", "n", "norms", "train the normalisation layers and the head, freeze the others",
           _while_training, screens=("layers",)),
    Action("only_biases", "b", "b", "biases", "train the biases and the head, freeze the others",
           _while_training, screens=("layers",)),
    Action("find_layer", "slash", "/", "find", "find a layer by a part of its name", screens=("layers",)),
    Action("find_line", "slash", "/", "find", "find lines that hold a text", screens=("log",)),
    Action("order_images", "e", "e", "order", "greatest loss first, or errors first, the most certain on top",
           screens=("predict",)),
    Action("all_images", "a", "a", "all", "all validation images again, not one pair of classes", screens=("predict",)),
    Action("open_file", "o", "o", "open file", "predict an image file", screens=("predict",)),
    Action("show_images", "enter", "enter", "its images", "the images in the cell under the cursor",
           screens=("confusion",)),
    Action("shares", "n", "n", "counts/share", "counts, or shares of the true class", screens=("confusion",)),
    Action("mark_run", "space", "space", "mark", "mark the run under the cursor, to compare it", screens=("runs",)),
    Action("sort_runs", "t", "t", "sort", "sort by start, best validation accuracy, time", screens=("runs",)),
    Action("overlay_runs", "o", "o", "overlay", "draw the marked runs on the main screen, too", screens=("runs",)),
    Action("below_runs", "v", "v", "view", "below the table: what differs, the curves, what was done",
           screens=("runs",)),
    Action("remove_run", "delete", "del", "remove", "remove the run under the cursor; asks", screens=("runs",)),
    Action("pause", "p", "p", "pause", "pause, or go on", _while_training),
    Action("stop", "s", "s", "stop", "stop after this epoch", _while_running),
    Action("learning_rate", "l", "l", "lr", "set the learning rate", _while_training, screens=_TREES),
    Action("more_epochs", "plus,equals_sign", "+", "epoch more", "one more epoch", _while_training, in_line=False),
    Action("fewer_epochs", "minus", "-", "epoch fewer", "one epoch fewer", _while_training, in_line=False),
    Action("checkpoint", "c", "c", "checkpoint", "write a checkpoint now", _while_training, in_line=False),
    Action("log_scale", "y", "y", "log", "logarithmic loss axis", in_line=False, screens=_PLOTS),
    Action("x_axis", "x", "x", "axis", "x axis: epoch, step, time", in_line=False, screens=_PLOTS),
    Action("per_batch", "e", "e", "by epoch", "training curve by batch or by epoch", in_line=False, screens=_PLOTS),
    Action("smooth_less", "left_square_bracket", "[", "smooth less", "smooth the curve by batch less", in_line=False,
           screens=_PLOTS),
    Action("smooth_more", "right_square_bracket", "]", "smooth more", "smooth the curve by batch more",
           in_line=False, screens=_PLOTS),
    Action("detach", "d", "d", "detach", "close the dashboard, training goes on in this terminal", _while_running,
           in_line=False),
    Action("theme", "f2", "f2", "theme", "switch between dark and light", in_line=False),
    Action("help", "question_mark", "?", "help", "what works here"),
    Action("quit_or_ask", "q", "q", "quit", "quit; asks while training"),
)  # fmt: skip

# At the right end of the key line, with the palette between them.
_LAST = ("help", "quit_or_ask")
_PALETTE = KeyHint("^p", "palette", optional=True)


def actions_on(screen: str) -> tuple[Action, ...]:
    """What works on a screen."""
    return tuple(action for action in ACTIONS if not action.screens or screen in action.screens)


def key_hints(screen: str, state: RunState, others: Sequence[KeyHint]) -> tuple[list[KeyHint], list[KeyHint]]:
    """The key line of a screen: its actions and the ``others``, which are none, and what stands at its right end."""

    def hint(action: Action) -> KeyHint:
        short = "go on" if action.id == "pause" and state.phase == "paused" else action.short
        return KeyHint(action.shown, short, able=not action.refuse(state))

    first = [hint(action) for action in actions_on(screen) if action.in_line and action.id not in _LAST]
    help, leave = (hint(find_action(name)) for name in _LAST)
    return [*first, *others], [help, _PALETTE, leave]


def find_action(name: str) -> Action:
    """The action with this id.

    Raises:
        KeyError: there is none.
    """
    for action in ACTIONS:
        if action.id == name:
            return action
    raise KeyError(name)


def bindings_on(screen: str) -> list[Binding]:
    """The keys of a screen: its actions, and the numbers of all screens."""
    keys = [Binding(a.key, f"app.act('{a.id}')", a.text, show=False) for a in actions_on(screen)]
    numbers = [Binding(str(n), f"app.open('{name}')", name, show=False) for n, name in enumerate(SCREENS, 1)]
    return [*keys, *numbers, Binding("ctrl+c", "app.act('quit_or_ask')", show=False)]
