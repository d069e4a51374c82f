"""Is it depth, disparity, or a soft mask? Floats, and integers of many values."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from mtdata.sources.folder.proposing.evidence import FLAT, RULES
from mtdata.sources.folder.proposing.guesses import Guess, Line
from mtdata.sources.folder.proposing.guessing_ids import SOFT, is_soft
from mtdata.sources.folder.proposing.seen import Number, Seen
from mtdata.sources.folder.proposing.words import hints, is_mask, words

INVERSE = ("inv", "inverse", "log", "logdepth", "normalized", "normalised", "rel", "relative")
ROOM = 25
"""How many times as far as the nearest the farthest of a room is: under an open sky it is more."""
SCALES = {"mm": 0.001, "cm": 0.01, "256": 1 / 256, "5000": 1 / 5000}


def _write(void: Sequence[Number] = (0,)) -> str:
    return f"`kind: depth` with `units`, `scale` (units a step) and `void: {list(void)}`"


def guess_numbers(form: str, seen: Seen, name: str) -> Guess:
    """Depth, disparity or a soft mask, or what speaks against all of them."""
    why = f"{form}, {_range(seen)}"
    disparity = any(word.startswith("disp") for word in words(name))
    soft = _soft(why, seen, name)
    if soft is not None and "depth" not in hints(name):
        return soft
    regions = seen.whole and seen.flat >= FLAT and seen.steep > 0.5
    if regions and ("depth" not in hints(name) or seen.flat > 0.9):
        return RULES["instances"].ask(
            f"{why}: regions with values far apart, as numbers of objects have",
            f"{_write()}, if it is depth",
        )
    if seen.below(0) > 0.02 or (seen.values[0] < 0 and disparity):
        negative = 100 * seen.below(0)
        if not (seen.values[0] in (-1, -100) and seen.share(seen.values[0]) >= negative / 100):
            return RULES["depth"].ask(
                f"{why}, {negative:.2g} % below 0: standardised, or logarithms?",
                f"what the values were before, {_write()}",
            )
    if any(word in INVERSE for word in words(name)):
        return RULES["depth"].ask(f"{why}, by its name not in metres", _write())
    void = _void(seen)
    if disparity:
        return _disparity(why, seen, void)
    if seen.dtype.kind == "f":
        return _floats(why, seen, void, name)
    if seen.dtype.itemsize == 1:
        return RULES["depth"].ask(f"{why}: 8 bits do not say a unit", _write(void))
    return _integers(why, seen, void, name)


def _range(seen: Seen) -> str:
    low, middle, high = seen.quantiles()
    return (
        f"{seen.values[0]:.4g} to {seen.values[-1]:.4g} (p1 {low:.4g}, p50 {middle:.4g}, "
        f"p99 {high:.4g})"
    )


def _soft(why: str, seen: Seen, name: str) -> Guess | None:
    named = bool(hints(name) & set(SOFT)) or is_mask(name)
    if is_soft(seen) or (seen.dtype == np.uint8 and named):
        line = Line("threshold", 128, "on from half way up")
        return RULES["soft mask"].take("binary", why, (line,))
    if seen.dtype.kind == "f" and seen.values[0] >= 0 and seen.values[-1] <= 1:
        if named:
            line = Line("threshold", 0.5, "on from half way up")
            return RULES["soft mask"].take("binary", why, (line,))
        if "depth" not in hints(name):
            return RULES["unclear"].ask(
                f"{why}: between 0 and 1, a soft mask or normalised depth?",
                "`kind: binary` with `threshold: 0.5`, or " + _write(),
            )
    if seen.dtype == np.uint8 and not hints(name) & {"depth"}:
        return RULES["unclear"].ask(
            f"{why}, {seen.values.size} different values: depth? classes? a soft mask?",
            "`kind: binary` with `threshold: 128`, or " + _write(),
        )
    return None


def _void(seen: Seen) -> list[Number]:
    """0, one value below it, and a highest value that stands apart and is repeated."""
    found: list[Number] = [0]
    if seen.values[0] < 0 and seen.share(float(seen.values[0])) >= seen.below(0):
        found.insert(0, _number(seen.values[0]))
    top = float(seen.values[-1])
    share = seen.share(top)
    positive = seen.some[(seen.some > 0) & (seen.some < top)]
    if not positive.size:
        return found
    next_high = float(np.percentile(positive, 99.5))
    full = seen.dtype.kind in "ui" and top == np.iinfo(seen.dtype).max
    if share > 0.0005 and (top > 10 * next_high or (full and share > 0.002)):
        found.append(_number(seen.values[-1]))
    return found


def _number(value: Any) -> Number:
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 1e6 else number


def _lines(
    units: str, scale: Number, remark: str, seen: Seen, void: Sequence[Number]
) -> list[Line]:
    share = 100 * seen.share(*void)
    lines = [
        Line("units", units, "px, 1/m or disparity for inverse depth"),
        Line("scale", scale, remark),
        Line("void", list(void), f"{share:.2g} % of the values are among these"),
    ]
    negative = sum(
        int(number) for value, number in zip(seen.values, seen.count, strict=True)
        if value < 0 and _number(value) not in void
    ) if seen.values[0] < 0 else 0  # fmt: skip
    if seen.bad or negative:
        share = 100 * (seen.bad + negative / max(1, seen.count.sum()))
        lines.append(Line("invalid", "void", f"{share:.2g} % are NaN, infinite or negative"))
    return lines


def _disparity(why: str, seen: Seen, void: Sequence[Number]) -> Guess:
    _, _, high = seen.quantiles(void)
    if seen.dtype.kind == "f":
        if 0 < high <= 1:
            lines = _lines("disparity", 1.0, "between 0 and 1: no unit", seen, void)
            return RULES["disparity"].take("depth", why, lines)
        if 1 < high <= 1000:
            lines = _lines("px", 1.0, f"p99 {high:.4g}: looks like pixels; check", seen, void)
            return RULES["disparity"].take("depth", why, lines)
    elif seen.dtype.itemsize == 2 and 2 <= high / 256 <= 512:
        remark = f"1/256 pixel a step is usual, p99 {high / 256:.4g} px; check"
        return RULES["disparity"].take("depth", why, _lines("px", 1 / 256, remark, seen, void))
    return RULES["depth"].ask(
        f"{why}, by its name disparity of a scale that cannot be told", _write(void)
    )


def _unit_named(name: str) -> str:
    found = words(name)
    if "mm" in found or "millimeters" in found or "millimetres" in found:
        return "mm"
    if "cm" in found or "centimeters" in found or "centimetres" in found:
        return "cm"
    number = re.search(r"(?<!\d)(256|5000)(?!\d)", name)
    return number[1] if number else ""


def _floats(why: str, seen: Seen, void: Sequence[Number], name: str) -> Guess:
    _, middle, high = seen.quantiles(void)
    unit = _unit_named(name)
    if unit in ("mm", "cm"):
        return _by_name(why, seen, void, unit, high)
    if high <= 1:
        return RULES["depth"].ask(f"{why}: within 0 to 1, normalised?", _write(void))
    if high <= 100 and 0.2 <= middle <= 60 and not (seen.whole and high > 20):
        remark = f"metres a step: p50 {middle:.4g}, p99 {high:.4g}; check"
        return RULES["metres"].take("depth", why, _lines("m", 1.0, remark, seen, void))
    return _millimetres(why, seen, void)


def _integers(why: str, seen: Seen, void: Sequence[Number], name: str) -> Guess:
    low, _, high = seen.quantiles(void)
    unit = _unit_named(name)
    if unit:
        return _by_name(why, seen, void, unit, high)
    if seen.share(*void) > 0.6:
        if low / 256 >= 1 and 10 <= high / 256 <= 130:
            remark = f"1/256 m a step, as lasers are stored: p99 {high / 256:.4g} m; check"
            lines = _lines("m", 1 / 256, remark, seen, void)
            return RULES["metres x 256"].take("depth", why, lines)
        return RULES["depth"].ask(f"{why}, mostly 0: in which unit?", _write(void))
    return _millimetres(why, seen, void)


def _by_name(why: str, seen: Seen, void: Sequence[Number], unit: str, high: float) -> Guess:
    scale = SCALES[unit]
    if not 0.3 <= high * scale <= 300:
        return RULES["depth"].ask(
            f"{why}, by its name in {unit}: p99 would be {high * scale:.3g} m", _write(void)
        )
    rule = "centimetres" if unit == "cm" else "millimetres" if unit == "mm" else "metres x 256"
    remark = f"metres a step, by the name: p99 {high * scale:.4g} m; check"
    return RULES[rule].take("depth", why, _lines("m", scale, remark, seen, void))


def _millimetres(why: str, seen: Seen, void: Sequence[Number]) -> Guess:
    low, _, high = seen.quantiles(void)
    readings = ", ".join(f"{high * scale:.3g} m at {scale:g}" for scale in SCALES.values())
    fives = seen.whole and (np.gcd.reduce(seen.values.astype(np.int64)) % 5 == 0)
    near = low >= 200 and 800 <= high <= min(20_000, ROOM * low)
    if near and not fives and seen.share(*void) <= 0.6:
        remark = (
            f"metres a step, if these are millimetres: {low / 1000:.3g} to {high / 1000:.3g} m, "
            f"as in rooms; centimetres would be {low / 100:.3g} to {high / 100:.3g} m; check"
        )
        return RULES["millimetres"].take("depth", why, _lines("m", 0.001, remark, seen, void))
    return RULES["depth"].ask(f"{why}: in which unit? p99 is {readings}", _write(void))
