"""Every mistake in a configuration is one line with key, value and what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.config import ConfigError, load_config, parse_config
from tests.config.refused import DIGITS, wrong


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


TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=20)


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
