"""A curve as text, for a terminal."""

import math
from collections.abc import Sequence

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of the dots of a braille cell, by row and column."""
BLANK = 0x2800
HEIGHT = 6
"""Lines of a curve."""


def text_plot(
    points: Sequence[tuple[float, float]],
    *,
    width: int = 60,
    height: int = HEIGHT,
    unicode: bool = True,
    ends: tuple[float, float] | None = None,
) -> list[str]:
    """Draw values over their places as lines of text, with the range of both at the edges.

    What is one number at both edges stands once, in the middle.

    Values that fall on one column become their mean; those that are not finite are left out.

    Args:
        points: Places and values.
        width: Characters of the curve.
        height: Lines of the curve.
        unicode: Draw with braille, two by four dots a character; else with stars, one each.
        ends: The first and the last place, for curves on one axis; None for those of the points.
    """
    points = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if not points:
        return ["  (no values)"]
    across, down = (2, 4) if unicode else (1, 1)
    first, last = ends or (points[0][0], points[-1][0])
    columns: dict[int, list[float]] = {}
    for x, y in points:
        share = (x - first) / (last - first) if last > first else 0.0
        columns.setdefault(round(share * (width * across - 1)), []).append(y)
    means = {column: sum(values) / len(values) for column, values in columns.items()}
    low, high = min(means.values()), max(means.values())
    cells = [[0] * width for _ in range(height)]
    for column, value in means.items():
        share = (value - low) / (high - low) if high > low else 0.5
        row = round((1 - share) * (height * down - 1))
        bit = DOTS[row % down][column % across] if unicode else 1
        cells[row // down][column // across] |= bit
    blank, bar, corner, line = (chr(BLANK), "│", "└", "─") if unicode else (" ", "|", "+", "-")
    labels = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}
    if len({*labels.values()}) == 1:
        labels = {round(0.5 * (height * down - 1)) // down: f"{low:.4g}"}
    wide = max(map(len, labels.values()))
    lines = []
    for number, cell in enumerate(cells):
        drawn = "".join(
            (chr(BLANK + bits) if bits else blank) if unicode else " *"[bits] for bits in cell
        )
        lines.append(f"  {labels.get(number, ''):>{wide}} {bar}{drawn}".rstrip())
    lines.append(f"  {'':>{wide}} {corner}{line * width}")
    left, right = f"{first:g}", f"{last:g}"
    lines.append(f"  {'':>{wide}}  {left}{right:>{width - len(left)}}")
    return lines
