"""Is it classes, or on and off? Whole numbers of few values."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mtdata.sources.files.imageheader import read_header
from mtdata.sources.folder.proposing.evidence import FLAT, MANY, RULES
from mtdata.sources.folder.proposing.guesses import Guess, Line
from mtdata.sources.folder.proposing.listing import Listed
from mtdata.sources.folder.proposing.seen import Seen
from mtdata.sources.folder.proposing.words import hints
from mtdata.wording import listed as shortened

VOIDS = (255, -1, -100, 65535)
"""Values that mean nothing by custom."""
MOST = 254
SEVERAL = 4
"""Files among which a value that one alone has is worth a word."""
SOFT = ("saliency", "edges")


def looks_like_ids(seen: Seen, name: str) -> bool:
    """Whether the values are few whole numbers, rather than measurements."""
    if not seen.whole or (is_soft(seen) and not hints(name) & {"semantic", "parts"}):
        return False
    hinted = hints(name)
    if "depth" in hinted:
        return seen.values.size <= 8
    if seen.values.size <= MANY:
        return bool(seen.values.size <= 24 or seen.flat >= FLAT or hinted)
    classes = bool(hinted & {"semantic", "parts"})
    return classes and seen.values.size <= MOST + 2 and seen.flat >= FLAT


def is_soft(seen: Seen) -> bool:
    """Whether it is a mask whose edges were blurred: two ends, and some of all between."""
    top = 255 if seen.dtype == np.uint8 else 1
    if not seen.whole or seen.values.size <= 8 or seen.values[0] != 0 or seen.values[-1] != top:
        return False
    between = seen.values[1:-1]
    low, high = np.percentile(between, (10, 90))
    return bool(seen.share(0, top) > 0.8 and low < 0.4 * top and high > 0.6 * top)


def guess_ids(form: str, seen: Seen, name: str, listed: Listed, paths: Sequence[Path]) -> Guess:
    """Classes, on and off, or neither, by the values that occur in these files."""
    values = seen.integers
    shown = ", ".join(map(str, values[:6])) + (", ..." if len(values) > 6 else "")
    why = f"{form}, {len(values)} different values ({shown})"
    hinted = hints(name)
    if "depth" in hinted:
        return RULES["depth"].ask(f"{why}: too few for depth, by its name no classes")
    classes = bool(hinted & {"semantic", "parts"})
    binary = _binary(why, seen, listed, classes=classes)
    if binary is not None:
        return binary
    void = [value for value in values if value in VOIDS or value < 0]
    if sum(value < 0 for value in void) > 1:
        return RULES["unclear"].ask(f"{why}: several values below 0", _CLASSES)
    if _is_scale(values):
        return RULES["unclear"].ask(
            f"{why}: greys in equal steps up to 255, which may be a class or nothing", _CLASSES
        )
    if seen.dtype.itemsize > 1 and seen.dtype.kind in "ui" and _numbered(values):
        return RULES["instances"].ask(f"{why}: numbers of objects, as class x 1000 + number", _IDS)
    rest = [value for value in values if value not in void]
    if len(rest) < 2:
        return RULES["constant"].ask(f"{why}: one class and nothing", _CLASSES)
    if len(rest) > MOST:
        return RULES["unclear"].ask(f"{why}: a store holds {MOST} classes", _CLASSES)
    void = sorted(void) or ([255] if 255 not in rest else [])
    return _classes(why, rest, void, listed, paths[0], _alone(rest, seen, paths))


_CLASSES = "`kind: classes` with `classes`, `ids` and `void`"
_IDS = "`kind: classes` with `ids`, if they are classes after all"


def _binary(why: str, seen: Seen, listed: Listed, *, classes: bool) -> Guess | None:
    values, named = seen.integers, classes or len(listed.names) > 1
    if values == [0, 1]:
        return None if named else RULES["mask"].take("binary", why)
    if values == [0, 255]:
        return RULES["mask"].take("binary", why)
    if values == [0, 1, 255] and not seen.together(1, 255):
        on = Line("ones", [1, 255], "on is 1 in some files and 255 in others; check")
        return RULES["mask"].take("binary", why, (on,))
    if values in ([0, 1, 255], [-1, 0, 1], [-100, 0, 1]) and not named:
        void = values[-1] if values[-1] == 255 else values[0]
        lines = (
            Line("ones", [1], "of 0 and 1"),
            Line("void", [void], f"{void} means nothing there"),
        )
        return RULES["mask"].take("binary", why, lines)
    if len(values) == 2 and values[0] == 0 and not named and 1 < values[1] <= 65535:
        on = Line("ones", [values[1]], f"{values[1]} is on, 0 is off")
        return RULES["mask"].take("binary", why, (on,))
    return None


def _is_scale(values: Sequence[int]) -> bool:
    """Whether the values are greys in equal steps, so that people see them: 255 is one of them."""
    gaps = set(np.diff(values).tolist())
    return len(values) > 2 and values[-1] == 255 and len(gaps) <= 2 and min(gaps) >= 16 \
        and max(gaps) - min(gaps) <= 1  # fmt: skip


def _numbered(values: Sequence[int]) -> bool:
    """Whether the values are class x 1000 + number, or class x 256 + number."""
    high = [value for value in values if value >= 1000 and value not in VOIDS]
    return any(
        len(high) > 1 and len({value // unit for value in high}) < len(high)
        for unit in (1000, 256)
    )  # fmt: skip


def _alone(values: Sequence[int], seen: Seen, paths: Sequence[Path]) -> str:
    """Which values one file alone has, of several that were looked at: they may be slips."""
    if len(paths) < SEVERAL or not all(seen.each):
        return ""
    found = []
    for value in values:
        holders = [path for path, held in zip(paths, seen.each, strict=True) if value in held]
        found += [f"{value} in {holders[0].name}"] if len(holders) == 1 else []
    return f", {shortened(found, 3)} alone of {len(paths)} files looked at" if found else ""


def _ranges(values: Sequence[int]) -> str:
    """Whole numbers in order, those that follow each other as `0 to 3`."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    each = [f"{run[0]} to {run[-1]}" if run[1:] else str(run[0]) for run in runs]
    return shortened(each)


def _classes(
    why: str, rest: Sequence[int], void: list[int], listed: Listed, path: Path, alone: str
) -> Guess:
    high, names = max(rest), dict(listed.names)
    remark = f"from {listed.where}" if names else ""
    last = Line("void", void, f"{', '.join(map(str, void))}: nothing by custom")
    if names and set(rest) <= names.keys():
        if list(names) == list(range(len(names))):
            return RULES["classes"].take("classes", why, (_named(names, path, remark), last))
        return RULES["classes apart"].take("classes", why, (*_mapped(names, remark), last))
    if names and 0 in rest and sorted(names) == list(range(high)) and rest[0] == 0:
        # One name for each id but 0, which has none: it is nothing.
        ids = {value: names[value - 1] for value in range(1, high + 1)}
        last = Line("void", sorted({0, *void}), f"0 has no name in {listed.where}: nothing")
        return RULES["classes apart"].take("classes", why, (*_mapped(ids, remark), last))
    remark = f"name them ({listed.where} does not fit)" if names else "name them"
    occur = f": ids {_ranges(rest)} occur{alone}"
    if high > 253 or high >= 2 * len(rest) + 8 or rest[0] > 0:
        ids = {value: f"id{value}" for value in rest}
        return RULES["classes apart"].take("classes", why, (*_mapped(ids, remark + occur), last))
    ids = {value: f"class{value}" for value in range(high + 1)}
    remark += f"{occur}; if 0 means nothing, put it into `void` and use `ids`"
    return RULES["classes"].take("classes", why, (_named(ids, path, remark), last))


def _mapped(ids: dict[int, str], remark: str) -> tuple[Line, ...]:
    names = list(dict.fromkeys(ids.values()))
    table = tuple(Line(value, name) for value, name in ids.items())
    return (
        Line("classes", names, remark),
        Line("ids", table, "which value of the file is which class; several may be one"),
    )


def _named(ids: dict[int, str], path: Path, remark: str) -> Line:
    names = list(ids.values())
    palette = _palette(path, len(names))
    if not palette or len(set(palette)) < len(palette):
        return Line("classes", names, remark)
    colours = tuple(
        Line(name, colour, "its colour there") for name, colour in zip(names, palette, strict=True)
    )
    return Line("classes", colours, f"{remark}; colours of the palette")


def _palette(path: Path, count: int) -> list[str]:
    if path.suffix.lower() != ".png" or read_header(path).mode != "P":
        return []
    from PIL import Image

    with Image.open(path) as image:
        flat = image.getpalette() or []
    flat += [0] * (3 * count - len(flat))
    return [f"#{bytes(flat[3 * at : 3 * at + 3]).hex()}" for at in range(count)]
