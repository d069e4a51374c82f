"""`metrics.jsonl`: one JSON object a line, in the order of the run."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtdata.errors import DataError
from mtmodels.metrics.scores import to_json

Row = Mapping[str, Any]


class RunLog:
    """Appends rows, and can go back to where a checkpoint was.

    Args:
        path: The file; it is made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")

    def write(self, kind: str, row: Row) -> None:
        """Append one row; a number that JSON lacks (NaN) becomes null."""
        self._file.write(json.dumps({"kind": kind, **to_json(row)}, allow_nan=False) + "\n")
        self._file.flush()

    def position(self) -> int:
        """The size of the file in bytes, for a checkpoint; what is before it is on the disk."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def rewind(self, position: int) -> list[dict[str, Any]]:
        """Drop the rows after a position, and give them: the run is going to write them again."""
        lost = rows_of(self.path.read_bytes()[position:].decode("utf-8", "replace"))
        self._file.truncate(min(position, self.path.stat().st_size))
        self._file.seek(0, os.SEEK_END)
        return lost

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class NoLog(RunLog):
    """Of a process that writes nothing."""

    def __init__(self) -> None:
        return

    def write(self, kind: str, row: Row) -> None:
        """Nothing."""

    def position(self) -> int:
        """The beginning."""
        return 0

    def rewind(self, position: int) -> list[dict[str, Any]]:
        """Nothing."""
        return []

    def close(self) -> None:
        """Nothing."""


def read_rows(path: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Read the rows of a log, of one kind or all; a last line that was cut off is left out.

    Raises:
        DataError: where it is no text, or a row is none of a log.
    """
    try:
        rows = rows_of(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} should be a log in UTF-8; its byte {error.start} is of none. Copy the run "
            "again."
        ) from error
    for number, row in enumerate(rows, 1):
        if not (isinstance(row, dict) and isinstance(row.get("kind"), str)):
            raise DataError(
                f"{path}, line {number} should be an object with a `kind`; it is not. Copy the run "
                "again."
            )
        for name, value in row.items():
            is_good, form = _FORMS.get(name, (None, ""))
            if is_good is not None and not is_good(value):
                raise DataError(
                    f"{path}, line {number}: `{name}` should be {form}; it is not. Copy the run "
                    "again."
                )
    return [row for row in rows if kind in (None, row["kind"])]


def _is_whole(value: object) -> bool:
    return type(value) is int


def _is_number(value: object) -> bool:
    return value is None or type(value) in (int, float, bool)


def _are_numbers(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _are_scores(value: object) -> bool:
    """Of each task; a score of classes is a list."""
    return isinstance(value, dict) and all(
        isinstance(task, dict)
        and all(
            all(map(_is_number, score)) if isinstance(score, list) else _is_number(score)
            for score in task.values()
        )
        for task in value.values()
    )


_NUMBER = ("lr", "loss", "gradient_norm", "improvement", "best", "threshold")
_NAMED = (
    *("tasks", "auxiliary", "parts", "images", "labelled", "weights", "time", "means"),
    *("cosine", "agreement", "kept"),
)
_FORMS = {
    **dict.fromkeys(("step", "epoch"), (_is_whole, "a whole number")),
    **dict.fromkeys(_NUMBER, (_is_number, "a number")),
    **dict.fromkeys(_NAMED, (_are_numbers, "numbers by their names")),
    "scores": (_are_scores, "scores by task"),
}
"""What is read of a row, and the form that it has."""


def rows_of(text: str) -> list[Any]:
    """The rows of a text as they are, up to one that was cut off."""
    rows = []
    for line in text.splitlines():
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            break
    return rows
