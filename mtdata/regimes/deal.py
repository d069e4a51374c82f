"""Giving each image one task so that the counts come as near to given shares as can be."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtdata.hashing import digest


def deal(
    keys: Sequence[str],
    tasks: Sequence[str],
    available: NDArray[np.bool_],
    *,
    seed: int,
    weights: Sequence[int],
) -> NDArray[np.bool_]:
    """Give each image in turn to the least loaded task, moving earlier images if need be.

    The counts have the smallest sum of count^2 / weight that an assignment of every image can
    have: they are the weights themselves where these add up to the images and availability allows
    it; else tasks that are short of images take all they can, and the others keep their
    proportions.

    Args:
        keys: The `n` keys, in the order of their hashes.
        tasks: The names of the `t` tasks.
        available: Which cells may be chosen, `[n, t]`.
        seed: Of the choice among tasks that are equally loaded.
        weights: The share of each task, in any unit; a task of weight 0 comes last.

    Returns:
        One cell in each row that has one available, `[n, t]`.

    Reference: Harvey et al. 2003, "Semi-matchings for bipartite graphs and load balancing", on why
        least-loaded augmentation is optimal; it holds for every convex cost of a load.
    """
    table = _Table(available, weights)
    for image, key in enumerate(keys):
        # Ties are broken anew for each image: a fixed order would tie tasks to kinds of images.
        table.add(image, [digest(seed, key, task) for task in tasks])
    return table.assigned


class _Table:
    """An assignment that grows by an image at a time and is the best one at each time."""

    def __init__(self, available: NDArray[np.bool_], weights: Sequence[int]) -> None:
        self.available = available
        self.weights = weights
        self.assigned: NDArray[np.bool_] = np.zeros_like(available)
        tasks = available.shape[1]
        self.load = [0] * tasks
        # movable[a, b]: how many images that serve a could serve b instead.
        self.movable = np.zeros((tasks, tasks), np.int64)

    def add(self, image: int, luck: Sequence[bytes]) -> None:
        """Serve one more image; an image with nothing available stays without a label."""
        origin = self._reachable(image, luck)
        if not origin:
            return
        # The first of the least loaded: without moving another image where that is possible.
        task: int | None = min(origin, key=self._cost)
        while task is not None:
            before = origin[task]
            mover = image if before is None else self._mover(before, task)
            if before is not None:
                self._set(mover, before, False)
            self._set(mover, task, True)
            task = before

    def _cost(self, task: int) -> float:
        """Half of what one label more adds to count^2 / weight."""
        weight = self.weights[task]
        return (self.load[task] + 0.5) / weight if weight else np.inf

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
