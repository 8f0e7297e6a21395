"""A picture in text: two pixels a cell as half blocks, or one sign of a ramp where there is only ASCII."""

from __future__ import annotations

import zlib
from functools import lru_cache

from fxtui.protocol.events import Thumbnail
from fxtui.text.lines import Line, pixel_role

RAMP = " .:-=+*#%@"
_HALF = "▀"


def picture_lines(picture: Thumbnail, width: int, height: int, *, plain: bool) -> list[Line]:
    """The picture in at most ``height`` lines of at most ``width`` cells, its sides in proportion.

    ``plain``: in signs of a ramp, without colour. Each pixel shown is the mean of those it stands for.
    """
    if width < 1 or height < 1 or not picture.width or not picture.height:
        return []
    scale = min(width / picture.width, 2 * height / picture.height)
    columns = max(1, min(width, round(picture.width * scale)))
    rows = max(2, min(2 * height, round(picture.height * scale)) // 2 * 2)
    pixels = _scaled(picture, columns, rows)
    lines: list[Line] = []
    for y in range(0, rows, 2):
        upper, lower = pixels[y], pixels[y + 1]
        if plain:
            shades = [sum(a) + sum(b) for a, b in zip(upper, lower, strict=True)]
            lines.append((("".join(RAMP[shade * 10 // 1531] for shade in shades), ""),))
        else:
            lines.append(tuple((_HALF, pixel_role(a, b)) for a, b in zip(upper, lower, strict=True)))
    return lines


@lru_cache(maxsize=64)
def _scaled(picture: Thumbnail, columns: int, rows: int) -> list[list[tuple[int, int, int]]]:
    data = zlib.decompress(picture.rgb)
    width, height = picture.width, picture.height

    def mean(x0: int, x1: int, y0: int, y1: int) -> tuple[int, int, int]:
        cells = [(y * width + x) * 3 for y in range(y0, y1) for x in range(x0, x1)]
        r, g, b = (sum(data[at + part] for at in cells) // len(cells) for part in range(3))
        return r, g, b

    def span(at: int, count: int, size: int) -> tuple[int, int]:
        first = at * size // count
        return first, max(first + 1, (at + 1) * size // count)

    xs, ys = [span(x, columns, width) for x in range(columns)], [span(y, rows, height) for y in range(rows)]
    return [[mean(*x, *y) for x in xs] for y in ys]
