"""A map over processes, for scores that take long."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from mtdata.errors import MtdataError

Map = Callable[..., Iterable[Any]]


@contextmanager
def spread(jobs: int) -> Iterator[Map]:
    """A `map` over so many processes, which begin with its first call; one job is this process.

    Raises:
        MtdataError: where a process was killed.
    """
    if jobs <= 1:
        yield map
        return
    # Forking a process that has threads (OpenCV, torch) can deadlock: start afresh.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_start) as pool:
        try:
            yield pool.map
        except BrokenProcessPool as error:
            raise MtdataError(
                "a scoring process ended without a word: most often the memory ran out. "
                "Use fewer --jobs."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start() -> None:
    # Ctrl-C reaches every process of the terminal; the parent decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A parent that was killed cannot end its processes.
        parent.join()
        os._exit(1)
