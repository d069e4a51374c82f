"""Images, label files and the `tasks.yaml` that the source `folder` reads."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mtdata.errors import DataError, should_be
from mtdata.export.base import Exporter, check_folders
from mtdata.export.labels import form_of, png
from mtdata.export.samples import write_samples
from mtdata.export.view import Part, View
from mtdata.progress import Progress
from mtdata.regimes.table import RegimeTable, write_table
from mtdata.store.format import FULL
from mtdata.tasks.role import role_by_name
from mtdata.wording import counted

HEADER = (
    "# Written by `mtdata export`. Build a store of it: mtdata build --dataset folder --source .\n"
)


class FolderExport(Exporter):
    """`images/SPLIT/KEY.png`, `TASK/SPLIT/KEY.png` or `.npy`, `tasks.yaml`, regimes as CSV.

    A store built from it holds the same data: its content digest is equal.
    """

    name: ClassVar[str] = "folder"
    summary: ClassVar[str] = "images and label files with the tasks.yaml that `folder` reads"

    def check(self, view: View) -> None:
        """Refuse what names of files and `tasks.yaml` cannot hold."""
        check_folders([task.name for task in view.tasks], ["images", "regimes"])
        for part in view.parts:
            check_keys(part)
        describe(view)

    def write(self, view: View, folder: Path, progress: Progress | None) -> tuple[str, ...]:
        """Write images, labels, `tasks.yaml`, `samples.csv` and the regimes."""
        import yaml

        forms = {task.name: form_of(task) for task in view.tasks}
        for part in view.parts:
            for name in ("images", *forms):
                (folder / name / part.split.name).mkdir(parents=True)
        for part, index in view.samples(progress):
            split, key = part.split.name, part.split.keys[index]
            (folder / "images" / split / f"{key}.png").write_bytes(png(part.image(index)))
            for column, task in enumerate(part.tasks):
                if part.shown[index, column]:
                    form = forms[task.name]
                    path = folder / task.name / split / f"{key}{form.suffix}"
                    path.write_bytes(form.content(part.stored(index, task)))
        text = yaml.safe_dump(
            describe(view), sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
        )
        (folder / "tasks.yaml").write_text(HEADER + text, encoding="utf-8")
        write_samples(view, {name: form.suffix for name, form in forms.items()}, folder)
        _write_regimes(view, folder)
        return _notes(view)


def describe(view: View) -> dict[str, Any]:
    """The content of `tasks.yaml`.

    Raises:
        DataError: where it cannot hold the tasks of the store.
    """
    from pydantic import ValidationError

    from mtdata.sources.folder.tasks import TasksFile

    tasks = {}
    for column, task in enumerate(view.tasks):
        form = form_of(task)
        if any(part.shown[:, column].any() for part in view.parts):
            files = f"{task.name}/{{split}}/{{stem}}{form.suffix}"
            tasks[task.name] = {"kind": task.kind.name, "files": files, **form.entry}
    content: dict[str, Any] = {"images": "images/{split}/{stem}.png"}
    if any(not part.shown.any(axis=1).all() for part in view.parts):
        content["unlabelled"] = "keep"
    splits = [part.split for part in view.parts]
    content["splits"] = {"folders": {split.name: split.name for split in splits}}
    roles = {s.name: s.role for s in splits if s.role != role_by_name(s.name)}
    if roles:
        content["splits"]["roles"] = roles
    content["tasks"] = tasks
    try:
        TasksFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(
            f"tasks.yaml cannot hold {'.'.join(map(str, first['loc']))}, which {should_be(first)}. "
            "Export it as npy, or only some tasks with --tasks."
        ) from error
    return content


def check_keys(part: Part) -> None:
    """Refuse keys that cannot be names of files.

    Raises:
        DataError: naming the key.
    """
    seen: dict[str, str] = {}
    for key in part.split.keys:
        if not key.isprintable() or key.startswith(".") or "/" in key or "\\" in key:
            raise DataError(
                f"the key {key!r} of {part.split.name} should be the name of a file: printable, "
                "without slashes and no dot at its start. Export it as npy."
            )
        other = seen.setdefault(key.casefold(), key)
        if other != key:
            raise DataError(
                f"the keys `{other}` and `{key}` of {part.split.name} differ in capital letters "
                "only, which some file systems cannot tell apart. Export it as npy."
            )


def _write_regimes(view: View, folder: Path) -> None:
    """Every regime of the training splits as CSV, or the one that was asked for."""
    names = tuple(task.name for task in view.tasks)
    for part in view.parts:
        for info in part.split.regimes.values():
            if info.name == FULL or view.regime not in (None, info.name):
                continue
            table = RegimeTable(info.kind, part.split.keys, info.tasks, info.labels)
            labels = table.aligned(part.split.keys, names) & part.shown
            (folder / "regimes").mkdir(exist_ok=True)
            path = folder / "regimes" / f"{part.split.name}-{info.name}.csv"
            write_table(RegimeTable(info.kind, part.split.keys, names, labels), path)


def _notes(view: View) -> tuple[str, ...]:
    notes = []
    for column, task in enumerate(view.tasks):
        if not any(part.shown[:, column].any() for part in view.parts):
            notes.append(f"No image shows {task.name}: tasks.yaml leaves it out.")
    bare = sum(int((~part.shown.any(axis=1)).sum()) for part in view.parts)
    if bare:
        notes.append(
            f"Without a label: {counted(bare, 'image')}; tasks.yaml says `unlabelled: keep`."
        )
    if any(not np.isnan(part.split.cameras).all() for part in view.parts):
        notes.append("Cameras and crops are in samples.csv only: `folder` does not read them.")
    return tuple(notes)
