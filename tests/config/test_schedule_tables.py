"""The ``[[schedule]]`` tables of a configuration: what is wrong with one, their order, and appending to them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fxtui.config import DataConfig, RunConfig, bundled_config, load_config, parse_config, to_toml
from fxtui.protocol.schedule import ScheduleEntry
from tests.config.refused import DIGITS, ENTRY, wrong


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('command = "undo"', 'at: missing, e.g. at = "epoch 4"'),
        ('at = "epoch 4"', 'command: missing, e.g. command = "unfreeze_next"'),
        ('at = 4\ncommand = "undo"', "at = 4: expected text in quotes"),
        ('at = "epoch 4"\ncommand = 4', "command = 4: expected text in quotes"),
        *(
            (
                f'at = "{at}"\ncommand = "undo"',
                f'at = \'{at}\': expected "epoch N" or "step N" counted from 1, e.g. "epoch 4"',
            )
            for at in ("epoch 0", "step 0", "soon", "epoch x", "epoch -1", "epoch 1.5", "4", "", "epoch", "Epoch 4")
        ),
        (
            'at = "epoch 4"\ncommand = "unfreeze_nxt"',
            "command = 'unfreeze_nxt': expected one of set_trainable, freeze_all, unfreeze_next, unfreeze_all, undo, "
            "set_lr, set_epochs, add_epochs, stop, checkpoint (did you mean unfreeze_next?)",
        ),
        (
            'at = "epoch 4"\ncommand = "pause"',
            "command = 'pause': expected one of set_trainable, freeze_all, unfreeze_next, unfreeze_all, undo, "
            "set_lr, set_epochs, add_epochs, stop, checkpoint",
        ),
        ('at = "epoch 4"\ncommand = "undo"\nepoch = 4', "epoch: unknown key; did you mean schedule[1].epochs?"),
        ('att = "epoch 4"\ncommand = "undo"', "att: unknown key; did you mean schedule[1].at?"),
        (
            'at = "epoch 4"\ncommand = "undo"\nxyz = 4',
            "xyz: unknown key; known here: at, command, paths, value, only, lr, epochs, n, when",
        ),
        ('at = "epoch 4"\ncommand = "set_lr"', "lr: missing; set_lr needs it, e.g. lr = 0.0003"),
        ('at = "epoch 4"\ncommand = "set_epochs"', "epochs: missing; set_epochs needs it, e.g. epochs = 12"),
        (
            'at = "epoch 4"\ncommand = "set_trainable"\nvalue = true',
            'paths: missing; set_trainable needs it, e.g. paths = ["layer4"]',
        ),
        (
            'at = "epoch 4"\ncommand = "set_trainable"\npaths = ["a"]',
            "value: missing; set_trainable needs it, e.g. value = true",
        ),
        (
            'at = "epoch 4"\ncommand = "set_trainable"\npaths = []\nvalue = true',
            'paths = []: expected at least one layer, e.g. ["layer4"]',
        ),
        (
            'at = "epoch 4"\ncommand = "set_trainable"\npaths = "a"\nvalue = true',
            "paths = 'a': expected a list, e.g. [\"layer4\"]",
        ),
        (
            'at = "epoch 4"\ncommand = "set_trainable"\npaths = ["a", 3]\nvalue = true',
            "paths[1] = 3: expected text in quotes",
        ),
        (
            'at = "epoch 4"\ncommand = "set_trainable"\npaths = ["a"]\nvalue = 1',
            "value = 1: expected true or false",
        ),
        ('at = "epoch 4"\ncommand = "set_lr"\nlr = 0', "lr = 0.0: expected a number above 0"),
        ('at = "epoch 4"\ncommand = "set_lr"\nlr = -1e-3', "lr = -0.001: expected a number above 0"),
        ('at = "epoch 4"\ncommand = "set_lr"\nlr = nan', "lr = nan: expected a number above 0"),
        ('at = "epoch 4"\ncommand = "set_lr"\nlr = inf', "lr = inf: expected a number above 0"),
        ('at = "epoch 4"\ncommand = "set_lr"\nlr = "low"', "lr = 'low': expected a number"),
        ('at = "epoch 4"\ncommand = "set_epochs"\nepochs = 0', "epochs = 0: expected 1 or more"),
        ('at = "epoch 4"\ncommand = "set_epochs"\nepochs = 1.5', "epochs = 1.5: expected a whole number"),
        ('at = "epoch 4"\ncommand = "unfreeze_next"\nlr = 0.1', "lr = 0.1: unfreeze_next takes nothing more"),
        ('at = "epoch 4"\ncommand = "set_lr"\nlr = 0.1\nepochs = 3', "epochs = 3: set_lr takes lr"),
        ('at = "epoch 4"\ncommand = "stop"\nwhen = "later"', "when = 'later': expected one of epoch, now"),
        (
            'at = "epoch 4"\ncommand = "stop"\nwhen = "nou"',
            "when = 'nou': expected one of epoch, now (did you mean now?)",
        ),
        (
            'at = "epoch 4"\ncommand = "stop"\ninterrupted = true',
            "interrupted: unknown key; known here: at, command, paths, value, only, lr, epochs, n, when",
        ),
    ],
)
def test_a_mistake_in_the_schedule_names_the_entry(tmp_path: Path, text: str, message: str) -> None:
    assert wrong(DIGITS + ENTRY + text, tmp_path) == f"schedule[1].{message}"


def test_a_schedule_is_read_in_its_order_and_may_go_beyond_the_last_epoch(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(DIGITS + ENTRY + 'at = "step 9000"\ncommand = "set_trainable"\npaths = ["layer4"]\nvalue = true\n')
    undo, train = load_config(path, ["train.epochs=2"]).schedule
    assert undo == ScheduleEntry(at="epoch 1", command="undo")
    assert train == ScheduleEntry(at="step 9000", command="set_trainable", paths=("layer4",), value=True)


def test_tables_can_be_appended_to_what_is_written() -> None:
    config = RunConfig(data=DataConfig(source="digits"))
    assert "schedule = []" not in to_toml(config)
    one = parse_config(tomllib.loads(to_toml(config) + ENTRY + 'at = "step 3"\ncommand = "checkpoint"\n'), [])
    assert [entry.command for entry in one.schedule] == ["undo", "checkpoint"]
    two = parse_config(tomllib.loads(to_toml(one) + '[[schedule]]\nat = "step 3"\ncommand = "stop"\n'), [])
    assert [entry.command for entry in two.schedule] == ["undo", "checkpoint", "stop"]


def test_the_two_recipes_say_when_what_is_unfrozen() -> None:
    gradual = load_config(bundled_config("gradual"))
    assert [(entry.at, entry.command) for entry in gradual.schedule] == [
        ("epoch 4", "unfreeze_next"),
        ("epoch 5", "unfreeze_next"),
        ("epoch 6", "unfreeze_next"),
    ]
    assert (gradual.train.epochs, gradual.seed, gradual.train.backbone_lr_scale) == (12, 1, 1.0)
    lp_ft = load_config(bundled_config("lp_ft"))
    lower, everything = lp_ft.schedule
    assert (lower.command, everything.command) == ("set_lr", "unfreeze_all")
    assert lower.at == everything.at
    assert lower.lr is not None
    assert lower.lr < lp_ft.train.lr
