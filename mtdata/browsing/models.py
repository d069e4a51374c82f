"""Networks whose predictions are drawn beside labels; who makes them is the caller's affair."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import MtdataError
from mtdata.inspecting.show import Predict
from mtdata.store import Split

KEPT = 4
"""Images whose predictions are kept: those of one page, asked for by picture and by value."""


class Model:
    """One run; its network is loaded when it is first asked, which may take seconds.

    A network that cannot be used is not loaded again: the answer is what it was the first time.

    Args:
        name: What a page calls it.
        tasks: What it predicts.
        load: Gives what predicts.
        state: What is another text where the network is another one.
    """

    def __init__(
        self, name: str, tasks: tuple[str, ...], load: Callable[[], Predict], *, state: str = ""
    ) -> None:
        self.name, self.tasks, self.state = name, tasks, state
        self._load = load
        self._predict: Predict | None = None
        self._failed: MtdataError | None = None
        self._kept: OrderedDict[tuple[str, str, str], Mapping[str, NDArray[Any]]] = OrderedDict()
        self._lock = Lock()

    def of(self, split: Split, index: int, *, keep: bool = True) -> Mapping[str, NDArray[Any]]:
        """The predictions for an image, at its size."""
        height, width = split.sizes[index].tolist()
        place = str(split.handle.content_digest), split.name, split.keys[index]
        # One at a time: a network takes all there is of a processor.
        with self._lock:
            if place in self._kept:
                return self._kept[place]
            if self._failed is not None:
                raise self._failed
            if self._predict is None:
                try:
                    self._predict = self._load()
                except MtdataError as error:
                    self._failed = error
                    raise
            image = np.ascontiguousarray(split.read_stored(index, None)[:height, :width])
            found = self._predict(image)
            if keep:
                self._kept[place] = found
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return found
