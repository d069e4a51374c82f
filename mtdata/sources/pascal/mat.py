"""The two kinds of MATLAB files in `PASCAL_MT`, read without running anything in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.matfile import load_mat
from mtdata.sources.pascal.classes import HUMAN, PART_IDS

REMEDY = "Unpack the official file again."


def read_label_map(path: Path) -> NDArray[Any]:
    """The context class of each pixel, integers [h, w].

    Raises:
        SampleError: where the file is broken or holds something else.
    """
    content = _load(path, "LabelMap")
    whole = content.ndim == 2 and content.dtype.kind in "iu"
    if not whole or content.min(initial=0) < 0:
        raise SampleError(
            path,
            "`LabelMap` should be a matrix of whole numbers from 0 on; found "
            f"{list(content.shape)} of {content.dtype}{' below 0' if whole else ''}.",
            REMEDY,
        )
    return content


def read_parts(path: Path, size: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Ids of `PARTS7` [h, w]; None where the picture shows no person with parts.

    Args:
        path: The file.
        size: Height and width of the image.

    Raises:
        SampleError: where the file is broken, names an unknown part, or has masks of another size.
    """
    anno = _load(path, "anno")
    try:
        parts = list(_parts(anno))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise SampleError(
            path,
            "`anno` should hold an image name and objects of class, category, mask and parts; "
            f"it cannot be walked ({type(error).__name__}: {error}).",
            REMEDY,
        ) from error
    label = np.zeros(size, np.uint8)
    for name, mask in parts:
        _check_part(path, name, mask, size)
        label[mask.astype(bool)] = PART_IDS[name]
    return label if label.any() else None


def _parts(anno: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and mask of every part of every person, in the order of the file.

    Fields are taken by place, as in PASCAL-Part: image, objects; class, category, mask, parts;
    name, mask.
    """
    for thing in anno[0, 0][1].ravel():
        if int(thing[1].item()) == HUMAN:
            for part in thing[3].ravel():
                yield str(part[0].item()), part[1]


def _check_part(path: Path, name: str, mask: NDArray[Any], size: tuple[int, ...]) -> None:
    if name not in PART_IDS:
        raise SampleError(
            path, f"parts of a person should be {', '.join(PART_IDS)}; found {name!r}.", REMEDY
        )
    if mask.shape != size:
        raise SampleError(
            path,
            f"masks should have the size of the image, {size[0]}x{size[1]}; "
            f"the one of {name} is {'x'.join(map(str, mask.shape))}.",
            "Take the image that it was made for.",
        )


def _load(path: Path, name: str) -> NDArray[Any]:
    return load_mat(path, name, remedy=REMEDY)[name]
