"""Assignments of labels from elsewhere: read from files, never by running what is in them."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError, UsageError
from mtdata.regimes.importing.assignment import Assignment
from mtdata.regimes.importing.json_file import read_json
from mtdata.regimes.importing.npy import read_npy
from mtdata.regimes.importing.placing import Imported, place
from mtdata.regimes.importing.pth import read_pth
from mtdata.regimes.table import read_pairs

LIMIT = 64_000_000
"""Bytes that a file may have; the largest that is known has 1.3 million."""


READERS: dict[str, Callable[[Path, Sequence[str], Sequence[str]], Assignment]] = {
    ".csv": lambda path, keys, _: _read_csv(path, keys),
    ".json": lambda path, _, tasks: read_json(path, tasks),
    ".npy": lambda path, *_: read_npy(path),
    ".pt": lambda path, *_: read_pth(path),
    ".pth": lambda path, *_: read_pth(path),
}
"""What reads a file of each suffix, given the keys of the split and the tasks of the store."""


def _read_csv(path: Path, keys: Sequence[str]) -> Assignment:
    found = read_pairs(path, keys)
    lines = {key: line for key, _, line in reversed(found)}
    return Assignment.of_pairs(((key, task) for key, task, _ in found), lines=lines)


def import_table(
    path: Path,
    keys: Sequence[str],
    tasks: Sequence[str],
    available: NDArray[np.bool_],
    *,
    skip: bool = False,
    holes: bool = False,
) -> Imported:
    """Read which labels of a split may be seen.

    Args:
        path: A CSV file of key and task; JSON, key to tasks or task to keys; or what was released
            with MTPSL: `.pth` (a tensor of images and tasks) or `.npy` (task to image ids).
        keys: The `n` keys of the split, in its order.
        tasks: The names of its `t` tasks.
        available: Which cells have valid pixels, `[n, t]`.
        skip: Leave out images that the split does not have, instead of refusing them.
        holes: Whether the split may lack images in its middle.

    Raises:
        UsageError: where there is no such file, or its suffix is none of those.
        DataError: where it is broken, holds anything but such an assignment (code, above all), or
            does not belong to the split.
    """
    if path.suffix.lower() not in READERS:
        raise UsageError(
            f"`from` should be a file that ends in {', '.join(READERS)}; found {path}."
        )
    if not path.is_file():
        raise UsageError(f"`from` should be a file; there is no file {path}.")
    if path.stat().st_size > LIMIT:
        raise DataError(
            f"{path} should have at most {LIMIT // 10**6} MB; found "
            f"{path.stat().st_size / 1e6:.0f} MB. A list of labels is smaller: give another file."
        )
    digest = sha256(path.read_bytes()).hexdigest()
    assignment = READERS[path.suffix.lower()](path, keys, tasks)
    return place(assignment, path, keys, tasks, available, digest=digest, skip=skip, holes=holes)


__all__ = ["READERS", "Imported", "import_table"]
