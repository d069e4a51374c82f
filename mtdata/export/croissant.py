"""The folder of `folder`, described in Croissant (JSON-LD) by the library of MLCommons.

Reference: MLCommons, Croissant Format Specification, version 1.0.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mtdata.errors import UsageError
from mtdata.export.folder import FolderExport
from mtdata.export.labels import form_of
from mtdata.export.samples import BOX, CAMERA
from mtdata.export.samples import FILE as SAMPLES
from mtdata.export.view import View
from mtdata.progress import Progress
from mtdata.sources.licences import licences_of
from mtdata.tasks.kinds import Classes

if TYPE_CHECKING:
    from mlcroissant import Field, FileObject, FileSet, RecordSet, Source

FILE = "croissant.json"
SCHEMA, CROISSANT = "https://schema.org/", "http://mlcommons.org/croissant/"
PNG, NPY = "image/png", "application/x-npy"
USES = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}


class CroissantExport(FolderExport):
    """The same files as `folder`, and `croissant.json`, which describes them."""

    name: ClassVar[str] = "croissant"
    summary: ClassVar[str] = "as folder, with Croissant metadata (croissant.json)"

    def check(self, view: View) -> None:
        """As `folder`; and the library has to be there.

        Raises:
            UsageError: where it is not.
        """
        super().check(view)
        try:
            import mlcroissant  # noqa: F401
        except ImportError as error:
            raise UsageError(
                "the form `croissant` should have its extra installed; there is no package "
                "`mlcroissant` here. Run: pip install 'mtpartial[croissant]'"
            ) from error

    def write(self, view: View, folder: Path, progress: Progress | None) -> tuple[str, ...]:
        """Write what `folder` has, then the description."""
        notes = super().write(view, folder, progress)
        text = json.dumps(metadata(view, folder), indent=1, ensure_ascii=False, default=str)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")
        return notes


def metadata(view: View, folder: Path) -> dict[str, Any]:
    """The JSON-LD of an export in `folder`."""
    from mlcroissant import Metadata

    store = view.store
    names = ", ".join(task.name for task in view.tasks)
    licences = licences_of(store.dataset_name)
    found: dict[str, Any] = Metadata(
        name=re.sub(r"[^A-Za-z0-9_-]", "-", store.dataset_name),
        description=f"Images of {store.dataset_name} with labels for {names}; an image need "
        "not have all of them.",
        conforms_to=[f"{CROISSANT}1.0"],
        version=f"1.0.0+{store.content_digest[:12]}",
        date_published=store.created,
        license=[f"{name}: {text}" for name, text in licences.items()] or None,
        distribution=list(_distribution(view, folder)),
        record_sets=[_splits(view), *_classes(view), _samples(view), _images()],
    ).to_json()
    return found


def _distribution(view: View, folder: Path) -> "Iterable[FileObject | FileSet]":
    from mlcroissant import FileObject, FileSet

    for name, form in ((SAMPLES, "text/csv"), ("tasks.yaml", "application/yaml")):
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        yield FileObject(
            id=name, name=name, content_url=name, encoding_formats=[form], sha256=digest
        )
    suffixes = {"images": ".png", **{task.name: form_of(task).suffix for task in view.tasks}}
    for name, suffix in suffixes.items():
        yield FileSet(
            id=f"{name}-files",
            name=f"{name}-files",
            encoding_formats=[PNG if suffix == ".png" else NPY],
            includes=[f"{name}/*/*{suffix}"],
        )


def _splits(view: View) -> "RecordSet":
    return _records(
        "splits",
        [_field("splits/name", "Text"), _field("splits/url", "URL")],
        data_types=[f"{CROISSANT}Split"],
        key=["splits/name"],
        data=[
            {"splits/name": part.split.name, "splits/url": USES[part.split.role]}
            for part in view.parts
        ],
    )


def _classes(view: View) -> "Iterable[RecordSet]":
    """The class names of each task that has any, by the value in its files."""
    for task in view.tasks:
        if isinstance(task.kind, Classes):
            name = f"{task.name}-classes"
            yield _records(
                name,
                [_field(f"{name}/id", "Integer"), _field(f"{name}/name", "Text")],
                description=f"What the values of {task.name} mean; 255 is void.",
                data_types=[f"{SCHEMA}Enumeration"],
                key=[f"{name}/id"],
                data=[
                    {f"{name}/id": number, f"{name}/name": told}
                    for number, told in enumerate(task.kind.names)
                ],
            )


def _samples(view: View) -> "RecordSet":
    from mlcroissant import Source, Transform

    # A reader of CSV would take 0001 for a number.
    key = _from("image", transforms=[Transform(regex=r".*/(.+)\.png$")])
    labels = [
        _column(task.name, "Text", f"File of the label, empty where there is none; "
                f"{task.kind.name}, {task.kind.units}.")
        for task in view.tasks
    ]  # fmt: skip
    fields = [
        _column("split", "Text", references=Source(field="splits/name")),
        _field("samples/key", "Text", "Official id of the image.", source=key),
        _column("image", "Text", "File of the image."),
        *labels,
        *(_column(name, "Integer") for name in BOX),
        *(_column(name, "Float") for name in CAMERA),
    ]
    return _records("samples", fields, description="One record an image.")


def _images() -> "RecordSet":
    """Pixels of images; those of labels are left to readers that keep 16 bits and class ids."""
    from mlcroissant import Extract, FileProperty, Source

    forms = {
        "file": ("Text", FileProperty.fullpath),
        "content": ("ImageObject", FileProperty.content),
    }
    fields = [
        _field(
            f"images/{name}",
            kind,
            source=Source(file_set="images-files", extract=Extract(file_property=what)),
        )
        for name, (kind, what) in forms.items()
    ]
    return _records("images", fields)


def _records(name: str, fields: "list[Field]", **more: Any) -> "RecordSet":
    from mlcroissant import RecordSet

    return RecordSet(id=name, name=name, fields=fields, **more)


def _field(name: str, kind: str, description: str | None = None, **more: Any) -> "Field":
    from mlcroissant import Field

    return Field(
        id=name, name=name, data_types=[f"{SCHEMA}{kind}"], description=description, **more
    )


def _column(name: str, kind: str, description: str | None = None, **more: Any) -> "Field":
    return _field(f"samples/{name}", kind, description, source=_from(name), **more)


def _from(column: str, **more: Any) -> "Source":
    from mlcroissant import Extract, Source

    return Source(file_object=SAMPLES, extract=Extract(column=column), **more)
