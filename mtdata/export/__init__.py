"""Writing a store as files that other programs read."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mtdata.building.summary import SplitSummary, count
from mtdata.errors import UsageError, named
from mtdata.export.base import Exporter
from mtdata.export.croissant import CroissantExport
from mtdata.export.fiftyone import FiftyOneExport
from mtdata.export.folder import FolderExport
from mtdata.export.npy import NpyExport
from mtdata.export.target import check_target, replacing_folder
from mtdata.export.view import View, make_view
from mtdata.progress import Progress
from mtdata.sources.folder.source import MARK
from mtdata.sources.licences import licences_of
from mtdata.store import Store
from mtdata.store.format import tool
from mtdata.urls import StorePath
from mtdata.wording import counted


@dataclass(frozen=True)
class ExportSummary:
    """A finished export.

    `licences` are the terms of the data it comes from, `notes` what a person should know of it.
    """

    path: Path
    form: str
    dataset: str
    regime: str | None
    splits: Mapping[str, SplitSummary]
    files: int
    bytes: int
    seconds: float
    licences: Mapping[str, str]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields of `mtdata export --json`."""
        return {**asdict(self), "path": str(self.path), "notes": list(self.notes)}


EXPORTS: dict[str, type[Exporter]] = {
    "folder": FolderExport,
    "npy": NpyExport,
    "croissant": CroissantExport,
    "fiftyone": FiftyOneExport,
}


def export(
    path: StorePath | str,
    form: str,
    out: Path | str,
    *,
    regime: str | None = None,
    tasks: Sequence[str] | None = None,
    filled_anyway: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportSummary:
    """Write a store as files; the folder is whole or absent.

    Args:
        path: The store.
        form: A name of `EXPORTS`.
        out: The folder to make.
        regime: Only the labels that it shows of training splits, with `+derived` or `+filled:0.8`
            those that were added too; None for all of the source. The form `npy`
            writes all labels, and beside them which the regime shows.
        tasks: Names of the tasks to write; None for all.
        filled_anyway: Take filled labels of a run that may have seen what the regime hides.
        overwrite: Replace an earlier export.
        progress: Told about every image.

    Raises:
        UsageError: for a target that is taken, names that the store does not have, and filled
            labels whose run may have seen what the regime hides.
        DataError: for what the form cannot hold.
        StoreError: where it is no store, or a chunk is broken.
        MtdataError: where the disk is full or cannot be written.
    """
    started, out = time.perf_counter(), Path(out)
    exporter = named("export form", form, EXPORTS)()
    check_target(out, overwrite=overwrite)
    with Store(path) as store:
        view = make_view(store, tasks, regime, anyway=filled_anyway)
        exporter.check(view)
        if view.added and form == "npy":
            raise UsageError(
                f"`regime` should be one of the source alone for npy, which holds all labels and a "
                f"file of which are shown; found {regime}. Export a folder, or leave +... away."
            )
        with replacing_folder(out) as folder:
            notes = exporter.write(view, folder, progress)
            _write_mark(view, form, folder / MARK, anyway=filled_anyway)
            check_target(out, overwrite=overwrite)  # what has appeared there meanwhile stays
        files = [file.stat().st_size for file in out.rglob("*") if file.is_file()]
        return ExportSummary(
            path=out,
            form=form,
            dataset=store.dataset_name,
            regime=regime,
            splits={
                part.split.name: count(tuple(t.name for t in part.tasks), part.shown)
                for part in view.parts
            },
            files=len(files),
            bytes=sum(files),
            seconds=time.perf_counter() - started,
            licences=licences_of(store.dataset_name),
            notes=(*notes, *_notes(view)),
        )


def _notes(view: View) -> list[str]:
    """Which labels are not those of the source; as files, nothing tells them from others."""
    return [
        f"{counted(one['images'], 'label')} of {one['task']} in {one['split']}: {one['origin']}, "
        f"not of the source; {MARK} says from where."
        for one in view.added
    ]


def _write_mark(view: View, form: str, path: Path, *, anyway: bool) -> None:
    content = {
        "form": form,
        "dataset": view.store.dataset_name,
        "content_digest": view.store.content_digest,
        "regime": view.regime,
        "added": view.added,
        "filled_anyway": anyway,
        "tasks": [task.to_json() for task in view.tasks],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": tool(),
        "licences": licences_of(view.store.dataset_name),
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


__all__ = ["EXPORTS", "ExportSummary", "Exporter", "export"]
