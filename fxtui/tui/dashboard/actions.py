"""What one can do, in one list: it feeds the keys, the key line, the help and the command palette."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from textual.binding import Binding

from fxtui.advice.rules import next_stage
from fxtui.protocol import commands as cmd
from fxtui.run.state import RunState
from fxtui.tui.dashboard.owners import (
    ActsOnApp,
    ActsOnImages,
    ActsOnLayers,
    ActsOnLog,
    ActsOnMatrix,
    ActsOnPlots,
    ActsOnRuns,
    ActsOnTree,
)
from fxtui.tui.views.footer import KeyHint
from fxtui.tui.views.header import ScreenTab

Refusal = Callable[[RunState], str]
Owner = TypeVar("Owner")

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


def _while_not_holding(state: RunState) -> str:
    return _while_training(state) or ("nothing trains: the run holds" if state.holding else "")


def _while_epochs_are_left(state: RunState) -> str:
    return _while_training(state) or ("every epoch that is planned is done" if state.holding else "")


def _before_the_end(state: RunState) -> str:
    return _while_running(state) or ("the run holds: q ends it" if state.holding else "")


@dataclass(frozen=True, slots=True)
class Sends:
    """Sends the engine a command that is made from the state."""

    command: Callable[[RunState], cmd.AnyCommand]


@dataclass(frozen=True, slots=True)
class ByApp:
    """The application does it itself."""

    do: Callable[[ActsOnApp], None]


@dataclass(frozen=True, slots=True)
class ByScreen(Generic[Owner]):
    """The open screen does it, if it is one that can."""

    owner: type[Owner]
    do: Callable[[Owner], None]

    def done_by(self, screen: object) -> bool:
        """Whether this screen could do it, and then it has."""
        if not isinstance(screen, self.owner):
            return False
        self.do(screen)
        return True


@dataclass(frozen=True, slots=True)
class Action:
    """``refuse`` says why it cannot be done in a state, or nothing; ``short`` is for the key line.

    ``trains_on``: where that is possible, it makes a run that has ended go on.
    ``key`` is Textual's name of the key, ``shown`` the user's. ``screens`` are those it works on, empty: everywhere.
    """

    id: str
    key: str
    shown: str
    short: str
    text: str
    handler: Sends | ByApp | ByScreen[Any]
    refuse: Refusal = _never
    trains_on: bool = False
    in_line: bool = True
    screens: tuple[str, ...] = ()


_TREES = ("main", "layers")
_PLOTS = ("main",)

ACTIONS: tuple[Action, ...] = (
    Action("toggle", "space", "space", "toggle", "train or freeze the layer under the cursor",
           ByScreen(ActsOnTree, lambda screen: screen.do_toggle()), _while_training, trains_on=True, screens=_TREES),
    Action("unfreeze_next", "u", "u", "unfreeze", "unfreeze the next deepest stage",
           Sends(lambda _: cmd.UnfreezeNext()), _while_something_is_frozen, trains_on=True, screens=_TREES),
    Action("freeze_all", "f", "f", "freeze", "freeze all but the head",
           Sends(lambda _: cmd.FreezeAll()), _while_something_trains, screens=_TREES),
    Action("undo", "z", "z", "undo", "undo the last freeze change",
           Sends(lambda state: cmd.Undo(depth=state.freeze_depth or None)), _after_a_change, screens=_TREES),
    Action("what_if", "w", "w", "cost", "what toggling it would cost, without doing it",
           ByScreen(ActsOnTree, lambda screen: screen.do_what_if()), _while_training, screens=_TREES),
    Action("only_this", "o", "o", "only this", "train the layer under the cursor and the head, freeze the others",
           ByScreen(ActsOnLayers, lambda screen: screen.do_only_this()), _while_training, screens=("layers",)),
    Action("only_norms", "n", "n", "norms", "train the normalisation layers and the head, freeze the others",
           ByScreen(ActsOnLayers, lambda screen: screen.do_only_norms()), _while_training, screens=("layers",)),
    Action("only_biases", "b", "b", "biases", "train the biases and the head, freeze the others",
           ByScreen(ActsOnLayers, lambda screen: screen.do_only_biases()), _while_training, screens=("layers",)),
    Action("find_layer", "slash", "/", "find", "find a layer by a part of its name",
           ByScreen(ActsOnLayers, lambda screen: screen.do_find_layer()), screens=("layers",)),
    Action("find_line", "slash", "/", "find", "find lines that hold a text",
           ByScreen(ActsOnLog, lambda screen: screen.do_find_line()), screens=("log",)),
    Action("order_images", "e", "e", "order", "greatest loss first, or errors first, the most certain on top",
           ByScreen(ActsOnImages, lambda screen: screen.do_order_images()), screens=("predict",)),
    Action("all_images", "a", "a", "all", "all validation images again, not one pair of classes",
           ByScreen(ActsOnImages, lambda screen: screen.do_all_images()), screens=("predict",)),
    Action("open_file", "o", "o", "open file", "predict an image file",
           ByScreen(ActsOnImages, lambda screen: screen.do_open_file()), screens=("predict",)),
    Action("show_images", "enter", "enter", "its images", "the images in the cell under the cursor",
           ByScreen(ActsOnMatrix, lambda screen: screen.do_show_images()), screens=("confusion",)),
    Action("shares", "n", "n", "counts/share", "counts, or shares of the true class",
           ByScreen(ActsOnMatrix, lambda screen: screen.do_shares()), screens=("confusion",)),
    Action("mark_run", "space", "space", "mark", "mark the run under the cursor, to compare it",
           ByScreen(ActsOnRuns, lambda screen: screen.do_mark_run()), screens=("runs",)),
    Action("sort_runs", "t", "t", "sort", "sort by start, best validation accuracy, time",
           ByScreen(ActsOnRuns, lambda screen: screen.do_sort_runs()), screens=("runs",)),
    Action("overlay_runs", "o", "o", "overlay", "draw the marked runs on the main screen, too",
           ByScreen(ActsOnRuns, lambda screen: screen.do_overlay_runs()), screens=("runs",)),
    Action("below_runs", "v", "v", "view", "below the table: what differs, the curves, what was done",
           ByScreen(ActsOnRuns, lambda screen: screen.do_below_runs()), screens=("runs",)),
    Action("remove_run", "delete", "del", "remove", "remove the run under the cursor; asks",
           ByScreen(ActsOnRuns, lambda screen: screen.do_remove_run()), screens=("runs",)),
    Action("pause", "p", "p", "pause", "pause, or go on",
           Sends(lambda _: cmd.TogglePause()), _while_not_holding),
    Action("stop", "s", "s", "stop", "stop after this epoch",
           Sends(lambda _: cmd.Stop()), _before_the_end),
    Action("learning_rate", "l", "l", "lr", "set the learning rate",
           ByApp(lambda app: app.do_learning_rate()), _while_training, screens=_TREES),
    Action("more_epochs", "plus,equals_sign", "+", "epoch more", "one more epoch",
           Sends(lambda _: cmd.AddEpochs(n=1)), _while_training, trains_on=True, in_line=False),
    Action("fewer_epochs", "minus", "-", "epoch fewer", "one epoch fewer",
           Sends(lambda _: cmd.AddEpochs(n=-1)), _while_epochs_are_left, in_line=False),
    Action("checkpoint", "c", "c", "checkpoint", "write a checkpoint now",
           Sends(lambda _: cmd.Checkpoint()), _while_training, in_line=False),
    Action("log_scale", "y", "y", "log", "logarithmic loss axis",
           ByScreen(ActsOnPlots, lambda screen: screen.do_log_scale()), in_line=False, screens=_PLOTS),
    Action("x_axis", "x", "x", "axis", "x axis: epoch, step, time",
           ByScreen(ActsOnPlots, lambda screen: screen.do_x_axis()), in_line=False, screens=_PLOTS),
    Action("per_batch", "e", "e", "by epoch", "training curve by batch or by epoch",
           ByScreen(ActsOnPlots, lambda screen: screen.do_per_batch()), in_line=False, screens=_PLOTS),
    Action("smooth_less", "left_square_bracket", "[", "smooth less", "smooth the curve by batch less",
           ByScreen(ActsOnPlots, lambda screen: screen.do_smooth_less()), in_line=False, screens=_PLOTS),
    Action("smooth_more", "right_square_bracket", "]", "smooth more", "smooth the curve by batch more",
           ByScreen(ActsOnPlots, lambda screen: screen.do_smooth_more()), in_line=False, screens=_PLOTS),
    Action("detach", "d", "d", "detach", "leave: the run goes on without this terminal",
           ByApp(lambda app: app.do_detach()), _while_running, in_line=False),
    Action("theme", "f2", "f2", "theme", "switch between dark and light",
           ByApp(lambda app: app.do_theme()), in_line=False),
    Action("help", "question_mark", "?", "help", "what works here",
           ByApp(lambda app: app.do_help())),
    Action("quit_or_ask", "q", "q", "quit", "quit; asks while training",
           ByApp(lambda app: app.do_quit_or_ask())),
    Action("end_or_ask", "ctrl+c", "^c", "end", "end the run; asks while training",
           ByApp(lambda app: app.do_end_or_ask()), in_line=False),
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
    keys = [Binding(a.key, f"app.act('{a.id}')", a.text, show=False, id=a.id) for a in actions_on(screen)]
    numbers = [
        Binding(str(n), f"app.open('{name}')", name, show=False, id=f"open.{name}") for n, name in enumerate(SCREENS, 1)
    ]
    return [*keys, *numbers]
