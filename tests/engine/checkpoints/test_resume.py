"""A run that goes on from a checkpoint continues as if it had not stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fxtui.cli.main import main
from fxtui.config import RunConfig, parse_config, to_dict, to_toml
from fxtui.engine.checkpoints.files import load_checkpoint
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.store import RunDirectory
from tests.engine.data.sources.messy import photo
from tests.engine.runs import Outcome, carry_out, go_on, tiny_config

# Freezing at several depths, undone and redone: dropout, moving statistics, groups that join late, all at once.
CHANGES = [
    {"at": "step 2", "command": "unfreeze_next"},
    {"at": "step 5", "command": "set_trainable", "paths": ["layer2.1.bn1", "layer1.0.conv2"], "value": True},
    {"at": "step 6", "command": "undo"},
    {"at": "step 7", "command": "set_lr", "lr": 0.003},
    {"at": "epoch 3", "command": "freeze_all"},
    {"at": "step 11", "command": "unfreeze_all"},
]
STEPS = 12


def scheduled(*overrides: str, stop: int | None = None) -> RunConfig:
    tree = to_dict(tiny_config("data.limit=75", "train.weight_decay=0.01", "train.schedule=cosine", *overrides))
    tree["schedule"] = [*CHANGES]
    if stop is not None:
        tree["schedule"].append({"at": f"step {stop}", "command": "stop", "when": "now"})
    return parse_config(tree, [])


def figures(outcome: Outcome) -> list[tuple[float, ...]]:
    return [(e.train_loss, e.train_accuracy, e.val_loss, e.val_accuracy, e.lr) for e in outcome.state.epochs]


def truth(outcome: Outcome) -> list[tuple[object, ...]]:
    """The layer table, but for the gradients of whichever batch was measured last."""
    return [
        (row.path, row.trainable, row.in_optimizer, row.mode, row.lr, row.bn, row.fault) for row in outcome.state.layers
    ]


def flat(state: Any, path: str = "") -> dict[str, Any]:
    """Every leaf of nested containers by its path."""
    if isinstance(state, dict):
        return {k: v for key, part in state.items() for k, v in flat(part, f"{path}/{key}").items()}
    if isinstance(state, list | tuple):
        return {k: v for key, part in enumerate(state) for k, v in flat(part, f"{path}/{key}").items()}
    return {path: state}


def same(first: RunDirectory, second: RunDirectory) -> None:
    """Two runs ended with the same weights and the same state, but for what tells the time."""
    (weights, state, _), (others, other_state, _) = (load_checkpoint(run, "last") for run in (first, second))
    assert weights.keys() == others.keys()
    assert [name for name, tensor in weights.items() if not torch.equal(tensor, others[name])] == []
    one, other = flat(state), flat(other_state)
    timed = ("/timings", "/progress/seconds", "/progress/scheduled")
    assert one.keys() == other.keys()
    for path, value in one.items():
        if path.startswith(timed):
            continue
        equal = torch.equal(value, other[path]) if isinstance(value, Tensor) else value == other[path]
        assert equal, path


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("train.optimizer=sgd", "train.accumulate=3", "train.ema=0.9", "train.class_weights=balanced"),
        ("data.augment=light", "train.schedule=onecycle"),
    ],
    ids=["adamw", "sgd-accumulate-ema", "augmented"],
)
def test_resumed_at_any_batch_equals_the_uninterrupted_run(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    whole = carry_out(scheduled(*overrides), tmp_path)
    assert whole.state.step == STEPS
    assert not whole.of(ev.CommandRefused)
    every = range(1, STEPS + 1) if not overrides else range(3, STEPS + 1, 4)
    for step in every:
        stopped = carry_out(scheduled(*overrides, stop=step), tmp_path)
        assert stopped.state.phase == "stopped"
        resumed = go_on(stopped.run)
        (continued,) = resumed.of(ev.RunContinued)
        assert (continued.step, continued.exact, continued.note) == (step - 1, True, "")
        assert not resumed.of(ev.RunWarning)
        assert figures(resumed) == figures(whole)
        same(whole.run, resumed.run)
        assert truth(resumed) == truth(whole)
        shutil.rmtree(stopped.run.path)


def test_resumed_twice_and_between_epochs(tmp_path: Path) -> None:
    whole = carry_out(scheduled(), tmp_path)
    tree = to_dict(scheduled(stop=9))
    tree["schedule"].append({"at": "epoch 3", "command": "stop"})
    run = carry_out(parse_config(tree, []), tmp_path).run
    assert go_on(run).state.phase == "stopped"
    resumed = go_on(run)
    assert resumed.state.phase == "finished"
    assert figures(resumed) == figures(whole)
    same(whole.run, run)


def test_undo_walks_back_beyond_the_checkpoint(tmp_path: Path) -> None:
    tree = to_dict(tiny_config("data.limit=75"))
    tree["schedule"] = [
        {"at": "step 2", "command": "unfreeze_next"},
        {"at": "step 3", "command": "unfreeze_next"},
        {"at": "step 5", "command": "stop", "when": "now"},
        {"at": "step 6", "command": "undo"},
        {"at": "step 7", "command": "undo"},
    ]
    changes = go_on(carry_out(parse_config(tree, []), tmp_path).run).of(ev.FreezeChanged)
    assert [(change.before, change.after) for change in changes] == [
        (("layer2", "layer3"), ("layer3",)),
        (("layer3",), ()),
    ]


def test_nothing_is_frozen_again_behind_the_optimizers_back(tmp_path: Path) -> None:
    """What Lightning #21901, #6891 and #8502 tell of: a resume that freezes again while the optimizer shows a rate."""
    config = tiny_config("train.epochs=4")
    tree = to_dict(config) | {
        "schedule": [
            {"at": "step 5", "command": "unfreeze_next"},
            {"at": "step 13", "command": "stop", "when": "now"},
        ]
    }
    stopped = carry_out(parse_config(tree, []), tmp_path)
    before, _, _ = load_checkpoint(stopped.run, "last")
    resumed = go_on(stopped.run)
    rows = {row.path: row for row in resumed.of(ev.Layers)[0].rows}
    assert (rows["layer3"].trainable, rows["layer3"].in_optimizer, rows["layer3"].mode) == ("all", "all", "train")
    assert rows["layer3"].lr is not None
    assert (rows["layer2"].trainable, rows["layer2"].in_optimizer, rows["layer2"].lr) == ("none", "none", None)
    assert all(row.fault == "" for row in rows.values())
    after, _, _ = load_checkpoint(stopped.run, "last")
    moved = {name.split(".")[0] for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved == {"layer3", "fc"}


def test_a_finished_run_is_given_more_epochs(tmp_path: Path) -> None:
    first = carry_out(tiny_config("train.epochs=2"), tmp_path)
    waiting: list[cmd.AnyCommand] = [cmd.SetEpochs(epochs=4)]

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        return waiting.pop() if isinstance(event, ev.RunContinued) and waiting else None

    again = go_on(first.run, react)
    assert [epoch.epoch for epoch in again.state.epochs] == [1, 2, 3, 4]
    assert figures(again) == figures(carry_out(tiny_config("train.epochs=4"), tmp_path))


def test_other_images_are_said_and_other_classes_refused(tmp_path: Path) -> None:
    def folder(names: tuple[str, ...]) -> None:
        for name in names:
            (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
            for number in range(8):
                photo(number).save(tmp_path / "photos" / name / f"{number}.png")

    folder(("cats", "dogs"))
    config = tiny_config(f"data.source={tmp_path / 'photos'}", "data.limit=0", "train.batch_size=4")
    tree = to_dict(config) | {"schedule": [{"at": "step 5", "command": "stop", "when": "now"}]}
    run = carry_out(parse_config(tree, []), tmp_path / "runs").run
    photo(99).save(tmp_path / "photos" / "cats" / "new.png")
    (continued,) = go_on(run).of(ev.RunContinued)
    assert not continued.exact
    assert continued.note == "not to the bit: the images have changed"
    folder(("emus",))
    finished = go_on(run).state.finished
    assert finished is not None
    assert finished.exit_status == 2
    assert "has 3 classes" in finished.reason


def test_a_killed_process_is_resumed_from_the_command_line(tmp_path: Path) -> None:
    """Killed in earnest, in the middle of an epoch; the journal and the checkpoint are what it left behind."""
    config = tmp_path / "tiny.toml"
    config.write_text(to_toml(tiny_config("train.epochs=400", "freeze.trainable=layer3")))
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "fxtui", "train"]
    options = ["--headless", "--json", "--runs", str(tmp_path / "runs")]
    process = subprocess.Popen([*command, str(config), *options], cwd=root, stdout=subprocess.DEVNULL)
    run = None
    for _ in range(1200):
        time.sleep(0.05)
        run = next((tmp_path / "runs").glob("*/checkpoints/last/info.json"), None)
        if run is not None:
            break
    assert run is not None, "no checkpoint after a minute"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    directory = RunDirectory(run.parents[2])
    assert directory.load_state().finished is None
    epochs = len(directory.load_state().epochs)
    done = subprocess.run(
        [*command, "--resume", directory.name, "--set", f"train.epochs={epochs + 3}", *options],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert done.returncode == 0, done.stderr
    state = directory.load_state()
    assert [epoch.epoch for epoch in state.epochs] == list(range(1, epochs + 4))
    assert state.phase == "finished"
    sequence = [event["seq"] for event in map(json.loads, done.stdout.splitlines())]
    assert sequence == sorted(sequence)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resume", "last"], "has finished its 2 epochs; give it more with --set train.epochs=7"),
        (["--resume", "last", "--set", "train.epochs=1"], "has finished its 2 epochs"),
        (["--resume", "last", "--set", "train.batch_size=3"], "--set train.batch_size: a run that goes on keeps"),
        (["--resume", "last", "--set", "train.epochs=x"], "train.epochs = 'x': expected a whole number"),
        (["--resume", "none"], "RUN none: not found"),
        (["--resume", "last", "tiny.toml"], "tiny.toml: a run that goes on has its configuration"),
    ],
)
def test_what_cannot_be_resumed_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    carry_out(tiny_config("train.epochs=2"), tmp_path)
    assert main(["train", *options, "--runs", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_run_without_a_checkpoint_is_started_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished = carry_out(tiny_config("data.source=digits", "data.image_size=8"), tmp_path)
    shutil.rmtree(finished.run.checkpoints, ignore_errors=True)
    assert main(["train", "--resume", "last", "--runs", str(tmp_path)]) == 2
    assert "has no checkpoint yet; start it anew with fxtui train" in capsys.readouterr().err
