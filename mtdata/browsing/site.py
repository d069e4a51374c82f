"""A site of this machine alone: pages and static files of this package, errors as paragraphs."""

import sys
from collections.abc import Callable, Mapping, Sequence
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

from mtdata.browsing.guard import Guard, problem
from mtdata.browsing.opened import ChangedError, GoneError
from mtdata.errors import MtdataError, StoreError, UsageError
from mtdata.pages.page import render

HERE = Path(__file__).parent
STATUS: Mapping[type[Exception], int] = {
    GoneError: 410, ChangedError: 409, StoreError: 503, UsageError: 400, MtdataError: 500,
}  # fmt: skip
"""Status of an error, the first that fits."""


def make_site(routes: Sequence[BaseRoute], *, port: int) -> ASGIApp:
    """A server with these routes, `/static`, the guard, and errors that a page can tell.

    Args:
        routes: Pages and what they ask for.
        port: Where it will listen.
    """
    static = Mount("/static", StaticFiles(directory=HERE / "static"))
    handlers: Mapping[Any, Callable[[Request, Any], Response]] = {
        MtdataError: _refused,
        ValidationError: _invalid,
        HTTPException: _missing,
        Exception: _unforeseen,
    }
    # Around all of it, also around what answers where something unforeseen happens.
    return Guard(Starlette(routes=[*routes, static], exception_handlers=handlers), port=port)


def page(template: str, /, **values: object) -> HTMLResponse:
    """A page made from a template, in which all values are escaped."""
    return HTMLResponse(
        render(template, HERE / "templates", **values), headers={"cache-control": "no-cache"}
    )


def _refused(request: Request, error: MtdataError) -> Response:
    return problem(
        str(error), next(code for kind, code in STATUS.items() if isinstance(error, kind))
    )


def _invalid(request: Request, error: ValidationError) -> Response:
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    return problem(f"`{where}` is not what it should be: {first['msg']}.", 400)


def _missing(request: Request, error: HTTPException) -> Response:
    return problem(f"there is nothing at {request.url.path}.", error.status_code)


def _unforeseen(request: Request, error: Exception) -> Response:
    print(f"{request.url.path}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
    return problem(f"{type(error).__name__}: {error}", 500)
