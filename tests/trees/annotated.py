"""Made-up folders as annotation tools export them: two images with shapes, one without any."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.trees.folder import depth, picture, save

SIZE = (8, 10)
CLASSES = ("background", "cat", "dog")


def expected() -> dict[str, NDArray[np.uint8]]:
    """What the shapes of image `a` and `b` cover: a dog with a hole on a cat, and a lonely dog."""
    a, b = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    a[1:7, 1:9] = 1
    a[2:6, 3:8] = 2
    a[3:5, 4:6] = 1  # the hole shows what lies below
    b[4:8, 0:3] = 2
    return {"a": a, "b": b}


def ring() -> NDArray[np.bool_]:
    """The dog of image `a`, with its hole."""
    mask = np.zeros(SIZE, np.bool_)
    mask[2:6, 3:8] = True
    mask[3:5, 4:6] = False
    return mask


def corners(left: float, top: float, right: float, bottom: float) -> list[float]:
    """A rectangle as COCO writes a polygon."""
    return [left, top, right, top, right, bottom, left, bottom]


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of a flat mask, those of False first."""
    counts, before = [0], False
    for value in mask.tolist():
        if value != before:
            counts.append(0)
        counts[-1] += 1
        before = value
    return counts


def compress(counts: Sequence[int]) -> str:
    """A list of runs as the text that COCO writes: 5 bits a character, differences from run 3 on.

    Slow and by the description of the format: 32 means that more follows, 16 in the last is a sign.
    """
    text = ""
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        while True:
            group, value = value & 31, value >> 5
            done = value == (-1 if group & 16 else 0)
            text += chr(48 + group + (0 if done else 32))
            if done:
                break
    return text


def save_images(root: Path, folder: str = "images") -> None:
    """Images a, b and c, and depth of a and c beside them."""
    for number, key in enumerate("abc"):
        save(root / folder / f"{key}.jpg", picture(number, SIZE))
    for number, key in enumerate("ac"):
        save(root / "depth_mm" / f"{key}.png", depth(number, SIZE))


def coco(*, rle: Any = None) -> dict[str, Any]:
    """The JSON of COCO: ids with gaps, polygons and an RLE, and an image without annotations."""
    images = [
        {"id": 7 * number + 3, "file_name": f"{key}.jpg", "height": SIZE[0], "width": SIZE[1]}
        for number, key in enumerate("abc")
    ]
    mask = {"size": list(SIZE), "counts": compress(runs(ring().T.ravel()))} if rle is None else rle
    annotations = [
        {"id": 1, "image_id": 3, "category_id": 18, "iscrowd": 0, "segmentation": mask},
        {"id": 2, "image_id": 3, "category_id": 90, "segmentation": [corners(1, 1, 9, 7)]},
        {"id": 3, "image_id": 10, "category_id": 18, "segmentation": [corners(-1, 4, 3, 9)]},
        {"id": 4, "image_id": 10, "category_id": 18, "bbox": [0, 0, 2, 2]},
    ]
    categories = [{"id": 90, "name": "cat"}, {"id": 18, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(root: Path, content: Any = None, name: str = "annotations/instances.json") -> Path:
    """Images and one JSON. Returns `root`."""
    save_images(root)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(coco() if content is None else content))
    return root


def labelme(key: str, *shapes: dict[str, Any], **others: Any) -> dict[str, Any]:
    """The JSON that labelme writes for an image."""
    head: dict[str, Any] = {
        "version": "5.5.0",
        "flags": {},
        "imagePath": f"{key}.jpg",
        "imageData": None,
    }
    return {**head, "imageHeight": SIZE[0], "imageWidth": SIZE[1], "shapes": list(shapes), **others}


def drawn(label: str, points: Any, kind: str = "polygon", **others: Any) -> dict[str, Any]:
    """A shape of labelme."""
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **others}


def write_labelme(root: Path) -> Path:
    """Images, and a JSON beside a and b. Returns `root`."""
    save_images(root)
    a = labelme(
        "a",
        drawn("cat", [[1, 1], [9, 7]], "rectangle"),
        drawn("dog", [[3, 2], [8, 2], [8, 6], [3, 6]]),
        drawn("cat", [[4, 3], [6, 3], [6, 5], [4, 5]]),
        drawn("nose", [[4, 3]], "point"),
        imageData="/9j/4AAQSkZJRg==",
    )
    b = labelme(
        "b", drawn("dog", [[0, 4], [3, 8]], "rectangle"),
        drawn("leash", [[0, 0], [1, 1]], "linestrip"),
    )  # fmt: skip
    for key, content in {"a": a, "b": b}.items():
        (root / "images" / f"{key}.json").write_text(json.dumps(content))
    return root


def cvat(first: str = "", head: str = "") -> str:
    """The XML of CVAT: z_order against the order of the file, a mask with a hole, a tag."""
    part = ring()[2:6, 3:8].ravel()
    rle = ", ".join(map(str, runs(part)))
    size = f'width="{SIZE[1]}" height="{SIZE[0]}"'
    return f"""<?xml version="1.0" encoding="utf-8"?>{head}
<annotations>
  <version>1.1</version>
  <image id="0" name="a.jpg" {size}>{first}
    <mask label="dog" source="manual" occluded="0" rle="{rle}" left="3" top="2" width="5"
      height="4" z_order="1"></mask>
    <polygon label="cat" points="1.0,1.0;9.0,1.0;9.0,7.0;1.0,7.0" z_order="0"></polygon>
  </image>
  <image id="1" name="b.jpg" {size}>
    <box label="dog" xtl="0.0" ytl="4.0" xbr="3.0" ybr="8.0" z_order="0"></box>
    <points label="nose" points="1.0,1.0" z_order="0"></points>
    <tag label="indoors"></tag>
  </image>
  <image id="2" name="c.jpg" {size}></image>
</annotations>
"""


def write_cvat(root: Path, content: str = "") -> Path:
    """Images and one XML. Returns `root`."""
    save_images(root)
    (root / "annotations.xml").write_text(content or cvat())
    return root


WRITERS = {"coco-masks": write_coco, "labelme": write_labelme, "cvat": write_cvat}
