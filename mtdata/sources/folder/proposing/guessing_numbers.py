"""Is it depth? Floats, and integers of many values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.folder.proposing.guesses import Guess, Line
from mtdata.sources.folder.proposing.words import hints


def guess_floats(form: str, values: NDArray[Any]) -> Guess:
    """Depth, in metres or millimetres."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Guess("", f"{form} without any finite value")
    bad = 1 - ((np.isfinite(values) & (values >= 0)).mean())
    high = float(finite.max())
    why = f"{form}, values {finite.min():.4g} to {high:.4g} -> depth"
    scale, unit = (0.001, "millimetres") if high > 300 else (1.0, "metres")
    lines: list[Line] = [
        Line("units", "m", "metres; px, 1/m or disparity for inverse depth"),
        Line("scale", scale, f"metres a step: max {high:.4g}, looks like {unit}"),
        Line("void", [0], f"{100 * (values == 0).mean():.2g} % of the values are 0"),
    ]
    if bad:
        lines.append(Line("invalid", "void", f"{100 * bad:.2g} % are NaN, infinite or negative"))
    return Guess("depth", why, tuple(lines))


def guess_integers(form: str, seen: NDArray[Any], count: NDArray[Any], name: str) -> Guess:
    """Integers of many values: depth, or soft saliency."""
    high, wide = int(seen[-1]), seen.dtype.itemsize > 1
    if not wide and not hints(name) & {"depth"}:
        if hints(name) & {"saliency", "edges"} or "mask" in name.lower():
            why = f"{form}, {seen.size} different values, by its name -> binary"
            return Guess("binary", why, (Line("threshold", 128, "on from half way up"),))
        return Guess("", f"{form} with {seen.size} different values: depth? classes?")
    top = np.iinfo(seen.dtype).max
    capped = high == top and seen.size > 1 and seen[-2] < 0.9 * top
    void = [0, int(top)] if capped else [0]
    share = count[(seen == 0) | (capped & (seen == top))].sum() / count.sum()
    high = int(seen[-2]) if capped else high
    remark = f"{100 * share:.2g} % of the values are " + ("0 or the highest" if capped else "0")
    return Guess(
        "depth", f"{form}, max {high}, {seen.size} different values -> depth",
        (*_scale(high, wide, name), Line("void", void, remark)),
    )  # fmt: skip


def _scale(high: int, wide: bool, name: str) -> tuple[Line, ...]:
    if "disp" in name.lower():
        return (
            Line("units", "px", "by its name: disparity"),
            Line("scale", 1 / 256, f"max {high}: 1/256 pixel a step is usual; check")
            if wide else Line("scale", 1.0, f"max {high}, looks like pixels; check"),
        )  # fmt: skip
    if not wide:
        return (
            Line("units", "m", "metres; 8 bits do not say, check"),
            Line(
                "scale", 0.04, f"metres a step: a guess that makes the max {high} {high * 0.04:g} m"
            ),
        )
    return (
        Line("units", "m", "metres"),
        Line("scale", 0.001, f"metres a step: {_millimetres(high)}"),
    )


def _millimetres(high: int) -> str:
    """What the largest of 16-bit values says of their unit."""
    if high < 300:
        return f"max {high} is little for millimetres; check"
    return f"max {high}, looks like millimetres" + ("" if high < 30000 else "; check")
