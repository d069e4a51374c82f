"""Filling a journal with the samples that it lacks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mtdata.atomic import disk_errors
from mtdata.building.journal import Journal
from mtdata.building.prepare import prepare
from mtdata.building.prints import Prints, stamp
from mtdata.building.request import Request
from mtdata.building.space import SETTLED, check_space, peak
from mtdata.building.summary import UNLABELLED, Skipped
from mtdata.building.workers import Workers
from mtdata.errors import BadSamplesError, SampleError, UnlabelledError, alike
from mtdata.progress import Progress
from mtdata.sources.files.once import changed, reading_once
from mtdata.store.row import Row

OnError = Literal["stop", "skip"]
"""What bad samples do to a build, when all others are done: end it, or stay out of the store."""
HOPELESS = 100
"""Bad samples, and no good one yet, after which it is not worth reading the others."""


@dataclass(frozen=True, slots=True)
class Job:
    """A sample to do. `known` is the fingerprint under which it was done before, if it was."""

    split: str
    key: str
    known: bytes | None = None


@dataclass(frozen=True)
class Done:
    """A job's result: what was read, and the row unless it is done already or cannot be used."""

    job: Job
    prints: Prints | None = None
    row: Row | None = None
    problem: SampleError | None = None


def work(request: Request, job: Job) -> Done:
    """Do one sample, unless its source is as it was when it was done before.

    Every file of it is read once: what is digested is what is decoded.
    """
    source, at = request.source, (job.split, job.key)
    try:
        with reading_once() as reading:
            found = source.fingerprint(*at)
            if not isinstance(found, bytes):
                raise SampleError(
                    source.locate(*at, None),
                    f"the fingerprint of {job.split}/{job.key} should be bytes, 32 of them; found "
                    f"{type(found).__name__}.",
                    "Correct `fingerprint` of the source.",
                )
            row = None if found == job.known else prepare(request, *at)
            reading.check()
            if row is not None and not reading.stamps and source.fingerprint(*at) != found:
                # A source that reads by means of its own.
                raise changed(source.locate(*at, None))
            return Done(job, Prints(found, stamp(source, *at)), row)
    except SampleError as error:
        return Done(job, problem=error)


def fingerprint(request: Request, job: Job) -> bytes:
    """Only look at what a sample would be read from."""
    return request.source.fingerprint(job.split, job.key)


def jobs_of(request: Request, journal: Journal | None = None) -> Iterator[Job]:
    """All samples, in the order of the store."""
    done = {} if journal is None else journal.entries
    for split, keys in request.keys.items():
        for key in keys:
            entry = done.get((split, key))
            yield Job(split, key, None if entry is None else entry.prints.content)


@dataclass(frozen=True)
class Filled:
    """What a journal holds now.

    `resumed` samples were in it already, `changed` of those had another source by now, and
    `problems` could not be used.
    """

    resumed: int
    changed: int
    problems: Mapping[tuple[str, str], SampleError] = field(default_factory=dict)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The problems, for people."""
        bare = self.problems.keys() - self.faults.keys()
        return tuple(
            Skipped(*at, UNLABELLED if at in bare else str(error))
            for at, error in self.problems.items()
        )

    @property
    def faults(self) -> Mapping[tuple[str, str], SampleError]:
        """The problems but for images without a label that the source leaves out."""
        return _faults(self.problems)


def fill(
    request: Request,
    journal: Journal,
    out: Path,
    *,
    workers: Workers,
    progress: Progress | None,
    jobs: Sequence[Job] | None = None,
    patient: bool = False,
    elsewhere: bool = True,
) -> Filled:
    """Do every sample that the journal lacks or whose source has changed since.

    Args:
        request: What is made of each.
        journal: Where they are kept.
        out: The store, for messages.
        workers: Who does them.
        progress: Told about every sample.
        jobs: Which samples; None for all.
        patient: Whether to try all of them, however many cannot be used.
        elsewhere: Whether the command can write to another path, with --out.

    Raises:
        BadSamplesError: where so many cannot be used that the others are not tried.
        MtdataError: where the disk is full, or will be.
    """
    todo = jobs_of(request, journal) if jobs is None else iter(jobs)
    total = request.samples if jobs is None else len(jobs)
    resumed = changed = number = 0
    problems: dict[tuple[str, str], SampleError] = {}
    foretold = False

    def needed() -> int:
        return peak(journal.length * total // max(number - 1, 1))

    for number, done in enumerate(workers.map(work, todo), start=1):
        at = done.job.split, done.job.key
        resumed += done.job.known is not None
        if done.problem is not None:
            problems[at] = done.problem
        elif done.row is not None and done.prints is not None:
            changed += done.job.known is not None
            with disk_errors(out, needed=needed, elsewhere=elsewhere):
                journal.append(done.job.split, done.row, done.prints)
        kept = len(journal.entries)
        if not patient and not kept and len(problems) >= HOPELESS:
            faults = _faults(problems)
            if len(faults) == HOPELESS:
                raise _refusal(request, faults, total)
        # What that advises, a build can do.
        if elsewhere and not foretold and kept >= SETTLED:
            foretold = True
            check_space(out, written=journal.length, done=kept, samples=total)
        if progress:
            progress(number, total, "reading samples")
    return Filled(resumed, changed, problems)


def without(request: Request, filled: Filled, on_error: OnError) -> Request:
    """What is left to build where some samples cannot be used.

    Raises:
        BadSamplesError: where that ends the build, or where nothing of a split is left.
    """
    bad = filled.problems
    left = {
        split: tuple(key for key in keys if (split, key) not in bad)
        for split, keys in request.keys.items()
    }
    faults = filled.faults
    if not bad or ((on_error == "skip" or not faults) and all(left.values())):
        return replace(request, keys=left)
    raise _refusal(request, faults or bad, request.samples)


def _faults(
    problems: Mapping[tuple[str, str], SampleError],
) -> dict[tuple[str, str], SampleError]:
    return {at: each for at, each in problems.items() if not isinstance(each, UnlabelledError)}


def _refusal(
    request: Request, bad: Mapping[tuple[str, str], SampleError], samples: int
) -> BadSamplesError:
    problems = list(bad.values())
    hint = request.source.suspects([each.path for each in alike(problems)[0]])
    return BadSamplesError(problems, samples, hint)
