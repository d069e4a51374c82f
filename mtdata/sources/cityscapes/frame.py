"""The files of one image of Cityscapes, decoded and checked."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtdata.errors import SampleError
from mtdata.json_text import JsonError, load_json
from mtdata.sources.cityscapes.ids import IDS, to_classes
from mtdata.sources.files.imagefile import decode_ids, decode_label
from mtdata.tasks.kinds import Depth
from mtdata.tasks.sample import Camera, Decoded

FRAME = (1024, 2048)
"""The size that cameras and disparities in pixels refer to."""

DEPTHS = {
    "disparity": Depth(unit="disparity", dtype="uint16", scale=1 / 65535),
    "px": Depth(unit="px", dtype="uint16", scale=1 / 256, offset=-1 / 256),
    "m": Depth(unit="m"),
}
"""What the integer p of a disparity file becomes; 0 is void in all of them.

disparity: p / 65535, the numbers of the `.npy` files that the papers train on. px: (p - 1) / 256,
the official rule. m: from px by the camera.
"""


@dataclass(frozen=True)
class Rig:
    """A camera at `FRAME` and the metres between it and its neighbour."""

    camera: Camera
    baseline: float

    def at(self, height: int, width: int) -> Camera:
        """The camera of the image at another size."""
        return self.camera.scale(width / FRAME[1], height / FRAME[0])


def decode_semantic(content: bytes, path: Path, classes: int) -> Decoded:
    """Classes from official ids; raises SampleError for an id that does not exist."""
    ids = decode_ids(content, path)
    if ids.max(initial=0) >= len(IDS):
        raise SampleError(
            path,
            f"ids should be 0..{len(IDS) - 1}; found {ids.max()}.",
            "Labels should be the official labelIds, not training ids or colours.",
        )
    return to_classes(ids, classes)


def decode_depth(content: bytes, path: Path, unit: str, rig: Rig | None) -> Decoded | None:
    """Depth in a unit of `DEPTHS`; None where metres lack the camera.

    Stored 1 is a disparity of zero, infinitely far: void in metres, valid in the other units.
    """
    stored = decode_label(content, path, "uint16", turn=False)
    if unit != "m":
        return DEPTHS[unit].decode(stored)
    if rig is None:
        return None
    valid = stored > 1
    pixels = DEPTHS["px"].decode(stored)[0].astype(np.float64)
    metres = np.divide(rig.baseline * rig.camera.fx, pixels, out=np.zeros_like(pixels), where=valid)
    return metres.astype(np.float32), valid


def decode_camera(content: bytes, path: Path) -> Rig:
    """Intrinsics and baseline; raises SampleError where one is missing or cannot be."""
    try:
        found = load_json(content)
        fx, fy, cx, cy = (float(found["intrinsic"][name]) for name in ("fx", "fy", "u0", "v0"))
        baseline = float(found["extrinsic"]["baseline"])
    except JsonError as error:
        raise _no_camera(path, f"{error}") from error
    except KeyError as error:
        raise _no_camera(path, f"{error} is missing") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise _no_camera(path, "one of them is no number") from error
    if not all(map(math.isfinite, (fx, fy, cx, cy, baseline))) or min(fx, fy, baseline) <= 0:
        raise _no_camera(path, f"found fx {fx:g}, fy {fy:g}, baseline {baseline:g}")
    return Rig(Camera(fx, fy, cx, cy), baseline)


def _no_camera(path: Path, found: str) -> SampleError:
    return SampleError(
        path,
        "should give intrinsic fx, fy, u0, v0 and extrinsic baseline, finite, and fx, fy and the "
        f"baseline above 0; {found}.",
        "Take the camera file of camera_trainvaltest.zip, or remove it.",
    )
