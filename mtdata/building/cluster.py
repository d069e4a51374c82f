"""Running a function over samples on the workers of a Dask cluster, in order, with few in flight.

Each task is a few samples. Of a worker that is lost the cluster does again what it had not handed
over: a task is a function of the request and its samples, and writes nothing.
"""

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from mtdata.building.request import PREPARATION, Request
from mtdata.building.workers import Workers
from mtdata.cluster import connect, slots
from mtdata.errors import MtdataError, UsageError
from mtdata.parallel import IN_FLIGHT, Item, Result
from mtdata.sources.files.allowed import Allowed, allow, allowed
from mtdata.store.format import tool

SAMPLES = 4
"""Samples of a task: to hand one over takes milliseconds, as reading a small one does."""
Version = tuple[str, int]


class Cluster(Workers):
    """Workers on other machines, which see the source under the same path.

    Args:
        request: What is built.
        jobs: Processes of this machine for what is done to samples that are here already.
        address: Of the scheduler of a Dask cluster.

    Raises:
        UsageError: where nobody answers there, there are no workers, or the library is missing.
    """

    def __init__(self, request: Request, jobs: int, address: str) -> None:
        super().__init__(request, jobs)
        self.address = address
        self.near = Workers(request, jobs)
        self._client = connect(address)
        self._slots = slots(self._client)
        if not self._slots:
            self._client.close()
            raise UsageError(
                f"--scheduler {address} should have workers; it has none. Start some with "
                f"`dask worker {address}`."
            )

    def map(
        self, function: Callable[[Request, Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        """Yield the result for every item, in their order.

        Raises:
            MtdataError: where workers were lost again and again over the same samples, have
                another version of this program, or the scheduler is gone.
        """
        rest = iter(items)
        # Which samples there are is not asked when one of them is read, and is long.
        told = pickle.dumps(replace(self.request, keys={}))
        # As a task, it is made again where the worker is lost that holds it.
        request = self._client.submit(pickle.loads, told, pure=False)
        waiting: deque[Any] = deque()
        try:
            while batch := tuple(islice(rest, SAMPLES)):
                waiting.append(
                    self._client.submit(
                        _call, function, request, batch, allowed(), _version(), pure=False
                    )
                )
                if len(waiting) >= self._slots * IN_FLIGHT:
                    yield from self._result(waiting.popleft())
            while waiting:
                yield from self._result(waiting.popleft())
        finally:
            self._client.cancel([request, *waiting])

    def _result(self, future: Any) -> Any:
        try:
            return future.result()
        except MtdataError:
            raise
        except Exception as error:  # those of Dask are its own, those of a worker can be any
            what = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise MtdataError(
                f"the cluster at {self.address} should have read some samples; found {what}. Look "
                "at the logs of its workers, which need this program and the source under the "
                "same path; --resume continues this build."
            ) from error

    def __exit__(self, *error: object) -> None:
        self.near.__exit__(*error)
        self._client.close()


def _version() -> Version:
    return tool(), PREPARATION


def _call(
    function: Callable[[Request, Item], Result],
    request: Request,
    items: Sequence[Item],
    what: Allowed,
    version: Version,
) -> list[Result]:
    if version != _version():
        raise MtdataError(
            f"workers should run {version[0]}, as this process does; found {_version()[0]}. "
            "Install the same version there, or samples may become others."
        )
    import cv2

    cv2.setNumThreads(1)
    allow(what)
    return [function(request, item) for item in items]
