"""A map over worker processes: results in order, few items in flight."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from mtdata.errors import MtdataError

Item = TypeVar("Item")
Result = TypeVar("Result")
IN_FLIGHT = 3
"""Items a worker may have waiting or finished: memory does not grow with the data."""


class Pool:
    """Worker processes, begun by the first item; with one job, this process does the work itself.

    Args:
        jobs: How many processes.
        start: Called in each of them before anything else.
        remedy: What to do where one was killed.
    """

    def __init__(
        self,
        jobs: int,
        start: Callable[[], None] | None = None,
        *,
        remedy: str = "Use fewer --jobs.",
    ) -> None:
        self.jobs, self.start, self.remedy = jobs, start, remedy
        self._executor: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the result for every item, in their order; items are taken as they are needed.

        Raises:
            MtdataError: where a worker was killed.
        """
        if self.jobs <= 1:
            yield from map(function, items)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(self._started().submit(function, item))
                if len(waiting) >= self.jobs * IN_FLIGHT:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise MtdataError(
                "a worker process ended without a word: most often the memory ran out. "
                f"{self.remedy}"
            ) from error

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            # Forking a process that has threads (OpenCV, torch) can deadlock: start afresh.
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(
                self.jobs, context, initializer=_start, initargs=(self.start,)
            )
        return self._executor

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *error: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)


def _start(further: Callable[[], None] | None) -> None:
    # Ctrl-C reaches every process of the terminal; the parent decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)
    if further is not None:
        further()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A parent that was killed cannot end its workers.
        parent.join()
        os._exit(1)
