"""Made-up frames in the layout of the prepared folders of NYU Depth v2: a floor before a wall."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from mtdata.building.build import RegimeSpec, build
from mtdata.sources.nyu.frame import camera_of
from mtdata.sources.nyu.source import Nyu

SIZE = (40, 56)
TRAIN, TEST = (1, 2, 4, 5, 7), (3, 6, 8)
FLOOR, WALL = {13: 4, 40: 1}, {13: 11, 40: 0}
WALL_AT = 3.0


def depth_of(index: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint16]:
    """Millimetres: a floor as far below the camera as the index says, and a wall 3 m away."""
    camera = camera_of(*size)
    rows = (np.arange(size[0]) + 0.5 - camera.cy) / camera.fy
    below = 0.8 + 0.05 * index
    with np.errstate(divide="ignore"):
        column = np.where(rows > 0, np.minimum(below / rows, WALL_AT), WALL_AT)
    return np.asarray(np.rint(np.repeat(column[:, None], size[1], 1) * 1000), np.uint16)


def semantic_of(index: int, classes: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Floor and wall, with a void column at the left."""
    wall = depth_of(index, size) >= WALL_AT * 1000
    label = np.where(wall, WALL[classes], FLOOR[classes]).astype(np.uint8)
    label[:, 0] = 255
    return label


def write_nyu(root: Path, size: tuple[int, int] = SIZE) -> Path:
    """Write eight frames; returns the folder."""
    for folder in ("rgb", "depth", "semantic13", "semantic40"):
        (root / folder).mkdir(parents=True)
    savemat(root / "splits.mat", {"trainNdxs": _column(TRAIN), "testNdxs": _column(TEST)})
    rng = np.random.default_rng(0)
    for index in sorted(TRAIN + TEST):
        coarse = rng.integers(0, 255, (5, 7, 3), np.uint8)
        image = cv2.resize(coarse, (size[1], size[0]))
        _write(root / "rgb" / f"{index:04d}.jpg", image)
        _write(root / "depth" / f"{index:04d}.png", depth_of(index, size))
        for classes in (13, 40):
            label = semantic_of(index, classes, size)
            _write(root / f"semantic{classes}" / f"{index:04d}.png", label)
    return root


def write_normals(root: Path, bits: int) -> NDArray[np.float32]:
    """Add `normals/` with one vector field for all frames and one black pixel; returns it."""
    rng = np.random.default_rng(1)
    vector = rng.normal(size=(*SIZE, 3)).astype(np.float32)
    vector /= np.linalg.norm(vector, axis=-1, keepdims=True)
    top = 2**bits - 1
    stored = np.rint((vector + 1) / 2 * top).astype(np.uint8 if bits == 8 else np.uint16)
    stored[0, 0] = 0
    (root / "normals").mkdir()
    for index in TRAIN + TEST:
        _write(root / "normals" / f"{index:04d}.png", stored[..., ::-1])
    return vector


def cut(path: Path, share: float = 0.5) -> None:
    """Truncate a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def _column(indices: tuple[int, ...]) -> NDArray[np.uint16]:
    return np.array(indices, np.uint16)[:, None]


def _write(path: Path, image: NDArray[Any]) -> None:
    if not cv2.imwrite(str(path), image):
        raise OSError(f"{path} could not be written")


def nyu_store(folder: Path) -> Path:
    """A store of the eight frames, two of them partly labelled, with the regimes one and random."""
    root = write_nyu(folder / "raw")
    (root / "semantic13" / "0002.png").unlink()
    (root / "depth" / "0006.png").unlink()
    specs = [RegimeSpec("one"), RegimeSpec("random")]
    build(Nyu(root), folder / "nyu.h5", size=None, regimes=specs)
    return folder / "nyu.h5"
