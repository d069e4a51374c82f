"""What `mtdata browse` answers: the page, lists of images, pictures and exact values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mtdata.browsing import asked, depicted
from mtdata.browsing.asked import Asked
from mtdata.browsing.depicted import Looked, Part, Size
from mtdata.browsing.models import Model
from mtdata.browsing.opened import ChangedError, GoneError, Opened, Served
from mtdata.errors import UsageError
from mtdata.serving import answers
from mtdata.serving.site import Site, query
from mtdata.urls import StorePath

SITE = Site(
    Path(__file__).parent,
    command="mtdata browse",
    statuses={GoneError: 410, ChangedError: 409},
)


class Wanted(BaseModel):
    """Which image, and what of it.

    Attributes:
        split: The split that it is of.
        key: Its key.
        regime: What is looked through.
        reveal: Whether what the regime hides is shown too.
        what: `photo`, or the name of a task.
        part: The label, the prediction of a run, or its error.
        run: The run.
        size: Small, or as it is stored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: str
    key: str
    regime: str = ""
    reveal: bool = False
    what: str = depicted.PHOTO
    part: Part = "label"
    run: str = ""
    size: Size = "whole"


class Browse:
    """The answers, each from what lies in the file at that moment.

    Args:
        served: The store.
    """

    def __init__(self, served: Served) -> None:
        self.served = served

    def routes(self) -> list[Route]:
        """Where each answer is."""
        return [
            Route("/", self.page),
            Route("/api/store", self.store),
            Route("/api/images", self.images),
            Route("/api/image", self.image),
            Route("/picture", self.picture),
            Route("/values", self.values),
        ]

    def page(self, request: Request) -> Response:
        """The one page; what it shows stands in its address."""
        return SITE.page("browse.html", name=self.served.path.name)

    def store(self, request: Request) -> Response:
        """What the store has."""
        opened = self.served.now()
        store = opened.store
        tasks = [
            {**task.to_json(), "units": task.kind.units, "distance": task.kind.distance_units}
            for task in store.tasks
        ]
        splits = [
            {
                "name": each.name,
                "role": each.role,
                "images": len(each),
                "size": each.size,
                "regimes": each.regime_names,
            }
            for each in store.splits.values()
        ]
        origins = sorted({origin for each in store.splits.values() for origin, _ in each.added})
        # What a run knows beside the tasks of the store cannot be asked for.
        known = {task.name for task in store.tasks}
        runs = [
            {"name": m.name, "tasks": [name for name in m.tasks if name in known]}
            for m in self.served.models
        ]
        return answers.Told(
            {
                "path": str(store.path), "name": store.path.name, "dataset": store.dataset_name,
                "token": opened.token, "tasks": tasks, "splits": splits, "regimes": store.regimes,
                "default_regime": store.default_regime, "origins": origins, "runs": runs,
            }
        )  # fmt: skip

    def images(self, request: Request) -> Response:
        """Some of the images that are asked for."""
        opened, given = self._given(request)
        what = Asked(**given)
        found = asked.find(opened, what)
        rows = found.rows[what.start : what.start + what.count].tolist()
        return answers.Told(
            {
                "total": len(found.rows), "start": what.start, "done": found.done,
                "of": found.total, "images": asked.told(opened, opened.view(what.regime), rows),
                "problem": opened.measures.problem,
            }
        )  # fmt: skip

    def image(self, request: Request) -> Response:
        """What there is of one image."""
        opened, given = self._given(request)
        _, looked, _ = self._looked(opened, given)
        return answers.Told(depicted.described(looked))

    def picture(self, request: Request) -> Response:
        """A photo, label, prediction or error as PNG; a small photo as JPEG."""
        opened, given = self._given(request)
        wanted, looked, model = self._looked(opened, given)
        drawn = depicted.picture(looked, wanted.what, wanted.part, model, wanted.size)
        small = wanted.what == depicted.PHOTO and wanted.size == "small"
        return answers.picture(drawn, "jpeg" if small else "png")

    def values(self, request: Request) -> Response:
        """The exact values of all pixels, row by row; 204 where there are none to be seen."""
        opened, given = self._given(request)
        wanted, looked, model = self._looked(opened, given)
        found = depicted.values(looked, wanted.what, wanted.part, model)
        if found is None:
            return Response(status_code=204)
        height, width, channels = found.shape
        told = {"height": height, "width": width, "channels": channels, "type": found.dtype.name}
        return Response(
            np.ascontiguousarray(found, found.dtype.newbyteorder("<")).tobytes(),
            media_type="application/octet-stream",
            headers=answers.KEPT | {f"x-{name}": str(value) for name, value in told.items()},
        )

    def _given(self, request: Request) -> tuple[Opened, dict[str, Any]]:
        """The store and what is asked of it; the token says for which one the page was made."""
        given: dict[str, Any] = dict(query(request))
        return self.served.now(given.pop("token", "")), given

    def _looked(self, opened: Opened, given: dict[str, Any]) -> tuple[Wanted, Looked, Model | None]:
        wanted = Wanted(**given)
        place = opened.find(wanted.split, wanted.key)
        if place is None:
            raise HTTPException(404)
        looked = Looked(opened.view(wanted.regime), place, wanted.reveal)
        if wanted.what != depicted.PHOTO:
            looked.task(wanted.what)
        if wanted.part == "label":
            return wanted, looked, None
        known = {model.name: model for model in self.served.models}
        if wanted.run not in known or wanted.what == depicted.PHOTO:
            raise UsageError(
                "`run` should be one that was given with --predictions, and `what` a task of it; "
                f"found {wanted.run!r} and {wanted.what!r}."
            )
        return wanted, looked, known[wanted.run]


def make_app(path: StorePath, models: Sequence[Model] = (), *, port: int) -> tuple[ASGIApp, Served]:
    """The server of a store, and what it serves, to be closed in the end.

    Args:
        path: The store.
        models: Runs whose predictions may be asked for.
        port: Where it will listen.

    Raises:
        StoreError: where the store cannot be opened.
    """
    served = Served(path, models)
    return SITE.serving(Browse(served).routes(), port=port), served
