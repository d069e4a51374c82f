"""`metrics.jsonl`: one JSON object a line, in the order of the run."""

import json
import os
from pathlib import Path
from typing import Any

from mtmodels.metrics.scores import to_json


class RunLog:
    """Appends rows, and can go back to where a checkpoint was.

    Args:
        path: The file; it is made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")

    def write(self, kind: str, row: dict[str, Any]) -> None:
        """Append one row; a number that JSON lacks (NaN) becomes null."""
        self._file.write(json.dumps({"kind": kind, **to_json(row)}, allow_nan=False) + "\n")
        self._file.flush()

    def position(self) -> int:
        """The size of the file in bytes, for a checkpoint; what is before it is on the disk."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def rewind(self, position: int) -> None:
        """Drop the rows after a position: the run is going to write them again."""
        self._file.truncate(min(position, self.path.stat().st_size))
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_rows(path: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Read the rows of a log, of one kind or all; a last line that was cut off is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break
        if kind in (None, row["kind"]):
            rows.append(row)
    return rows
