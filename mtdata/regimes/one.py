"""One label an image, tasks as even as availability allows."""

from collections import deque
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.hashing import digest
from mtdata.regimes.base import Regime


class One(Regime):
    """Exactly one task an image, for every image that has a label at all.

    The counts are the most even there can be: no other assignment has a smaller largest count, a
    larger smallest count, or a smaller sum of squares. Where everything is available they are at
    most 1 apart. Where only some images show a task (parts need people), those images serve it
    first, as in the assignments released for PASCAL.

    Reference: Li et al. 2022, section 4.1 ("one-label"); Harvey et al. 2003, "Semi-matchings for
        bipartite graphs and load balancing", on why least-loaded augmentation is optimal.
    """

    name: ClassVar[str] = "one"
    summary: ClassVar[str] = "one label an image, as many of each task as can be"

    def choose(
        self,
        keys: Sequence[str],
        tasks: Sequence[str],
        available: NDArray[np.bool_],
        *,
        seed: int,
    ) -> NDArray[np.bool_]:
        """Give each image in turn to the least loaded task, moving earlier images if need be."""
        table = _Table(available)
        for image, key in enumerate(keys):
            # Ties are broken anew for each image: a fixed order would tie tasks to kinds of images.
            table.add(image, [digest(seed, key, task) for task in tasks])
        return table.assigned


class _Table:
    """An assignment that grows by an image at a time and is the most even one at each time."""

    def __init__(self, available: NDArray[np.bool_]) -> None:
        self.available = available
        self.assigned: NDArray[np.bool_] = np.zeros_like(available)
        tasks = available.shape[1]
        self.load = np.zeros(tasks, np.int64)
        # movable[a, b]: how many images that serve a could serve b instead.
        self.movable = np.zeros((tasks, tasks), np.int64)

    def add(self, image: int, luck: Sequence[bytes]) -> None:
        """Serve one more image; an image with nothing available stays without a label."""
        origin = self._reachable(image, luck)
        if not origin:
            return
        # The first of the least loaded: without moving another image where that is possible.
        task: int | None = min(origin, key=lambda t: self.load[t])
        while task is not None:
            before = origin[task]
            mover = image if before is None else self._mover(before, task)
            if before is not None:
                self._set(mover, before, False)
            self._set(mover, task, True)
            task = before

    def _reachable(self, image: int, luck: Sequence[bytes]) -> dict[int, int | None]:
        """Tasks that can take a label more, nearest first, and from which each takes an image."""
        order = sorted(range(len(luck)), key=lambda t: luck[t])
        origin: dict[int, int | None] = {t: None for t in order if self.available[image, t]}
        queue = deque(origin)
        while queue:
            task = queue.popleft()
            for other in order:
                if self.movable[task, other] and other not in origin:
                    origin[other] = task
                    queue.append(other)
        return origin

    def _mover(self, source: int, target: int) -> int:
        """The first image that serves `source` and could serve `target`."""
        return int(np.argmax(self.assigned[:, source] & self.available[:, target]))

    def _set(self, image: int, task: int, value: bool) -> None:
        self.assigned[image, task] = value
        step = 1 if value else -1
        self.load[task] += step
        self.movable[task] += step * self.available[image]
