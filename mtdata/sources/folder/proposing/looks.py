"""What a group of label files is, judged by some of them: kind and encoding, and why."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
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
ODD = 0.25
"""Share of the files that may be of another form than the rest."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Read:
    """A file as it is; `form` is that in words that tell forms apart."""

    path: Path
    form: str
    array: NDArray[Any]


def read_each(paths: Sequence[Path], read: Callable[[Path], T]) -> tuple[list[T], list[str]]:
    """What is read of some files, and a note on those that cannot be.

    Raises:
        SampleError: where none can be read.
    """
    found: list[T] = []
    broken: list[SampleError] = []
    for path in paths:
        try:
            found.append(read(path))
        except SampleError as error:
            broken.append(error)
    if not broken:
        return found, []
    if not found:
        raise broken[0]
    first = broken[0]
    return found, [
        f"{len(broken)} of {counted(len(paths), 'file')} looked at cannot be read, such as "
        f"{first.path.name}: {first.problem} Correct or remove them, or leave their images out "
        "with --on-error skip"
    ]


def guess(paths: Sequence[Path], name: str, listed: Listed = NOTHING_LISTED) -> Guess:
    """Judge some files of a group, by those that can be read and are alike.

    Args:
        paths: The files to look at.
        name: Of the group: it decides where the values alone do not.
        listed: Names and colours of classes that lie beside the data, perhaps.

    Raises:
        SampleError: where no file can be read.
    """
    jpeg = next((path for path in paths if _is_jpeg(path)), None)
    if jpeg is not None:
        return RULES["jpeg"].ask(
            f"{jpeg.name} is a JPEG, which changes values",
            "labels as real PNG files, from before they were compressed",
        )
    read, notes = read_each(paths, _read)
    found, odd = _alike(_grey(read))
    form = Counter(each.form for each in found).most_common(1)[0][0]
    if odd:
        other = f"{odd[0].form}, such as {odd[0].path.name}"
        if len(odd) > ODD * len(read):
            return RULES["unclear"].ask(f"some files are {form}, others {other}")
        notes.append(
            f"{len(odd)} of {counted(len(read), 'file')} looked at are {other}, the rest {form}: "
            "save all in one form"
        )
    return replace(_judged(form, found, name, listed), notes=tuple(notes))


def _judged(form: str, found: Sequence[_Read], name: str, listed: Listed) -> Guess:
    arrays = [each.array for each in found]
    if all(array.shape[2:] == (3,) for array in arrays):
        vectors = arrays[0].dtype.kind == "f"
        return guess_vectors(form, arrays) if vectors else guess_colours(form, arrays, listed)
    if any(array.ndim != 2 for array in arrays):
        return RULES["unclear"].ask(_other_shape(form, arrays[0].shape))
    return _plane(form, values_of(arrays), name, listed, [each.path for each in found])


def _other_shape(form: str, shape: tuple[int, ...]) -> str:
    wanted = "one value a pixel, [height, width]"
    if len(shape) == 3:
        wanted += " (the number of the class, where each plane is a class)"
        if shape[0] == 3:
            wanted = f"normals as [height, width, 3], or else {wanted}"
    return f"{form} of the shape {list(shape)}; save {wanted}"


def _plane(form: str, seen: Seen, name: str, listed: Listed, paths: Sequence[Path]) -> Guess:
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
        if seen.bad:
            return RULES["unclear"].ask(
                f"{form}, {counted(seen.values.size, 'different value')}, and {100 * seen.bad:.2g} "
                "% of the pixels are NaN or infinite",
                "whole numbers with one for nothing in their place, such as 255; or "
                "`kind: binary` with `threshold: 0.5`, where NaN is void, if they are masks",
            )
        return guess_ids(form, seen, name, listed, paths)
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
        return _Read(path, f"{array.dtype} {ending}", array)
    header = read_header(path)
    form = PICTURES.get(ending, "PNG")
    if header.mode == "P":
        return _Read(path, f"{form} with a palette", read_indices(path))
    if header.mode in ("L", "1") or header.mode.startswith("I"):
        label = read_indices(path)
        return _Read(path, f"single-channel {label.dtype} {form}", label)
    if header.mode == "F":
        values = read_floats(path)
        return _Read(path, f"{values.dtype} {form}", values)
    if header.bits > 8:
        return _Read(path, f"3-channel 16-bit {form}", read_label(path, "uint16", channels=3))
    return _Read(path, f"3-channel 8-bit {form}", decode_rgb(read_file(path), path))


def _grey(found: Sequence[_Read]) -> list[_Read]:
    """Colour pictures as planes, where all three channels of all of them are the same."""
    planes = []
    for each in found:
        array = each.array
        if array.ndim == 2 or each.path.suffix.lower() in ARRAYS:
            planes.append(each)
            continue
        if array.dtype != np.uint8 or (array != array[..., :1]).any():
            return [*found]
        planes.append(replace(each, form=f"{each.form} that are the same", array=array[..., 0]))
    return planes


def _alike(found: Sequence[_Read]) -> tuple[list[_Read], list[_Read]]:
    """The files that a build reads in the way in which it reads most, and the others."""
    ways = [(each.array.ndim, each.array.dtype) for each in found]
    usual = Counter(ways).most_common(1)[0][0]
    return (
        [each for each, way in zip(found, ways, strict=True) if way == usual],
        [each for each, way in zip(found, ways, strict=True) if way != usual],
    )
