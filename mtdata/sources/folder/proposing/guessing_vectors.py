"""Is it normals, or colours that stand for classes? Arrays and pictures of three channels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.folder.proposing.evidence import MANY, RULES
from mtdata.sources.folder.proposing.guesses import Guess, Line
from mtdata.sources.folder.proposing.listing import Listed

UNIT = 0.05
"""How far from 1 the mean length of vectors may be."""
LEANS = 0.1
"""How far mean components of opposite thirds must be apart to tell an axis."""
RARE = 0.001
"""A colour of a smaller share may come from blurred edges."""


def guess_vectors(form: str, arrays: Sequence[NDArray[Any]]) -> Guess:
    """Normals, where the vectors have the length 1."""
    found = _unit(form, [array.astype(np.float64) for array in arrays], "")
    return found or RULES["unclear"].ask(
        f"{form} of 3 channels, lengths are not 1",
        "`kind: normals` with `invalid: void`, if they are normals",
    )


def guess_colours(form: str, arrays: Sequence[NDArray[Any]], listed: Listed) -> Guess:
    """Normals, or colours that stand for classes; else pictures."""
    top = np.iinfo(arrays[0].dtype).max
    vectors = [
        np.where(np.any(array, axis=-1, keepdims=True), array * (2 / top) - 1, np.nan)
        for array in arrays
    ]
    found = _unit(form, vectors, f" after 2v/{top}-1")
    if found is not None:
        return found
    if top != 255:
        return RULES["unclear"].ask(f"{form} whose vectors have not the length 1")
    codes = np.concatenate([a.reshape(-1, 3).astype(np.int64) @ (65536, 256, 1) for a in arrays])
    colours, count = np.unique(codes, return_counts=True)
    hexes = [f"#{code:06x}" for code in colours]
    if listed.colours:
        known = dict(listed.colours)
        missing = [colour for colour in hexes if colour not in known.values()]
        if not missing:
            return _listed(form, len(colours), listed)
    if not 2 <= len(colours) <= MANY:
        return RULES["unclear"].ask(
            f"{form} with {len(colours)} different colours looks like pictures"
        )
    if listed.colours:
        return RULES["unclear"].ask(
            f"{form}, {len(colours)} different colours, of which {listed.where} does not have "
            f"{', '.join(missing[:3])}",
            "`kind: classes` with `encoding: colours` and all colours",
        )
    if (count < RARE * codes.size).sum() > len(count) / 2:
        return RULES["unclear"].ask(
            f"{form}, {len(colours)} different colours, most of them rare: edges were blurred",
            "labels from before they were resized or compressed",
        )
    classes = tuple(
        Line(f"class{place}", colour, f"{100 * number / codes.size:.2g} % of the pixels")
        for place, (colour, number) in enumerate(zip(hexes, count, strict=True))
    )
    lines = (
        Line("encoding", "colours", "each colour stands for a class"),
        Line("classes", classes, "name them: the numbers go by the colours"),
        Line("void", [], "a colour that means nothing goes here, not above"),
    )
    return RULES["colours"].take("classes", f"{form}, {len(colours)} different colours", lines)


def _listed(form: str, count: int, listed: Listed) -> Guess:
    void = [colour for name, colour in listed.colours.items() if name in listed.void]
    classes = tuple(
        Line(name, colour) for name, colour in listed.colours.items() if name not in listed.void
    )
    lines = (
        Line("encoding", "colours", "each colour stands for a class"),
        Line("classes", classes, f"from {listed.where}"),
        Line("void", void, "colours that mean nothing"),
    )
    return RULES["listed colours"].take("classes", f"{form}, {count} different colours", lines)


def _unit(form: str, arrays: Sequence[NDArray[np.float64]], after: str) -> Guess | None:
    """Normals, where nearly all vectors have the length 1."""
    flat = np.concatenate([array.reshape(-1, 3) for array in arrays])
    length = np.linalg.norm(flat, axis=-1)
    directed = length > 0.02  # NaN is not
    kept = length[directed]
    if not kept.size or abs(kept.mean() - 1) > UNIT or (np.abs(kept - 1) < 0.1).mean() < 0.9:
        return None
    why = f"{form}, mean length{after} of {kept.mean():.2f}"
    z = flat[directed, 2].mean()
    if abs(z) < LEANS:
        return RULES["normals"].ask(
            f"{why}: normals, but z is {z:+.2f} on average", "`kind: normals` with `axes`"
        )
    x, told_x = _axis(arrays, 0, "right", "left")
    y, told_y = _axis(arrays, 1, "up", "down")
    axes = [x, y, "towards" if z > 0 else "away"]
    unsure = " and ".join(n for n, told in (("x", told_x), ("y", told_y)) if not told)
    remark = f"z is {z:+.2f} on average, surfaces face the camera; " + (
        f"{unsure} cannot be told: check" if unsure else "x and y by opposite sides; check"
    )
    lines = [Line("axes", axes, remark)]
    off = 1 - (np.abs(kept - 1) < 0.1).mean()
    if off or (after == "" and not np.isfinite(length).all()):
        lines.append(Line("invalid", "void", f"{100 * off:.2g} % are not of length 1 to 0.1"))
    return RULES["normals"].take("normals", why, lines)


def _axis(
    arrays: Sequence[NDArray[np.float64]], channel: int, plus: str, minus: str
) -> tuple[str, bool]:
    """Where a component points, and whether that was told: floors face up, walls inwards."""
    low, high = [], []
    for array in arrays:
        plane = array[..., channel] if channel else array[..., channel].T
        third = max(1, len(plane) // 3)
        ends = plane[:third], plane[-third:]
        low.append(_mean(ends[0]))
        high.append(_mean(ends[1]))
    lean = float(np.mean(high) - np.mean(low)) * (1 if channel else -1)
    return (minus if lean < -LEANS else plus), abs(lean) > LEANS


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
