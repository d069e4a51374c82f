"""Filling a journal with the samples that it lacks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mtdata.building.journal import Journal
from mtdata.building.prepare import prepare
from mtdata.building.request import Request
from mtdata.building.space import SETTLED, check_space, peak
from mtdata.building.workers import Workers
from mtdata.errors import SampleError
from mtdata.progress import Progress
from mtdata.store.atomic import disk_errors
from mtdata.store.row import Row


@dataclass(frozen=True, slots=True)
class Job:
    """A sample to do. `known` is the fingerprint under which it was done before, if it was."""

    split: str
    key: str
    known: bytes | None = None


@dataclass(frozen=True)
class Done:
    """A job's result: the fingerprint of what was read, and the row unless it is done already."""

    job: Job
    fingerprint: bytes
    row: Row | None


def work(request: Request, job: Job) -> Done:
    """Do one sample, unless its source is as it was when it was done before.

    Raises:
        SampleError: naming file, key and label of what cannot be used, or has changed meanwhile.
    """
    fingerprint = request.source.fingerprint(job.split, job.key)
    if fingerprint == job.known:
        return Done(job, fingerprint, None)
    row = prepare(request, job.split, job.key)
    if request.source.fingerprint(job.split, job.key) != fingerprint:
        raise SampleError(
            _latest(request, job),
            f"should stay as it is while {job.split}/{job.key} is read; it, or another file of "
            "this image, has changed meanwhile.",
            "Wait until nothing writes to the source, then continue with --resume.",
        )
    return Done(job, fingerprint, row)


def _latest(request: Request, job: Job) -> Path | str:
    """Of the files of a sample, the one that was written last."""
    names = (None, *request.task_names)
    places = [request.source.locate(job.split, job.key, name) for name in names]
    files = [place for place in map(Path, places) if place.exists()]
    return max(files, key=lambda file: file.stat().st_mtime_ns, default=places[0])


def fingerprint(request: Request, job: Job) -> bytes:
    """Only look at what a sample would be read from."""
    return request.source.fingerprint(job.split, job.key)


def jobs_of(request: Request, journal: Journal | None = None) -> Iterator[Job]:
    """All samples, in the order of the store."""
    done = {} if journal is None else journal.entries
    for split, keys in request.keys.items():
        for key in keys:
            entry = done.get((split, key))
            yield Job(split, key, None if entry is None else entry.fingerprint)


@dataclass(frozen=True)
class Filled:
    """How many samples were in a journal already, and how many of those had changed."""

    resumed: int
    changed: int


def fill(
    request: Request,
    journal: Journal,
    out: Path,
    *,
    workers: Workers,
    progress: Progress | None,
) -> Filled:
    """Do every sample that the journal lacks or whose source has changed since.

    Raises:
        SampleError: for a sample that cannot be used.
        MtdataError: where the disk is full, or will be.
    """
    resumed = changed = number = 0
    foretold = False

    def needed() -> int:
        return peak(journal.length * request.samples // max(number - 1, 1))

    for number, done in enumerate(workers.map(work, jobs_of(request, journal)), start=1):
        resumed += done.job.known is not None
        if done.row is not None:
            changed += done.job.known is not None
            with disk_errors(out, needed=needed):
                journal.append(done.job.split, done.row, done.fingerprint)
        kept = len(journal.entries)
        if not foretold and kept >= SETTLED:
            foretold = True
            check_space(out, written=journal.length, done=kept, samples=request.samples)
        if progress:
            progress(number, request.samples, "reading samples")
    return Filled(resumed, changed)
