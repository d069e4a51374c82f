"""A made-up folder of somebody's own: images, four kinds of labels, some of them missing."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (24, 36)
KEYS = tuple(f"{number:04d}" for number in range(10))
CLASSES = ("floor", "wall", "chair", "lamp")
TASKS = """
  semantic:
    kind: classes
    files: semantic/{stem}.png
    classes: [floor, wall, chair, lamp]
  depth:
    kind: depth
    files: depth/{stem}.png
    scale: 0.001
  normals:
    kind: normals
    files: normals/{stem}.png
  mask:
    kind: binary
    files: mask/{stem}.png
"""
FILE = f"images: rgb/{{stem}}.*\ntasks:{TASKS}"


def save(path: Path, array: NDArray[Any]) -> Path:
    """Write a PNG or JPEG, red first, or a `.npy`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif not cv2.imwrite(str(path), array[..., ::-1] if array.ndim == 3 else array):
        raise OSError(f"{path} could not be written")
    return path


def picture(number: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Smooth colours with some noise: more colours than any mask has."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 255, (5, 7, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def semantic(number: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Stripes of the four classes, and a void row."""
    label = np.add.outer(np.arange(size[0]), np.arange(size[1]) + number) // 5 % len(CLASSES)
    label[0] = 255
    return label.astype(np.uint8)


def depth(number: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint16]:
    """Millimetres of a slope, with a column that was not measured."""
    slope = np.linspace(900, 7000 + number, size[0] * size[1]).reshape(size)
    slope[:, 3] = 0
    return slope.astype(np.uint16)


def normals(number: int, size: tuple[int, int] = SIZE) -> NDArray[np.float32]:
    """Unit vectors that face the camera."""
    rng = np.random.default_rng(100 + number)
    vector = rng.normal(size=(*size, 3))
    vector[..., 2] = np.abs(vector[..., 2]) + 0.1
    return np.asarray(vector / np.linalg.norm(vector, axis=-1, keepdims=True), np.float32)


def coded(vector: NDArray[np.float32], top: int = 255) -> NDArray[Any]:
    """Vectors as (n + 1) / 2 in 8 bits, or in 16."""
    kind = np.uint8 if top == 255 else np.uint16
    return np.rint((vector + 1) / 2 * top).astype(kind)


def mask(number: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """0 and 255."""
    return np.where(semantic(number, size) == 2, 255, 0).astype(np.uint8)


def write_folder(root: Path, *, file: str = FILE, size: tuple[int, int] = SIZE) -> Path:
    """Write ten images; 0003 lacks depth, 0004 semantic, 0005 all but the mask. Returns `root`."""
    for number, key in enumerate(KEYS):
        save(root / "rgb" / f"{key}.jpg", picture(number, size))
        save(root / "semantic" / f"{key}.png", semantic(number, size))
        save(root / "depth" / f"{key}.png", depth(number, size))
        save(root / "normals" / f"{key}.png", coded(normals(number, size)))
        save(root / "mask" / f"{key}.png", mask(number, size))
    for name in ("depth/0003", "semantic/0004", "semantic/0005", "depth/0005", "normals/0005"):
        (root / f"{name}.png").unlink()
    (root / "tasks.yaml").write_text(file)
    return root


def write_task(root: Path, kind: str, label: NDArray[Any], *lines: str, suffix: str = "png") -> str:
    """Write one image with one label of a kind; returns the key. Lines go below the task."""
    save(root / "rgb" / "a.png", picture(1, (int(label.shape[0]), int(label.shape[1]))))
    save(root / "label" / f"a.{suffix}", label)
    head = f"images: rgb/{{stem}}.png\ntasks:\n  it:\n    kind: {kind}\n"
    body = "".join(f"    {line}\n" for line in (f"files: label/{{stem}}.{suffix}", *lines))
    (root / "tasks.yaml").write_text(head + body)
    return "a"


def write_turned(path: Path, image: NDArray[np.uint8], turn: int) -> None:
    """Write an image with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(image).save(path, exif=exif)
