"""What is known of an image only when a label of it was read: classes, depths, errors of a run.

A label is read for that when somebody asks, behind the page, and once. It is read through the
regime that is looked through, so what that hides is read for no measure.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtdata.browsing.models import Model
from mtdata.errors import MtdataError, UsageError
from mtdata.store import Store
from mtdata.tasks.kinds import Classes, Depth

if TYPE_CHECKING:
    from mtdata.browsing.opened import View

BYTES = 2**28
"""What all measures may take in memory: those that were asked longest ago make room."""
PATIENCE = 10.0
"""Seconds after which a measure that no page asks for any more is left where it is."""
FULL_SHARE = 65_535
"""A class that covers an image, in the steps in which shares are kept."""


@dataclass
class Table:
    """What is known of one measure: numbers [n, width] and which rows are known, or cannot be.

    `wanted` are rows that are still to be measured, the next one last, and `queued` says which they
    are; `asked` is when a page asked for some.
    """

    numbers: NDArray[Any]
    known: NDArray[np.bool_]
    broken: NDArray[np.bool_]
    of: Callable[["View", int], Any]
    queued: NDArray[np.bool_]
    wanted: list[int] = field(default_factory=list)
    view: "View | None" = None
    asked: float = 0.0


def shares_of(label: NDArray[Any], valid: NDArray[np.bool_], classes: int) -> NDArray[np.int64]:
    """Which part of an image each class covers, rounded up: one pixel is never none."""
    counts = np.bincount(label[valid], minlength=classes)[:classes]
    return -(-counts * FULL_SHARE // valid.size)


class Measures:
    """The measures of a store; rows are numbered through all splits.

    Args:
        store: The store.
        models: Runs whose errors may be asked for.
    """

    def __init__(self, store: Store, models: Sequence[Model] = ()) -> None:
        self._store, self._models = store, {model.name: model for model in models}
        self._count = sum(map(len, store.splits.values()))
        self._tables: dict[tuple[str, ...], Table] = {}
        self._wake = Condition()
        self._closed = False
        self._thread: Thread | None = None
        self.problem = ""
        """Why the last row that could not be measured was not."""

    def ask(
        self, name: tuple[str, ...], view: "View", rows: NDArray[np.int32]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """What is known of some rows, [len(rows), width] and bool [len(rows)]; the rest begins.

        A label that cannot be read is known, as NaN.

        Args:
            name: ("shares", TASK), ("depths", TASK) or ("error", RUN, TASK).
            view: What is looked through; `rows` should be those whose label it shows.
            rows: Which images.

        Raises:
            UsageError: for a measure that does not fit the task, or into memory.
        """
        with self._wake:
            whole = (*name, view.regime)
            table = self._tables.get(whole) or self._make(name)
            self._tables[whole] = table
            now = time.monotonic()
            if now - table.asked > PATIENCE:
                table.wanted.clear()
                table.queued[:] = False
            table.asked, table.view = now, view
            self._make_room()
            unknown = rows[~(table.known[rows] | table.queued[rows])]
            table.wanted += unknown.tolist()[::-1]
            table.queued[unknown] = True
            if table.wanted and self._thread is None:
                self._thread = Thread(target=self._work, name="measures", daemon=True)
                self._thread.start()
            self._wake.notify_all()
            numbers = table.numbers[rows].astype(np.float32)  # exact for shares, too
            numbers[table.broken[rows]] = np.nan
            return numbers, table.known[rows]

    def _make(self, name: tuple[str, ...]) -> Table:
        task = self._store.task(name[-1])
        of: Callable[[View, int], Any]
        dtype: np.dtype[Any]
        if name[0] == "shares" and isinstance(task.kind, Classes):
            width, dtype, of = task.channels, np.dtype(np.uint16), self._shares(task.name)
        elif name[0] == "depths" and isinstance(task.kind, Depth):
            width, dtype, of = 2, np.dtype(np.float32), self._depths(task.name)
        elif name[0] == "error" and task.name in self._model(name[1]).tasks:
            width, dtype, of = 1, np.dtype(np.float32), self._errors(name[1], task.name)
        else:
            raise UsageError(
                f"{name[0]} should be asked of a task that has them; found {name[-1]}."
            )
        if self._count * width * dtype.itemsize > BYTES:
            raise UsageError(
                f"what is known of images should fit into {BYTES >> 20} MB; {' '.join(name)} of "
                f"{self._count:,} images does not. Look at a store of fewer images for this."
            )
        known, broken, queued = np.zeros((3, self._count), np.bool_)
        return Table(np.zeros((self._count, width), dtype), known, broken, of, queued)

    def _make_room(self) -> None:
        while sum(table.numbers.nbytes for table in self._tables.values()) > BYTES:
            del self._tables[min(self._tables, key=lambda name: self._tables[name].asked)]

    def _model(self, name: str) -> Model:
        if name not in self._models:
            raise UsageError(f"a run should be one that was given; found {name}.")
        return self._models[name]

    def _label(self, view: "View", row: int, task: str) -> tuple[Any, Any, Any, int]:
        first = 0
        for split in view.splits.values():
            if row < first + len(split):
                break
            first += len(split)
        index = row - first
        column = split.column(task)
        label, valid = split.tasks[column].kind.decode(split.read_true(index, task))
        return label, valid, split, index

    def _shares(self, task: str) -> Callable[["View", int], Any]:
        classes = self._store.task(task).channels

        def of(view: "View", row: int) -> Any:
            label, valid, _, _ = self._label(view, row, task)
            return shares_of(label, valid, classes)

        return of

    def _depths(self, task: str) -> Callable[["View", int], Any]:
        def of(view: "View", row: int) -> Any:
            label, valid, _, _ = self._label(view, row, task)
            return label[valid].min(), label[valid].max()

        return of

    def _errors(self, run: str, task: str) -> Callable[["View", int], Any]:
        model, kind = self._model(run), self._store.task(task).kind

        def of(view: "View", row: int) -> Any:
            label, valid, split, index = self._label(view, row, task)
            given = model.of(split, index, keep=False)[task]
            return kind.distance(given, label)[valid].mean()

        return of

    def _work(self) -> None:
        while True:
            with self._wake:
                table = self._next()
                while table is None and not self._closed:
                    self._wake.wait()
                    table = self._next()
                if self._closed or table is None:
                    return
                row, view = table.wanted.pop(), table.view
            assert view is not None
            try:
                table.numbers[row] = table.of(view, row)
            except (MtdataError, ValueError, RuntimeError) as error:
                table.broken[row] = True
                self.problem = str(error)
            table.known[row] = True

    def _next(self) -> Table | None:
        since = time.monotonic() - PATIENCE
        waiting = [t for t in self._tables.values() if t.wanted and t.asked > since]
        return max(waiting, key=lambda table: table.asked, default=None)

    def close(self) -> None:
        """Measure no more."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
