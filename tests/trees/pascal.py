"""Made-up images in the layout of `PASCAL_MT`: shapes before a wall, some of them people."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from mtdata.sources.pascal.layout import ARCHIVE
from mtdata.tasks.facts import PASCAL21

TRAIN = tuple(f"2008_{number:06d}" for number in (8, 15, 26, 33, 36, 45, 52))
VAL = ("2008_000002", "2008_000003")
PEOPLE = (TRAIN[0], TRAIN[2], TRAIN[5], VAL[0])
VOC12 = (TRAIN[0], TRAIN[1], VAL[1])
"""Images whose semantic labels lie in the first of the two folders."""
SIZES = ((45, 60), (60, 45), (48, 50))
WALL, SKY, PERSON, CAT = 440, 360, 284, 65
"""Context classes; of these only the sky has no normals."""
VOC_OF = {WALL: 0, SKY: 0, PERSON: 15, CAT: 8}
BODY = (("head", 0.0, 0.2), ("torso", 0.2, 0.5), ("luarm", 0.5, 0.6), ("rlarm", 0.6, 0.7),
        ("luleg", 0.7, 0.85), ("rfoot", 0.85, 1.0))  # fmt: skip
"""Parts of a person from top to bottom, as shares of its height."""
IDS = {"head": 1, "torso": 2, "luarm": 3, "rlarm": 4, "luleg": 5, "rfoot": 6}


@dataclass(frozen=True)
class Scene:
    """What one image shows: its class map, and the rows and columns of its thing."""

    key: str
    size: tuple[int, int]

    @property
    def thing(self) -> tuple[slice, slice]:
        h, w = self.size
        at = int(self.key[-2:]) % 5
        return slice(h // 4, h - h // 8), slice(w // 4 + at, w // 2 + at)

    @property
    def person(self) -> bool:
        return self.key in PEOPLE

    def label_map(self) -> NDArray[np.uint16]:
        """Sky above a wall with a person or a cat before them."""
        label = np.full(self.size, WALL, np.uint16)
        label[: self.size[0] // 6] = SKY
        label[self.thing] = PERSON if self.person else CAT
        return label

    def semantic(self) -> NDArray[np.uint8]:
        """Ids of the 21 classes, with a void line above the thing."""
        label = np.zeros(self.size, np.uint8)
        for context, voc in VOC_OF.items():
            label[self.label_map() == context] = voc
        rows, columns = self.thing
        label[rows.start - 1, columns] = 255
        return label

    def parts(self) -> dict[str, NDArray[np.uint8]]:
        """The mask of each part."""
        rows, columns = self.thing
        height, masks = rows.stop - rows.start, {}
        for name, top, bottom in BODY:
            mask = np.zeros(self.size, np.uint8)
            first, last = (rows.start + round(share * height) for share in (top, bottom))
            mask[first:last, columns] = 1
            masks[name] = mask
        return masks

    def parts_label(self) -> NDArray[np.uint8]:
        """Ids of the parts; all zero where there is nobody."""
        label = np.zeros(self.size, np.uint8)
        if self.person:
            for name, mask in self.parts().items():
                label[mask > 0] = IDS[name]
        return label

    def saliency(self) -> NDArray[np.uint8]:
        """Grey 128 on the thing, which is just salient, and 127 elsewhere, which just is not."""
        grey = np.full(self.size, 127, np.uint8)
        grey[self.thing] = 128
        return grey

    def normals(self) -> NDArray[np.float64]:
        """The wall faces the camera; the thing is a standing cylinder."""
        vector = np.zeros((*self.size, 3))
        vector[..., 2] = 1
        rows, columns = self.thing
        across = np.linspace(-0.95, 0.95, columns.stop - columns.start)
        vector[rows, columns, 0] = across
        vector[rows, columns, 2] = np.sqrt(1 - across**2)
        return vector

    def image(self) -> NDArray[np.uint8]:
        """A sky, a wall and a thing with some noise, blue first as OpenCV writes."""
        colours = {SKY: (230, 190, 150), WALL: (150, 170, 180), PERSON: (60, 60, 200)}
        image = np.zeros((*self.size, 3), np.uint8)
        for context in np.unique(self.label_map()):
            image[self.label_map() == context] = colours.get(int(context), (40, 120, 60))
        noise = np.random.default_rng(int(self.key[-6:])).integers(0, 20, image.shape, np.uint8)
        return np.asarray(image + noise, np.uint8)


def scene_of(key: str, *, scale: int = 1) -> Scene:
    """The scene behind a key; sizes take turns."""
    keys = (*TRAIN, *VAL)
    h, w = SIZES[(keys.index(key) if key in keys else int(key[-6:])) % len(SIZES)]
    return Scene(key, (h * scale, w * scale))


def write_pascal(root: Path, *, scale: int = 1) -> Path:
    """Write nine images into `root`/PASCAL_MT, and return that."""
    return write_scenes(root, [scene_of(key, scale=scale) for key in (*TRAIN, *VAL)], TRAIN, VAL)


def write_scenes(
    root: Path, scenes: list[Scene], train: tuple[str, ...], val: tuple[str, ...]
) -> Path:
    """Write these images into `root`/PASCAL_MT, and return that."""
    home = root / ARCHIVE
    for folder in ("JPEGImages", "pascal-context/trainval", "human_parts", "semseg/VOC12",
                   "semseg/pascal-context", "normals_distill", "sal_distill",
                   "ImageSets/Context", "ImageSets/Parts"):  # fmt: skip
        (home / folder).mkdir(parents=True)
    for split, keys in (("train", train), ("val", val)):
        (home / f"ImageSets/Context/{split}.txt").write_text("".join(f"{key}\n" for key in keys))
        objects = {
            scene.key: [15] if scene.person else [8] for scene in scenes if scene.key in keys
        }
        (home / f"ImageSets/Parts/{split}.txt").write_text(json.dumps(objects))
    for scene in scenes:
        write_scene(home, scene)
    return home


def write_scene(home: Path, scene: Scene) -> None:
    """Write all files of one image."""
    key = scene.key
    cv2.imwrite(str(home / f"JPEGImages/{key}.jpg"), scene.image())
    write_label_map(home, key, scene.label_map())
    first = key in VOC12
    folder = "semseg/VOC12" if first else "semseg/pascal-context"
    write_ids(home / folder / f"{key}.png", scene.semantic(), palette=first)
    stored = np.rint((scene.normals() + 1) / 2 * 255).astype(np.uint8)
    Image.fromarray(stored).save(home / f"normals_distill/{key}.png")
    Image.fromarray(scene.saliency()).save(home / f"sal_distill/{key}.png")
    thing = scene.label_map() == (PERSON if scene.person else CAT)
    parts = scene.parts() if scene.person else {}
    write_anno(home, key, [(15 if scene.person else 8, thing, parts)])


def write_label_map(home: Path, key: str, label: NDArray[Any]) -> None:
    """A class map as PASCAL-Context stores it."""
    path = home / f"pascal-context/trainval/{key}.mat"
    savemat(path, {"LabelMap": label}, do_compression=True)


def write_ids(path: Path, label: NDArray[np.uint8], *, palette: bool) -> None:
    """Class ids as a PNG, with the palette of PASCAL VOC or in grey."""
    picture = Image.fromarray(label)
    if palette:
        picture = picture.copy()
        picture.putpalette([value for colour in PASCAL21.palette for value in colour])
    picture.save(path)


Thing = tuple[int, NDArray[Any], dict[str, NDArray[Any]]]
"""Category, mask, and the mask of each part."""


def write_anno(home: Path, key: str, things: list[Thing]) -> None:
    """The structs of PASCAL-Part: image, objects; class, category, mask, parts; name, mask."""
    objects = np.zeros((1, len(things)), [(name, object) for name in (
        "class", "class_ind", "mask", "parts")])  # fmt: skip
    for at, (category, mask, masks) in enumerate(things):
        parts = np.zeros((1, len(masks)) if masks else (0, 0), [
            ("part_name", object), ("mask", object)])  # fmt: skip
        for number, (name, part) in enumerate(masks.items()):
            parts[0, number] = (name, part.astype(np.uint8))
        name = PASCAL21.names[category]
        objects[0, at] = (name, np.uint8(category), mask.astype(np.uint8), parts)
    anno = np.zeros((1, 1), [("imname", object), ("objects", object)])
    anno[0, 0] = (key, objects)
    savemat(home / f"human_parts/{key}.mat", {"anno": anno}, do_compression=True)
