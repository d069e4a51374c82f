"""What the source of a sample was like when it was read: to tell later whether it still is so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.base import Source
from mtdata.store.digest import ABSENT, BYTES


@dataclass(frozen=True, slots=True)
class Prints:
    """Two digests of 32 bytes.

    `content` is over all that a sample is read from: to compare it, all of that has to be read.
    `stamp` is over names, sizes and times of the files; empty where there are none, or where nobody
    took it.
    """

    content: bytes
    stamp: bytes = b""


def stamp(source: Source, split: str, key: str) -> bytes:
    """Look at the files of a sample, and read none; empty where the source names none."""
    files = source.files(split, key)
    if not files:
        return b""
    try:
        # With its folder, by which a label is of a task.
        seen = [
            (*path.parts[-2:], (found := path.stat()).st_size, found.st_mtime_ns) for path in files
        ]
    except OSError:  # to read it tells which, and may leave it out
        return b""
    return sha256(repr(seen).encode()).digest()


def to_table(prints: Sequence[Prints]) -> NDArray[np.uint8]:
    """As a store keeps them: uint8 [n, 2, 32], zeros for a stamp that is not known."""
    data = b"".join(each.content + (each.stamp or ABSENT) for each in prints)
    return np.frombuffer(data, np.uint8).reshape(-1, 2, BYTES).copy()


def from_table(keys: Sequence[str], table: NDArray[np.uint8]) -> Mapping[str, Prints]:
    """By key, from what `to_table` made."""
    rows = ((content.tobytes(), seen.tobytes()) for content, seen in table)
    return {
        key: Prints(content, b"" if seen == ABSENT else seen)
        for key, (content, seen) in zip(keys, rows, strict=True)
    }
