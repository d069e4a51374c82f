"""CVAT: one XML file, "CVAT for images 1.1"."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.folder.annotations.base import (
    Content,
    Drawing,
    WholeFormat,
    entry_name,
    named,
    number,
    shown,
    size_of,
)
from mtdata.sources.folder.annotations.shapes import (
    Bitmap,
    Ellipse,
    ForeignError,
    Outlines,
    Shape,
    WrongError,
    box,
    from_runs,
)

DRAWN = ("polygon", "box", "ellipse", "mask")
EXPORT = 'Export the job as "CVAT for images 1.1".'


class Cvat(WholeFormat):
    """`annotations.xml` of "CVAT for images 1.1"; a higher `z_order` lies over a lower."""

    name = "cvat"
    summary = 'CVAT: the XML file of "CVAT for images 1.1".'
    suffix = ".xml"

    def parts(self, content: bytes) -> Mapping[str, Content]:
        """The element of each image."""
        images = _Images()
        root = _parse(content, images)
        if root.tag != "annotations":
            raise ForeignError(
                "", f"should hold <image> in <annotations>; found <{root.tag[:60]}>.", EXPORT
            )
        if not images.found:
            video = ' those of a video, as "CVAT for video 1.1" has them' if images.tracks else ""
            raise WrongError(
                "", f"should hold <image> in <annotations>; found{video or ' none'}.", EXPORT
            )
        return images.found

    def drawing(self, content: bytes) -> Drawing:
        """What has no area (points, lines, tags, skeletons), and cuboids, are skipped."""
        image = _parse(content)
        height, width = (_whole(image, name, _named(image)) for name in ("height", "width"))
        size = size_of(height, width, _named(image))
        shapes, skipped = list[Shape](), Counter[str]()
        for place, each in enumerate(image):
            where = f"{_named(image)}, element {place} (<{each.tag[:20]}>)"
            if each.tag in DRAWN:
                shapes.append(_shape(each, where))
            else:
                skipped[f"{each.tag} {named(each.get('label'))}"] += 1
        return Drawing(size, shapes, skipped)


class _Images(ElementTree.TreeBuilder):
    """Keeps each image as text and forgets its elements, so that memory stays small."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Content] = {}
        self.tracks = False

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """Refuse what declares entities: they may stand for gigabytes, or for other files."""
        raise ForeignError("", f"should have no DOCTYPE; found that of {shown(name)}.", EXPORT)

    def end(self, tag: str) -> ElementTree.Element:
        """Take an image out as soon as it is whole."""
        element = super().end(tag)
        if tag == "image":
            where = _named(element)
            name = entry_name(element.get("name"), where, self.found)
            element.tail = None
            labels = Counter(each.get("label", "") for each in element if each.tag in DRAWN)
            self.found[name] = Content(ElementTree.tostring(element), labels)
            element.clear()
        self.tracks |= tag == "track"
        return element


def _parse(content: bytes, target: ElementTree.TreeBuilder | None = None) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=target)
    try:
        parser.feed(content)
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        if isinstance(error, WrongError):
            raise
        raise WrongError("", f"should be XML; {error}.", EXPORT) from None
    return root


def _named(image: ElementTree.Element) -> str:
    return f"image {shown(image.get('id'))}"


def _shape(element: ElementTree.Element, where: str) -> Shape:
    label, level = element.get("label", ""), _whole(element, "z_order", where, "0")
    if element.tag == "polygon":
        return Outlines(where, label, level, outlines=[_points(element.get("points"), where)])
    if element.tag == "mask":
        top, left, height, width = (
            _whole(element, name, where) for name in ("top", "left", "height", "width")
        )
        size = size_of(height, width, where)
        return Bitmap(where, label, level, mask=_runs(element, size, where), top=top, left=left)
    angle = _float(element, "rotation", where, "0")
    if element.tag == "ellipse":
        x, y, across, down = (_float(element, name, where) for name in ("cx", "cy", "rx", "ry"))
        return Ellipse(where, label, level, centre=(x, y), radii=(across, down), angle=angle)
    sides = (_float(element, name, where) for name in ("xtl", "ytl", "xbr", "ybr"))
    return Outlines(where, label, level, outlines=[_turned(box(*sides), angle)])


def _points(text: str | None, where: str) -> NDArray[np.float64]:
    """Points as `x,y;x,y;...`."""
    pairs = [pair.split(",") for pair in (text or "").split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise WrongError(where, f"a polygon should be x,y;x,y;...; found {shown(text)}.")
    return np.array([[_parsed(value, where) for value in pair] for pair in pairs], np.float64)


def _turned(points: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Points turned clockwise about their middle."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    middle = points.mean(axis=0)
    return np.asarray((points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle)


def _runs(element: ElementTree.Element, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """Runs of CVAT go along the rows of the box."""
    parts = (element.get("rle") or "").split(",")
    if any(len(part) > 12 or not part.strip().isdecimal() for part in parts):
        raise WrongError(
            where, f"`rle` should be whole numbers; found {shown(element.get('rle'))}."
        )
    return from_runs([int(part) for part in parts], size, where)


def _float(element: ElementTree.Element, name: str, where: str, default: str = "") -> float:
    return _parsed(element.get(name, default), f"{where}, `{name}`")


def _parsed(text: str, where: str) -> float:
    try:
        value: Any = float(text[:40])
    except ValueError:
        value = text
    return number(value, where)


def _whole(element: ElementTree.Element, name: str, where: str, default: str = "") -> int:
    value = _float(element, name, where, default)
    if not value.is_integer():
        raise WrongError(where, f"`{name}` should be a whole number; found {value:g}.")
    return int(value)
