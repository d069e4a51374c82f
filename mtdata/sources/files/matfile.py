"""MATLAB files up to version 7.2, read without running anything in them, and within a limit."""

import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.files import read_file

LIMIT = 256 * 2**20
"""Bytes that all of a file may inflate to; the largest of PASCAL take some 10 million."""
HEAD = 128
COMPRESSED = 15
"""The type of an element that is deflated."""


def load_mat(path: Path, *names: str, remedy: str, limit: int = LIMIT) -> dict[str, NDArray[Any]]:
    """The variables of these names.

    Args:
        path: The file.
        names: What it should hold.
        remedy: What to say to somebody whose file is another.
        limit: Bytes that it may inflate to.

    Raises:
        SampleError: where it is broken, inflates beyond the limit, or lacks a variable.
    """
    from io import BytesIO

    from scipy.io import loadmat

    content = read_file(path)
    if _inflated(content, limit) > limit:
        raise SampleError(
            path, f"should inflate to {limit / 2**20:.4g} MiB at most; it is more.", remedy
        )
    try:
        found = loadmat(BytesIO(content), variable_names=list(names))
    except Exception as error:  # scipy raises whatever its parser stumbles over
        raise SampleError(
            path,
            f"should be a whole MATLAB file with {' and '.join(names)}; it cannot be read "
            f"({str(error).rstrip('.')}).",
            remedy,
        ) from error
    for name in names:
        if name not in found:
            raise SampleError(path, f"should hold `{name}`; it does not.", remedy)
    return {name: np.asarray(found[name]) for name in names}


def _inflated(content: bytes, limit: int) -> int:
    """Bytes of all deflated elements together; counted no further than just above the limit."""
    order: Literal["little", "big"] = "little" if content[126:128] == b"IM" else "big"
    at, total = HEAD, 0
    while at + 8 <= len(content) and total <= limit:
        kind = int.from_bytes(content[at : at + 4], order)
        length = int.from_bytes(content[at + 4 : at + 8], order)
        if kind == COMPRESSED:
            total += _length(content[at + 8 : at + 8 + length], limit - total)
        at += 8 + length
    return total


def _length(deflated: bytes, limit: int) -> int:
    """How long it is inflated; no more than one piece above the limit is inflated to know."""
    stream, total, rest = zlib.decompressobj(), 0, deflated
    try:
        while rest and not stream.eof and total <= limit:
            total += len(stream.decompress(rest, 2**20))
            rest = stream.unconsumed_tail
    except zlib.error:  # what is broken is found when it is read
        pass
    return total
