"""The files of one frame of NYU Depth v2, decoded and checked, and its camera."""

from pathlib import Path

from mtdata.errors import SampleError
from mtdata.sources.files.files import read_file
from mtdata.sources.files.imagefile import decode_ids, read_label
from mtdata.sources.reader import Box
from mtdata.tasks.facts import SEMANTIC13, SEMANTIC40
from mtdata.tasks.kinds import Depth
from mtdata.tasks.sample import Camera, Decoded

CLASSES = {13: SEMANTIC13, 40: SEMANTIC40}
DEPTH = Depth(unit="m", dtype="uint16", scale=0.001)
FRAME = (480, 640)
VALID_BOX: Box = (44, 40, 427, 561)
"""Top, left, height, width of the part of a frame that Kinect's image and depth both cover."""

# The RGB camera published with the data set. Its toolbox back-projects with pixels numbered from 1,
# so its first pixel is centred at (1, 1); ours is centred at (0.5, 0.5).
CAMERA = Camera(518.857901, 519.469611, 325.582449 - 0.5, 253.736166 - 0.5)


def camera_of(height: int, width: int, box: Box = VALID_BOX) -> Camera:
    """The camera of a frame that was cropped to a box and resized to a height and width."""
    top, left, h, w = box
    return CAMERA.crop(float(left), float(top)).scale(width / w, height / h)


def read_semantic(path: Path, classes: int) -> Decoded:
    """Class ids; raises SampleError for one that does not exist."""
    kind = CLASSES[classes]
    stored = decode_ids(read_file(path), path)
    label, valid = kind.decode(stored)
    if label.max(initial=0) >= classes:
        raise SampleError(
            path,
            f"class ids should be 0..{classes - 1}, or 255 for void; found {label.max()}.",
            "Ids count from 0 here; is this a label of another class set?",
        )
    return label, valid


def read_depth(path: Path) -> Decoded:
    """Metres; 0 in the file is void."""
    return DEPTH.decode(read_label(path, "uint16", turn=False))
