"""The store that is looked at, and what it is while others may change, replace or remove it."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from mtdata.browsing.measures import Measures
from mtdata.browsing.models import Model
from mtdata.errors import StoreError
from mtdata.inspecting.show import looked_at, looked_through
from mtdata.store import Split, Store
from mtdata.store.completed import Completed
from mtdata.store.opening.file import identity
from mtdata.urls import StorePath

VIEWS = 4
"""Regimes that are looked through at once; a further one takes the place of the oldest."""
HIDDEN, MISSING, SHOWN = "h", "m", "v"
STATES = {"derived": "d", "filled": "f", "": SHOWN}
"""Letters of what an image has of a task: `h` hidden, `m` missing, `v` shown, or added by whom."""


class ChangedError(StoreError):
    """The file is another one than the page that asks was made for."""


class GoneError(StoreError):
    """There is no file any more."""


@dataclass(frozen=True)
class Place:
    """Where an image is: its split, and its position there."""

    split: Split
    index: int


class View:
    """A store as a regime shows it.

    Args:
        store: The store.
        regime: As `mtdata show` takes it; empty for every label and all that was added.

    Raises:
        UnknownNameError: for a regime that the store does not have.
    """

    def __init__(self, store: Store, regime: str) -> None:
        self.regime = regime
        what = looked_through(store, regime or None)
        self.splits: dict[str, Completed] = {
            name: looked_at(split, what) for name, split in store.splits.items()
        }
        self.present = {name: split.labelled for name, split in store.splits.items()}

    def states(self, split: str) -> NDArray[np.uint8]:
        """A letter of `STATES` for each image and task of a split, as bytes [n, tasks]."""
        seen = self.splits[split]
        letters = [ord(MISSING), ord(SHOWN)]
        letters += [ord(STATES[added.origin]) for added, _ in seen.pieces]
        found: NDArray[np.uint8] = np.array(letters, np.uint8)[seen.codes]
        found[(seen.codes == 0) & self.present[split]] = ord(HIDDEN)
        return found

    def state(self, split: str, index: int) -> str:
        """The letters of one image, one a task."""
        seen, present = self.splits[split], self.present[split]
        codes = seen.codes[index].tolist()
        return "".join(
            STATES[seen.origin(index, column)]
            if code
            else (HIDDEN if present[index, column] else MISSING)
            for column, code in enumerate(codes)
        )


class Opened:
    """A store as it was when it was opened.

    Args:
        path: The file.
        models: Runs whose predictions may be asked for.

    Raises:
        StoreError: where it cannot be opened.
    """

    def __init__(self, path: StorePath, models: Sequence[Model] = ()) -> None:
        self.identity = identity(path)
        self.store = Store(path)
        runs = [(model.name, model.state) for model in models]
        whole = f"{self.store.content_digest} {self.store.seal} {self.identity} {runs}"
        self.token = hashlib.sha256(whole.encode()).hexdigest()[:16]
        self.measures = Measures(self.store, models)
        self.firsts: dict[str, int] = {}
        """The number that the first image of each split has among all."""
        self.count = 0
        for name, split in self.store.splits.items():
            self.firsts[name] = self.count
            self.count += len(split)
        self._views: OrderedDict[str, View] = OrderedDict()
        self._lock = RLock()

    def view(self, regime: str) -> View:
        """The store as a regime shows it.

        Raises:
            UnknownNameError: for a regime that the store does not have.
        """
        with self._lock:
            if regime not in self._views:
                self._views[regime] = View(self.store, regime)
            self._views.move_to_end(regime)
            while len(self._views) > VIEWS:
                self._views.popitem(last=False)
            return self._views[regime]

    def place(self, number: int) -> Place:
        """Where the image of that number is."""
        name = next(name for name, first in reversed(self.firsts.items()) if number >= first)
        return Place(self.store.splits[name], number - self.firsts[name])

    def find(self, split: str, key: str) -> Place | None:
        """Where the image of that name is; None where there is none."""
        found = self.store.splits.get(split)
        if found is None or key not in found.keys:
            return None
        return Place(found, found.keys.index(key))

    def close(self) -> None:
        """Close the file, and measure no more."""
        self.measures.close()
        self.store.close()


class Served:
    """The path that is served; what lies there is opened anew when it is another file.

    Args:
        path: The store.
        models: Runs whose predictions may be asked for.
        opening: How a store is opened.

    Raises:
        StoreError: where it cannot be opened.
    """

    def __init__(
        self,
        path: StorePath,
        models: Sequence[Model] = (),
        *,
        opening: Callable[[StorePath, Sequence[Model]], Opened] = Opened,
    ) -> None:
        self.path, self.models, self._opening = path, tuple(models), opening
        self._lock = RLock()
        self._opened = opening(path, self.models)

    def now(self, token: str = "") -> Opened:
        """What lies there now.

        Args:
            token: What the page was made for; empty for whatever there is.

        Raises:
            GoneError: where there is nothing.
            ChangedError: where it is not what the page was made for.
            StoreError: where what is new there is no store.
        """
        present = identity(self.path)
        if present is None:
            raise GoneError(
                f"{self.path} should be a store; there is no such file any more. Put it back, or "
                "end the server and look at another one."
            )
        with self._lock:
            if present != self._opened.identity:
                # Whoever reads the old one at this moment gets its rows, or is told.
                fresh = self._opening(self.path, self.models)
                self._opened.close()
                self._opened = fresh
            if token and token != self._opened.token:
                raise ChangedError(
                    f"{self.path} was changed or replaced since this page was made. Look at it "
                    "anew."
                )
            return self._opened

    def close(self) -> None:
        """Close the file."""
        self._opened.close()
