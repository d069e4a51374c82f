"""The folder of predictions: when it may be written to, and files that are whole or absent."""

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from mtdata.atomic import disk_errors
from mtdata.errors import UsageError

INDEX = "predictions.json"


@dataclass(frozen=True)
class Folder:
    """Where predictions go.

    Args:
        path: The folder.
    """

    path: Path

    def check(self, *, overwrite: bool) -> None:
        """Refuse a folder that may not be written to.

        Raises:
            UsageError: for a file, and for a folder that is not empty unless `overwrite`.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(
                f"`out` should be a folder; {self.path} is a file. Give another with -o."
            )
        if self.path.is_dir() and any(self.path.iterdir()) and not overwrite:
            raise UsageError(
                f"`out` should be new or empty; {self.path} is not. Give another with -o, or "
                "--overwrite, which replaces files of the same name and leaves the others."
            )

    def begin(self) -> None:
        """Make it; an index of an earlier call goes, as it lists what is about to be replaced.

        Raises:
            MtdataError: where it cannot be written.
        """
        with disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / INDEX).unlink(missing_ok=True)

    def put(self, place: str, content: bytes) -> str:
        """Write a file, whole or not at all.

        Args:
            place: Its path below the folder.
            content: What it holds.

        Returns:
            `place`.

        Raises:
            MtdataError: where the disk is full or the folder cannot be written.
        """
        path = self.path / place
        fresh = path.with_name(f".{uuid4().hex[:8]}.new")  # a name may be as long as names can be
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                fresh.write_bytes(content)
                fresh.replace(path)
            finally:
                fresh.unlink(missing_ok=True)
        return place
