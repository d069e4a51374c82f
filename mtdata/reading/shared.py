"""Memory that all processes of a run share, and that is gone with the last of them."""

import mmap
import os
import tempfile
import weakref
from multiprocessing import reduction
from typing import Any

import numpy as np
from numpy.typing import NDArray


class SharedBytes:
    """Zeroed bytes without a name, taken from the system page by page as they are written.

    They reach a forked process as they are, and a spawned one as a descriptor. Nothing has to be
    removed: however the processes end, the memory is free after the last of them.

    Args:
        size: How many bytes.
    """

    def __init__(self, size: int) -> None:
        self._attach(_anonymous(), max(size, 1))
        os.ftruncate(self._file, self._size)
        self._map = mmap.mmap(self._file, self._size)

    def array(self) -> NDArray[np.uint8]:
        """The bytes, to read and to write."""
        return np.frombuffer(self._map, np.uint8)

    def _attach(self, file: int, size: int) -> None:
        self._file, self._size = file, size
        weakref.finalize(self, os.close, file)

    def __getstate__(self) -> dict[str, Any]:
        return {"file": reduction.DupFd(self._file), "size": self._size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._attach(state["file"].detach(), state["size"])
        self._map = mmap.mmap(self._file, self._size)


def _anonymous() -> int:
    """A descriptor of a file that no folder holds; in memory, where the system can do that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("mtdata-cache")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
