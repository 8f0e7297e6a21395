"""What can be said about a backbone and its weights without importing torch."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from fxtui.config import ConfigError, ModelConfig
from fxtui.machine.directories import expanded

LITE0 = "efficientnet_lite0"
_FACTORY = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
# A decorated function whose decorators include the one that registers a model under the function's name.
_REGISTERED = re.compile(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
_FILE_ENDINGS = (".pth", ".pt", ".safetensors", ".bin", ".ckpt", ".tar")


def known_backbones() -> tuple[str, ...]:
    """The names that ``model.backbone`` may have, factories aside; read off torchvision's files, which are not run."""
    found = {LITE0}
    spec = importlib.util.find_spec("torchvision")
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in Path(folder, "models").glob("*.py"):
            found.update(_REGISTERED.findall(path.read_text(encoding="utf-8")))
    return tuple(sorted(found))


def is_weights_file(weights: str) -> bool:
    """Whether the setting names a file rather than a set of weights that comes with the backbone."""
    return "/" in weights or weights.lower().endswith(_FILE_ENDINGS)


def check_model_name(model: ModelConfig) -> None:
    """Refuse what is wrong by its form, and a weights file that is not there.

    Raises:
        ConfigError: see above.
    """
    name = model.backbone
    if ":" in name and not name.startswith("timm:") and not _FACTORY.match(name):
        raise ConfigError(f"model.backbone = '{name}': expected package.module:factory")
    if name.startswith("timm:"):
        raise ConfigError(f"model.backbone = '{name}': timm models are not supported yet; use a factory that builds it")
    if is_weights_file(model.weights) and not expanded(model.weights).is_file():
        raise ConfigError(f"model.weights = '{model.weights}': no such file")
