"""An open file of one process: made when it is first needed, never shared, never pickled."""

import os
from abc import ABC, abstractmethod
from threading import RLock
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable


@runtime_checkable
class Closable(Protocol):
    """What can be closed: a file of HDF5, a zip file."""

    def close(self) -> Any:
        """Close it."""


_opening = RLock()
"""Several threads that need a file at once open it once."""
os.register_at_fork(after_in_child=lambda: globals().update(_opening=RLock()))

Opened = TypeVar("Opened", bound=Closable)


class LazyFile(ABC, Generic[Opened]):
    """Opens a file on first use in each process."""

    def __init__(self) -> None:
        self._file: Opened | None = None
        self._pid = 0

    @property
    def file(self) -> Opened:
        """The open file of this process; raises what opening it raises."""
        # A file inherited by a forked process shares its position: leave it alone.
        file = self._file
        if file is None or self._pid != os.getpid():
            with _opening:
                if self._file is None or self._pid != os.getpid():
                    self._file, self._pid = self._open(), os.getpid()
                file = self._file
        return file

    def close(self) -> None:
        """Close the file of this process; it opens again when it is needed."""
        if self._file is not None and self._pid == os.getpid():
            self._file.close()
        self._file = None

    @abstractmethod
    def _open(self) -> Opened:
        """Open the file and check what it holds."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_pid": 0}
