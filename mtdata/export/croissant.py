"""The folder of `folder`, described in Croissant 1.0 (JSON-LD).

Reference: MLCommons, Croissant Format Specification, version 1.0.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from mtdata.export.folder import FolderExport
from mtdata.export.labels import form_of
from mtdata.export.licences import licences_of
from mtdata.export.samples import BOX, CAMERA
from mtdata.export.samples import FILE as SAMPLES
from mtdata.export.view import View
from mtdata.progress import Progress
from mtdata.tasks.kinds import Classes

FILE = "croissant.json"
PNG, NPY = "image/png", "application/x-npy"
USES = {"train": "cr:TrainingSplit", "test": "cr:TestSplit"}
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification asks for."""


class CroissantExport(FolderExport):
    """The same files as `folder`, and `croissant.json`, which describes them."""

    name: ClassVar[str] = "croissant"
    summary: ClassVar[str] = "as folder, with Croissant metadata (croissant.json)"

    def write(self, view: View, folder: Path, progress: Progress | None) -> tuple[str, ...]:
        """Write what `folder` has, then the description."""
        notes = super().write(view, folder, progress)
        text = json.dumps(metadata(view, folder), indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")
        return notes


def metadata(view: View, folder: Path) -> dict[str, Any]:
    """The JSON-LD of an export in `folder`."""
    store = view.store
    names = ", ".join(task.name for task in view.tasks)
    licences = licences_of(store.dataset_name)
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": re.sub(r"[^A-Za-z0-9_-]", "-", store.dataset_name),
        "description": f"Images of {store.dataset_name} with labels for {names}; an image need "
        "not have all of them.",
        "version": f"1.0.0+{store.content_digest[:12]}",
        "datePublished": store.created,
        "distribution": list(_distribution(view, folder)),
        "recordSet": [_splits(view), *_classes(view), _samples(view), _images()],
    }
    if licences:
        found["license"] = " ".join(f"{name}: {text}" for name, text in licences.items())
    return found


def _distribution(view: View, folder: Path) -> Iterable[dict[str, Any]]:
    for name, form in ((SAMPLES, "text/csv"), ("tasks.yaml", "application/yaml")):
        yield {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "encodingFormat": form,
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        }
    suffixes = {"images": ".png", **{task.name: form_of(task).suffix for task in view.tasks}}
    for name, suffix in suffixes.items():
        yield {
            "@type": "cr:FileSet",
            "@id": f"{name}-files",
            "name": f"{name}-files",
            "encodingFormat": PNG if suffix == ".png" else NPY,
            "includes": f"{name}/*/*{suffix}",
        }


def _splits(view: View) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [_field("splits/name", "sc:Text"), _field("splits/url", "sc:URL")],
        "data": [
            {"splits/name": part.split.name, "splits/url": USES[part.split.role]}
            for part in view.parts
        ],
    }


def _classes(view: View) -> Iterable[dict[str, Any]]:
    """The class names of each task that has any, by the value in its files."""
    for task in view.tasks:
        if isinstance(task.kind, Classes):
            name = f"{task.name}-classes"
            yield {
                "@type": "cr:RecordSet",
                "@id": name,
                "name": name,
                "description": f"What the values of {task.name} mean; 255 is void.",
                "dataType": "sc:Enumeration",
                "key": {"@id": f"{name}/id"},
                "field": [_field(f"{name}/id", "sc:Integer"), _field(f"{name}/name", "sc:Text")],
                "data": [
                    {f"{name}/id": number, f"{name}/name": told}
                    for number, told in enumerate(task.kind.names)
                ],
            }


def _samples(view: View) -> dict[str, Any]:
    split = _column("split", "sc:Text")
    split["references"] = {"field": {"@id": "splits/name"}}
    key = _column("key", "sc:Text", "Official id of the image.")
    # A reader of CSV would take 0001 for a number.
    key["source"]["extract"]["column"] = "image"
    key["source"]["transform"] = {"regex": r".*/(.+)\.png$"}
    labels = [
        _column(task.name, "sc:Text", f"File of the label, empty where there is none; "
                f"{task.kind.name}, {task.kind.units}.")
        for task in view.tasks
    ]  # fmt: skip
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One record an image.",
        "field": [
            split,
            key,
            _column("image", "sc:Text", "File of the image."),
            *labels,
            *(_column(name, "sc:Integer") for name in BOX),
            *(_column(name, "sc:Float") for name in CAMERA),
        ],
    }


def _images() -> dict[str, Any]:
    """Pixels of images; those of labels are left to readers that keep 16 bits and class ids."""
    file, content = _field("images/file", "sc:Text"), _field("images/content", "sc:ImageObject")
    for field, extracted in ((file, "fullpath"), (content, "content")):
        extract = {"fileProperty": extracted}
        field["source"] = {"fileSet": {"@id": "images-files"}, "extract": extract}
    return {"@type": "cr:RecordSet", "@id": "images", "name": "images", "field": [file, content]}


def _field(name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": name, "name": name, "dataType": kind}


def _column(name: str, kind: str, description: str = "") -> dict[str, Any]:
    found = _field(f"samples/{name}", kind)
    if description:
        found["description"] = description
    found["source"] = {"fileObject": {"@id": SAMPLES}, "extract": {"column": name}}
    return found
