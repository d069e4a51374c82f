"""Which labels a regime shows, and the CSV form of that."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError, UsageError

HEADER = ["key", "task"]


@dataclass(frozen=True, eq=False)
class RegimeTable:
    """The labels that may be seen of a split.

    Args:
        kind: The regime that made it, or "import".
        keys: The `n` keys of the split.
        tasks: The names of its `t` tasks.
        labels: What may be seen, `[n, t]`.
        parameters: The options of the regime.
        seed: Its seed; None for a file.
        origin: Where it is from, for people.
    """

    kind: str
    keys: Sequence[str]
    tasks: tuple[str, ...]
    labels: NDArray[np.bool_]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.keys), len(self.tasks)):
            raise ValueError(
                f"`labels` should be [{len(self.keys)}, {len(self.tasks)}]; "
                f"found {list(self.labels.shape)}."
            )

    @property
    def counts(self) -> dict[str, int]:
        """Labels of each task."""
        return dict(zip(self.tasks, map(int, self.labels.sum(0)), strict=True))

    @property
    def images_with(self) -> dict[int, int]:
        """How many images show 0, 1, ... labels; numbers that do not occur are left out."""
        return dict(sorted(Counter(map(int, self.labels.sum(1))).items()))

    def aligned(self, keys: Sequence[str], tasks: Sequence[str]) -> NDArray[np.bool_]:
        """The labels in another order of images and tasks, `[len(keys), len(tasks)]`.

        A key or a task that the table does not hold has no label.
        """
        rows = {key: i for i, key in enumerate(self.keys)}
        columns = {task: t for t, task in enumerate(self.tasks)}
        seen = np.zeros((len(keys), len(tasks)), np.bool_)
        for t, task in enumerate(tasks):
            if task in columns:
                column = self.labels[:, columns[task]]
                seen[:, t] = [key in rows and bool(column[rows[key]]) for key in keys]
        return seen


def together(tables: Sequence[RegimeTable]) -> RegimeTable:
    """The tables of several splits as one, which says of itself what the first does."""
    keys = tuple(key for table in tables for key in table.keys)
    labels = np.concatenate([table.labels for table in tables])
    return replace(tables[0], keys=keys, labels=labels)


def write_table(table: RegimeTable, path: Path) -> None:
    """Write the labels as CSV: one row of key and task a label, under the header `key,task`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(HEADER)
        for i, t in np.argwhere(table.labels):
            out.writerow([table.keys[i], table.tasks[t]])


def read_table(path: Path, keys: Sequence[str], tasks: Sequence[str]) -> RegimeTable:
    """Read what `write_table` wrote, for a split with these keys and tasks.

    Raises:
        UsageError: where there is no such file.
        DataError: naming the line that is no key and task of the split, or is there twice.
    """
    if not path.is_file():
        raise UsageError(f"`regime` should be a name or a CSV file; there is no file {path}.")
    rows = {key: i for i, key in enumerate(keys)}
    columns = {task: t for t, task in enumerate(tasks)}
    labels = np.zeros((len(keys), len(tasks)), np.bool_)
    for key, task, number in read_pairs(path, keys):
        if key not in rows or task not in columns:
            lost = lost_zeros(key, keys)
            raise DataError(
                f"{path}, line {number}: should be a key of the split and one of "
                f"{', '.join(tasks)}; found `{key},{task}`. {lost or 'Correct or remove the line.'}"
            )
        labels[rows[key], columns[task]] = True
    return RegimeTable("import", tuple(keys), tuple(tasks), labels, origin=path.name)


def lost_zeros(key: str, keys: Sequence[str]) -> str | None:
    """What to do where a key is one of the split but for zeros at its start; None where it is not.

    A spreadsheet takes 0001 for a number.
    """
    bare = key.lstrip("0")
    for known in keys:
        if known != key and known.lstrip("0") == bare:
            return (
                f"The split has `{known}`: zeros at its start were lost, as in a spreadsheet. "
                "There, make the column one of text before the file is opened, or write the file "
                "again."
            )
    return None


def read_pairs(path: Path, keys: Sequence[str]) -> list[tuple[str, str, int]]:
    """Read key, task and number of every line below the header.

    What a spreadsheet makes of such a file is read too: semicolons or tabs, a byte-order mark,
    spaces around words, empty rows; and letters with their accents apart, as macOS writes names.

    Args:
        path: The file.
        keys: Those of the split: one that is written as it is there is taken so, spaces and all.

    Raises:
        DataError: naming the line that has not two fields, or is there twice; where there is none.
    """
    pairs: dict[tuple[str, str], int] = {}
    there = set(keys)
    for number, row in _rows(path):
        if len(row) != 2:
            raise DataError(
                f"{path}, line {number}: should be a key and a task; found `{','.join(row)[:80]}`. "
                "Correct or remove the line."
            )
        key = row[0] if row[0] in there else normalize("NFC", row[0].strip())
        pair = key, row[1].strip()
        if pair in pairs:
            raise DataError(f"{path}, line {number}: `{','.join(row)}` is there twice. Remove one.")
        pairs[pair] = number
    if not pairs:
        raise DataError(
            f"{path} should have a line of key and task for each label; it has none below its "
            "header. Export a regime to see one (mtdata regime export)."
        )
    return [(key, task, number) for (key, task), number in pairs.items()]


def _filled(row: list[str]) -> list[str]:
    """A row less the empty columns at its end, which a spreadsheet adds."""
    while len(row) > len(HEADER) and not row[-1].strip():
        row = row[:-1]
    return row


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise DataError(f"{path} should be a CSV file of key and task; it is no file.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            delimiter = next((sign for sign in ";\t" if sign in first and "," not in first), ",")
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            rows = [(reader.line_num, _filled(row)) for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        found = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise DataError(
            f"{path}: should be a CSV file of key and task; {found}. Save it as CSV in UTF-8."
        ) from error
    if rows and rows[0][1] and rows[0][1][0].startswith("sep="):  # as Excel has it
        rows = rows[1:]
    names = [field.strip().lower() for field in rows[0][1]] if rows else []
    if names != HEADER:
        found = ",".join(rows[0][1]) if rows else "nothing"
        remedy = "Correct it." if {*names} & {*HEADER} else "Add it."
        raise DataError(
            f"{path}: the first line should be `key,task`; found `{found[:80]}`. {remedy}"
        )
    return ((number, row) for number, row in rows[1:] if any(map(str.strip, row)))
