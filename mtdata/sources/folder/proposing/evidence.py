"""How each guess is made: what is looked at, what speaks for it, what against. The one place.

A rule is named where a guess is made (`RULES["mask"].take(...)`), and docs/sources/folder.md shows
this table. A guess of a rule below `CLEAR` is no proposal: it is said what to write instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mtdata.sources.folder.proposing.guesses import Guess, Line

LOOKED = 64
"""Label files of a group that are looked at, spread over the whole list."""
MANY = 64
"""More different values than this are measurements or objects, fewer may be classes."""
CLEAR = 0.6
"""Guesses that are less likely are left out of a proposal."""
SURE = 0.9
FLAT = 0.5
"""Share of neighbours of one value above which a label is made of regions."""


@dataclass(frozen=True)
class Rule:
    """A way to guess: `confidence` is between 0 and 1."""

    takes: str
    evidence: str
    against: str
    confidence: float

    def take(self, kind: str, why: str, lines: Iterable[Line] = ()) -> Guess:
        """Take files for labels of a kind."""
        return Guess(kind, f"{why} -> {kind}, {sureness(self.confidence)}", tuple(lines),
                     self.confidence)  # fmt: skip

    def ask(self, why: str, write: str = "") -> Guess:
        """Leave the files out, and say what to write."""
        return Guess("", why, (), self.confidence, write)


def sureness(confidence: float) -> str:
    """A confidence in a word and a number."""
    word = "sure" if confidence >= SURE else "likely" if confidence >= CLEAR else "unclear"
    return f"{word} ({confidence:.2f})"


RULES = {
    "jpeg": Rule(
        "nothing", "a JPEG, whatever its ending says",
        "compression changes values: class ids and depths are lost", 0.1),
    "constant": Rule("nothing", "one value in all files", "nothing can be learnt from it", 0.2),
    "instances": Rule(
        "nothing", "a name of instances; or regions of more than 64 values, far apart; or values "
        "that are class x 1000 + number or class x 256 + number",
        "numbers of objects are neither classes nor depth", 0.2),
    "picture": Rule(
        "nothing", "a name of pictures (colour, overlay, visualisation) beside labels of classes",
        "it shows the labels that are there already", 0.2),
    "annotations": Rule(
        "classes by annotations", "a file of coco-masks, labelme or cvat that names images which "
        "are here, with shapes on them", "only points, lines and boxes without a mask", 0.95),
    "mask": Rule(
        "binary", "two values, 0 and another (or 0.0 and 1.0); 255 beside 0 and 1 is void, "
        "or on where no file has both 1 and 255",
        "a name of classes: then 0 and 1 are two classes", 0.95),
    "soft mask": Rule(
        "binary, on from half way up", "many values from 0 to the highest, and a name of masks, "
        "saliency or edges; or more than 4 in 5 pixels at the two ends",
        "a name of depth; values that leave 0 to 1, or 0 to 255", 0.75),
    "classes": Rule(
        "classes", "at most 64 whole numbers (254 with a name of classes), in integers or floats; "
        "255, and -1 or -100, are void",
        "a name of depth; several other negative values; greys of equal steps up to 255", 0.9),
    "classes apart": Rule(
        "classes by a table `ids`", "as for classes, where ids are far apart or begin at 1, or "
        "where a list beside the data names all but 0", "as for classes", 0.8),
    "listed colours": Rule(
        "classes by colours", "colours that a list beside the data names, all of them",
        "a colour that is not listed", 0.95),
    "colours": Rule(
        "classes by colours", "at most 64 colours in all files, and no list",
        "more than half of the colours cover less than 1 pixel in 1,000: edges were blurred", 0.75),
    "normals": Rule(
        "normals", "three channels; 9 in 10 vectors have length 1 to 0.1, their mean to 0.05. z: "
        "mean over all pixels; y: mean of the lowest third of the rows less that of the highest "
        "(floors face up); x: left third less right third (walls face inwards)",
        "z near 0 on average: what faces the camera cannot be told", 0.8),
    "metres": Rule(
        "depth in metres", "floats; percentiles 1, 50 and 99 of values above 0: p99 to 100, p50 "
        "from 0.2 to 60; a highest value that is repeated and 10 times p99 of the rest is void",
        "more than 2 % negative (standardised or logarithmic); all within 0 to 1 (normalised); a "
        "name of logarithms, inverses or another unit", 0.85),
    "millimetres": Rule(
        "depth in millimetres", "whole numbers of 16 bits or floats; a name with mm; or at least "
        "half of the pixels measured, p1 from 200, p99 from 800 to 20,000",
        "all values multiples of 5 (TUM: 1/5000 m); p1 below 200, p99 above 20,000 or more than "
        "25 times p1, as under an open sky (centimetres? m x 256?); regions in place of slopes. "
        "Centimetres of 2 to 200 m look the same: what both readings mean is written beside it",
        0.7),
    "centimetres": Rule(
        "depth in centimetres", "a name with cm, p99 from 50 to 30,000", "any other name", 0.85),
    "metres x 256": Rule(
        "depth in 1/256 m", "16 bits, more than 3 in 5 pixels 0 (a laser), p1 from 1 m and p99 "
        "from 10 m to 130 m at that scale", "dense depth", 0.7),
    "disparity": Rule(
        "disparity", "a name of disparity; floats: p99 from 1 to 1,000 pixels, within 0 to 1 no "
        "unit; 16 bits: 1/256 pixel a step where that makes p99 2 to 512 pixels",
        "8 bits, which do not say the scale; negative values", 0.75),
    "depth": Rule(
        "nothing", "values that look like depth, in a unit that cannot be told",
        "a scale that is wrong makes all of it wrong", 0.4),
    "unclear": Rule("nothing", "whatever fits none of these", "", 0.3),
}  # fmt: skip


def table() -> str:
    """The rules as a table in Markdown."""
    head = "| taken for | what speaks for it | against | confidence |\n|---|---|---|---|\n"
    return head + "".join(
        f"| {rule.takes} | {rule.evidence} | {rule.against} | {sureness(rule.confidence)} |\n"
        for rule in RULES.values()
    )
