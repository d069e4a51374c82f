"""What a group of label files is, judged by some of them: kind and encoding, and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.files.files import read_file
from mtdata.sources.files.imagefile import decode_rgb, read_indices, read_label
from mtdata.sources.files.imageheader import read_header
from mtdata.sources.files.npyfile import read_npy
from mtdata.sources.folder.proposing.guesses import MANY, Guess
from mtdata.sources.folder.proposing.guessing_ids import guess_ids
from mtdata.sources.folder.proposing.guessing_numbers import guess_floats, guess_integers
from mtdata.sources.folder.proposing.guessing_vectors import guess_colours, guess_vectors
from mtdata.sources.folder.proposing.words import hints


def guess(paths: Sequence[Path], name: str, class_names: Sequence[str] = ()) -> Guess:
    """Judge some files of a group.

    Args:
        paths: The files to look at.
        name: Of the group: it decides where the values alone do not.
        class_names: Names of classes that lie beside the data, perhaps.

    Raises:
        SampleError: where a file cannot be read.
    """
    forms, arrays = zip(*(_read(path) for path in paths), strict=True)
    form = forms[0]
    other = next((found for found in forms if found != form), None)
    if other is not None:
        return Guess("", f"some files are {form}, others {other}")
    if arrays[0].ndim == 3:
        return (
            guess_vectors(form, arrays) if form.startswith("float") else guess_colours(form, arrays)
        )
    if arrays[0].ndim != 2:
        return Guess("", f"{form} of {arrays[0].ndim} axes")
    values = np.concatenate([array.ravel() for array in arrays])
    if values.dtype.kind == "f":
        return guess_floats(form, values)
    seen, count = np.unique(values, return_counts=True)
    measured = seen.size > MANY or (seen.size > 8 and bool(hints(name) & {"depth"}))
    if measured:
        return guess_integers(form, seen, count, name)
    return guess_ids(form, seen, name, class_names, paths[0])


def _read(path: Path) -> tuple[str, NDArray[Any]]:
    """A file and what it is, in words that tell forms apart."""
    if path.suffix.lower() == ".npy":
        array = read_npy(path)
        if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
            array = array.reshape([size for size in array.shape if size != 1])
        return f"{array.dtype} npy", array
    header = read_header(path)
    if header.mode == "P":
        return "PNG with a palette", read_indices(path)
    if header.mode in ("L", "1") or header.mode.startswith("I"):
        label = read_indices(path)
        return f"single-channel {label.dtype} PNG", label
    if header.bits > 8:
        return "3-channel 16-bit PNG", read_label(path, "uint16", channels=3)
    return "3-channel 8-bit PNG", decode_rgb(read_file(path), path)
