"""An open file of one process: made when it is first needed, never shared, never pickled."""

import os
from pathlib import Path
from typing import Any

import h5py

from mtdata.errors import StoreError
from mtdata.store.opening import open_file


class Handle:
    """Opens a store on first use in each process.

    Args:
        path: The file.
        content_digest: What the file should hold; None to take what is found at first.

    A store may be replaced while a program runs (a regime is added); a process that opens it later
    accepts the new file only if it holds the same data.
    """

    def __init__(self, path: Path, content_digest: str | None = None) -> None:
        self.path = path
        self.content_digest = content_digest
        self._file: h5py.File | None = None
        self._pid = 0

    @property
    def file(self) -> h5py.File:
        """The open file of this process.

        Raises:
            StoreError: where it cannot be opened, or holds other data than before.
        """
        # A handle inherited by a forked process shares its file position: leave it alone.
        if self._file is None or self._pid != os.getpid():
            self._file, self._pid = self._open(), os.getpid()
        return self._file

    def _open(self) -> h5py.File:
        file = open_file(self.path)
        found = str(file.attrs.get("content_digest"))
        if self.content_digest is None:
            self.content_digest = found
        if found != self.content_digest:
            file.close()
            raise StoreError(
                f"{self.path} holds other data than when it was opened first: its content digest "
                f"was {self.content_digest[:12]}..., now {found[:12]}... . Start again."
            )
        return file

    def close(self) -> None:
        """Close the file of this process; it opens again when it is needed."""
        if self._file is not None and self._pid == os.getpid():
            self._file.close()
        self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "content_digest": self.content_digest}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # an empty handle on the same file
