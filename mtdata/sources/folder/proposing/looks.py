"""What a group of label files is, judged by some of them: kind and encoding, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.files.files import read_file
from mtdata.sources.files.imagefile import (
    JPEG_START,
    decode_rgb,
    read_floats,
    read_indices,
    read_label,
)
from mtdata.sources.files.imageheader import read_header
from mtdata.sources.files.npyfile import ARRAYS, read_array
from mtdata.sources.folder.proposing.evidence import RULES
from mtdata.sources.folder.proposing.guesses import Guess
from mtdata.sources.folder.proposing.guessing_ids import guess_ids, looks_like_ids
from mtdata.sources.folder.proposing.guessing_numbers import guess_numbers
from mtdata.sources.folder.proposing.guessing_vectors import guess_colours, guess_vectors
from mtdata.sources.folder.proposing.listing import NOTHING_LISTED, Listed
from mtdata.sources.folder.proposing.seen import Seen, values_of
from mtdata.sources.folder.proposing.words import is_instances
from mtdata.wording import counted

PICTURES = {"tif": "TIFF", "tiff": "TIFF", "bmp": "BMP", "webp": "WebP", "exr": "EXR"}


@dataclass(frozen=True)
class _Read:
    """A file as it is; `form` is that in words that tell forms apart."""

    form: str
    array: NDArray[Any]


def guess(paths: Sequence[Path], name: str, listed: Listed = NOTHING_LISTED) -> Guess:
    """Judge some files of a group.

    Args:
        paths: The files to look at.
        name: Of the group: it decides where the values alone do not.
        listed: Names and colours of classes that lie beside the data, perhaps.

    Raises:
        SampleError: where a file cannot be read.
    """
    jpeg = next((path for path in paths if _is_jpeg(path)), None)
    if jpeg is not None:
        return RULES["jpeg"].ask(
            f"{jpeg.name} is a JPEG, which changes values",
            "labels as real PNG files, from before they were compressed",
        )
    found = _grey([_read(path) for path in paths])
    forms = dict.fromkeys(each.form for each in found)
    if len(forms) > 1:
        first, other = list(forms)[:2]
        return RULES["unclear"].ask(f"some files are {first}, others {other}")
    form, arrays = found[0].form, [each.array for each in found]
    if arrays[0].ndim == 3 and arrays[0].shape[2] == 3:
        vectors = arrays[0].dtype.kind == "f"
        return guess_vectors(form, arrays) if vectors else guess_colours(form, arrays, name, listed)
    if any(array.ndim != 2 for array in arrays):
        return RULES["unclear"].ask(f"{form} of the shape {list(arrays[0].shape)}")
    return _plane(form, values_of(arrays), name, listed, paths[0])


def _plane(form: str, seen: Seen, name: str, listed: Listed, path: Path) -> Guess:
    if not seen.values.size:
        return RULES["unclear"].ask(f"{form} without any finite value")
    if is_instances(name):
        return RULES["instances"].ask(
            f"{form}, {seen.values.size} different values, by its name numbers of objects",
            "`kind: classes` with `ids`, if they are classes after all",
        )
    if seen.values.size == 1:
        return RULES["constant"].ask(
            f"{form}, {seen.values[0]:g} everywhere in {counted(seen.files, 'file')}",
            "labels with more values",
        )
    if looks_like_ids(seen, name):
        return guess_ids(form, seen, name, listed, path)
    return guess_numbers(form, seen, name)


def _is_jpeg(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == JPEG_START


def _read(path: Path) -> _Read:
    ending = path.suffix.lower().removeprefix(".")
    if path.suffix.lower() in ARRAYS:
        array = read_array(path)
        if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
            array = array.reshape([size for size in array.shape if size != 1])
        return _Read(f"{array.dtype} {ending}", array)
    header = read_header(path)
    form = PICTURES.get(ending, "PNG")
    if header.mode == "P":
        return _Read(f"{form} with a palette", read_indices(path))
    if header.mode in ("L", "1") or header.mode.startswith("I"):
        label = read_indices(path)
        return _Read(f"single-channel {label.dtype} {form}", label)
    if header.mode == "F":
        values = read_floats(path)
        return _Read(f"{values.dtype} {form}", values)
    if header.bits > 8:
        return _Read(f"3-channel 16-bit {form}", read_label(path, "uint16", channels=3))
    return _Read(f"3-channel 8-bit {form}", decode_rgb(read_file(path), path))


def _grey(found: list[_Read]) -> list[_Read]:
    """Colour files as planes where all three channels of all of them are the same."""
    if any(each.array.ndim != 3 or each.array.dtype != np.uint8 for each in found):
        return found
    if any((each.array != each.array[..., :1]).any() for each in found):
        return found
    return [
        replace(each, form=f"{each.form} that are the same", array=each.array[..., 0])
        for each in found
    ]
