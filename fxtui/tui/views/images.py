"""The validation images as a list, and the way of one of them through the network."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fxtui.protocol.events import ClassScore, Evaluation, ImageResult, Prediction
from fxtui.text import numbers as formats
from fxtui.text.cells import cut, fill, right, text_width
from fxtui.text.lines import Line, Piece, bar, fit, spark, title, width_of
from fxtui.tui.views.picture import picture_lines

_PICTURE = 32
# Lines from which on there is room for arrows between the steps.
_ROOMY = 28


def chosen_images(evaluation: Evaluation | None, errors_first: bool, pair: tuple[int, int] | None) -> list[ImageResult]:
    """The images in the order wanted; with a pair, those of its true class that were taken for the other."""
    images = list(evaluation.images) if evaluation else []
    if pair is not None:
        images = [image for image in images if (image.true, image.predicted) == pair]
    if errors_first:
        # The most certain errors first, then what is right, the least certain first.
        wrong = sorted((i for i in images if i.true != i.predicted), key=lambda image: -image.probability)
        right = sorted((i for i in images if i.true == i.predicted), key=lambda image: image.probability)
        images = [*wrong, *right]
    return images


def image_list_lines(
    images: Sequence[ImageResult], names: Sequence[str], heading: Line, width: int, cursor: int, first: int, height: int
) -> list[Line]:
    """The heading, the column names, and the images from number ``first`` of the list on."""
    size = max(4, min(12, (width - 28) // 2))
    columns = f"   {'image':>6} {'true':>{size}} {'pred':>{size}} {'p(pred)':>7} {'loss':>8}"
    lines = [heading, fit(((columns, "muted"),), width)]
    for at, image in enumerate(images[first : first + max(0, height - 2)], first):
        wrong = image.true != image.predicted
        true, predicted = (right(cut(_name(names, label), size, ""), size) for label in (image.true, image.predicted))
        text = (
            f" {f'#{image.image}':>6} {true} {predicted} "
            f"{formats.accuracy(image.probability):>7} {formats.loss(image.loss):>8}"
        )
        line = fit(((" ✗ " if wrong else " ✓ ", "error" if wrong else "ok"), (text[1:], "")), width)
        lines.append(tuple((piece, "selected") for piece, _ in line) if at == cursor else line)
    return lines[:height]


def trace_lines(seen: Prediction, names: Sequence[str], width: int, height: int, *, plain: bool) -> list[Line]:
    """The picture with the trace beside it, and below them the logits and probabilities by class."""
    heading = title("Trace", ((seen.image, "strong"),), (verdict(seen, names),), width)
    side = min(_PICTURE, (width - 2) // 2 if width >= 60 else (width - 2) * 2 // 5, max(8, (height - 9) * 2))
    picture = picture_lines(seen.thumbnail, side, max(4, min(side // 2, height - 1)), plain=plain)
    beside = _steps(seen, names, max(10, width - side - 3))
    if height < _ROOMY:
        beside = [line for line in beside if line[0][0] not in ("↓", "")]
    lines = [heading]
    for at in range(max(len(picture), len(beside))):
        shown = picture[at] if at < len(picture) else ()
        gap = " " * (side + 2 - width_of(shown))
        lines.append(fit((*shown, (gap, ""), *(beside[at] if at < len(beside) else ())), width))
    room = height - len(lines)
    if room >= 4:
        lines += _scores(seen, names, width, room)
    return lines[:height]


def prediction_lines(seen: Prediction, names: Sequence[str], width: int, height: int, *, plain: bool) -> list[Line]:
    """The same in a small panel: picture, shapes, the highest probabilities, verdict."""
    about = f"epoch {seen.epoch}"
    if seen.loss is not None:
        about += f"  loss {formats.loss(seen.loss)}"
    heading = title("Prediction", ((seen.image, "muted"),), ((about, "muted"),), width)
    side = min(16, (height - 1) * 2, width // 2)
    picture = picture_lines(seen.thumbnail, side, max(1, side // 2), plain=plain)
    rest = width - side - 2
    beside: list[Line] = [
        _pair("Input Image", formats.shape(seen.input_shape), rest),
        _pair("Feature Extractor", f"{seen.features:,}", rest),
        _pair("Linear Layer", f"{seen.classes:,}", rest),
    ]
    beside += [_bar_line(score, names, rest) for score in seen.scores[: max(1, height - 5)]]
    beside.append((verdict(seen, names),))
    lines = [heading]
    for at in range(max(len(picture), len(beside))):
        shown = picture[at] if at < len(picture) else ()
        gap = " " * (side + 2 - width_of(shown))
        lines.append(fit((*shown, (gap, ""), *(beside[at] if at < len(beside) else ())), width))
    return lines[:height]


def verdict(seen: Prediction, names: Sequence[str]) -> Piece:
    """What was predicted, and whether that is right."""
    predicted = _name(names, seen.predicted)
    if seen.true is None:
        return f"predicted {predicted}", "strong"
    if seen.true == seen.predicted:
        return f"✓ predicted {predicted}", "ok"
    return f"✗ predicted {predicted}, true {_name(names, seen.true)}", "error"


def _steps(seen: Prediction, names: Sequence[str], width: int) -> list[Line]:
    top = seen.scores[0]
    apart = f", top two {top.logit - seen.scores[1].logit:.2f} apart" if len(seen.scores) > 1 else ""
    arrow: Line = (("↓", "muted"),)
    weights = "live weights" if seen.source == "live" else f"{seen.source} checkpoint"
    low_high = f"{seen.pixel_min:.2f} to {seen.pixel_max:.2f}"
    pixels = (f"min {seen.pixel_min:.2f}  max {seen.pixel_max:.2f}  mean {seen.pixel_mean:.2f}", low_high)
    above = f"{seen.features_positive:.0%} above zero"
    positive = (f"{len(seen.feature_bins)} bins of {seen.features:,}, {above}", above)
    span = f"{seen.logit_min:+.2f} to {seen.logit_max:+.2f}"
    logits = (f"logits {span}{apart}", f"logits {span}", span)
    sure = f"{_name(names, top.label)} at {top.probability:.1%}"
    certain = (f"{sure}, entropy {seen.entropy:.2f} of {math.log(seen.classes):.2f}", sure)
    of = (f"{weights}, epoch {seen.epoch}, step {seen.step}", f"{weights}, epoch {seen.epoch}", f"epoch {seen.epoch}")
    lines: list[Line] = [
        _pair("Input Image", formats.shape(seen.input_shape), width),
        _told(width, *pixels),
        arrow,
        _pair("Feature Extractor", f"{seen.features:,}", width),
        ((_profile(seen.feature_bins)[:width], "train"),),
        _told(width, *positive),
        arrow,
        _pair("Linear Layer", f"{seen.classes:,}", width),
        _told(width, *logits),
        arrow,
        _pair("Softmax", f"{seen.classes:,}", width),
        _told(width, *certain),
        (("", ""),),
        _pair("loss", formats.loss(seen.loss), width),
        _told(width, *of),
    ]
    return lines


def _scores(seen: Prediction, names: Sequence[str], width: int, room: int) -> list[Line]:
    note = () if seen.classes == len(seen.scores) else ((f"the first {len(seen.scores)} of {seen.classes}", "muted"),)
    lines = [fit((("", ""),), width), title("Linear Layer to Softmax", (), note, width)]
    size = max(6, min(14, max(text_width(_name(names, score.label)) for score in seen.scores)))
    wide = width >= 56
    half = max(3, (width - size - 34) // 3) if wide else 0
    chance = max(6, width - size - 22 - 2 * half - (3 if wide else 0))
    heads = f"   {'class':<{size}} {'logit':>7}" + (f"  {'negative':>{half}} {'positive':<{half}}" if wide else "")
    lines.append(fit(((heads, "muted"), ("softmax".rjust(width - len(heads) - 1), "muted")), width))
    strongest = max(abs(seen.logit_min), abs(seen.logit_max), 1e-9)
    shown = list(seen.scores[: max(1, room - 3)])
    if seen.true is not None and all(score.label != seen.true for score in shown):
        shown[-1:] = [score for score in seen.scores if score.label == seen.true] or shown[-1:]
    for score in shown:
        mark: Piece = (" ✗ ", "error") if score.label == seen.predicted != seen.true else ("   ", "")
        if score.label == seen.true:
            mark = (" ▸ ", "ok")
        if seen.true is None and score.label == seen.predicted:
            mark = (" ▸ ", "accent")
        pieces: list[Piece] = [
            mark,
            (fill(cut(_name(names, score.label), size, ""), size) + " ", "strong"),
            (f"{score.logit:>+7.2f}", ""),
        ]
        if wide:
            filled = round(abs(score.logit) / strongest * half)
            left, right = ("━" * filled).rjust(half), " " * half
            if score.logit >= 0:
                left, right = " " * half, ("━" * filled).ljust(half)
            pieces += [("  " + left, "val"), ("│", "rule"), (right, "train")]
        pieces += [("  ", ""), *bar(score.probability, chance), (f"{score.probability:>7.1%}", "")]
        lines.append(fit(tuple(pieces), width))
    return lines


def _bar_line(score: ClassScore, names: Sequence[str], width: int) -> Line:
    size = min(8, max(3, width - 20))
    return (
        (right(cut(_name(names, score.label), size, ""), size) + " ", ""),
        *bar(score.probability, max(3, width - size - 8)),
        (f"{score.probability:>7.1%}", "strong"),
    )


def _pair(label: str, figure: str, width: int) -> Line:
    label = cut(label, max(1, width - text_width(figure) - 1))
    return (label, "strong"), (figure.rjust(max(1, width - text_width(label))), "")


def _told(width: int, *texts: str) -> Line:
    """The first of these that there is room for, else the last."""
    return ((next((text for text in texts if text_width(text) <= width), texts[-1]), "muted"),)


def _profile(values: Sequence[float]) -> str:
    top = max(values, default=0.0) or 1.0
    return spark(value / top for value in values)


def _name(names: Sequence[str], label: int) -> str:
    return names[label] if label < len(names) else str(label)
