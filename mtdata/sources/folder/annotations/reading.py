"""From annotations to labels: which file is of which image, and the pixels of its shapes."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename, splitext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError, SourceNotFoundError, UnknownNameError
from mtdata.sources.files.files import check_files
from mtdata.sources.files.once import Stamp, changed, stamp_of
from mtdata.sources.folder.annotations import FORMATS
from mtdata.sources.folder.annotations.base import (
    Content,
    Drawing,
    WholeFormat,
    image_name,
    read_annotations,
    spelled,
)
from mtdata.sources.folder.annotations.shapes import REMEDY, Shape, WrongError
from mtdata.sources.folder.matching import Place
from mtdata.sources.folder.tasks import AnnotatedFile

VOID = -1
MOST_LAYERS = 1000
"""How often the shapes of an image may cover all of it."""
DEPTH = 4
"""Folders of a path that tell images of one name apart."""


@dataclass(frozen=True)
class Part:
    """What a file of many images says of one: the bytes, and what the file was like then."""

    path: Path
    content: bytes
    stamp: Stamp

    def check(self) -> None:
        """Refuse what was read from a file that has changed since.

        Raises:
            SampleError: naming the file.
        """
        try:
            same = stamp_of(self.path.stat()) == self.stamp
        except OSError:
            same = False
        if not same:
            raise changed(self.path)


@dataclass(frozen=True)
class WholeFound:
    """The parts by image, and the names of those that are not there, as the file has them."""

    parts: Mapping[Place, Part]
    strays: Sequence[str]


@dataclass(frozen=True)
class Paths:
    """What entries may call images: a path of each, None where several have it.

    `whole` are those of the files below the folder.
    """

    known: Mapping[str, Place | None]
    whole: Mapping[str, Place]

    def place(self, name: str, others: Container[str]) -> Place | None:
        """The image of an entry; it may have folders before the path, those of another machine.

        Args:
            name: The entry.
            others: All entries; what is one of these is not what another ends in.
        """
        if name in self.known:
            return self.known[name]
        parts = spelled(name.replace("\\", "/")).split("/")
        tails = ["/".join(parts[start:]) for start in range(1, len(parts))]
        return next((self.whole[t] for t in tails if t in self.whole and t not in others), None)


def find_parts(
    root: Path, name: str, task: AnnotatedFile, images: Mapping[Place, Path]
) -> WholeFound:
    """Read the files of a task whole, and give each image its part.

    Images without annotations have one where they count as uncovered.

    Raises:
        SourceNotFoundError: where there is no such file.
        SampleError: where one is broken, or names an image twice.
    """
    parts: dict[Place, Part] = {}
    strays: list[str] = []
    by_split = "{split}" in task.files
    folders = sorted({folder for folder, _ in images}) if by_split else [""]
    paths = {folder: root / task.files.replace("{split}", folder) for folder in folders}
    check_files(paths.values(), root)
    there = {folder: path for folder, path in paths.items() if path.is_file()}
    if not there:
        raise SourceNotFoundError(
            f"{root} should hold annotations of `{name}` at {task.files}; found none. "
            "Correct or remove the task in tasks.yaml."
        )
    for folder, path in there.items():
        names = paths_of(
            {at: p for at, p in images.items() if not by_split or at[0] == folder}, root
        )
        stamp = stamp_of(path.stat())
        contents = split_up(task.format, path)
        for image, content in contents.items():
            if not content.labels and task.unannotated == "missing":
                continue
            place = names.place(image, contents)
            if place is None and image in names.known:
                raise SampleError(
                    path,
                    f"{image} should name one image; there are several of that name.",
                    "Write the folders of the image too.",
                )
            if place is None:
                strays.append(image)
            elif place in parts:
                raise SampleError(
                    path,
                    f"{image} should name an image of its own; another entry names it already.",
                    "Keep one of them.",
                )
            else:
                parts[place] = Part(path, content.text, stamp)
    return WholeFound(parts, strays)


def split_up(form: str, path: Path) -> Mapping[str, Content]:
    """The parts of a file of many images, by the names of these.

    Raises:
        SampleError: where it cannot be read.
    """
    format_ = FORMATS[form]()
    assert isinstance(format_, WholeFormat)
    with _told_of(path):
        return format_.parts(read_annotations(path))


def drawing_of(form: str, path: Path | str, content: bytes) -> Drawing:
    """The annotations of an image.

    Args:
        form: The name of the format.
        path: The file, for messages; of one of many images with the image that is meant.
        content: Its bytes, or those of the part of an image.

    Raises:
        SampleError: naming the entry at fault.
    """
    with _told_of(path):
        return FORMATS[form]().drawing(content)


def draw(
    task: AnnotatedFile, drawing: Drawing, path: Path | str, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    """The label `[h, w]` and where it is valid; None where the image counts as not annotated.

    Args:
        task: What the labels mean, and what becomes of the rest.
        drawing: The annotations.
        path: Their file, for messages, as `look` takes it.
        size: Height and width of the image, where the file does not say it.

    Raises:
        SampleError: naming the entry at fault.
    """
    if not drawing.shapes and task.unannotated == "missing":
        return None
    with _told_of(path):
        label = _drawn(task, drawing, drawing.size or size)
    valid = label != VOID
    return np.where(valid, label, 0).astype(np.uint8), valid


def check_image(drawing: Drawing, path: Path, image: Path, root: Path) -> None:
    """Refuse annotations of another image than the one whose name their file has.

    Raises:
        SampleError: naming both, or a path out of the folder.
    """
    if not drawing.image:
        return
    folder = path.parent.relative_to(root).as_posix()
    with _told_of(path):
        named = image_name(drawing.image, "`imagePath`", below=folder)
    if splitext(basename(named))[0] != splitext(spelled(image.name))[0]:
        raise SampleError(
            path,
            f"should be of the image {image.name}; its `imagePath` is {drawing.image}.",
            "Give the file the name of its image, or correct the path.",
        )


def check_said(label: NDArray[Any], path: Path | str, size: tuple[int, ...]) -> None:
    """Refuse a label that was drawn at the size that a file says, and is not that of its image.

    Raises:
        SampleError: naming both sizes.
    """
    if label.shape[:2] != size:
        raise SampleError(
            path,
            f"should say the size of its image, {size[0]}x{size[1]}; it says "
            f"{label.shape[0]}x{label.shape[1]}.",
            "Use the image that was annotated, at the size that it had then.",
        )


def paths_of(images: Mapping[Place, Path], root: Path) -> Paths:
    """The image of each path, with more folders before it and with fewer.

    Paths are `spelled` as those of annotations.
    """
    known: dict[str, Place | None] = {}
    whole = {spelled(path.relative_to(root).as_posix()): at for at, path in images.items()}
    for text, place in whole.items():
        parts = text.split("/")
        for depth in range(1, min(len(parts), DEPTH) + 1):
            name = "/".join(parts[-depth:])
            if name != text:
                known[name] = place if name not in known else None
    # A whole path is that of one image, whatever ends alike.
    return Paths(known | whole, whole)


@contextmanager
def _told_of(path: Path | str) -> Iterator[None]:
    """What is wrong inside is told of this file."""
    try:
        yield
    except WrongError as error:
        raise SampleError(path, str(error), error.remedy) from error
    except RecursionError as error:
        raise SampleError(
            path, "should have a few levels, one in the other; it has far more.", REMEDY
        ) from error


def _drawn(task: AnnotatedFile, drawing: Drawing, size: tuple[int, int]) -> NDArray[np.int16]:
    """One shape over another: class ids, -1 where nothing is known."""
    table = task.table()
    label = np.full(size, table.get(task.uncovered, VOID), np.int16)
    left = MOST_LAYERS * label.size
    # What has no outline may be anywhere in its box, but where a shape lies over that.
    unknown = len(drawing.around)
    for place, shape in enumerate([*drawing.around, *_ordered(drawing.shapes, task)]):
        if task.unlisted == "skip" and shape.label not in table:
            continue
        void = place < unknown or (shape.crowd and task.crowd == "void")
        code = VOID if void else _code(shape, task, table)
        for rows, columns, inside in shape.covers(size):
            left -= inside.size
            if left < 0:
                raise WrongError(
                    shape.where,
                    f"shapes should cover their image at most {MOST_LAYERS} times; with this one "
                    "they do so more often.",
                )
            label[rows, columns][inside] = code
    return label


def _ordered(shapes: Iterable[Shape], task: AnnotatedFile) -> list[Shape]:
    """Those first that others are drawn over."""
    if task.order == "larger-first":
        return sorted(shapes, key=lambda shape: (shape.level, -shape.area()))
    return sorted(shapes, key=lambda shape: shape.level)


def _code(shape: Shape, task: AnnotatedFile, table: Mapping[str, int]) -> int:
    if shape.label in table:
        return table[shape.label]
    if task.unlisted == "void":
        return VOID
    raise WrongError(
        shape.where,
        str(UnknownNameError("class", shape.label[:60], table)),
        "Correct it, list it under `classes`, `labels` or `void` in tasks.yaml, or say "
        "`unlisted: skip` or `unlisted: void`.",
    )
