"""Which images are asked for, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from mtdata.browsing.opened import HIDDEN, MISSING, Opened, View
from mtdata.errors import UsageError

DIGITS = 6
"""That the number of a class has at most."""
MOST = 500
"""Images that one answer tells of."""


class Asked(BaseModel):
    """What a page asks for; names are those of the store, several with commas between them.

    Attributes:
        regime: What is looked through, as `mtdata show` takes it.
        split: One split; empty for all.
        labelled: Tasks whose label is shown.
        hidden: Tasks whose label the regime hides.
        missing: Tasks that the store has no label of.
        present: Classes that occur, as TASK:ID.
        text: What the key contains, whatever the case of its letters.
        sort: `key`, `valid:TASK`, `near:TASK`, `far:TASK`, `range:TASK`, `share:TASK:ID` or
            `error:RUN:TASK`; empty for the order of the store.
        down: Whether the largest comes first.
        start: Which of them comes first in the answer.
        count: How many an answer tells of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    regime: str = ""
    split: str = ""
    labelled: str = ""
    hidden: str = ""
    missing: str = ""
    present: str = ""
    text: str = ""
    sort: str = ""
    down: bool = False
    start: int = Field(0, ge=0)
    count: int = Field(MOST, ge=0, le=MOST)


@dataclass(frozen=True)
class Found:
    """The numbers of the images that were asked for, in order, as far as that is known.

    `done` of `total` labels were read that it depends on; those of the others come when they are.
    """

    rows: NDArray[np.int32]
    done: int = 0
    total: int = 0


def find(opened: Opened, asked: Asked) -> Found:
    """Find the images that were asked for.

    Raises:
        UnknownNameError: for a regime, split or task that the store does not have.
        UsageError: for what cannot be asked.
    """
    view = opened.view(asked.regime)
    if asked.split:
        opened.store.split(asked.split)
    splits = [asked.split] if asked.split else list(view.splits)
    rows = np.concatenate([_in_split(opened, view, name, asked) for name in splits])
    done = total = 0
    for each in _parts(asked.present):
        numbers, known, among = _measured(opened, view, f"share:{each}", rows)
        done, total = done + int(known.sum()), total + len(known)
        rows = rows[among][known & (numbers > 0)]
    if asked.sort:
        numbers, known, among = _sorted_by(opened, view, asked.sort, rows)
        if asked.sort != "key" and not asked.sort.startswith("valid:"):
            done, total = done + int(known.sum()), total + len(known)
        place, rest = np.flatnonzero(among)[known], np.flatnonzero(~among)
        by = numbers[known]
        order = np.argsort(-by if asked.down else by, kind="stable")
        waiting = np.flatnonzero(among)[~known]
        # What has no such number comes last, whichever way.
        rows = rows[np.concatenate([place[order], waiting, rest])]
    elif asked.down:
        rows = rows[::-1]
    return Found(rows, done, total)


def _parts(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _in_split(opened: Opened, view: View, name: str, asked: Asked) -> NDArray[np.int32]:
    """What can be told by the tables alone."""
    split = view.splits[name]
    keep = np.ones(len(split), np.bool_)
    for tasks, fits in (
        (asked.labelled, lambda states: (states != ord(HIDDEN)) & (states != ord(MISSING))),
        (asked.hidden, lambda states: states == ord(HIDDEN)),
        (asked.missing, lambda states: states == ord(MISSING)),
    ):
        for task in _parts(tasks):
            column = split.tasks.index(opened.store.task(task))
            keep &= fits(view.states(name)[:, column])
    if asked.text:
        keep &= _with_text(split.keys.data, asked.text)
    found: NDArray[np.int32] = (np.flatnonzero(keep) + opened.firsts[name]).astype(np.int32)
    return found


def _with_text(keys: NDArray[Any], text: str) -> NDArray[np.bool_]:
    """Which keys contain a text, whatever the case of its letters."""
    if text.isascii():  # bytes are compared in a tenth of the time
        return np.char.find(np.char.lower(keys), text.lower().encode()) >= 0
    wanted = normalize("NFC", text).casefold()
    folded = (key.decode(errors="replace").casefold() for key in keys.tolist())
    return np.fromiter((wanted in key for key in folded), np.bool_, len(keys))


def _of_splits(opened: Opened, rows: NDArray[np.int32]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each split and which rows are of it."""
    for name, first in opened.firsts.items():
        yield name, (rows >= first) & (rows < first + len(opened.store.splits[name]))


def _shown(opened: Opened, view: View, rows: NDArray[np.int32], task: str) -> NDArray[np.bool_]:
    """Which rows show the label of a task."""
    column = opened.store.tasks.index(opened.store.task(task))
    found = np.zeros(len(rows), np.bool_)
    for name, of in _of_splits(opened, rows):
        found[of] = view.splits[name].labelled[rows[of] - opened.firsts[name], column]
    return found


def _measured(
    opened: Opened, view: View, what: str, rows: NDArray[np.int32]
) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    """A measure of rows: numbers and which are known, of those rows that show the label, bool."""
    # The name of a run may have colons of its own.
    first, _, last = what.rpartition(":")
    run = first.removeprefix("error:")
    match ["error", run, last] if run != first else what.split(":"):
        case ["share", task, number] if number.isdecimal() and len(number) < DIGITS:
            classes = opened.store.task(task).channels
            if int(number) >= classes:
                raise UsageError(f"a class should be 0..{classes - 1}; found {number}.")
            name: tuple[str, ...] = ("shares", task)
            column = slice(int(number), int(number) + 1)
        case [("near" | "far" | "range") as end, task]:
            name = ("depths", task)
            column = {"near": slice(0, 1), "far": slice(1, 2), "range": slice(None)}[end]
        case ["error", run, task]:
            name, column = ("error", run, task), slice(None)
        case _:
            raise UsageError(
                "`sort` should be key, valid:TASK, near:TASK, far:TASK, range:TASK, share:TASK:ID "
                f"or error:RUN:TASK; found {what!r}."
            )
    among = _shown(opened, view, rows, task)
    numbers, known = opened.measures.ask(name, view, rows[among])
    part = numbers[:, column]
    return (np.ptp(part, axis=1) if part.shape[1] == 2 else part[:, 0]), known, among


def _sorted_by(
    opened: Opened, view: View, sort: str, rows: NDArray[np.int32]
) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    every = np.ones(len(rows), np.bool_)
    if sort == "key":
        return _ranks(opened, rows), every, every
    if not sort.startswith("valid:"):
        numbers, known, among = _measured(opened, view, sort, rows)
        return numbers.astype(np.float64), known, among
    task = sort.removeprefix("valid:")
    among = _shown(opened, view, rows, task)
    shares = np.zeros(len(rows))
    for name, of in _of_splits(opened, rows):
        shares[of] = valid_shares(view, name, task)[rows[of] - opened.firsts[name]]
    return shares[among], every[among], among


def valid_shares(view: View, split: str, task: str) -> NDArray[np.float64]:
    """Which part of an image has a value of a task, [n]; of an added label that of its own."""
    seen = view.splits[split]
    column = seen.column(task)
    pixels = seen.valid_pixels[:, column].astype(np.float64)
    for number, (added, _) in enumerate(seen.pieces, start=2):
        of = seen.codes[:, column] == number
        pixels[of] = added.valid_pixels[of]
    shares: NDArray[np.float64] = pixels / seen.sizes.prod(axis=1)
    return shares


def _ranks(opened: Opened, rows: NDArray[np.int32]) -> NDArray[np.float64]:
    """The place of each key among all of them."""
    keys = [opened.store.splits[name].keys.data for name in opened.firsts]
    longest = max(each.dtype.itemsize for each in keys)
    whole = np.concatenate([each.astype(f"S{longest}") for each in keys])[rows]
    ranks = np.empty(len(rows))
    ranks[np.argsort(whole, kind="stable")] = np.arange(len(rows))
    return ranks


def told(opened: Opened, view: View, rows: Sequence[int]) -> list[dict[str, Any]]:
    """What a page tells of images: split, key, size and the state of each task."""
    found = []
    for row in rows:
        place = opened.place(row)
        split, index = place.split, place.index
        height, width = split.sizes[index].tolist()
        state = view.state(split.name, index)
        key = split.keys[index]
        found.append(
            {"split": split.name, "key": key, "height": height, "width": width, "state": state}
        )
    return found
