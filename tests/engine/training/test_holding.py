"""A run that holds: everything still works, what unfreezes trains on, and what was done is played back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch

from fxtui.engine.checkpoints.files import load_checkpoint
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.protocol.schedule import carried_out
from tests.engine.runs import Outcome, carry_out, go_on, tiny_config
from tests.engine.training.test_replay import changes, figures, replayed

React = Callable[[ev.Event], cmd.AnyCommand | None]
# Whether anybody watches or not, so that no dashboard is needed here.
HELD = ("session.hold=always",)
_GOES_ON = ("unfreeze_next", "add_epochs", "stop")


def answering(*commands: cmd.AnyCommand | None) -> React:
    """Sends one command after the other while the run holds, each once the one before has been answered.

    After one that has it go on, and after None, the next one waits for the next hold. At last the run is ended.
    """
    waiting: list[cmd.AnyCommand | None] = [*commands]

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.RunHolding):
            while waiting and waiting[0] is None:
                waiting.pop(0)
        elif isinstance(event, ev.CommandDone):
            if event.command in _GOES_ON:
                return None
        elif not isinstance(event, ev.CommandRefused):
            return None
        return waiting.pop(0) if waiting else cmd.Stop(when="now")

    return react


def held(tmp_path: Path, commands: Iterable[cmd.AnyCommand | None], *options: str) -> Outcome:
    return carry_out(tiny_config("data.limit=75", *HELD, *options), tmp_path, answering(*commands))


def test_a_run_holds_once_its_epochs_are_done_and_everything_is_saved(tmp_path: Path) -> None:
    outcome = held(tmp_path, [], "train.epochs=2")
    (holding,) = outcome.of(ev.RunHolding)
    assert (holding.epoch, holding.reason) == (2, "2 of 2 epochs")
    assert holding.best == outcome.state.finished.best  # type: ignore[union-attr]
    assert holding.held_bytes > 0
    saved = [event.seq for event in outcome.of(ev.CheckpointSaved) if event.kind == "last"]
    assert max(saved) < holding.seq
    assert outcome.state.phase == "finished"
    assert outcome.state.holding is None
    # What more would cost is said before it is asked for.
    assert any(event.seq > holding.seq and event.change == "unfreeze_next" for event in outcome.of(ev.CostEstimated))


def test_unwatched_it_does_not_hold_and_held_it_ends_by_itself(tmp_path: Path) -> None:
    assert carry_out(tiny_config("train.epochs=1"), tmp_path).of(ev.RunHolding) == []
    assert carry_out(tiny_config("train.epochs=1", "session.hold=never"), tmp_path).of(ev.RunHolding) == []
    outcome = carry_out(tiny_config("train.epochs=1", *HELD, "session.hold_minutes=0"), tmp_path)
    assert len(outcome.of(ev.RunHolding)) == 1
    assert outcome.state.phase == "finished"


def test_what_unfreezes_trains_on_for_as_many_epochs_as_were_planned(tmp_path: Path) -> None:
    outcome = held(tmp_path, [cmd.UnfreezeNext()], "train.epochs=2")
    assert [event.epoch for event in outcome.of(ev.EpochEnd)] == [1, 2, 3, 4]
    assert [event.reason for event in outcome.of(ev.RunHolding)] == ["2 of 2 epochs", "4 of 4 epochs"]
    (resumed,) = outcome.of(ev.RunResumed)
    assert resumed.epoch == 3
    assert [done.command for done in outcome.of(ev.CommandDone)] == ["unfreeze_next", "add_epochs", "stop"]


def test_what_unfreezes_a_moment_before_it_holds_trains_on_too(tmp_path: Path) -> None:
    def react(event: ev.Event) -> cmd.AnyCommand | None:
        match event:
            case ev.EpochEnd(epoch=2):
                return cmd.UnfreezeNext()
            case ev.RunHolding():
                return cmd.Stop(when="now")
            case _:
                return None

    outcome = carry_out(tiny_config("data.limit=75", *HELD, "train.epochs=2"), tmp_path, react)
    assert [event.reason for event in outcome.of(ev.RunHolding)] == ["4 of 4 epochs"]


def test_freezing_and_undoing_only_change(tmp_path: Path) -> None:
    commands = [cmd.FreezeAll(), cmd.Undo()]
    outcome = held(tmp_path, commands, "train.epochs=1", "freeze.trainable=layer3")
    assert len(outcome.of(ev.EpochEnd)) == 1
    assert len(outcome.of(ev.FreezeChanged)) == 2
    assert outcome.of(ev.RunResumed) == []
    _, state, _ = load_checkpoint(outcome.run, "last")
    assert len(state["freezing"]["history"]) == 0
    assert any(name.startswith("layer3") for name in state["freezing"]["trainable"])


def test_what_was_changed_while_it_held_is_saved(tmp_path: Path) -> None:
    outcome = held(tmp_path, [cmd.FreezeAll()], "train.epochs=1", "freeze.trainable=layer3")
    _, state, _ = load_checkpoint(outcome.run, "last")
    assert state["freezing"]["trainable"] == []


@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
def test_epochs_after_the_end_of_a_schedule_begin_a_cycle_of_their_own(tmp_path: Path, schedule: str) -> None:
    outcome = held(tmp_path, [cmd.AddEpochs(n=3)], "train.epochs=3", f"train.schedule={schedule}")
    first, second = ([e.lr for e in outcome.of(ev.EpochEnd)][at : at + 3] for at in (0, 3))
    assert second == pytest.approx(first)
    assert first[0] > 1e-5


def test_early_stopping_waits_anew(tmp_path: Path) -> None:
    options = ("train.epochs=30", "train.early_stop=2", "train.lr=1e-9")
    outcome = held(tmp_path, [cmd.AddEpochs(n=5)], *options)
    first, second = outcome.of(ev.RunHolding)
    assert first.reason.startswith("no better epoch")
    # Not after one epoch, but after as many as the patience is, or at the new end.
    assert second.epoch >= first.epoch + 2


def test_a_plateau_waits_anew(tmp_path: Path) -> None:
    options = ("train.epochs=3", "train.schedule=plateau", "train.lr=1e-9")
    outcome = held(tmp_path, [cmd.AddEpochs(n=2)], *options)
    assert [event.text for event in outcome.of(ev.RunWarning) if "learning rate x" in event.text] == []


@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
def test_what_was_done_while_it_held_is_played_back(tmp_path: Path, schedule: str) -> None:
    options = ("train.epochs=2", f"train.schedule={schedule}", "train.early_stop=9")
    commands = [cmd.UnfreezeNext(), cmd.SetLr(lr=3e-4), cmd.AddEpochs(n=1), cmd.UnfreezeNext()]
    first = held(tmp_path, commands, *options)
    assert len(first.of(ev.EpochEnd)) == 7
    entries, unclear = carried_out(first.state.commands)
    assert not unclear
    again = replayed(first, tmp_path, "session.hold=never")
    assert changes(again) == changes(first)
    assert figures(again) == figures(first)
    assert again.state.phase == first.state.phase == "finished"
    (weights, _, _), (others, _, _) = (load_checkpoint(outcome.run, "last") for outcome in (first, again))
    assert all(torch.equal(tensor, others[name]) for name, tensor in weights.items())
    assert [entry.command for entry in entries][-1] == "stop"


def test_a_held_run_that_goes_on_from_its_checkpoint_ends_as_it_would_have(tmp_path: Path) -> None:
    options = ("train.epochs=2", "train.schedule=cosine")
    whole = held(tmp_path / "whole", [cmd.AddEpochs(n=2)], *options)

    def interrupt(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.RunHolding):
            return cmd.AddEpochs(n=2)
        if isinstance(event, ev.EpochEnd) and event.epoch == 3:
            return cmd.Stop(when="now")
        return None

    broken = carry_out(tiny_config("data.limit=75", *HELD, *options), tmp_path / "broken", interrupt)
    assert broken.state.phase == "stopped"
    rest = go_on(broken.run, answering())
    assert [e.val_loss for e in rest.state.epochs] == [e.val_loss for e in whole.state.epochs]
    assert [e.lr for e in rest.state.epochs] == [e.lr for e in whole.state.epochs]


def test_everything_is_answered_with_its_id_and_its_client(tmp_path: Path) -> None:
    commands = [
        cmd.TogglePause(id="1", client="a"),
        cmd.Undo(id="2", client="b", depth=3),
        cmd.AddEpochs(id="3", client="a", n=0),
        cmd.SetLr(id="4", client="c", lr=1e-4, origin="ctl"),
    ]
    outcome = held(tmp_path, commands, "train.epochs=1", "freeze.trainable=layer3")
    refused = [(event.id, event.client) for event in outcome.of(ev.CommandRefused)]
    assert refused == [("1", "a"), ("2", "b"), ("3", "a")]
    done = outcome.of(ev.CommandDone)[0]
    assert (done.id, done.client, done.origin, done.arguments) == ("4", "c", "ctl", {"lr": 1e-4})


def test_epochs_are_added_to_what_is_planned_not_to_what_the_sender_saw(tmp_path: Path) -> None:
    sent: list[bool] = []

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.EpochEnd) and len(sent) < 3:
            sent.append(True)
            return cmd.AddEpochs(n=1)
        return None

    outcome = carry_out(tiny_config("data.limit=75", "train.epochs=3"), tmp_path, react)
    assert [event.after for event in outcome.of(ev.EpochsChanged)] == [4, 5, 6]
    assert len(outcome.of(ev.EpochEnd)) == 6


def test_an_undo_meant_for_another_change_is_refused(tmp_path: Path) -> None:
    waiting: list[cmd.AnyCommand] = [cmd.UnfreezeNext(), cmd.Undo(depth=1), cmd.Undo(depth=1)]

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        wanted = isinstance(event, ev.LayerFigures | ev.CommandDone)
        return waiting.pop(0) if wanted and waiting else None

    outcome = carry_out(tiny_config("train.epochs=3"), tmp_path, react)
    assert [event.depth for event in outcome.of(ev.FreezeChanged)] == [1, 0]
    assert [event.command for event in outcome.of(ev.CommandRefused)] == ["undo"]
