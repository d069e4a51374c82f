"""labelme: a JSON file beside each image."""

import binascii
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from math import hypot
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.imagefile import decode_label
from mtdata.sources.folder.annotations.base import (
    Drawing,
    Format,
    load_json,
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
)

SKIPPED = ("point", "points", "line", "linestrip")
POINTS = {
    "rectangle": (2, 4),
    "oriented_rectangle": (4,),
    "rotation": (4,),
    "circle": (2,),
    "mask": (2,),
}
"""How many points a shape has, but for polygons; four are its corners, two those of a box."""
DRAWN = ("polygon", *POINTS)


class Labelme(Format):
    """What labelme saves; an image that is embedded in it (`imageData`) is not looked at."""

    name = "labelme"
    summary = "labelme: a JSON file for each image, of its name."
    suffix = ".json"

    def drawing(self, content: bytes) -> Drawing:
        """Points and lines are skipped."""
        file = load_json(content)
        if not isinstance(file, dict) or not isinstance(file.get("shapes"), list):
            raise ForeignError(
                "", "should hold the list `shapes`, as labelme writes it; it does not."
            )
        given = file.get("imageHeight"), file.get("imageWidth")
        size = None if given == (None, None) else size_of(*given, "imageHeight, imageWidth")
        shapes, skipped = list[Shape](), Counter[str]()
        for place, each in enumerate(file["shapes"]):
            where = f"shape {place}"
            if not isinstance(each, dict):
                raise WrongError(where, f"should be an object; found {shown(each)}.")
            kind = each.get("shape_type") or "polygon"  # early versions have no other
            if kind in SKIPPED:
                skipped[f"{kind} {named(each.get('label'))}"] += 1
            else:
                shapes.append(_shape(each, kind, where))
        image = file.get("imagePath")
        return Drawing(size, shapes, skipped, image=image if isinstance(image, str) else "")


def _shape(entry: Mapping[str, Any], kind: Any, where: str) -> Shape:
    label = entry.get("label")
    if not isinstance(label, str):
        raise WrongError(where, f"should have a label; found {shown(label)}.")
    if kind not in DRAWN:
        known = ", ".join((*DRAWN, *SKIPPED))
        raise WrongError(
            where,
            f"its `shape_type` should be one that this version knows ({known}); found "
            f"{shown(kind)}.",
            "Draw it as a polygon.",
        )
    points = _points(entry.get("points"), where)
    if kind in POINTS and len(points) not in POINTS[kind]:
        wanted = " or ".join(map(str, POINTS[kind]))
        raise WrongError(where, f"a {kind} should have {wanted} points; found {len(points)}.")
    if kind == "polygon" or len(points) == 4:
        return Outlines(where, label, outlines=[points])
    (x, y), (other_x, other_y) = points.tolist()
    if kind == "circle":
        radius = hypot(other_x - x, other_y - y)
        return Ellipse(where, label, centre=(x, y), radii=(radius, radius))
    if kind == "rectangle":
        return Outlines(where, label, outlines=[box(x, y, other_x, other_y)])
    return Bitmap(where, label, mask=_mask(entry, where), top=round(y), left=round(x))


def _points(values: Any, where: str) -> NDArray[np.float64]:
    if not isinstance(values, list) or any(
        not isinstance(each, list) or len(each) != 2 for each in values
    ):
        raise WrongError(where, f"`points` should be a list of [x, y]; found {shown(values)}.")
    found = [[number(value, where) for value in each] for each in values]
    return np.array(found, np.float64).reshape(-1, 2)


def _mask(entry: Mapping[str, Any], where: str) -> NDArray[np.bool_]:
    """A PNG in base64, of the box that the points span."""
    try:
        content = b64decode(str(entry.get("mask")), validate=True)
        return np.asarray(decode_label(content, Path("mask"), "uint8", turn=False) > 0)
    except binascii.Error as error:
        raise WrongError(where, f"its mask should be base64; {error}.") from error
    except SampleError as error:
        raise WrongError(where, f"its mask {error.problem}") from error
