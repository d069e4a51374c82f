"""What `mtmodels demo` answers: the page, predictions of photos, their pictures and values."""

from asyncio import Lock
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mtdata.errors import SampleError, UsageError
from mtdata.serving import answers
from mtdata.serving.site import Site, query
from mtdata.sources.files.files import REMEDY
from mtdata.sources.files.imagefile import decode_rgb, read_rgb
from mtdata.sources.files.imageheader import SMALLER
from mtdata.tasks.resize import fitted, resize_image
from mtmodels.demo.answer import Answer, Answers, FileForm, ForgottenError
from mtmodels.demo.examples import Examples
from mtmodels.predicting.opening import open_predictor
from mtmodels.training.setup.loading import open_run

MOST = 2**26
"""Bytes of a photo that is sent: 64 MiB."""
THUMB = 160
"""Pixels of the longer side of the small picture of an example."""


class TooLargeError(UsageError):
    """A photo of too many bytes."""


SITE = Site(
    Path(__file__).parent,
    command="mtmodels demo",
    statuses={TooLargeError: 413, ForgottenError: 410},
)


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Given(_Query):
    """A photo: what it is called, with its bytes in the body; or the name of an example."""

    name: str = Field("photo", min_length=1, max_length=255)
    example: str = ""


class Wanted(_Query):
    """Of which answer, and what of it: `photo`, or the name of a task."""

    of: str
    what: str


class File(Wanted):
    """A prediction as a file."""

    form: FileForm


class Pixel(_Query):
    """Of which answer, and which pixel."""

    of: str
    x: int = Field(ge=0)
    y: int = Field(ge=0)


class Demo:
    """The answers. Photos and predictions stay in memory; nothing is written.

    Args:
        path: The run.
        device: "auto" for a card where there is one, "cpu" or "cuda".
        examples: Photos that the page offers.
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.

    Raises:
        RunFolderError: where there is no run or no checkpoint.
    """

    def __init__(
        self, path: Path, *, device: str, examples: Examples, trust_plugins: bool = False
    ) -> None:
        run = open_run(path, trust_plugins=trust_plugins)
        self.name, self.dataset = path.resolve().name, run.dataset
        self.predictor = open_predictor(run, device=device)
        self.examples, self.answers = examples, Answers()
        self._lock = Lock()

    def routes(self) -> list[Route]:
        """Where each answer is."""
        return [
            Route("/", self.page),
            Route("/api/run", self.run),
            Route("/predict", self.predict, methods=["POST"]),
            Route("/picture", self.picture),
            Route("/value", self.value),
            Route("/file", self.file),
            Route("/example", self.example),
        ]

    def page(self, request: Request) -> Response:
        """The one page."""
        return SITE.page("demo.html", name=self.name)

    def run(self, request: Request) -> Response:
        """What the run predicts, and what it takes."""
        tasks = [{**task.to_json(), "units": task.kind.units} for task in self.predictor.tasks]
        return answers.Told(
            {
                "name": self.name, "dataset": self.dataset, "tasks": tasks,
                "device": self.predictor.fabric.device.type, "examples": self.examples.names,
                "most_bytes": MOST,
            }
        )  # fmt: skip

    async def predict(self, request: Request) -> Response:
        """Predict the photo in the body, or an example."""
        given = Given.model_validate(query(request))
        content = None if given.example else await _received(request)
        await _check_waits(request)  # also, as only then the server reads on, and sees an end
        # One at a time, as each takes all of the processor.
        async with self._lock:
            await _check_waits(request)
            answer = await run_in_threadpool(self._answer, given, content)
        return answers.Told({"of": self.answers.keep(answer), **answer.described()})

    def picture(self, request: Request) -> Response:
        """The photo, or the picture of a task."""
        wanted = Wanted.model_validate(query(request))
        return answers.picture(self.answers.find(wanted.of).picture(wanted.what))

    def value(self, request: Request) -> Response:
        """The exact values of a pixel."""
        pixel = Pixel.model_validate(query(request))
        return answers.Told(self.answers.find(pixel.of).at(pixel.x, pixel.y))

    def file(self, request: Request) -> Response:
        """A prediction as a file to keep; the page says what it is called."""
        wanted = File.model_validate(query(request))
        content = self.answers.find(wanted.of).file(wanted.what, wanted.form)
        kind = "image/png" if wanted.form == "png" else "application/octet-stream"
        return Response(content, media_type=kind, headers={"content-disposition": "attachment"})

    def example(self, request: Request) -> Response:
        """A small picture of an example."""
        photo = self._read(query(request).get("name", ""))
        size = fitted((photo.shape[0], photo.shape[1]), THUMB)
        return answers.picture(resize_image(photo, size), "jpeg")

    def _answer(self, given: Given, content: bytes | None) -> Answer:
        """Read a photo and ask the network."""
        name = given.name if content is not None else given.example
        return Answer.of(self.predictor, self._read(name, content), name)

    def _read(self, name: str, content: bytes | None = None) -> NDArray[np.uint8]:
        """A photo, from these bytes; without them, an example."""
        try:
            if content is None:
                return read_rgb(self.examples.find(name))
            return decode_rgb(content, Path(name))
        except SampleError as error:
            # These two are for files of a data set, the first for an example as well.
            own = {SMALLER: "Make it smaller."}
            if content is not None:
                own[REMEDY] = "Give a whole JPEG, PNG, TIFF, BMP or WebP."
            raise SampleError(name, error.problem, own.get(error.remedy, error.remedy)) from error


async def _check_waits(request: Request) -> None:
    """Refuse what nobody waits for any more."""
    if await request.is_disconnected():
        raise UsageError("a page should wait for its photo; it went away.")


async def _received(request: Request) -> bytes:
    """The body, as far as it is allowed."""
    refused = TooLargeError(f"a photo should have at most {MOST >> 20} MiB; this one has more.")
    if (told := request.headers.get("content-length", "")).isdecimal() and int(told) > MOST:
        raise refused
    content = bytearray()
    try:
        async for piece in request.stream():
            content += piece
            if len(content) > MOST:
                raise refused
    except ClientDisconnect as error:
        raise UsageError("a photo should come whole; the page went away before its end.") from error
    return bytes(content)


def make_demo(run: Path, *, port: int, **options: Any) -> ASGIApp:
    """The server of a run; `options` are those of `Demo`.

    Raises:
        RunFolderError: where there is no run or no checkpoint.
    """
    return SITE.serving(Demo(run, **options).routes(), port=port, methods=("GET", "HEAD", "POST"))
