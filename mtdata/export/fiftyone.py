"""A dataset that FiftyOne imports, in its own form on disk (JSON and PNG), written without it.

Reference: `fiftyone.types.FiftyOneDataset`, as version 1 of the package reads it: `metadata.json`
is the document of a dataset, `samples.json` those of its samples, in MongoDB's extended JSON.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError
from mtdata.export.base import Exporter
from mtdata.export.folder import check_keys
from mtdata.export.labels import png
from mtdata.export.view import Part, View
from mtdata.inspecting.pictures import web
from mtdata.progress import Progress
from mtdata.sources.licences import licences_of
from mtdata.tasks.kinds import Binary, Classes, Depth, Normals
from mtdata.tasks.task import Task

VERSION = "1.0.0"
"""The first version with this form: later ones bring what is older up to date as they import it."""
TAKEN = ("id", "filepath", "tags", "metadata", "created_at", "last_modified_at", "key", "labelled",
         "hidden")  # fmt: skip
"""Fields that every sample has."""
BACKGROUND, DEEPEST = 0, 65535


class FiftyOneExport(Exporter):
    """`metadata.json`, `samples.json`, `data/SPLIT/KEY.png`, `fields/TASK/SPLIT/KEY.png`.

    Classes, yes or no, and normals become `Segmentation`, depth a `Heatmap`. Splits are tags of the
    samples; the fields `labelled` and `hidden` name tasks.
    """

    name: ClassVar[str] = "fiftyone"
    summary: ClassVar[str] = "images, masks and heatmaps that FiftyOne imports as a dataset"

    def check(self, view: View) -> None:
        """Refuse what names of files and of fields cannot hold."""
        for task in view.tasks:
            if task.name in TAKEN or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_ -]*", task.name):
                raise DataError(
                    f"the task `{task.name}` should be the name of a field of FiftyOne: letters, "
                    f"digits, _ and -, and none of {', '.join(TAKEN)}. Export other tasks with "
                    "--tasks."
                )
            if not isinstance(task.kind, (Classes, Binary, Depth, Normals)):
                raise DataError(
                    f"the task `{task.name}` should be of classes, binary, depth or normals; found "
                    f"{task.kind.name}. Export other tasks with --tasks."
                )
        for part in view.parts:
            check_keys(part)

    def write(self, view: View, folder: Path, progress: Progress | None) -> tuple[str, ...]:
        """Write images and labels, then the samples, then the dataset."""
        names = [task.name for task in view.tasks]
        columns = [view.store.tasks.index(task) for task in view.tasks]
        there = {n: each.labelled[:, columns] for n, each in view.store.splits.items()}
        for part in view.parts:
            for place in ("data", *(f"fields/{name}" for name in names)):
                (folder / place / part.split.name).mkdir(parents=True)
        with (folder / "samples.json").open("w", encoding="utf-8") as file:
            # One by one: the documents of a large store are many.
            file.write('{"samples": [')
            for number, (part, index) in enumerate(view.samples(progress)):
                has = there[part.split.name][index]
                sample = _write_sample(view, part, index, has=has, folder=folder)
                file.write(("," if number else "") + "\n" + json.dumps(sample, ensure_ascii=False))
            file.write("\n]}\n")
        text = json.dumps(_dataset(view), indent=1, ensure_ascii=False)
        (folder / "metadata.json").write_text(text + "\n", encoding="utf-8")
        return (
            "Import it with fiftyone.Dataset.from_dir(DIR, fiftyone.types.FiftyOneDataset).",
            *(f"{t.name}: 8 bits a component, to look at." for t in view.tasks
              if isinstance(t.kind, Normals)),
        )  # fmt: skip


def _write_sample(
    view: View, part: Part, index: int, *, has: NDArray[np.bool_], folder: Path
) -> dict[str, Any]:
    """Write the files of an image; returns its document. `has` is what the store has of it."""
    split, key, shown = part.split.name, part.split.keys[index], part.shown[index]
    image = part.image(index)
    path, content = f"data/{split}/{key}.png", png(image)
    (folder / path).write_bytes(content)
    names = [task.name for task in view.tasks]
    sample: dict[str, Any] = {
        "_id": _id(view, split, key),
        "filepath": path,
        "tags": [split],
        "metadata": {
            "_cls": "ImageMetadata",
            "size_bytes": len(content),
            "mime_type": "image/png",
            "width": image.shape[1],
            "height": image.shape[0],
            "num_channels": 3,
        },
        "_media_type": "image",
        "_rand": int(_digest(view, split, key)[:8], 16) / 2**32,
        "key": key,
        "labelled": [n for n, yes in zip(names, shown, strict=True) if yes],
        "hidden": [n for n, own, yes in zip(names, has, shown, strict=True) if own and not yes],
    }
    for task, yes in zip(view.tasks, shown, strict=True):
        if yes:
            path = f"fields/{task.name}/{split}/{key}.png"
            pixels, label = _label(task, part.stored(index, task), path)
            (folder / path).write_bytes(png(pixels))
            sample[task.name] = {**label, "_id": _id(view, split, key, task.name), "tags": []}
    return sample


def _label(task: Task, stored: NDArray[Any], path: str) -> tuple[NDArray[Any], dict[str, Any]]:
    """The pixels of the file of a label, and the label."""
    found, valid = task.kind.decode(stored)
    if isinstance(task.kind, Depth):
        return _heatmap(task.kind, stored, path)
    if isinstance(task.kind, Normals):
        pixels = np.rint((found + 1) * 127.5).astype(np.uint8) * valid[..., None]
    else:
        # FiftyOne takes 0 for background and does not draw it: void, and what is off.
        first = 1 if isinstance(task.kind, Classes) else 0
        pixels = np.where(valid, found + first, BACKGROUND if first else 2).astype(np.uint8)
    return pixels, {"_cls": "Segmentation", "mask_path": path}


def _heatmap(
    kind: Depth, stored: NDArray[Any], path: str
) -> tuple[NDArray[np.uint16], dict[str, Any]]:
    """Steps of 16 bits, 0 void, and how they become depth: `offset + scale * step`."""
    if kind.dtype == "uint16":
        steps, scale, offset = stored, kind.scale, kind.offset
    else:
        depth, valid = kind.decode(stored)
        low = float(depth[valid].min()) if valid.any() else 0.0
        high = float(depth[valid].max()) if valid.any() else 1.0
        scale = (high - low) / (DEEPEST - 1) or 1.0
        offset = low - scale
        steps = np.where(valid, np.rint((depth.astype(float) - offset) / scale), 0)
    steps = steps.astype(np.uint16)
    seen = steps[steps > 0]
    near, far = (int(seen.min()), int(seen.max())) if seen.size else (0, 1)
    return steps, {
        "_cls": "Heatmap",
        "map_path": path,
        "range": [float(near), float(max(far, near + 1))],
        "scale": scale,
        "offset": offset,
        "units": kind.units,
    }


def _digest(view: View, *words: str) -> str:
    told = "\0".join((view.store.content_digest, *words))
    return hashlib.sha256(told.encode()).hexdigest()


def _id(view: View, *words: str) -> dict[str, str]:
    """The same of the same store, another of another."""
    return {"$oid": _digest(view, *words)[:24]}


def _field(
    name: str, kind: str, *, sub: str | None = None, of: str | None = None, **more: Any
) -> dict[str, Any]:
    """One field of a document; its names of classes are those of the package."""
    return {
        "name": name,
        "ftype": f"fiftyone.core.fields.{kind}Field",
        "embedded_doc_type": of,
        "subfield": f"fiftyone.core.fields.{sub}Field" if sub else None,
        "fields": [],
        "db_field": "_id" if name == "id" else name,
        "description": None,
        "info": None,
        "read_only": False,
        **more,
    }


def _task_field(task: Task) -> dict[str, Any]:
    own = [_field("id", "ObjectId"), _field("tags", "List", sub="String")]
    if isinstance(task.kind, Depth):
        of = "Heatmap"
        own += [
            _field("map", "Array"),
            _field("map_path", "String"),
            _field("range", "HeatmapRange", sub="Float"),
            _field("scale", "Float"),
            _field("offset", "Float"),
            _field("units", "String"),
        ]
    else:
        of = "Segmentation"
        own += [_field("mask", "Array"), _field("mask_path", "String")]
    kind = f"{task.kind.name}, {task.kind.units}"
    return _field(
        task.name, "EmbeddedDocument", of=f"fiftyone.core.labels.{of}", fields=own, description=kind
    )


def _dataset(view: View) -> dict[str, Any]:
    """The document of the dataset; what the importer fills in by itself is left out."""
    store = view.store
    metadata = [_field(name, "Int") for name in ("size_bytes", "width", "height", "num_channels")]
    metadata.append(_field("mime_type", "String"))
    targets: dict[str, dict[str, str]] = {}
    colours = []
    for task in view.tasks:
        if isinstance(task.kind, Classes):
            targets[task.name] = {str(i): n for i, n in enumerate(task.kind.names, start=1)}
            every = [
                {"intTarget": i, "color": web(colour)}
                for i, colour in enumerate(task.kind.palette, start=1)
            ]
            colours.append({"path": task.name, "maskTargetsColors": every})
        elif isinstance(task.kind, Binary):
            targets[task.name] = {"1": task.name, "2": "void"}
    return {
        "name": store.dataset_name,
        "version": VERSION,
        "media_type": "image",
        "tags": [],
        "info": {
            "dataset": store.dataset_name,
            "content_digest": store.content_digest,
            "regime": view.regime,
            "units": {task.name: task.kind.units for task in view.tasks},
            "licences": dict(licences_of(store.dataset_name)),
        },
        "app_config": {"color_scheme": {"fields": colours}} if colours else {},
        "mask_targets": targets,
        "default_mask_targets": {},
        "sample_fields": [
            _field("id", "ObjectId"),
            _field("filepath", "String"),
            _field("tags", "List", sub="String"),
            _field("metadata", "EmbeddedDocument", of="fiftyone.core.metadata.ImageMetadata",
                   fields=metadata),
            _field("_media_type", "String"),
            _field("_rand", "Float"),
            _field("_dataset_id", "ObjectId"),
            _field("created_at", "DateTime", read_only=True),
            _field("last_modified_at", "DateTime", read_only=True),
            _field("key", "String", description="Official id of the image."),
            _field("labelled", "List", sub="String", description="Tasks whose label is here."),
            _field("hidden", "List", sub="String",
                   description="Tasks whose label the regime hides."),
            *map(_task_field, view.tasks),
        ],
        "frame_fields": [],
        "saved_views": [],
        "workspaces": [],
        "annotation_runs": {},
        "brain_methods": {},
        "evaluations": {},
        "runs": {},
    }  # fmt: skip
