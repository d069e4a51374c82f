"""Building a store from a source: resumable, in several processes, whole or not at all."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mtdata.atomic import disk_errors
from mtdata.building.assemble import assemble, draw_all, read_skipped
from mtdata.building.journal import Journal
from mtdata.building.plausible import Doubts, doubts_of, refusal
from mtdata.building.prepare import prepare
from mtdata.building.regimes import RegimeSpec, check_specs
from mtdata.building.request import Request, make_request
from mtdata.building.sampling import (
    Filled,
    OnError,
    fill,
    fingerprint,
    jobs_of,
    without,
)
from mtdata.building.space import free, peak
from mtdata.building.summary import BuildPlan, BuildSummary, Skipped, SplitSummary, count
from mtdata.building.target import Mode, check_complete, check_target, make_folder, partial_path
from mtdata.building.workers import Workers
from mtdata.errors import DataError, SampleError, UnlabelledError
from mtdata.progress import Progress
from mtdata.sources.base import Source
from mtdata.store.digest import source_digest
from mtdata.store.format import FULL
from mtdata.store.reader import Store
from mtdata.store.row import Row

Size = tuple[int, int] | Literal["default"] | None
"""Height and width; "default" for the one of the source; None for each image's own."""

MEASURED = 3
"""Samples of each split that a plan measures."""


def build(
    source: Source,
    out: Path | str,
    *,
    size: Size = "default",
    tasks: Sequence[str] | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    limit: int | None = None,
    name: str | None = None,
    regimes: Sequence[RegimeSpec] = (),
    seed: int = 0,
    compression: str = "blosc",
    strict: bool = False,
    on_error: OnError = "stop",
    mode: Mode = "new",
    progress: Progress | None = None,
) -> BuildSummary:
    """Build a store.

    A build that ends early, by an error or a kill, leaves `<out>.partial`; mode "resume" continues
    it, and does again those samples whose source has changed meanwhile. The store takes its name
    only when it is whole.

    Args:
        source: What to read.
        out: The file to make.
        size: Height and width of all images; "default" for the source's; None to keep each
            image's own (padded to one size where they differ).
        tasks: Names of the tasks to keep; None for all.
        jobs: Worker processes.
        scheduler: Address of a Dask cluster whose workers read the samples; None for processes of
            this machine. The store is the same.
        limit: Only so many images of each split.
        name: What to call the data set; None for the name of the source.
        regimes: Regimes to draw on the training splits; the first becomes the default.
        seed: Seed of the regimes.
        compression: Codec of the chunks: blosc, gzip or none.
        strict: Refuse an image that lacks a label, and labels that are implausible.
        on_error: What images that cannot be used do when all others are done: "stop" ends the
            build and tells them all, "skip" leaves them out of the store, which keeps their keys.
        mode: "new" refuses a target that exists, "resume" continues or starts, "overwrite"
            replaces.
        progress: Told about every sample.

    Raises:
        UsageError: for options that cannot be, and a target that is taken.
        SampleError: for an image or label that cannot be used; BadSamplesError: for several.
        DataError: where a regime gives a task no label.
        MtdataError: where the disk is full or cannot be written.
    """
    started, out = time.perf_counter(), Path(out)
    request = make_request(
        source,
        size=source.stored_size() if size == "default" else size,
        tasks=tasks,
        compression=compression,
        strict=strict,
        limit=limit,
        name=name,
    )
    check_specs(regimes, request.task_names)
    check_target(out, mode)
    make_folder(out)
    with _workers(request, jobs, scheduler) as workers:
        if mode == "resume" and out.exists() and not partial_path(out).exists():
            made = _confirm(request, out, regimes, seed, on_error, workers, progress)
        else:
            made = _make(request, out, regimes, seed, on_error, mode, workers, progress)
    return _summary(out, time.perf_counter() - started, made)


def plan(
    source: Source,
    out: Path | str,
    *,
    size: Size = "default",
    tasks: Sequence[str] | None = None,
    jobs: int = 1,
    limit: int | None = None,
    name: str | None = None,
    regimes: Sequence[RegimeSpec] = (),
    seed: int = 0,
    compression: str = "blosc",
    strict: bool = False,
    on_error: OnError = "stop",
    mode: Mode = "new",
) -> BuildPlan:
    """Tell what `build` would do with the same arguments, from a few samples; write nothing.

    Raises:
        UsageError: for options that cannot be, and a target that is taken.
        SampleError: for an image or label that cannot be used, where one of those few is.
    """
    out = Path(out)
    request = make_request(
        source,
        size=source.stored_size() if size == "default" else size,
        tasks=tasks,
        compression=compression,
        strict=strict,
        limit=limit,
        name=name,
    )
    check_specs(regimes, request.task_names)
    check_target(out, mode)
    total = seconds = 0.0
    for split, keys in request.keys.items():
        measured = keys[:: max(1, len(keys) // MEASURED)][:MEASURED]
        started = time.perf_counter()
        rows = [row for key in measured if (row := _tried(request, split, key, on_error))]
        if not rows:
            continue
        seconds += (time.perf_counter() - started) / len(rows) * len(keys)
        total += sum(row.chunk_bytes for row in rows) / len(rows) * len(keys)
    return BuildPlan(
        path=out,
        dataset=request.name,
        tasks=request.task_names,
        splits={split: len(keys) for split, keys in request.keys.items()},
        size=request.size,
        regimes=tuple(spec.label for spec in regimes),
        seed=seed,
        bytes=round(total),
        peak=peak(round(total)),
        free=free(out),
        seconds=seconds / max(1, jobs),
    )


def _tried(request: Request, split: str, key: str, on_error: OnError) -> Row | None:
    try:
        return prepare(request, split, key)
    except SampleError as error:
        if on_error == "stop" and not isinstance(error, UnlabelledError):
            raise
        return None


def _workers(request: Request, jobs: int, scheduler: str | None) -> Workers:
    if scheduler is None:
        return Workers(request, jobs)
    from mtdata.building.cluster import Cluster

    return Cluster(request, jobs, scheduler)


@dataclass(frozen=True)
class _Made:
    """What is known of a build that is done."""

    filled: Filled
    lost: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    complete: bool = False
    doubts: Doubts = field(default_factory=lambda: Doubts((), {}))


def _make(
    request: Request,
    out: Path,
    regimes: Sequence[RegimeSpec],
    seed: int,
    on_error: OnError,
    mode: Mode,
    workers: Workers,
    progress: Progress | None,
) -> _Made:
    with disk_errors(out):
        journal = Journal(partial_path(out), request.identity(), fresh=mode == "overwrite")
    try:
        filled = fill(request, journal, out, workers=workers, progress=progress)
        request = without(request, filled, on_error)
        doubts = doubts_of(request, journal)
        if request.strict and doubts.implausible:
            raise DataError(refusal(doubts))
        drawn = draw_all(request, journal, regimes, seed=seed)
        default = regimes[0].label if regimes else FULL
        assemble(
            request,
            journal,
            out,
            drawn,
            default_regime=default,
            skipped=filled.skipped,
            workers=workers,
            progress=progress,
            new=mode == "new",
        )
    except BaseException:
        journal.close()
        raise
    # Of what is in the store: a build that goes on may have read images that are gone since.
    there = {(split, key) for split, keys in request.keys.items() for key in keys}
    entries = [entry for at, entry in journal.entries.items() if at in there]
    lost = Counter(name for entry in entries for name in entry.lost)
    notes = Counter(note for entry in entries for note in entry.notes)
    journal.remove()
    counts = {name: lost[name] for name in request.task_names if lost[name]}
    return _Made(filled, counts, dict(sorted(notes.items())), filled.skipped, doubts=doubts)


def _confirm(
    request: Request,
    out: Path,
    regimes: Sequence[RegimeSpec],
    seed: int,
    on_error: OnError,
    workers: Workers,
    progress: Progress | None,
) -> _Made:
    with Store(out) as store:
        left_out = tuple(s for s in read_skipped(store) if s.meant or on_error == "skip")
        bad = {(each.split, each.key) for each in left_out}
        jobs = [job for job in jobs_of(request) if (job.split, job.key) not in bad]
        prints = []
        for job, found in zip(jobs, workers.map(fingerprint, jobs), strict=True):
            prints.append((job.split, job.key, found))
            if progress:
                progress(len(prints), len(jobs), "comparing with the source")
        digest = source_digest(request.source.name, prints)
        check_complete(store, request, regimes, seed=seed, source_digest=digest)
    return _Made(Filled(len(jobs), 0), skipped=left_out, complete=True)


def _summary(out: Path, seconds: float, made: _Made) -> BuildSummary:
    with Store(out) as store:
        names = tuple(task.name for task in store.tasks)
        splits = {name: count(names, split.valid_pixels) for name, split in store.splits.items()}
        return BuildSummary(
            path=out,
            dataset=store.dataset_name,
            splits=splits,
            default_regime=store.default_regime,
            content_digest=store.content_digest,
            bytes=out.stat().st_size,
            seconds=seconds,
            resumed=made.filled.resumed,
            changed=made.filled.changed,
            lost=made.lost,
            complete=made.complete,
            notes=made.notes,
            skipped=made.skipped,
            implausible=made.doubts.implausible,
            absent=made.doubts.absent,
            void=made.doubts.void,
        )


__all__ = [
    "BuildPlan",
    "BuildSummary",
    "Progress",
    "RegimeSpec",
    "SplitSummary",
    "build",
    "plan",
]
