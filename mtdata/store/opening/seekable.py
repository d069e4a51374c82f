"""A file of bytes that HDF5 is given in the place of one of the system."""

import os
from io import RawIOBase


class Seekable(RawIOBase):
    """A file that can be read from any place on.

    Args:
        size: Its length in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._place = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place
