"""The configuration: read, checked, overridden, written back; every mistake is one line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui import config as cfg
from fxtui.config import (
    CacheConfig,
    ConfigError,
    DataConfig,
    FreezeConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    bundled_config,
    folder_config,
    known_keys,
    load_config,
    parse_config,
    to_toml,
)
from fxtui.protocol.schedule import ScheduleEntry
from tests.protocol.test_schedule import ENTRIES

DIGITS = '[data]\nsource = "digits"\n'


def wrong(text: str, tmp_path: Path, overrides: list[str] | None = None) -> str:
    """The one line that a configuration is refused with, less the file's name."""
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_only_the_source_is_needed() -> None:
    config = parse_config({"data": {"source": "digits"}}, [])
    assert (config.train.epochs, config.train.lr, config.model.backbone) == (5, 0.001, "efficientnet_lite0")
    assert config == RunConfig(data=DataConfig(source="digits"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'data.source: missing, e.g. data.source = "digits"'),
        ("[data]\n", 'data.source: missing, e.g. data.source = "digits"'),
        ("data = 3\n", "data = 3: expected a section such as [data]"),
        (DIGITS + "[train]\nepoch = 3\n", "train.epoch: unknown key; did you mean train.epochs?"),
        (DIGITS + "epochs = 3\n", "data.epochs: unknown key; did you mean train.epochs?"),
        ("lr = 0.1\n" + DIGITS, "lr: unknown key; did you mean train.lr?"),
        (
            DIGITS + "[model]\nzzz = 1\n",
            "model.zzz: unknown key; known here: backbone, weights",
        ),
        (DIGITS + "[trian]\nlr = 1.0\n", "trian: unknown key; known here: name, seed, device, schedule"),
        (DIGITS + '[train]\nepochs = "five"\n', "train.epochs = 'five': expected a whole number"),
        (DIGITS + "[train]\nepochs = 2.5\n", "train.epochs = 2.5: expected a whole number"),
        (DIGITS + "[train]\nepochs = -1\n", "train.epochs = -1: expected 1 or more"),
        (DIGITS + "[train]\nepochs = 0\n", "train.epochs = 0: expected 1 or more"),
        (DIGITS + "[train]\nbatch_size = 0\n", "train.batch_size = 0: expected 1 to 65536"),
        (DIGITS + '[train]\nlr = "fast"\n', "train.lr = 'fast': expected a number"),
        (DIGITS + "[train]\nlr = 0.0\n", "train.lr = 0.0: expected a number above 0"),
        (DIGITS + "[train]\nlr = nan\n", "train.lr = nan: expected a number above 0"),
        (DIGITS + "[train]\nlr = inf\n", "train.lr = inf: expected a number above 0"),
        (DIGITS + "[train]\nmomentum = 1.0\n", "train.momentum = 1.0: expected 0 up to, not including, 1"),
        (DIGITS + "[train]\nweight_decay = -0.1\n", "train.weight_decay = -0.1: expected 0 or more"),
        (DIGITS + "[train]\nlr_decay_per_stage = 2\n", "train.lr_decay_per_stage = 2.0: expected above 0, at most 1"),
        (DIGITS + "[train]\nbackbone_lr_scale = 0\n", "train.backbone_lr_scale = 0.0: expected a number above 0"),
        (
            DIGITS + '[train]\noptimizer = "adamm"\n',
            "train.optimizer = 'adamm': expected one of adamw, adam, sgd (did you mean adam?)",
        ),
        (
            DIGITS + '[train]\nschedule = "x"\n',
            "train.schedule = 'x': expected one of constant, cosine, onecycle, plateau",
        ),
        (
            DIGITS + '[train]\nprecision = "fp8"\n',
            "train.precision = 'fp8': expected one of auto, fp32, bf16, fp16",
        ),
        (DIGITS + "[cache]\nenabled = 1\n", "cache.enabled = 1: expected true or false"),
        (
            DIGITS + "[cache]\nmax_gb = -1\n",
            "cache.max_gb = -1.0: expected 0 (decide from free memory) or a size in GB",
        ),
        (DIGITS + "val_fraction = 1.0\n", "data.val_fraction = 1.0: expected a fraction between 0 and 1"),
        (DIGITS + "val_fraction = 0\n", "data.val_fraction = 0.0: expected a fraction between 0 and 1"),
        (DIGITS + "limit = -1\n", "data.limit = -1: expected 0 (all images) or a count"),
        (
            DIGITS + "image_size = 4\n",
            "data.image_size = 4: expected 8 to 4096 pixels, or 0 for the weights' own size",
        ),
        (DIGITS + "batch_size = 0\n", "data.batch_size = 0: expected 1 to 65536"),
        (DIGITS + 'augment = "heavy"\n', "data.augment = 'heavy': expected one of none, light, strong"),
        ('[data]\nsource = ""\n', "data.source = '': expected digits, a folder, a .csv or torchvision:NAME"),
        ("[data]\nsource = 3\n", "data.source = 3: expected text in quotes"),
        ('device = "tpu"\n' + DIGITS, "device = 'tpu': expected auto, cpu, cuda, cuda:N or mps"),
        ("seed = -1\n" + DIGITS, "seed = -1: expected a whole number from 0 to 2^63-1"),
        ('name = "a/b"\n' + DIGITS, "name = 'a/b': expected a name without slashes"),
        (
            DIGITS + '[freeze]\ntrainable = "layer4"\n',
            "freeze.trainable = 'layer4': expected a list, e.g. [\"layer4\"]",
        ),
        (
            DIGITS + '[freeze]\nbatchnorm = "eval"\n',
            "freeze.batchnorm = 'eval': expected one of follow, frozen, live",
        ),
        (DIGITS + '[model]\nbackbone = ""\n', "model.backbone = '': expected a name, e.g. resnet18"),
        (
            'schedule = "cosine"\n' + DIGITS,
            "schedule = 'cosine': expected [[schedule]] tables, each with at and command, "
            'e.g. at = "epoch 4" and command = "unfreeze_next"; did you mean train.schedule?',
        ),
        (
            DIGITS + '[schedule]\nat = "epoch 4"\n',
            "schedule = {'at': 'epoch 4'}: expected [[schedule]] tables, each with at and command, "
            'e.g. at = "epoch 4" and command = "unfreeze_next"',
        ),
        (
            "schedule = [3]\n" + DIGITS,
            "schedule[0] = 3: expected [[schedule]] tables, each with at and command, "
            'e.g. at = "epoch 4" and command = "unfreeze_next"',
        ),
        (DIGITS + "[train]\nscheduel = 'cosine'\n", "train.scheduel: unknown key; did you mean train.schedule?"),
        (DIGITS + '[model]\nweights = ""\n', "model.weights = '': expected default, none, a name or a file"),
    ],
)
def test_a_mistake_is_one_line_with_key_value_and_what_would_be_right(tmp_path: Path, text: str, message: str) -> None:
    assert wrong(text, tmp_path) == message


ENTRY = '\n[[schedule]]\nat = "epoch 1"\ncommand = "undo"\n\n[[schedule]]\n'


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
            "set_lr, set_epochs, stop, checkpoint (did you mean unfreeze_next?)",
        ),
        (
            'at = "epoch 4"\ncommand = "pause"',
            "command = 'pause': expected one of set_trainable, freeze_all, unfreeze_next, unfreeze_all, undo, "
            "set_lr, set_epochs, stop, checkpoint",
        ),
        ('at = "epoch 4"\ncommand = "undo"\nepoch = 4', "epoch: unknown key; did you mean schedule[1].epochs?"),
        ('att = "epoch 4"\ncommand = "undo"', "att: unknown key; did you mean schedule[1].at?"),
        (
            'at = "epoch 4"\ncommand = "undo"\nxyz = 4',
            "xyz: unknown key; known here: at, command, paths, value, only, lr, epochs, when",
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
            "interrupted: unknown key; known here: at, command, paths, value, only, lr, epochs, when",
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


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    message = wrong("[data\nsource = 1", tmp_path)
    assert message.startswith("not valid TOML: ")
    assert "line 1" in message


def test_a_missing_file_and_one_that_is_no_text_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(ConfigError) as caught:
        load_config(missing)
    assert str(caught.value) == f"{missing}: no such file"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.toml: cannot be read: "):
        load_config(binary)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("train.epochs=12", "train.epochs", 12),
        (" train.epochs = 12 ", "train.epochs", 12),
        ("train.lr=3e-4", "train.lr", 3e-4),
        ("train.lr=1", "train.lr", 1.0),
        ("model.weights=none", "model.weights", "none"),
        ('model.weights="none"', "model.weights", "none"),
        ("model.weights=a=b.pt", "model.weights", "a=b.pt"),
        ("data.source=torchvision:CIFAR10", "data.source", "torchvision:CIFAR10"),
        ("data.source=123", "data.source", "123"),
        ("train.optimizer=sgd", "train.optimizer", "sgd"),
        ("cache.enabled=false", "cache.enabled", False),
        ("freeze.trainable=layer4", "freeze.trainable", ("layer4",)),
        ("freeze.trainable=layer3, layer4", "freeze.trainable", ("layer3", "layer4")),
        ('freeze.trainable=["layer4"]', "freeze.trainable", ("layer4",)),
        ("freeze.trainable=[]", "freeze.trainable", ()),
        ("seed=7", "seed", 7),
        ("name=cats", "name", "cats"),
    ],
)
def test_overrides_are_read_by_the_type_of_their_key(override: str, key: str, value: object) -> None:
    node: Any = parse_config({"data": {"source": "digits"}}, [override])
    for part in key.split("."):
        node = getattr(node, part)
    assert node == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "--set train.epochs: expected key=value, e.g. --set train.epochs=10"),
        ("=3", "--set =3: expected key=value, e.g. --set train.epochs=10"),
        ("train.epoch=3", "--set train.epoch: unknown key; did you mean train.epochs?"),
        ("epochs=3", "--set epochs: unknown key; did you mean train.epochs?"),
        ("train=3", "--set train: unknown key; did you mean train.lr?"),
        ("train.epochs=many", "train.epochs = 'many': expected a whole number"),
        ("train.epochs=0", "train.epochs = 0: expected 1 or more"),
        ("cache.enabled=yes", "cache.enabled = 'yes': expected true or false"),
        ("schedule=cosine", "--set schedule: [[schedule]] is written in the file only; the rate's is train.schedule"),
        (
            "schedule[0].lr=1",
            "--set schedule[0].lr: [[schedule]] is written in the file only; the rate's is train.schedule",
        ),
        ("schedule.0=1", "--set schedule.0: [[schedule]] is written in the file only; the rate's is train.schedule"),
        ("schedul=cosine", "--set schedul: unknown key; did you mean train.schedule?"),
        ("train.schedul=cosine", "--set train.schedul: unknown key; did you mean train.schedule?"),
        ("train.optimizer=adm", "train.optimizer = 'adm': expected one of adamw, adam, sgd (did you mean adam?)"),
    ],
)
def test_a_wrong_override_is_one_line_too(tmp_path: Path, override: str, message: str) -> None:
    assert wrong(DIGITS, tmp_path, [override]) == message


def test_the_last_override_wins_over_the_file_and_the_first() -> None:
    tree = {"data": {"source": "digits"}, "train": {"epochs": 1}}
    assert parse_config(tree, ["train.epochs=2", "train.epochs=3"]).train.epochs == 3


def test_an_override_can_supply_what_the_file_lacks() -> None:
    assert parse_config({}, ["data.source=digits"]).data.source == "digits"


def test_a_folder_gives_its_name_to_the_run(tmp_path: Path) -> None:
    config = folder_config(tmp_path / "photos", ["train.epochs=2"])
    assert (config.name, config.data.source, config.train.epochs) == ("photos", str(tmp_path / "photos"), 2)


def test_known_keys_are_the_leaves() -> None:
    keys = known_keys()
    assert {"name", "data.source", "train.lr", "cache.max_gb"} <= set(keys)
    assert "data" not in keys


def test_written_out_every_default_stands_there() -> None:
    tree = tomllib.loads(to_toml(RunConfig(data=DataConfig(source="digits"))))
    leaves = {f"{section}.{key}" for section, table in tree.items() if isinstance(table, dict) for key in table}
    written = leaves | {key for key, value in tree.items() if not isinstance(value, dict)}
    # An empty list would stand in the way of tables that are appended later.
    assert written == set(known_keys()) - {"schedule"}


@pytest.mark.parametrize("name", ["demo", "resnet18", "folder", "cifar10", "gradual", "lp_ft"])
def test_the_configurations_that_come_with_fxtui_are_valid(name: str) -> None:
    config = load_config(bundled_config(name))
    assert config.name


def test_the_demo_is_what_its_budget_was_measured_with() -> None:
    demo = load_config(bundled_config("demo"))
    assert (demo.data.source, demo.data.limit, demo.data.image_size) == ("digits", 1000, 64)
    assert (demo.train.epochs, demo.train.optimizer, demo.train.lr) == (5, "adamw", 0.001)


def test_a_bundled_configuration_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml: not installed with fxtui"):
        bundled_config("nothing")


TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=20)
POSITIVE = st.floats(min_value=1e-9, max_value=1e9, allow_nan=False)
CONFIGS = st.builds(
    RunConfig,
    name=TEXT.filter(lambda text: "/" not in text),
    seed=st.integers(0, 2**63 - 1),
    device=st.sampled_from(["auto", "cpu", "cuda", "cuda:3", "mps"]),
    data=st.builds(
        DataConfig,
        source=TEXT,
        limit=st.integers(0, 10**9),
        val_fraction=st.floats(0.001, 0.999),
        image_size=st.one_of(st.just(0), st.integers(8, 4096)),
        augment=st.sampled_from(get_args(cfg.Augment)),
        batch_size=st.integers(1, 65536),
    ),
    model=st.builds(ModelConfig, backbone=TEXT, weights=TEXT),
    freeze=st.builds(
        FreezeConfig,
        trainable=st.lists(TEXT, max_size=3).map(tuple),
        batchnorm=st.sampled_from(get_args(cfg.BatchNormMode)),
    ),
    train=st.builds(
        TrainConfig,
        epochs=st.integers(1, 10**6),
        batch_size=st.integers(1, 65536),
        optimizer=st.sampled_from(get_args(cfg.Optimizer)),
        lr=POSITIVE,
        momentum=st.floats(0, 0.999),
        weight_decay=st.floats(0, 10),
        schedule=st.sampled_from(get_args(cfg.Schedule)),
        backbone_lr_scale=POSITIVE,
        lr_decay_per_stage=st.floats(1e-6, 1),
        precision=st.sampled_from(get_args(cfg.Precision)),
        early_stop=st.integers(0, 10**6),
    ),
    cache=st.builds(CacheConfig, enabled=st.booleans(), max_gb=st.floats(0, 1e6)),
    schedule=st.lists(ENTRIES, max_size=3).map(tuple),
)


@given(CONFIGS)
def test_what_is_written_is_read_back_the_same(config: RunConfig) -> None:
    assert parse_config(tomllib.loads(to_toml(config)), []) == config


def problem_of(tree: dict[str, Any], overrides: list[str]) -> str | None:
    """What is said of a document; None if it is a configuration. Anything but a ConfigError fails the test."""
    try:
        parse_config(tree, overrides)
    except ConfigError as error:
        return str(error)
    return None


@given(st.dictionaries(TEXT, st.one_of(st.integers(), TEXT, st.booleans(), st.lists(st.integers())), max_size=4))
def test_no_document_makes_anything_but_a_configuration_or_one_line(tree: dict[str, Any]) -> None:
    message = problem_of({"data": {"source": "digits"}, **tree}, [])
    assert message is None or (message.startswith("config: ") and "\n" not in message)


@given(TEXT)
def test_no_override_makes_anything_but_a_configuration_or_one_line(text: str) -> None:
    message = problem_of({"data": {"source": "digits"}}, [f"train.epochs={text}", f"freeze.trainable={text}", text])
    assert message is None or message.startswith(("--set ", "config: "))
