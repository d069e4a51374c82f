"""Running a function over samples in worker processes, in order, with few in flight."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from mtdata.building.request import Request
from mtdata.errors import MtdataError
from mtdata.sources.files.allowed import Allowed, allow, allowed

Job = TypeVar("Job")
Result = TypeVar("Result")
IN_FLIGHT = 3
"""Samples a worker may have waiting or finished: memory does not grow with the data."""

_request: Request | None = None


class Workers:
    """Processes that all hold one request; with one job, this process does the work itself.

    Args:
        request: What is built.
        jobs: How many processes.
    """

    def __init__(self, request: Request, jobs: int) -> None:
        self.request = request
        self.jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self.near: Workers = self
        """Who works on samples that are here already: to send them elsewhere takes longer."""

    def map(
        self, function: Callable[[Request, Job], Result], items: Iterable[Job]
    ) -> Iterator[Result]:
        """Yield the result for every item, in their order.

        Raises:
            MtdataError: where a worker was killed.
        """
        if self.jobs <= 1:
            yield from (function(self.request, item) for item in items)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(self._started().submit(_call, function, item))
                if len(waiting) >= self.jobs * IN_FLIGHT:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise MtdataError(
                "a worker process ended without a word: most often the memory ran out. "
                "Use fewer --jobs; --resume continues this build."
            ) from error

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Forking a process that has threads (OpenCV, torch) can deadlock: start afresh.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self.jobs, context, initializer=_start, initargs=(self.request, allowed())
            )
        return self._pool

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _start(request: Request, what: Allowed) -> None:
    global _request  # noqa: PLW0603  one request for the life of a worker: sent once
    _request = request
    allow(what)
    # Ctrl-C reaches every process of the terminal; the parent decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A parent that was killed cannot end its workers.
        parent.join()
        os._exit(1)


def _call(function: Callable[[Request, Job], Result], item: Job) -> Result:
    assert _request is not None
    return function(_request, item)
