"""What the form for a new run says, as pure functions from its configuration and its preview to lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fxtui.config import RunConfig, to_short_toml
from fxtui.run.config_files import free_path
from fxtui.run.preview import Preview
from fxtui.text import numbers as fmt
from fxtui.text.lines import Line, Piece, fit, spread, title, wrap
from fxtui.tui.launcher.form_fields import BY_KEY, HEAD_ONLY

_STAGES = ("Raw Image Input", "Preprocessing", "Feature Extraction", "Classifier Training", "Validation")


def note(key: str, fault: str, config: RunConfig | None, preview: Preview | None) -> Piece:
    """The line beside a field: what is wrong, else what the value means here, else what may stand there."""
    if fault:
        _, colon, wanted = fault.partition(": ")
        return f"! {wanted if colon else fault}", "error"
    meant = _meaning(key, config, preview) if config is not None else ""
    return meant or BY_KEY[key].hint, "muted"


def choices(key: str, preview: Preview | None, names: Sequence[str], sources: Sequence[str]) -> tuple[str, ...]:
    """What is offered in a field's list."""
    fixed = BY_KEY[key].choices
    if key == "model.backbone":
        return tuple(names)
    if key == "data.source":
        return ("digits", *sources)
    if preview is None:
        return fixed
    if key == "model.weights":
        return (*fixed, *preview.weight_names)
    if key == "device":
        return ("auto", *preview.devices)
    if key == "freeze.trainable":
        deepest = tuple(reversed(preview.stages))
        return (HEAD_ONLY, *(", ".join(deepest[:count]) for count in range(1, len(deepest) + 1)))
    return fixed


def panel(
    config: RunConfig | None, preview: Preview | None, busy: bool, trouble: str, folder: Path, width: int
) -> list[Line]:
    """The column beside the form. ``trouble`` is why nothing can be said; ``folder`` is where the file will be."""
    legend: Line = (("looking", "muted"),) if busy else ()
    lines = [title("This run will", legend, (), width), (), *_stages(preview, width), (), *_figures(preview, width)]
    if trouble:
        lines += [(), *wrap(trouble, width, "warn")]
    if preview and (found := _checks(preview, width)):
        lines += [(), title("Checks", (), (), width), *found]
    if config is not None:
        path = free_path(config, folder)
        lines += [(), title(path.name, (("written on start", "muted"),), (), width)]
        lines += [((line, ""),) for line in to_short_toml(config).rstrip().splitlines()]
    return [fit(line, width) for line in lines]


def key_line(width: int, opened: bool) -> Line:
    """The keys that work in the form; ``opened``: a list is open."""
    keys = [("tab", "next field"), ("shift+tab", "back"), ("↓", "list"), ("f5", "start"), ("esc", "cancel")]
    if opened:
        keys = [("↑↓", "choose"), ("enter", "take it"), ("esc", "close the list")]
    pieces: list[Piece] = []
    for key, what in keys:
        pieces += [(f" {key}", "key"), (f" {what} ", "")]
    return fit(tuple(pieces), width)


def _meaning(key: str, config: RunConfig, found: Preview | None) -> str:
    train = config.train
    match key:
        case "train.backbone_lr_scale":
            return f"of the head's: {fmt.lr(train.lr * train.backbone_lr_scale)} once unfrozen"
        case "data.image_size" if found and found.size and not config.data.image_size:
            return f"0: the weights' own, {found.size}×{found.size}"
        case "data.augment" if config.data.augment != "none":
            return "frozen layers run in every batch"
        case "data.source" if found and found.images is not None:
            return f"{fmt.plural(found.images, 'image')}, {found.classes:,} classes"
        case "data.val_fraction" if found and found.train is not None and found.val is not None:
            own = "the source's own split: " if found.own_split else ""
            return f"{own}{found.train:,} train, {found.val:,} validation"
        case "model.backbone" if found and found.features:
            params = f"{fmt.params(found.parameters)} parameters, " if found.parameters else ""
            return f"{params}{found.features:,} features"
        case "model.weights" if found:
            return _weights(found)
        case "device" if found and config.device == "auto":
            return f"auto: {found.device}"
        case "train.batch_size" if found and found.epoch_batches:
            return f"{fmt.plural(found.epoch_batches, 'step')} per epoch".replace("1 steps", "1 step")
        case "freeze.trainable" if found and found.trainable_parameters:
            return f"{fmt.params(found.trainable_parameters)} train; u unfreezes later"
        case _:
            return ""


def _weights(found: Preview) -> str:
    return {"here": "on disk", "download": "downloaded on start", "random": "random, nothing is loaded"}.get(
        found.weights, ""
    )


def _stages(found: Preview | None, width: int) -> list[Line]:
    shapes: list[str] = [fmt.NONE] * 5
    if found and found.images is not None and found.size:
        size, count = found.size, found.images
        shapes[0] = fmt.shape((count, 3, size, size) if found.presized else (count, 3, None, None))
        shapes[1] = fmt.shape((count, 3, size, size))
        if found.frontier:
            shapes[2] = fmt.shape((count, *found.frontier[0]))
        shapes[3] = fmt.shape((found.train, found.classes))
        shapes[4] = fmt.shape((found.val, found.classes))
    return [
        spread(((f"{number} {name}", ""),), ((shape, "muted"),), width)
        for number, (name, shape) in enumerate(zip(_STAGES, shapes, strict=True), 1)
    ]


def _figures(found: Preview | None, width: int) -> list[Line]:
    found = found or Preview(device="")
    trains = total = fmt.NONE
    if found.trainable_parameters is not None and found.parameters is not None:
        trains, total = fmt.params(found.trainable_parameters), fmt.params(found.parameters)
    held = None
    if found.optimizer_bytes is not None and found.gradient_bytes is not None:
        held = found.optimizer_bytes + found.gradient_bytes
    facts = (
        ("trainable parameters", f"{trains} of {total}" if found.parameters is not None else fmt.NONE),
        ("optimizer and gradients", _bytes(held)),
        ("activations of a batch", _bytes(found.activation_bytes, roughly=True)),
        ("features", _seconds(found.extract_seconds, " unless cached")),
        ("an epoch", _seconds(found.epoch_seconds)),
        ("feature cache", "none" if found.cache_bytes == 0 else _bytes(found.cache_bytes, not found.cache_is_exact)),
    )
    return [spread(((label, "muted"),), ((value, "strong"),), width) for label, value in facts]


def _seconds(count: float | None, note: str = "") -> str:
    return fmt.NONE if count is None else f"≈{fmt.roughly(count)}{note}"


def _bytes(count: int | None, roughly: bool = False) -> str:
    return fmt.NONE if count is None else f"{'≈' * roughly}{fmt.size(count)}"


def _checks(found: Preview, width: int) -> list[Line]:
    lines: list[Line] = []
    if found.weights == "here":
        lines.append((("✓ ", "ok"), ("weights on disk", "")))
    notes = ["weights not on disk: downloaded on start", *found.notes]
    for text in notes if found.weights == "download" else found.notes:
        for number, line in enumerate(wrap(text, width - 2, "")):
            lines.append(((" " * 2 if number else "! ", "warn"), *line))
    return lines
