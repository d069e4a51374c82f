"""A site of this machine alone: pages and static files of a package, errors as paragraphs."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from mtdata.errors import MtdataError, SampleError, StoreError, UsageError, should_be
from mtdata.pages.page import render
from mtdata.serving.answers import printable
from mtdata.serving.guard import READING, Guard, problem

HERE = Path(__file__).parent
Statuses = Mapping[type[Exception], int]
STATUSES: Statuses = {StoreError: 503, SampleError: 422, UsageError: 400, MtdataError: 500}
"""Status of an error, the first that fits."""


class Site:
    """Pages of one package, beside what all pages share: a frame, its style, its modules.

    Args:
        folder: Holds `templates` and `static`; their names differ from those that are shared.
        command: What somebody types to start it again.
        statuses: Of errors that only this site has; they come before `STATUSES`.
    """

    def __init__(self, folder: Path, *, command: str, statuses: Statuses | None = None) -> None:
        self.folder, self.command = folder, command
        self.statuses = dict(statuses or {}) | dict(STATUSES)

    def page(self, template: str, /, **values: object) -> HTMLResponse:
        """A page made from a template, in which all values are escaped."""
        folders = self.folder / "templates", HERE / "templates"
        text = render(template, *folders, command=self.command, **values)
        return HTMLResponse(printable(text), headers={"cache-control": "no-cache"})

    def serving(
        self, routes: Sequence[BaseRoute], *, port: int, methods: Iterable[str] = READING
    ) -> ASGIApp:
        """A server with these routes, `/static`, the guard, and errors that a page can tell.

        Args:
            routes: Pages and what they ask for.
            port: Where it will listen.
            methods: What may be asked.
        """
        shared = (str(__package__), "static")
        static = StaticFiles(directory=self.folder / "static", packages=[shared])
        handlers: Mapping[Any, Callable[[Request, Any], Response]] = {
            MtdataError: self._refused,
            ValidationError: _invalid,
            HTTPException: _missing,
            Exception: _unforeseen,
        }
        app = Starlette(routes=[*routes, Mount("/static", static)], exception_handlers=handlers)
        # Around all of it, also around what answers where something unforeseen happens.
        return Guard(app, port=port, methods=methods)

    def _refused(self, request: Request, error: MtdataError) -> Response:
        fits = (code for kind, code in self.statuses.items() if isinstance(error, kind))
        return problem(str(error), next(fits))


def query(request: Request) -> dict[str, str]:
    """What an address asks, by name.

    Raises:
        UsageError: where a name is repeated.
    """
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) < len(pairs):
        raise UsageError("each name should stand in an address once; one is repeated.")
    return given


def _invalid(request: Request, error: ValidationError) -> Response:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return problem(f"`{where}` {should_be(first)}.", 400)


def _missing(request: Request, error: HTTPException) -> Response:
    what = "nothing" if error.status_code != 405 else f"nothing that {request.method} may ask"
    return problem(f"there is {what} at {request.url.path}.", error.status_code)


def _unforeseen(request: Request, error: Exception) -> Response:
    print(f"{request.url.path}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
    return problem(f"{type(error).__name__}: {error}", 500)
