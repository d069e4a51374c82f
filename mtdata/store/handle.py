"""The open store of one process."""

from pathlib import Path
from typing import Any

import h5py

from mtdata.errors import StoreError
from mtdata.lazy_file import LazyFile
from mtdata.store.opening import open_file


class Handle(LazyFile[h5py.File]):
    """Opens a store on first use in each process.

    Args:
        path: The file.
        content_digest: What the file should hold; None to take what is found at first.

    A store may be replaced while a program runs (a regime is added); a process that opens it later
    accepts the new file only if it holds the same data: StoreError where it cannot be opened, or
    holds other data than before.
    """

    def __init__(self, path: Path, content_digest: str | None = None) -> None:
        super().__init__(path)
        self.content_digest = content_digest
        self._datasets: dict[str, h5py.Dataset] = {}
        self._opened: h5py.File | None = None

    def dataset(self, place: str) -> h5py.Dataset:
        """An array of the file; it is kept, as opening one takes as long as reading a chunk.

        Raises:
            KeyError: where there is none.
        """
        file = self.file
        if self._opened is not file:
            self._datasets, self._opened = {}, file
        if place not in self._datasets:
            self._datasets[place] = file[place]
        return self._datasets[place]

    def close(self) -> None:
        """Close the file of this process; it opens again when it is needed."""
        self._datasets, self._opened = {}, None
        super().close()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_datasets": {}, "_opened": None}

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
