"""Is it classes, or on and off? Integers of few values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mtdata.sources.files.imageheader import read_header
from mtdata.sources.folder.proposing.guesses import Guess, Line
from mtdata.sources.folder.proposing.words import hints

VOID = 255


def guess_ids(
    form: str, seen: NDArray[Any], name: str, class_names: Sequence[str], path: Path
) -> Guess:
    """Classes, on and off, or neither, by the values that occur."""
    values = [int(value) for value in seen]
    rest = [value for value in values if value != VOID]
    listed = ", ".join(map(str, values[:6])) + (", ..." if len(values) > 6 else "")
    why = f"{form}, {len(values)} different values ({listed})"
    hinted = hints(name) & {"semantic", "parts"}
    if values in ([0, VOID], [0, 1], [0], [1], [VOID]) and not (hinted and values == [0, 1]):
        return Guess("binary", f"{why} -> binary", ())
    if rest == [0, 1] and not hinted:
        lines = (
            Line("ones", [1], "of 0, 1 and 255"),
            Line("void", [VOID], "255 means nothing there"),
        )
        return Guess("binary", f"{why} -> binary", lines)
    high = max(rest, default=0)
    if min(values) < 0 or len(rest) < 2:
        return Guess("", f"{why}: classes would count from 0")
    if high > 253 or high >= 2 * len(rest) + 8:
        return Guess("classes", f"{why} -> classes", _mapped(rest))
    return Guess(
        "classes", f"{why} -> classes", _named(high + 1, class_names, path, VOID in values)
    )


def _mapped(ids: Sequence[int]) -> tuple[Line, ...]:
    names = [f"id{value}" for value in ids]
    return (
        Line("classes", names, "name them, in the order of the class ids to train on"),
        Line(
            "ids",
            tuple(
                Line(value, name, f"{value} occurs in the files")
                for value, name in zip(ids, names, strict=True)
            ),
            "which value of the file is which class; several may be one",
        ),
        Line("void", [VOID], "values that mean nothing"),
        Line("unlisted", "refuse", "void to leave out values that are not listed"),
    )


def _named(count: int, given: Sequence[str], path: Path, void: bool) -> tuple[Line, ...]:
    fits = len(given) >= count
    names = list(given) if fits else [f"class{number}" for number in range(count)]
    remark = "from the list beside the data" if fits else f"name them: ids 0 to {count - 1} occur"
    last = Line("void", [VOID], "255 occurs and is no class" if void else "255 would mean nothing")
    palette = _palette(path, len(names))
    if not palette:
        return (Line("classes", names, remark), last)
    colours = tuple(
        Line(name, colour, "its colour there") for name, colour in zip(names, palette, strict=True)
    )
    return (Line("classes", colours, f"{remark}; colours of the palette"), last)


def _palette(path: Path, count: int) -> list[str]:
    if path.suffix.lower() != ".png" or read_header(path).mode != "P":
        return []
    from PIL import Image

    with Image.open(path) as image:
        flat = image.getpalette() or []
    flat += [0] * (3 * count - len(flat))
    return [f"#{bytes(flat[3 * at : 3 * at + 3]).hex()}" for at in range(count)]
