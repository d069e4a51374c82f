"""COCO: one JSON file with images, categories, and polygons or runs of pixels for each object."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.folder.annotations.base import (
    Content,
    Drawing,
    WholeFormat,
    entry_name,
    load_json,
    named,
    number,
    shown,
    size_of,
)
from mtdata.sources.folder.annotations.shapes import (
    Bitmap,
    ForeignError,
    Outlines,
    Shape,
    WrongError,
    box,
    from_runs,
)

LISTS = ("images", "annotations", "categories")
NOTHING: tuple[Any, Any] = (None, [])
"""A segmentation that is none."""
NO_MASK = "without a segmentation"


class Coco(WholeFormat):
    """`instances_*.json` of COCO, and what most tools export by that name."""

    name = "coco-masks"
    summary = "COCO: one JSON file with polygons or RLE masks."
    suffix = ".json"
    order = "larger-first"  # what is small lies on what is large: nothing else tells

    def parts(self, content: bytes) -> Mapping[str, Content]:
        """Image and annotations of each, with names in place of ids."""
        file = load_json(content)
        if not isinstance(file, dict) or any(not isinstance(file.get(n), list) for n in LISTS):
            raise ForeignError("", f"should hold the lists {', '.join(LISTS)}; it does not.")
        names = _by_id("category", file["categories"])
        images = _by_id("image", file["images"])
        found: dict[int, list[Any]] = {key: [] for key in images}
        for place, each in enumerate(file["annotations"]):
            where = _where("annotation", each, place)
            for name, known in (("image_id", images), ("category_id", names)):
                given = each.get(name)
                if type(given) is not int or given not in known:
                    raise WrongError(
                        where, f"`{name}` should be an id that there is; found {shown(given)}."
                    )
            kept = {"where": where, "label": names[each["category_id"]].get("name"),
                    "crowd": each.get("iscrowd", 0), "shape": each.get("segmentation")}  # fmt: skip
            if kept["shape"] in NOTHING:
                kept["box"] = each.get("bbox")
            found[each["image_id"]].append(kept)
        parts: dict[str, Content] = {}
        for key, image in images.items():
            where = f"image {key}"
            name = entry_name(image.get("file_name"), where, parts)
            part = {"where": where, "height": image.get("height"), "width": image.get("width"),
                    "shapes": found[key]}  # fmt: skip
            labels = Counter(str(e["label"]) for e in found[key] if e["shape"] not in NOTHING)
            parts[name] = Content(json.dumps(part).encode(), labels)
        return parts

    def drawing(self, content: bytes) -> Drawing:
        """Annotations without a segmentation are skipped, and lie in their boxes."""
        image = json.loads(content)
        size = size_of(image["height"], image["width"], image["where"])
        drawn = [each for each in image["shapes"] if each["shape"] not in NOTHING]
        others = [each for each in image["shapes"] if each["shape"] in NOTHING]
        skipped = Counter(f"{named(each['label'])} {NO_MASK}" for each in others)
        around = [shape for each in others if (shape := _around(each, size)) is not None]
        return Drawing(size, [_shape(each, size) for each in drawn], skipped, around)


def _by_id(what: str, entries: Iterable[Any]) -> dict[int, Mapping[str, Any]]:
    found: dict[int, Mapping[str, Any]] = {}
    for place, each in enumerate(entries):
        where = _where(what, each, place)
        if type(each.get("id")) is not int:
            raise WrongError(
                where, f"`id` should be a whole number; found {shown(each.get('id'))}."
            )
        if each["id"] in found:
            raise WrongError(where, "should have an id of its own; there are two of it.")
        found[each["id"]] = each
    return found


def _where(what: str, entry: Any, place: int) -> str:
    if not isinstance(entry, dict):
        raise WrongError(f"{what} number {place}", f"should be an object; found {shown(entry)}.")
    return f"{what} {shown(entry['id'])}" if "id" in entry else f"{what} number {place}"


def _shape(entry: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    where, label, given = entry["where"], entry["label"], entry["shape"]
    if not isinstance(label, str):
        raise WrongError(where, f"its category should have a name; found {shown(label)}.")
    if entry["crowd"] not in (0, 1):
        raise WrongError(where, f"`iscrowd` should be 0 or 1; found {shown(entry['crowd'])}.")
    crowd = bool(entry["crowd"])
    if isinstance(given, dict):
        return Bitmap(where, label, crowd=crowd, mask=_mask(given, size, where))
    if not isinstance(given, list):
        raise WrongError(where, f"`segmentation` should be polygons or RLE; found {shown(given)}.")
    return Outlines(where, label, crowd=crowd, outlines=[_outline(each, where) for each in given])


def _around(entry: Mapping[str, Any], size: tuple[int, int]) -> Shape | None:
    """The part of the image in which an annotation lies; None where its box is none."""
    given = entry["box"]
    if not isinstance(given, list) or len(given) != 4:
        return None
    try:
        x, y, width, height = (number(value, entry["where"]) for value in given)
    except WrongError:
        return None
    sides = np.clip([x, y, x + width, y + height], 0, [size[1], size[0]] * 2)
    return Outlines(entry["where"], named(entry["label"]), outlines=[box(*sides.tolist())])


def _outline(values: Any, where: str) -> NDArray[np.float64]:
    if not isinstance(values, list) or len(values) % 2:
        raise WrongError(
            where, f"a polygon should be a list [x, y, x, y, ...]; found {shown(values)}."
        )
    return np.array([number(value, where) for value in values], np.float64).reshape(-1, 2)


def _mask(rle: Mapping[str, Any], size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """RLE goes down the columns, one after another."""
    if rle.get("size") != [*size]:
        raise WrongError(
            where,
            f"the `size` of its RLE should be that of the image, [{size[0]}, {size[1]}]; found "
            f"{shown(rle.get('size'))}.",
        )
    counts = rle.get("counts")
    if isinstance(counts, str):
        counts = decompress(counts, where)
    if not isinstance(counts, list):
        raise WrongError(where, f"`counts` should be a list or a text; found {shown(counts)}.")
    return from_runs(counts, size[::-1], where).T


def decompress(text: str, where: str) -> Sequence[int]:
    """The runs in a compressed RLE.

    Each is a number in groups of 5 bits, lowest first, as a character from `0` on; 32 marks that
    another group follows, and the highest bit of the last is the sign. From the fourth run on it is
    the difference to the one before the last.

    Raises:
        WrongError: where it is no such text.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - ord("0")
        if not 0 <= group < 64 or shift > 60:
            raise WrongError(
                where, f"its RLE should be compressed as COCO does; found {shown(text)}."
            )
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            value -= (group & 16) << (shift - 4)
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value = shift = 0
    if shift:
        raise WrongError(where, "its RLE should end with a whole number; it is cut off.")
    return runs
