"""What was done by hand in one run is played back by another, with the same result."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxtui.config import bundled_config, load_config, parse_config, to_dict
from fxtui.engine.checkpoints.files import load_checkpoint
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.protocol.schedule import carried_out, schedule_toml
from tests.engine.runs import Outcome, carry_out, tiny_config

COMMANDS = st.one_of(
    st.just(cmd.UnfreezeNext()),
    st.just(cmd.FreezeAll()),
    st.just(cmd.UnfreezeAll()),
    st.just(cmd.Undo()),
    st.just(cmd.Pause()),
    st.just(cmd.Checkpoint()),
    st.builds(cmd.SetLr, lr=st.sampled_from([1e-4, 3e-3])),
    st.builds(cmd.SetEpochs, epochs=st.integers(2, 5)),
    st.builds(
        cmd.SetTrainable,
        paths=st.sampled_from(
            [("layer3.1",), ("*.bn*",), ("layer1.0.conv2", "conv1"), ("*.bias",), ("layer2", "nope")]
        ),
        value=st.booleans(),
    ),
    st.just(cmd.Estimate(change=cmd.UnfreezeNext())),
)


def replayed(first: Outcome, folder: Path, *options: str) -> Outcome:
    """The run that plays back what was done in another, by way of TOML."""
    entries, unclear = carried_out(first.state.commands)
    assert unclear == 0
    tree = to_dict(first.run.load_config()) | tomllib.loads(schedule_toml(entries))
    return carry_out(parse_config(tree, list(options)), folder)


def figures(outcome: Outcome) -> list[tuple[float, ...]]:
    return [(e.train_loss, e.train_accuracy, e.val_loss, e.val_accuracy, e.lr) for e in outcome.of(ev.EpochEnd)]


def changes(outcome: Outcome) -> list[tuple[object, ...]]:
    return [(e.before, e.after, e.step) for e in outcome.of(ev.FreezeChanged)]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=st.lists(COMMANDS, min_size=1, max_size=6))
def test_any_actions_are_played_back_with_the_same_result(
    tmp_path_factory: pytest.TempPathFactory, commands: list[cmd.AnyCommand]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    waiting = list(commands)

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.RunPaused):
            return cmd.Resume()
        # At whatever batch the command happens to be seen.
        return waiting.pop(0) if isinstance(event, ev.LayerFigures | ev.EpochEnd | ev.CommandDone) and waiting else None

    first = carry_out(tiny_config("data.limit=75", "train.epochs=4", "train.schedule=cosine"), folder, react)
    again = replayed(first, folder)
    assert changes(again) == changes(first)
    assert figures(again) == figures(first)
    assert again.state.epochs_planned == first.state.epochs_planned
    (weights, _, _), (others, _, _) = (load_checkpoint(outcome.run, "last") for outcome in (first, again))
    assert all(torch.equal(tensor, others[name]) for name, tensor in weights.items())


def test_a_stop_is_played_back(tmp_path: Path) -> None:
    sent: list[bool] = []

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.EpochEnd) and event.epoch == 2 and not sent:
            sent.append(True)
            return cmd.Stop()
        return None

    first = carry_out(tiny_config("train.epochs=300"), tmp_path, react)
    again = replayed(first, tmp_path)
    assert again.state.phase == first.state.phase == "stopped"
    assert figures(again) == figures(first)


def test_a_schedule_is_carried_out_when_it_says(tmp_path: Path) -> None:
    tree = to_dict(tiny_config("train.epochs=3"))
    tree["schedule"] = [
        {"at": "epoch 2", "command": "unfreeze_next"},
        {"at": "step 11", "command": "set_trainable", "paths": ["layer3"], "value": False},
        {"at": "step 11", "command": "undo"},
        {"at": "epoch 3", "command": "set_epochs", "epochs": 4},
    ]
    outcome = carry_out(parse_config(tree, []), tmp_path)
    done = [(e.command, e.epoch, e.batch, e.step, e.origin) for e in outcome.of(ev.CommandDone)]
    assert done == [
        ("unfreeze_next", 2, 0, 9, "schedule"),
        ("set_trainable", 2, 2, 11, "schedule"),
        ("undo", 2, 2, 11, "schedule"),
        ("set_epochs", 3, 0, 17, "schedule"),
    ]
    assert [change.step for change in outcome.of(ev.FreezeChanged)] == [8, 10, 10]
    assert len(outcome.of(ev.EpochEnd)) == 4


def test_a_schedule_that_names_no_layer_is_refused_before_an_image_is_read(tmp_path: Path) -> None:
    tree = to_dict(tiny_config())
    tree["schedule"] = [{"at": "epoch 2", "command": "set_trainable", "paths": ["layr3"], "value": True}]
    finished = carry_out(parse_config(tree, []), tmp_path).state.finished
    assert finished is not None
    assert finished.exit_status == 2
    assert finished.reason == "schedule[0].paths: layr3: no such layer; did you mean layer3?"


def test_thawing_again_reads_no_image_and_computes_no_prefix_twice(tmp_path: Path) -> None:
    tree = to_dict(tiny_config("train.epochs=3"))
    moves = ["unfreeze_next", "freeze_all", "unfreeze_next", "freeze_all", "unfreeze_next"]
    tree["schedule"] = [{"at": f"step {3 + 2 * n}", "command": command} for n, command in enumerate(moves)]
    outcome = carry_out(parse_config(tree, []), tmp_path)
    ready = outcome.of(ev.CacheReady)
    # Twice from the images: for the head alone, then for the shorter prefix below layer3. Frozen again, layer3 has
    # other weights than before: it alone is computed, from what is kept of the layers below it.
    assert [(event.frontier, event.reused, event.images_read) for event in ready] == [
        (("flatten",), False, True),
        (("layer2",), False, True),
        (("flatten",), False, False),
        (("layer2",), True, False),
        (("flatten",), False, False),
        (("layer2",), True, False),
    ]
    extractions = [event for event in outcome.of(ev.ExtractionProgress) if event.done == 0]
    assert len(extractions) == 4


def test_gradual_unfreezing_beats_the_frozen_backbone(tmp_path: Path) -> None:
    """The demo, one stage more before epochs 4, 5 and 6, against the same run left frozen."""
    config = load_config(bundled_config("gradual"), ["device=cpu"])
    gradual = carry_out(config, tmp_path).state.finished
    frozen = carry_out(parse_config(to_dict(config) | {"schedule": []}, []), tmp_path).state.finished
    assert gradual is not None
    assert gradual.best is not None
    assert frozen is not None
    assert frozen.best is not None
    assert gradual.best.val_accuracy > 0.95
    assert gradual.best.val_accuracy >= frozen.best.val_accuracy + 0.03
