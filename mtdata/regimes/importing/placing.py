"""From what a file says to the images and tasks of a split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError, UnknownNameError
from mtdata.regimes.importing.assignment import Assignment
from mtdata.regimes.table import RegimeTable, lost_zeros
from mtdata.tasks.task import TASK_ORDER
from mtdata.wording import counted

ALIASES = {
    "semseg": "semantic",
    "normal": "normals",
    "human_parts": "parts",
    "sal": "saliency",
    "edge": "edges",
}
"""What the files released with MTPSL call the tasks."""

BY_ROW = (
    "row i of the file is the i-th image of the split, in the order of its keys (for NYUv2 that is "
    "the order of trainNdxs)"
)
DOUBT = (
    "The files of MTPSL count rows in the arrays that MTAN distributes, whose order is documented "
    "nowhere: the counts are the released ones, the images need not be."
)


@dataclass(frozen=True)
class Imported:
    """A regime read from a file, and what a person should know about it."""

    table: RegimeTable
    notes: tuple[str, ...]


def place(
    assignment: Assignment,
    path: Path,
    keys: Sequence[str],
    tasks: Sequence[str],
    available: NDArray[np.bool_],
    *,
    digest: str,
    skip: bool = False,
    holes: bool = False,
) -> Imported:
    """Give every label of a file its place in a split; what has no valid pixels is left out.

    Args:
        assignment: What the file says.
        path: The file, for messages and the note of origin.
        keys: The `n` keys of the split, in its order.
        tasks: The names of its `t` tasks.
        available: Which cells have valid pixels, `[n, t]`.
        digest: SHA-256 of the file.
        skip: Leave out images that the split does not have, instead of refusing them.
        holes: Whether the split may lack images in its middle.

    Raises:
        DataError: where it names images or tasks that are none, has another number of rows than
            the split, or no label remains.
    """
    given, skipped = assignment, 0
    if skip and holes and given.keys is None and len(given.labels) != len(keys):
        raise DataError(
            f"{path} should name its images, as the store may lack some in the middle of the "
            f"split: it has {len(keys)} images for {len(given.labels)} rows, which cannot be told "
            "apart. Make a table of key and task of it, as the page on regimes shows, or build the "
            "store of the whole data set, with --limit for its first images, and without "
            "--on-error skip."
        )
    if skip:
        assignment, skipped = _known(given, keys)
    _check_images(assignment, path, keys)
    names = [task if task in tasks else ALIASES.get(task, task) for task in assignment.tasks]
    _check_tasks(names, path, tasks)
    named = keys if assignment.keys is None else assignment.keys
    said = RegimeTable("import", named, tuple(names), assignment.labels)
    wanted = said.aligned(keys, tasks)
    labels = wanted & available
    if not labels.any():
        raise DataError(
            f"{path} shows no label that the split has: it names "
            f"{counted(int(given.labels.sum()), 'label')} of {', '.join(names) or 'no task'}, of "
            f"{counted(len(given.labels), 'image')}. Give the file of this data set."
        )
    origin = f"{path.name}, sha256 {digest}" + ("" if assignment.keys else f"; {BY_ROW}")
    table = RegimeTable(
        "import", tuple(keys), tuple(tasks), labels, {"file": path.name, "sha256": digest},
        origin=origin,
    )  # fmt: skip
    by_row = () if assignment.keys else (f"{BY_ROW}. {DOUBT}",)
    if skipped:
        by_row = (*by_row, _skipped(skipped, given, keys))
    return Imported(table, (*by_row, *_left_out(said, table, int((wanted & ~available).sum()))))


def _known(assignment: Assignment, keys: Sequence[str]) -> tuple[Assignment, int]:
    """What is said of images of the split, and of how many others something is said."""
    count = len(assignment.labels)
    if assignment.keys is None:
        kept = list(range(min(count, len(keys))))
    else:
        there = set(keys)
        kept = [i for i, key in enumerate(assignment.keys) if key in there]
    named = None if assignment.keys is None else tuple(assignment.keys[i] for i in kept)
    return Assignment(named, assignment.tasks, assignment.labels[kept]), count - len(kept)


def _skipped(skipped: int, given: Assignment, keys: Sequence[str]) -> str:
    said = (
        f"left out: {skipped} of {counted(len(given.labels), 'image')} that the split does not have"
    )
    if given.keys is None:
        said += (
            f". Its {len(keys)} are taken to be the first of the whole split, as --limit of "
            "`mtdata build` takes them"
        )
    return f"{said}; the shares of the tasks may differ from those of the whole file."


def _check_images(assignment: Assignment, path: Path, keys: Sequence[str]) -> None:
    if assignment.keys is None:
        if len(assignment.labels) != len(keys):
            raise DataError(
                f"{path} should have a row for each of the {len(keys)} images of the split; found "
                f"{len(assignment.labels)}. Its rows are positions in the split: it needs the "
                "store of that data set with all its images. For one that was built with "
                "--limit from all of them, say --missing skip."
            )
        return
    there = set(keys)
    unknown = [key for key in assignment.keys if key not in there]
    if unknown:
        lost = lost_zeros(unknown[0], keys)
        line = assignment.lines.get(unknown[0])
        if lost is not None:
            raise DataError(
                f"{path}{f', line {line}' if line else ''}: should name images of the split; found "
                f"`{unknown[0]}` and {len(unknown) - 1} more that are not in it. {lost}"
            )
        raise DataError(
            f"{path} should name images of the split, such as `{keys[0]}`; found `{unknown[0]}` "
            f"and {len(unknown) - 1} more that are not in it, out of {len(assignment.keys)}. "
            "Give it the store of that data set with all its images, or leave them out with "
            "--missing skip."
        )


def _check_tasks(names: Sequence[str], path: Path, tasks: Sequence[str]) -> None:
    for name in names:
        if name not in tasks and name not in TASK_ORDER:
            raise DataError(f"{path}: {UnknownNameError('task', name, list(tasks))}")
        if names.count(name) > 1:
            raise DataError(
                f"{path} should name each task once; `{name}` is there by two names. Remove one."
            )


def _left_out(said: RegimeTable, table: RegimeTable, invalid: int) -> list[str]:
    notes = [
        f"left out: {count} x `{task}`, a task that the store does not have."
        for task, count in said.counts.items()
        if task not in table.tasks and count
    ]
    if invalid:
        notes.append(f"left out: {invalid} x a label that has no valid pixel in the store.")
    notes += [
        f"no image shows `{task}`; train without it (mttrain --tasks)."
        for task, count in table.counts.items()
        if not count
    ]
    return notes
