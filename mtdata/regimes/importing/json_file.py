"""JSON: tasks of each image, or images of each task."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtdata.errors import DataError
from mtdata.json_text import JsonError, load_json
from mtdata.regimes.importing.assignment import Assignment
from mtdata.regimes.importing.placing import ALIASES
from mtdata.regimes.table import RegimeTable
from mtdata.tasks.task import TASK_ORDER

WHAT = 'one object, {"key": ["task", ...]} or {"task": ["key", ...]}'


def read_json(path: Path, tasks: Sequence[str]) -> Assignment:
    """Read key to tasks, or task to keys: the latter where every name is a task's.

    Args:
        path: The file.
        tasks: The tasks of the store; names that are known elsewhere are tasks too.

    Raises:
        DataError: where it holds anything else, or says something twice.
    """
    try:
        content = load_json(path.read_bytes(), once=True)
    except JsonError as error:
        raise DataError(f"{path} should hold {WHAT}; {error}. Correct the file.") from error
    known = {*tasks, *TASK_ORDER, *ALIASES}
    by_task = isinstance(content, dict) and bool(content) and known.issuperset(content)
    return assignment_of(content, path, what=WHAT, by_task=by_task)


def write_json(table: RegimeTable, path: Path) -> None:
    """Write the tasks of each image, a line an image; an image without labels has none."""
    lines = [
        f"{json.dumps(key)}: "
        + json.dumps([task for task, seen in zip(table.tasks, row, strict=True) if seen])
        for key, row in zip(table.keys, table.labels, strict=True)
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def assignment_of(content: Any, path: Path, *, what: str, by_task: bool) -> Assignment:
    """Make an assignment of a dictionary of lists of texts.

    Args:
        content: What was read.
        path: From where, for messages.
        what: What it should be, for messages.
        by_task: Whether its names are tasks and the texts are keys, or the other way round.

    Raises:
        DataError: where it is anything else.
    """
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path} should hold {what}; found {_short(content)}. Correct the file.")
    for name, entries in content.items():
        if problem := _problem(entries):
            raise DataError(
                f"{path} should hold {what}; found {problem} for {_short(name)}. Correct the file."
            )
    pairs = [(name, each) for name, entries in content.items() for each in entries]
    if by_task:
        return Assignment.of_pairs(((key, task) for task, key in pairs), tasks=content)
    return Assignment.of_pairs(pairs, keys=content)


def _problem(entries: Any) -> str | None:
    """What keeps a list from being one of different texts; None where it is."""
    if not isinstance(entries, list):
        return _short(entries)
    for entry, count in Counter(map(_short, entries)).items():
        if count > 1:
            return f"{entry} {count} times"
    return next((_short(each) for each in entries if not isinstance(each, str)), None)


def _short(value: Any) -> str:
    if isinstance(value, str | int | float):
        return f"`{str(value)[:60]}`"
    kind = type(value).__name__
    if kind not in ("list", "dict", "tuple", "bool", "bytes", "NoneType"):
        return "something else"
    return f"a {kind}" if value else f"an empty {kind}"
