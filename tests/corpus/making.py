"""Files of the corpus: pictures, regions, slopes, directions, written as people write them."""

import struct
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (32, 48)
Array = NDArray[Any]
Maker = Callable[[int], Array]
"""What a file of a number holds."""


@dataclass(frozen=True)
class Layout:
    """A folder and its right reading.

    Args:
        name: What it is.
        files: For each pattern, with `{}` for the key, what the files hold.
        keys: Of the images.
        texts: Other files, by name.
        tasks: Kind of each task that a build should have; empty where none is clear.
        asked: Patterns of files, in part, that have to be left out and explained.
        values: The label of the first key of a task, -1 where void, None for not compared.
        classes: Names that the classes of a task should have.
        splits: Images of each split that should be told apart by folder or list; None for any.
        images: Images of the store; None for one a key.
        only: For a pattern, which of the keys have a file; all others have all.
    """

    name: str
    files: Mapping[str, Maker]
    tasks: Mapping[str, str]
    keys: Sequence[str] = tuple(f"{number:03d}" for number in range(6))
    texts: Mapping[str, str] = field(default_factory=dict)
    asked: Sequence[str] = ()
    values: Mapping[str, Callable[[int], Array]] = field(default_factory=dict)
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    splits: Mapping[str, int] | None = None
    images: int | None = None
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def write(self, root: Path) -> Path:
        """Write all files below `root`; returns it."""
        for pattern, make in self.files.items():
            for number, key in enumerate(self.keys):
                if key in self.only.get(pattern, self.keys):
                    save(root / pattern.format(key), make(number))
        for name, text in self.texts.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(text.encode())
        return root


def save(path: Path, array: Array) -> None:
    """Write by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        np.save(path, array)
        return
    if suffix == ".npz":
        np.savez_compressed(path, label=array)
        return
    if suffix == ".exr":
        path.write_bytes(exr(array))
        return
    ok, content = cv2.imencode(suffix, array[..., ::-1] if array.ndim == 3 else array)
    assert ok
    path.write_bytes(content.tobytes())


def exr(plane: Array, claims: tuple[int, int] | None = None) -> bytes:
    """The bytes of an EXR of one channel of floats, row by row, without compression."""
    height, width = claims or plane.shape
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = {
        b"channels\0chlist": b"Y\0" + struct.pack("<iiii", 2, 0, 1, 1) + b"\0",
        b"compression\0compression": b"\0",
        b"dataWindow\0box2i": box,
        b"displayWindow\0box2i": box,
        b"lineOrder\0lineOrder": b"\0",
        b"pixelAspectRatio\0float": struct.pack("<f", 1),
        b"screenWindowCenter\0v2f": bytes(8),
        b"screenWindowWidth\0float": struct.pack("<f", 1),
    }
    head = (
        b"\x76\x2f\x31\x01\2\0\0\0"
        + b"".join(
            name + b"\0" + struct.pack("<i", len(value)) + value
            for name, value in attributes.items()
        )
        + b"\0"
    )
    rows = [struct.pack("<ii", y, row.nbytes) + row.tobytes() for y, row in enumerate(plane)]
    starts = len(head) + 8 * len(rows) + np.cumsum([0, *map(len, rows[:-1])])
    return head + starts.astype("<u8").tobytes() + b"".join(rows)


def photo(number: int) -> Array:
    """A smooth picture of many colours."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 255, (5, 7, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def grey(number: int) -> Array:
    """A smooth grey picture."""
    return np.ascontiguousarray(photo(number)[..., 0])


def regions(*values: int, dtype: str = "u1") -> Maker:
    """Blocks of 4 by 4 pixels of these values; all of them in each file."""

    def make(number: int) -> Array:
        rng = np.random.default_rng(number)
        cells = np.resize(np.arange(len(values)), (SIZE[0] // 4, SIZE[1] // 4))
        rng.shuffle(cells.reshape(-1))
        return np.kron(np.array(values)[cells], np.ones((4, 4), np.int64)).astype(dtype)

    return make


def slope(low: float, high: float, dtype: str, *, scale: float = 1.0, noise: float = 0.02) -> Maker:
    """Depth from near below to far above, `scale` values a unit."""

    def make(number: int) -> Array:
        rng = np.random.default_rng(number)
        plane = np.repeat(np.linspace(high, low, SIZE[0])[:, None], SIZE[1], 1)
        plane = np.clip(plane * (1 + noise * rng.standard_normal(SIZE)), low, high) * scale
        return plane.astype(dtype) if np.dtype(dtype).kind == "f" else np.rint(plane).astype(dtype)

    return make


def holed(make: Maker, value: float, share: float = 0.1) -> Maker:
    """The same with some pixels of another value."""

    def holes(number: int) -> Array:
        array = make(number).copy()
        array[np.random.default_rng(99 + number).random(array.shape[:2]) < share] = value
        return array

    return holes


def coloured(make: Maker, colours: Mapping[int, tuple[int, int, int]]) -> Maker:
    """Values as colours."""

    def paint(number: int) -> Array:
        array = make(number)
        picture = np.zeros((*array.shape, 3), np.uint8)
        for value, colour in colours.items():
            picture[array == value] = colour
        return picture

    return paint


def facing(axes: tuple[int, int, int] = (1, 1, 1)) -> Maker:
    """Unit normals of a room: floor below, walls at the sides; signs of right, up, towards."""

    def make(number: int) -> Array:
        rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
        vector = np.stack(
            [1 - 2 * columns / (SIZE[1] - 1), 2 * rows / (SIZE[0] - 1) - 1, np.ones(SIZE)], -1
        )
        vector /= np.linalg.norm(vector, axis=-1, keepdims=True)
        return np.asarray(vector * axes, np.float32)

    return make


def coded(make: Maker, top: int = 255) -> Maker:
    """(n + 1) / 2 in 8 or 16 bits."""
    kind = np.uint8 if top == 255 else np.uint16
    return lambda number: np.rint((make(number) + 1) / 2 * top).astype(kind)


def blurred(make: Maker) -> Maker:
    """A mask whose edges were resized."""
    return lambda number: np.asarray(cv2.GaussianBlur(make(number), (0, 0), 0.5))


def blob(number: int, on: int = 255) -> Array:
    """A disc."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    inside = (rows - 14 - number % 3) ** 2 + (columns - 20) ** 2 < 90
    return np.where(inside, on, 0).astype(np.uint8)


def times(make: Maker, factor: float, void: Sequence[float] = (0,)) -> Maker:
    """The right reading of depth: values by a factor, -1 where void."""

    def read(number: int) -> Array:
        stored = make(number)
        return np.where(np.isin(stored, void) | ~np.isfinite(stored), -1, stored * factor)

    return read


def without(make: Maker, *void: int, first: int = 0) -> Maker:
    """The right reading of classes: values less `first`, -1 where void."""

    def read(number: int) -> Array:
        stored = make(number).astype(np.int64)
        return np.where(np.isin(stored, void), -1, stored - first)

    return read


def ranked(make: Maker, *void: int) -> Maker:
    """The right reading of ids far apart: their ranks, -1 where void."""

    def read(number: int) -> Array:
        stored = make(number).astype(np.int64)
        known = np.array(sorted(set(np.unique(stored).tolist()) - set(void)))
        return np.where(np.isin(stored, void), -1, np.searchsorted(known, stored))

    return read


def as_jpeg(array: Array) -> bytes:
    """The bytes of a JPEG."""
    return bytes(cv2.imencode(".jpg", array)[1])


def nfd(text: str) -> str:
    """A name as macOS used to keep it."""
    return unicodedata.normalize("NFD", text)


def with_palette(path: Path, array: Array, palette: Sequence[int]) -> None:
    """A PNG of indices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array.astype(np.uint8))
    image.putpalette(list(palette))
    image.save(path)
