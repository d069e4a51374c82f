"""What already lies where a store should go, and what that means for a build."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mtdata.atomic import check_new, disk_errors
from mtdata.building.journal import difference
from mtdata.building.regimes import RegimeSpec
from mtdata.building.request import Request
from mtdata.errors import DataError, UsageError
from mtdata.regimes import REGIMES
from mtdata.store.format import FULL, canonical
from mtdata.store.reader import Store

Mode = Literal["new", "resume", "overwrite"]


def partial_path(out: Path) -> Path:
    """Where the journal of an unfinished build lies."""
    return out.with_name(f"{out.name}.partial")


def check_target(out: Path, mode: Mode) -> None:
    """Refuse a target that is taken.

    Raises:
        UsageError: where a folder, or in mode "new" a store or a partial build is in the way.
    """
    check_new(out, overwrite=True, folder=False)
    if mode != "new":
        return
    for path, what in ((out, "a file"), (partial_path(out), "a build that was not finished")):
        if path.exists():
            raise UsageError(
                f"`out` should be new; {path} is {what}. Continue it with --resume, replace it "
                "with --overwrite, or give another path with --out."
            )


def make_folder(out: Path) -> None:
    """Make the folder of a target.

    Raises:
        MtdataError: where that is not possible.
    """
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)


def check_complete(
    store: Store, request: Request, specs: Sequence[RegimeSpec], *, seed: int, source_digest: str
) -> None:
    """Check that a store is what a build was asked for.

    Raises:
        UsageError: where it was built with other options or lacks a regime.
        DataError: where the source has changed since.
    """
    found = {
        "dataset": store.dataset_name,
        "options": store.options,
        "tasks": [task.to_json() for task in store.tasks],
    }
    if canonical(found) != canonical(request.identity()):
        raise UsageError(
            f"{store.path} is complete, but was built with other options "
            f"({difference(found, request.identity())}). Replace it with --overwrite, or give "
            "another path with --out."
        )
    for spec in specs:
        _check_regime(store, spec, seed)
    if specs and store.default_regime != specs[0].label:
        raise UsageError(
            f"{store.path} is complete, and training shows the labels of its regime "
            f"{store.default_regime!r}; the first --regime here is {specs[0].label!r}. Name the "
            "regimes in the order of the store, or build it again with --overwrite."
        )
    if store.source_digest != source_digest:
        raise DataError(
            f"{store.path} is complete, but its source has changed since it was built. "
            "Build it again with --overwrite."
        )


def _check_regime(store: Store, spec: RegimeSpec, seed: int) -> None:
    for split in store.splits.values():
        if split.role != "train" or spec.label == FULL:
            continue
        info = split.regimes.get(spec.label)
        wanted = REGIMES[spec.kind](**spec.options).parameters
        if info is None or (info.kind, info.seed, info.parameters) != (spec.kind, seed, wanted):
            options = f" and options {canonical(wanted)}" if wanted else ""
            raise UsageError(
                f"{store.path} is complete, but has no regime {spec.label!r} of kind {spec.kind} "
                f"with seed {seed}{options}. Add it with `mtdata regime add`."
            )
