"""Joining stores over the union of their tasks and images: partly labelled by construction."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from mtdata.atomic import check_new, replacing
from mtdata.building.summary import count
from mtdata.building.target import make_folder
from mtdata.errors import UsageError
from mtdata.merging.chunks import compression_of
from mtdata.merging.join import JoinedSplit, Prefer, join_split, join_tasks
from mtdata.merging.regimes import JoinedRegimes, added_labels, join_regimes
from mtdata.merging.rows import Counts, Rows, split_rows
from mtdata.merging.shard import gather
from mtdata.merging.splits import check_leaks, check_roles
from mtdata.merging.summary import MergeSummary
from mtdata.progress import Progress, telling
from mtdata.store import Compression, Store
from mtdata.store import format as layout
from mtdata.store.codec import compression_named
from mtdata.store.digest import source_digest
from mtdata.store.opening.file import Header, length_of
from mtdata.store.row import Row
from mtdata.store.writer import SplitRows, write_store
from mtdata.tasks.task import Task
from mtdata.urls import StorePath, local, located


def merge(
    inputs: Sequence[StorePath | str],
    out: Path | str,
    *,
    prefer: Prefer | None = None,
    compression: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> MergeSummary:
    """Join stores, or the shards of one.

    The shards of a store become the store that they were made of. Otherwise the result does not
    depend on their order, but for what `prefer` settles.

    Args:
        inputs: Two stores or more, or one that is in shards.
        out: The file to make.
        prefer: Whose label, crop and camera to take where two stores contradict; None to refuse.
        compression: Codec of the chunks; None for that of the first store. Chunks that are
            compressed so already are copied as they are.
        overwrite: Replace what `out` is.
        progress: Told about every image.

    Raises:
        UsageError: for fewer than two stores where that one is not in shards, and a target that is
            taken.
        DataError: where the stores contradict each other.
        StoreError: where one is no store, or broken.
        MtdataError: where the disk is full or cannot be written.
    """
    started, out = time.perf_counter(), local(out)
    paths = [located(path) for path in inputs]
    _check(paths, out, overwrite=overwrite)
    with ExitStack() as stack:
        stores = [stack.enter_context(Store(path)) for path in paths]
        for store in stores:
            if out.resolve() in store.files:
                raise UsageError(f"`out` should be a new file; {out} is a shard of {store.path}.")
        if len(stores) == 1:
            return _gathered(stores[0], out, prefer, compression, progress, started)
        codec = _codec(stores[0], compression)
        check_roles(stores)
        check_leaks(stores)
        tasks = join_tasks(stores)
        names = dict.fromkeys(name for store in stores for name in store.splits)
        splits = [join_split(name, stores, tasks, prefer=prefer) for name in names]
        regimes = join_regimes(stores, splits, tasks)
        header = _header(stores, tasks, regimes.default, codec, prefer)
        counts = Counts()
        make_folder(out)
        written = _written(splits, regimes, tasks, codec, counts, progress)
        space = _space(stores, splits, tasks)
        with replacing(out, needed=space, new=not overwrite) as temporary:
            write_store(temporary, header, written, compression=codec)
        left_out = added_labels(stores)
    return _summary(out, time.perf_counter() - started, splits, regimes, counts, left_out)


def _check(paths: Sequence[StorePath], out: Path, *, overwrite: bool) -> None:
    if not paths:
        raise UsageError("`inputs` should be two stores or more; found none.")
    resolved = [path.resolve() if isinstance(path, Path) else path for path in paths]
    if len(set(resolved)) != len(resolved):
        raise UsageError("`inputs` should be different stores; one is there twice.")
    if out.resolve() in resolved:
        raise UsageError(f"`out` should be a new file; {out} is one of the stores to join.")
    check_new(out, overwrite=overwrite, folder=False)


def _gathered(
    store: Store,
    out: Path,
    prefer: Prefer | None,
    compression: str | None,
    progress: Progress | None,
    started: float,
) -> MergeSummary:
    """The store that shards were made of."""
    if not store.sharded:
        raise UsageError(
            f"`inputs` should be two stores or more, or one in shards; found {store.path} alone."
        )
    if prefer is not None or compression is not None:
        raise UsageError(
            "--prefer and --compression are for several stores; shards are joined as they are."
        )
    make_folder(out)
    total = sum(map(len, store.splits.values()))
    copied = gather(store, out, told=telling(progress, total, "writing the store"))
    kept = {name: tuple(split.stored.values()) for name, split in store.splits.items()}
    counts, regimes = Counts(copied), JoinedRegimes(kept, (), store.default_regime)
    return _summary(out, time.perf_counter() - started, (), regimes, counts, ())


def _codec(first: Store, wanted: str | None) -> Compression:
    if wanted is None:
        return compression_of(next(iter(first.splits.values()))) or "blosc"
    return compression_named(wanted)


def _header(
    stores: Sequence[Store],
    tasks: tuple[Task, ...],
    default_regime: str,
    codec: Compression,
    prefer: Prefer | None,
) -> Header:
    merged = [
        {
            "dataset": store.dataset_name,
            "options": store.options,
            "content_digest": store.content_digest,
            "source_digest": store.source_digest,
        }
        for store in stores
    ]
    # Parts of one data set go on under its name.
    dataset = "+".join(sorted({n for store in stores for n in store.dataset_name.split("+")}))
    prints = [("", store.content_digest, bytes.fromhex(store.source_digest)) for store in stores]
    return Header(
        dataset=dataset,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=layout.tool(),
        options={"merged": merged, "prefer": prefer, "compression": codec},
        tasks=tasks,
        default_regime=default_regime,
        source_digest=source_digest(dataset, prints),
        content_digest="",
    )


def _written(
    splits: Sequence[JoinedSplit],
    regimes: JoinedRegimes,
    tasks: tuple[Task, ...],
    codec: Compression,
    counts: Counts,
    progress: Progress | None,
) -> Iterator[SplitRows]:
    total = sum(len(split.keys) for split in splits)
    told: Callable[[Row], Row] = telling(progress, total, "writing the store")
    for split in splits:
        rows = Rows(split, tasks, codec, counts)
        yield split_rows(split, map(told, rows), regimes.kept)


def _space(stores: Sequence[Store], splits: Sequence[JoinedSplit], tasks: Sequence[Task]) -> int:
    """Bytes that the joined store may need: those of all inputs, and its tables."""
    samples = sum(len(split.keys) for split in splits)
    return sum(length_of(store.path) for store in stores) + samples * 64 * len(tasks) + 2**16


def _summary(
    out: Path,
    seconds: float,
    splits: Sequence[JoinedSplit],
    regimes: JoinedRegimes,
    counts: Counts,
    left_out: tuple[str, ...],
) -> MergeSummary:
    kept = dict.fromkeys(info.name for infos in regimes.kept.values() for info in infos)
    with Store(out) as store:
        names = tuple(task.name for task in store.tasks)
        return MergeSummary(
            path=out,
            dataset=store.dataset_name,
            tasks=names,
            splits={name: count(names, s.valid_pixels) for name, s in store.splits.items()},
            kept=tuple(kept),
            dropped=regimes.dropped,
            left_out=left_out,
            default_regime=store.default_regime,
            uncovered=regimes.uncovered,
            settled=sum(split.settled for split in splits),
            copied=counts.copied,
            recoded=counts.recoded,
            content_digest=store.content_digest,
            bytes=out.stat().st_size,
            seconds=seconds,
        )
