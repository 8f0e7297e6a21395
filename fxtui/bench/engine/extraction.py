"""fxtui's extraction against a plain fp32 ``DataLoader`` loop and against the bare forward pass, on the same images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fxtui.bench.engine.photos import write_photos
from fxtui.bench.engine.sides import Pass, Side, Sides, least_similarity
from fxtui.bench.rows import Row, agreement_row, rate_row
from fxtui.bench.surroundings import scratch
from fxtui.config import Precision, RunConfig, parse_config
from fxtui.engine.devices import extraction_dtype, has_fast_bf16, resolve_device
from fxtui.engine.features.prefix import THRESHOLD
from fxtui.machine.cpu import cpu_count
from fxtui.text import numbers as fmt

BENCH = "extract"
BASELINE = "a plain fp32 DataLoader + no_grad loop, the faster of no worker and one a core; and the bare forward pass"
Kind = Literal["jpeg", "tensors"]
_KINDS: tuple[Kind, ...] = ("jpeg", "tensors")
_PRECISIONS: tuple[Precision, ...] = ("auto", "fp32")
_BF16_BUDGETS: dict[Kind, float] = {"jpeg": 2.0, "tensors": 2.4}
# Where auto computes in fp32: with BatchNorm folded and channels last.
_FP32_BUDGET = 1.25
_BARE_BUDGET = 0.9
# Of the cosine similarity of an image's features with the plain network's; exact fp32 differs by rounding alone.
_TOLERANCES: dict[Precision, float] = {"auto": 1 - THRESHOLD, "fp32": 1e-6}


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """How many images, at how many pixels, in how many rounds, on which device."""

    images: int
    size: int
    rounds: int
    device: str


def describe(options: ExtractOptions) -> str:
    """Device, threads, dtype, images and rounds, in one line.

    Raises:
        ConfigError: there is no such device here.
    """
    device = resolve_device(options.device)
    auto = str(extraction_dtype("auto", device)).removeprefix("torch.")
    return (
        f"{device}, {fmt.plural(cpu_count(), 'thread')}, auto is {auto}, {options.images:,} images, "
        f"resnet18 {options.size} px, best of {fmt.plural(options.rounds, 'round')}"
    )


def measure_extraction(options: ExtractOptions, say: Callable[[str], None]) -> Iterator[Row]:
    """Measure JPEG files, then images in memory: images a second, and how like the plain network's the features are.

    ``say`` is told, in a line now and then, what goes on.

    Raises:
        ConfigError: there is no such device here.
    """
    fast_bf16 = has_fast_bf16(resolve_device(options.device))
    for kind in _KINDS:
        say(kind)
        with scratch() as folder:
            files: list[Path] = []
            if kind == "jpeg":
                files = write_photos(folder / "photos", options.images, options.size)
            sides = Sides(_config(options, str(folder / "photos") if files else "digits"), files)
            passes = _take_rounds(_sides_of(kind, sides), options.rounds, say)
        yield from rows_of(kind, passes, fast_bf16)


def rows_of(kind: Kind, passes: Mapping[str, Sequence[Pass]], fast_bf16: bool) -> Iterator[Row]:
    """The rows of one kind of images; ``passes`` holds every round of each side by its name.

    The names are ``loader`` and a number of workers, a precision, and ``bare`` and a precision.
    """
    seconds = {name: [one.seconds for one in rounds] for name, rounds in passes.items()}
    count = len(passes["auto"][0].features)
    loader = min((name for name in passes if name.startswith("loader")), key=lambda name: min(seconds[name]))
    for precision in _PRECISIONS:
        name = f"{kind}, {precision}"
        budget = _budget(kind, precision, fast_bf16)
        yield rate_row(BENCH, f"{name}: against DataLoader", count, seconds[loader], seconds[precision], budget)
        if bare := seconds.get(f"bare {precision}"):
            yield rate_row(BENCH, f"{name}: against bare forward", count, bare, seconds[precision], _BARE_BUDGET)
        reference = passes[loader][0].features
        worst = min(least_similarity(reference, one.features) for one in passes[precision])
        yield agreement_row(BENCH, f"{name}: features", "cosine", [1.0], [worst], _TOLERANCES[precision])


def _budget(kind: Kind, precision: Precision, fast_bf16: bool) -> float | None:
    """What the DataLoader loop must be beaten by. Exact fp32 is the plain network to the bit: it has no budget."""
    if precision == "fp32":
        return None
    return _BF16_BUDGETS[kind] if fast_bf16 else _FP32_BUDGET


def _sides_of(kind: Kind, sides: Sides) -> dict[str, Side]:
    ours: dict[str, Side] = {precision: sides.bank(precision) for precision in _PRECISIONS}
    if kind == "jpeg":
        return {f"loader {workers}": sides.loader(workers) for workers in (0, cpu_count())} | ours
    # Images in memory gain nothing from workers, which would only copy them from process to process.
    return {"loader 0": sides.loader(0)} | ours | {f"bare {p}": sides.bare(p) for p in _PRECISIONS}


def _take_rounds(sides: Mapping[str, Side], rounds: int, say: Callable[[str], None]) -> dict[str, list[Pass]]:
    """Every side once in each round, so that all meet the same weather on a busy machine."""
    passes: dict[str, list[Pass]] = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, side in sides.items():
            passes[name].append(side())
        shown = ", ".join(f"{name} {taken[-1].seconds:.2f} s" for name, taken in passes.items())
        say(f"  round {number}: {shown}")
    return passes


def _config(options: ExtractOptions, source: str) -> RunConfig:
    tree: dict[str, Any] = {
        "name": "bench-extract",
        "device": options.device,
        "data": {"source": source, "limit": options.images, "image_size": options.size},
        "model": {"backbone": "resnet18", "weights": "none"},
    }
    return parse_config(tree, [], where="bench")
