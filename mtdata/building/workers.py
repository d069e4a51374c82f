"""Running a function over samples in worker processes that all hold one request."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from mtdata.building.request import Request
from mtdata.parallel import Item, Pool, Result
from mtdata.sources.files.allowed import Allowed, allow, allowed

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
        self._pool = Pool(
            jobs,
            partial(_start, request, allowed()),
            remedy="Use fewer --jobs; --resume continues this build.",
        )
        self.near: Workers = self
        """Who works on samples that are here already: to send them elsewhere takes longer."""

    def map(
        self, function: Callable[[Request, Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        """Yield the result for every item, in their order.

        Raises:
            MtdataError: where a worker was killed.
        """
        # One job is this process, which may hold several requests.
        call = partial(function, self.request) if self.jobs <= 1 else partial(_call, function)
        yield from self._pool.map(call, items)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.__exit__(*error)


def _start(request: Request, what: Allowed) -> None:
    global _request  # noqa: PLW0603  one request for the life of a worker: sent once
    _request = request
    allow(what)


def _call(function: Callable[[Request, Item], Result], item: Item) -> Result:
    assert _request is not None
    return function(_request, item)
