"""Made-up images in the official layout of Cityscapes, as folders or as the zip files of it."""

import json
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (32, 64)
FOLDERS = ("leftImg8bit", "gtFine", "disparity", "camera")
TRAIN = ("aachen_000000_000019", "aachen_000001_000019", "bochum_000000_000313")
VAL = ("frankfurt_000000_000294", "munster_000000_000019")
HIDDEN = "berlin_000000_000019"
SEMANTIC = (*TRAIN[:2], *VAL)
DISPARITY = (TRAIN[0], TRAIN[2], *VAL)
CAMERA = {
    "extrinsic": {"baseline": 0.209313, "pitch": 0.038},
    "intrinsic": {"fx": 2262.52, "fy": 2265.30, "u0": 1096.98, "v0": 513.137},
}


def ids_of(size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """All 34 ids, row by row."""
    return np.asarray(np.arange(size[0] * size[1]).reshape(size) % 34, np.uint8)


def disparity_of(size: tuple[int, int] = SIZE) -> NDArray[np.uint16]:
    """A void first row, then zero disparity, then 1 px to 126 px."""
    stored = np.linspace(257, 32257, size[0] * size[1]).astype(np.uint16).reshape(size)
    stored[0], stored[1] = 0, 1
    return stored


def file(root: Path, folder: str, key: str, split: str = "") -> Path:
    """Where a file of an image lies."""
    suffix = {
        "leftImg8bit": "leftImg8bit.png",
        "gtFine": "gtFine_labelIds.png",
        "disparity": "disparity.png",
        "camera": "camera.json",
    }[folder]
    place = split or {**dict.fromkeys(VAL, "val"), HIDDEN: "test"}.get(key, "train")
    return root / folder / place / key.partition("_")[0] / f"{key}_{suffix}"


def put(path: Path, array: NDArray[Any]) -> None:
    """Write an image file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


def write_cityscapes(root: Path) -> Path:
    """Write three training images, two of val and one of test, partly labelled."""
    rng = np.random.default_rng(0)
    for key in (*TRAIN, *VAL, HIDDEN):
        coarse = rng.integers(0, 255, (4, 8, 3), np.uint8)
        put(file(root, "leftImg8bit", key), cv2.resize(coarse, SIZE[::-1]))
    for key in (*SEMANTIC, HIDDEN):
        place = file(root, "gtFine", key)
        put(place, ids_of())
        put(place.with_name(f"{key}_gtFine_color.png"), np.zeros((*SIZE, 3), np.uint8))
        place.with_name(f"{key}_gtFine_polygons.json").write_text("{}")
    for key in (*DISPARITY, HIDDEN):
        put(file(root, "disparity", key), disparity_of())
        place = file(root, "camera", key)
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps(CAMERA))
    return root


def pack(root: Path, *folders: str) -> Path:
    """Replace folders by the zip files of the download; returns the root."""
    for folder in folders:
        with ZipFile(root / f"{folder}_trainvaltest.zip", "w", ZIP_DEFLATED) as archive:
            archive.writestr("license.txt", "terms")
            for path in sorted((root / folder).rglob("*")):
                archive.write(path, path.relative_to(root))
        shutil.rmtree(root / folder)
    return root
