"""The configuration of a run: TOML in, checked structs out.

Everything that can be known to be wrong without torch and without reading an image is refused here, in one line
that names the key, the value and what would be right.
"""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import tomli_w
from msgspec import Struct

from fxtui.config_errors import explain, keys_of, suggest, type_of
from fxtui.protocol.schedule import MOST_EPOCHS, ScheduleEntry, ScheduleError, check_entry, schedule_toml

Augment = Literal["none", "light", "strong"]
BatchNormMode = Literal["follow", "frozen", "live"]
Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["constant", "cosine", "onecycle", "plateau"]
ClassWeights = Literal["none", "balanced"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Hold = Literal["auto", "always", "never"]


class ConfigError(ValueError):
    """Bad input, said in one line for the user: what, where, and what would be right."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class DataConfig(_Section, frozen=True, kw_only=True):
    """Where the images come from and how they are read."""

    source: str
    limit: int = 0
    val_fraction: float = 0.2
    image_size: int = 0
    augment: Augment = "none"
    batch_size: int = 64


class ModelConfig(_Section, frozen=True, kw_only=True):
    """The backbone and where its weights come from."""

    backbone: str = "efficientnet_lite0"
    weights: str = "default"


class FreezeConfig(_Section, frozen=True, kw_only=True):
    """What trains besides the head."""

    trainable: tuple[str, ...] = ()
    batchnorm: BatchNormMode = "follow"


class TrainConfig(_Section, frozen=True, kw_only=True):
    """How the trainable part is trained."""

    epochs: int = 5
    batch_size: int = 32
    optimizer: Optimizer = "adamw"
    lr: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    backbone_lr_scale: float = 0.1
    lr_decay_per_stage: float = 1.0
    warmup_steps: int = 0
    precision: Precision = "auto"
    grad_clip: float = 0.0
    accumulate: int = 1
    label_smoothing: float = 0.0
    class_weights: ClassWeights = "none"
    ema: float = 0.0
    early_stop: int = 0


class CacheConfig(_Section, frozen=True, kw_only=True):
    """Whether and how much of the frozen computation is kept."""

    enabled: bool = True
    max_gb: float = 0.0


class SessionConfig(_Section, frozen=True, kw_only=True):
    """How long a run stays open: held where it is watched, and with nobody watching for ``hold_minutes`` at most.

    ``notify`` is a shell command, run when the run holds, ends, fails or stalls; ``bell`` rings the terminal's then.
    ``checkpoint_minutes``: how often it is kept in the middle of an epoch. ``share``: its group may read it, too.
    """

    hold: Hold = "auto"
    hold_minutes: float = 30.0
    notify: str = ""
    bell: bool = False
    checkpoint_minutes: float = 5.0
    share: bool = False


class RunConfig(_Section, frozen=True, kw_only=True):
    """One run, as written in a TOML file. Only ``data.source`` has no default."""

    name: str = ""
    seed: int = 0
    device: str = "auto"
    data: DataConfig
    model: ModelConfig = ModelConfig()
    freeze: FreezeConfig = FreezeConfig()
    train: TrainConfig = TrainConfig()
    cache: CacheConfig = CacheConfig()
    session: SessionConfig = SessionConfig()
    schedule: tuple[ScheduleEntry, ...] = ()


_DEVICE = re.compile(r"^(auto|cpu|mps|cuda(:\d+)?)$")
_LARGEST_SEED = 2**63 - 1


def load_config(path: Path, overrides: list[str] | None = None) -> RunConfig:
    """Read a TOML file, apply ``key=value`` overrides and check every value.

    Relative paths in ``data.source`` and ``model.weights`` are taken from the working directory.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or a key or value is wrong.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid TOML: too many brackets") from None
    return parse_config(tree, overrides or [], where=str(path))


def folder_config(folder: Path, overrides: list[str] | None = None) -> RunConfig:
    """The configuration for ``fxtui FOLDER``: all defaults, the folder's name as the run's.

    Raises:
        ConfigError: an override is wrong.
    """
    tree = {"name": folder.resolve().name, "data": {"source": str(folder)}}
    return parse_config(tree, overrides or [], where=str(folder))


def parse_config(tree: dict[str, Any], overrides: list[str], where: str = "config") -> RunConfig:
    """Turn a parsed TOML document into a checked ``RunConfig``.

    Raises:
        ConfigError: a key is unknown, or a value is of the wrong type or out of range.
    """
    for override in overrides:
        _apply_override(tree, override)
    try:
        config = msgspec.convert(tree, RunConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {explain(str(error), tree, RunConfig)}") from None
    _check(config, where)
    return config


def to_dict(config: RunConfig) -> dict[str, Any]:
    """Every key with its value, as plain Python containers."""
    tree: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    return tree


def to_toml(config: RunConfig) -> str:
    """The whole configuration, every default written out, the schedule last: more of its tables can be appended."""
    tree = to_dict(config)
    del tree["schedule"]
    return "\n".join(filter(None, (tomli_w.dumps(tree), schedule_toml(config.schedule))))


def to_short_toml(config: RunConfig) -> str:
    """The configuration with only those keys that differ from their defaults, and ``data.source``."""
    plain = to_dict(RunConfig(data=DataConfig(source="")))
    tree = {key: value for key, value in _differing(to_dict(config), plain).items() if key != "schedule"}
    return "\n".join(filter(None, (tomli_w.dumps(tree), schedule_toml(config.schedule))))


def known_keys() -> list[str]:
    """Every dotted key a configuration may hold, e.g. ``train.lr``."""
    return keys_of(RunConfig)


def bundled_config(name: str) -> Path:
    """The path of a configuration that comes with fxtui, e.g. ``demo``."""
    package = Path(__file__).parent
    for folder in (package / "configs", package.parent / "configs"):
        if (path := folder / f"{name}.toml").is_file():
            return path
    raise ConfigError(f"{name}.toml: not installed with fxtui; look for it in the project's configs folder")


def _differing(tree: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """What of a tree is not the same in another with the same keys."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if value != plain[key]:
            found[key] = _differing(value, plain[key]) if isinstance(value, dict) else value
    return found


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"--set {override}: expected key=value, e.g. --set train.epochs=10")
    if re.split(r"[.\[]", key)[0] == "schedule":
        raise ConfigError(f"--set {key}: [[schedule]] is written in the file only; the rate's is train.schedule")
    settable = [known for known in known_keys() if known != "schedule"]
    if key not in settable:
        raise ConfigError(f"--set {key}: unknown key{suggest(key, settable)}")
    *sections, leaf = key.split(".")
    node = tree
    for section in sections:
        child = node.setdefault(section, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {key}: {section} is not a section in this configuration")
        node = child
    node[leaf] = _parse_value(text.strip(), type_of(RunConfig, key))


def _parse_value(text: str, kind: Any) -> Any:
    if kind is str or (get_args(kind) and all(isinstance(choice, str) for choice in get_args(kind))):
        return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if isinstance(value, str) and get_args(kind)[-1:] == (...,):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _check(config: RunConfig, where: str) -> None:
    data, train, cache = config.data, config.train, config.cache

    def require(valid: bool, key: str, value: object, expected: str) -> None:
        if not valid:
            raise ConfigError(f"{where}: {key} = {value!r}: expected {expected}")

    def number(key: str, value: float, low: float, high: float, expected: str) -> None:
        require(math.isfinite(value) and low <= value <= high, key, value, expected)

    require("/" not in config.name and "\0" not in config.name, "name", config.name, "a name without slashes")
    number("seed", config.seed, 0, _LARGEST_SEED, "a whole number from 0 to 2^63-1")
    require(bool(_DEVICE.match(config.device)), "device", config.device, "auto, cpu, cuda, cuda:N or mps")
    require(bool(data.source), "data.source", data.source, "digits, a folder, a .csv or torchvision:NAME")
    number("data.limit", data.limit, 0, math.inf, "0 (all images) or a count")
    require(0 < data.val_fraction < 1, "data.val_fraction", data.val_fraction, "a fraction between 0 and 1")
    require(
        data.image_size == 0 or 8 <= data.image_size <= 4096,
        "data.image_size",
        data.image_size,
        "8 to 4096 pixels, or 0 for the weights' own size",
    )
    number("data.batch_size", data.batch_size, 1, 65536, "1 to 65536")
    require(bool(config.model.backbone), "model.backbone", config.model.backbone, "a name, e.g. resnet18")
    require(bool(config.model.weights), "model.weights", config.model.weights, "default, none, a name or a file")
    number("train.epochs", train.epochs, 1, MOST_EPOCHS, "1 or more")
    number("train.batch_size", train.batch_size, 1, 65536, "1 to 65536")
    require(math.isfinite(train.lr) and train.lr > 0, "train.lr", train.lr, "a number above 0")
    require(0 <= train.momentum < 1, "train.momentum", train.momentum, "0 up to, not including, 1")
    number("train.weight_decay", train.weight_decay, 0, math.inf, "0 or more")
    number("train.backbone_lr_scale", train.backbone_lr_scale, 1e-12, math.inf, "a number above 0")
    number("train.lr_decay_per_stage", train.lr_decay_per_stage, 1e-12, 1, "above 0, at most 1")
    number("train.warmup_steps", train.warmup_steps, 0, math.inf, "0 or a count of batches")
    number("train.grad_clip", train.grad_clip, 0, math.inf, "0 (off) or the largest norm of the gradient")
    number("train.accumulate", train.accumulate, 1, 65536, "1 or a count of batches")
    require(0 <= train.label_smoothing < 1, "train.label_smoothing", train.label_smoothing, "0 up to, not including, 1")
    require(0 <= train.ema < 1, "train.ema", train.ema, "0 (off) or a decay below 1, e.g. 0.999")
    number("train.early_stop", train.early_stop, 0, math.inf, "0 (off) or a count of epochs")
    session = config.session
    number("session.hold_minutes", session.hold_minutes, 0, 1e6, "0 or a count of minutes")
    number("session.checkpoint_minutes", session.checkpoint_minutes, 0, 1e6, "0 (off) or a count of minutes")
    require("\0" not in session.notify, "session.notify", session.notify, "a command for the shell")
    number("cache.max_gb", cache.max_gb, 0, math.inf, "0 (decide from free memory) or a size in GB")
    for index, entry in enumerate(config.schedule):
        try:
            check_entry(entry)
        except ScheduleError as error:
            raise ConfigError(f"{where}: schedule[{index}].{error}") from None
