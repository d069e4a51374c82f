"""Filling a journal with the samples that it lacks."""

from dataclasses import dataclass
from pathlib import Path

from mtdata.building.journal import Journal
from mtdata.building.prepare import prepare
from mtdata.building.request import Request
from mtdata.building.summary import Progress
from mtdata.building.workers import Workers
from mtdata.store.atomic import disk_errors
from mtdata.store.row import Row


@dataclass(frozen=True)
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
        SampleError: naming file, key and label of what cannot be used.
    """
    # Before reading: what changes meanwhile is seen as a change by the next build.
    fingerprint = request.source.fingerprint(job.split, job.key)
    if fingerprint == job.known:
        return Done(job, fingerprint, None)
    return Done(job, fingerprint, prepare(request, job.split, job.key))


def fingerprint(request: Request, job: Job) -> bytes:
    """Only look at what a sample would be read from."""
    return request.source.fingerprint(job.split, job.key)


def jobs_of(request: Request, journal: Journal | None = None) -> list[Job]:
    """All samples, in the order of the store."""
    done = {} if journal is None else journal.entries
    jobs = []
    for split, keys in request.keys.items():
        for key in keys:
            entry = done.get((split, key))
            jobs.append(Job(split, key, None if entry is None else entry.fingerprint))
    return jobs


def fill(
    request: Request,
    journal: Journal,
    out: Path,
    *,
    workers: Workers,
    progress: Progress | None,
) -> tuple[int, int]:
    """Do every sample that the journal lacks or whose source has changed since.

    Returns:
        How many were there already, and how many of those had changed and were done again.

    Raises:
        SampleError: for a sample that cannot be used.
        MtdataError: where the disk is full.
    """
    resumed = changed = number = 0

    def needed() -> int:
        # The journal and the store stand side by side until the store is whole.
        return 2 * journal.length * request.samples // max(number - 1, 1)

    for number, done in enumerate(workers.map(work, jobs_of(request, journal)), start=1):
        resumed += done.job.known is not None
        if done.row is not None:
            changed += done.job.known is not None
            with disk_errors(out, needed=needed):
                journal.append(done.job.split, done.row, done.fingerprint)
        if progress:
            progress(number, request.samples, "reading samples")
    return resumed, changed
