"""Work in other processes, in order, with few pieces in flight."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from mtdata.errors import MtdataError

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Piece], Result], pieces: Iterable[Piece], jobs: int
) -> Iterator[tuple[Piece, Result]]:
    """Each piece with what a function makes of it, in their order: any number of jobs does alike.

    Args:
        function: One that can be pickled; with one job this process calls it.
        pieces: What is done, taken as it is needed.
        jobs: Worker processes.

    Raises:
        MtdataError: where a worker was killed.
    """
    if jobs == 1:
        yield from ((piece, function(piece)) for piece in pieces)
        return
    # Forking a process that has threads (OpenCV, torch) can deadlock: start afresh.
    context = multiprocessing.get_context("spawn")
    waiting: deque[tuple[Piece, Future[Result]]] = deque()
    pool = ProcessPoolExecutor(jobs, context, initializer=_start)
    try:
        for piece in pieces:
            waiting.append((piece, pool.submit(function, piece)))
            if len(waiting) >= 2 * jobs:
                first, future = waiting.popleft()
                yield first, future.result()
        yield from ((piece, future.result()) for piece, future in waiting)
    except BrokenProcessPool as error:
        raise MtdataError(
            "a worker process ended without a word: most often the memory ran out. "
            "Use fewer --jobs."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    # Ctrl-C reaches every process of the terminal; the parent decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
