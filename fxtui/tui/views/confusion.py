"""Which classes are taken for which: the matrix, the figures of each class, and the pairs most often confused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fxtui.protocol.events import Evaluation
from fxtui.text import numbers as formats
from fxtui.text.cells import cut, fill, left, right, text_width
from fxtui.text.lines import Line, Piece, bar, fit, title


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Of one class: images, and fractions; None where nothing was predicted as it, or it has no image."""

    label: int
    images: int
    precision: float | None
    recall: float | None
    f1: float | None


def class_figures(evaluation: Evaluation) -> list[ClassFigures]:
    """The figures of every class, in the classes' order."""
    count = len(evaluation.support)
    predicted = [0] * count
    for _, column, images in evaluation.confusion:
        predicted[column] += images
    found = []
    for label in range(count):
        right, own, taken = evaluation.correct[label], evaluation.support[label], predicted[label]
        f1 = 2 * right / (own + taken) if own + taken else None
        found.append(ClassFigures(label, own, right / taken if taken else None, right / own if own else None, f1))
    return found


def confused_pairs(evaluation: Evaluation) -> list[tuple[int, int, int]]:
    """(true, predicted, images) of every error, the most frequent first."""
    wrong = [(true, predicted, images) for true, predicted, images in evaluation.confusion if true != predicted]
    return sorted(wrong, key=lambda pair: (-pair[2], -pair[2] / evaluation.support[pair[0]], pair[:2]))


def matrix_lines(
    evaluation: Evaluation,
    names: Sequence[str],
    width: int,
    height: int,
    cursor: tuple[int, int],
    *,
    shares: bool,
    focused: bool,
) -> list[Line]:
    """The matrix, or the part of it around the cursor, true classes downwards; ``cursor`` is (true, predicted)."""
    count = len(evaluation.support)
    cells = {(true, predicted): images for true, predicted, images in evaluation.confusion}
    label = max(4, min(12, max(text_width(name) for name in names) + 1)) if names else 4
    least = max(5 if shares else 4, len(str(max(evaluation.support, default=0))) + 1)
    cell = max(least, min(7, (width - label - 9) // max(1, count)))
    columns = max(1, min(count, (width - label - 9) // cell))
    rows = max(1, min(count, height - 3))
    first, top = _window(cursor[1], columns, count), _window(cursor[0], rows, count)
    part = "" if columns == count and rows == count else f"{rows}×{columns} of {count}×{count}  "
    total = sum(evaluation.support)
    note = f"{part}{formats.plural(total, 'image')}, epoch {evaluation.epoch}"
    lines = [title("Confusion", (("rows true, columns predicted", "muted"),), ((note, "muted"),), width, focused)]
    shown = range(first, first + columns)
    heads = "".join(right(_short(names, at, cell - 1), cell) for at in shown)
    lines.append(fit(((" " * label, ""), (heads, "muted"), ("  recall", "muted")), width))
    figures = class_figures(evaluation)
    for true in range(top, top + rows):
        pieces: list[Piece] = [(left(_short(names, true, label), label), "strong" if true == cursor[0] else "")]
        for predicted in shown:
            images = cells.get((true, predicted), 0)
            text = _cell(images, evaluation.support[true], shares)
            role = "muted" if not images else "warm" if true == predicted else "hot"
            if (true, predicted) == cursor:
                role, text = "picked", text if images else "0"
            pieces += [(" ", ""), (right(text, cell - 1), role)]
        pieces.append((f"{formats.accuracy(figures[true].recall):>8}", ""))
        lines.append(fit(tuple(pieces), width))
    precise = "".join(right(_percent(figures[at].precision), cell) for at in shown)
    accuracy = sum(evaluation.correct) / max(1, total)
    lines.append(
        fit(((left("pr.%", label), "muted"), (precise, ""), (f"{formats.accuracy(accuracy):>8}", "strong")), width)
    )
    return lines[:height]


def class_lines(evaluation: Evaluation, names: Sequence[str], width: int, height: int) -> list[Line]:
    """A row for each class, the worst F1 first."""
    size = max(5, min(14, width - 40))
    lines = [title("Classes", (), (("worst F1 first", "muted"),), width)]
    heads = f"{'class':<{size}} {'n':>5} {'precision':>9} {'recall':>7} {'F1':>7}"
    lines.append(fit(((heads, "muted"),), width))
    worst_first = sorted(class_figures(evaluation), key=lambda figures: (figures.f1 is None, figures.f1 or 0.0))
    for one in worst_first[: height - 2]:
        text = (
            f"{left(_short(names, one.label, size), size)} {one.images:>5} {formats.accuracy(one.precision):>9} "
            f"{formats.accuracy(one.recall):>7} {formats.accuracy(one.f1):>7} "
        )
        lines.append(fit(((text, ""), *bar(one.f1 or 0.0, max(3, width - text_width(text)))), width))
    return lines[:height]


def pair_lines(evaluation: Evaluation, names: Sequence[str], width: int, height: int) -> list[Line]:
    """The pairs of classes most often confused."""
    pairs = confused_pairs(evaluation)
    errors = sum(images for _, _, images in pairs)
    note = f"{errors} of {formats.plural(sum(evaluation.support), 'image')} wrong"
    lines = [title("Most confused", (("true → predicted", "muted"),), ((note, "muted"),), width)]
    for true, predicted, images in pairs[: max(0, height - 1)]:
        who = f"{_short(names, true, 12)} → {_short(names, predicted, 12)}"
        share = f"{images / evaluation.support[true]:.1%} of {_short(names, true, 12)}"
        count = f" {formats.plural(images, 'image'):<10}"
        room = max(8, min(27, width - 28))
        lines.append(fit(((fill(who, room), "strong"), (count, ""), (share, "muted")), width))
    if not pairs:
        lines.append(fit((("no errors", "muted"),), width))
    return lines[:height]


def _window(cursor: int, size: int, count: int) -> int:
    return max(0, min(cursor - size // 2, count - size))


def _cell(images: int, support: int, shares: bool) -> str:
    if not images:
        return "·"
    return f"{images / support:.0%}" if shares else str(images)


def _percent(fraction: float | None) -> str:
    return formats.NONE if fraction is None else f"{fraction * 100:.0f}"


def _short(names: Sequence[str], label: int, width: int) -> str:
    name = names[label] if label < len(names) else str(label)
    return cut(name, width, "…" if width > 2 else "")
