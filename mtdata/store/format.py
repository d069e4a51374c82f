"""The names and types that a store is made of, and nothing else.

/                          attrs: format, format_version, dataset, created, tool, options (JSON),
                                  tasks (JSON), default_regime, source_digest, content_digest,
                                  seal
/<split>                   attrs: role = train | val | test
/<split>/key               utf-8 [n]
/<split>/image             uint8 [n, h, w, 3]
/<split>/size              int32 [n, 2]   true height and width, where images are padded
/<split>/source_size       int32 [n, 2]   height and width in the source
/<split>/crop              int32 [n, 4]   top, left, height, width of the part that was kept
/<split>/camera            float64 [n, 4] fx, fy, cx, cy in stored pixels; NaN where unknown
/<split>/label/<task>      stored type of the kind, [n, h, w] or [n, h, w, c]
/<split>/valid_pixels      int32 [n, tasks]
/<split>/digest            uint8 [n, 1 + tasks, 32]
/<split>/source            uint8 [n, 2, 32]  of the files of an image: digest of their bytes, and
                                  of their names, sizes and times (zeros where that is unknown)
/<split>/skipped           utf-8 [m]  images that were left out: key and why, as JSON
/<split>/regime/<name>     bool [n, tasks]  attrs: kind, parameters (JSON), seed, counts, origin

Labels that were added to those of the source, in stores of version 2 alone; ORIGIN is `filled`
(predicted by a run) or `derived` (from another label by a rule):

/<split>/ORIGIN/<task>               attrs: about (JSON), sha256
/<split>/ORIGIN/<task>/label         as /<split>/label/<task>
/<split>/ORIGIN/<task>/valid_pixels  int32 [n]         0: none was added
/<split>/ORIGIN/<task>/digest        uint8 [n, 2, 32]  of label and confidence
/<split>/filled/<task>/confidence    uint8 [n, h, w]   in 255ths; 0 where the label is void
/<split>/filled/<task>/most          uint8 [n]         the highest confidence of a pixel

A store of version 3 is in shards: its images and labels are virtual, and lie in other files of its
folder, each a whole store of some images of one split. All else is as above, and

/<split>/shard             utf-8 [s]  the files in order: name, images, bytes and seal, as JSON

Texts are of fixed length: those of any length lie in a heap of the file that has no checksum. Every
table and regime has the attribute `sha256`, and `seal` is over these and all other attributes.
Stores of before have neither, and texts of any length.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.kinds import Kind
from mtdata.tasks.task import Task

FORMAT = "mtdata"
VERSION = 1
"""What programs of before read too: the labels of a source, and nothing added to them."""
ADDED_VERSION = 2
"""A store to which labels were added; programs of before refuse it by its number."""
SHARDED_VERSION = 3
"""A store whose images and labels lie in other files of its folder; it may have added labels."""
FULL = "full"
"""The regime that every split has without storing it: all labels there are."""

KEY, IMAGE, SIZE, SOURCE_SIZE, CROP, CAMERA = (
    "key",
    "image",
    "size",
    "source_size",
    "crop",
    "camera",
)
SOURCE, SKIPPED, SHARD = "source", "skipped", "shard"
LABEL, VALID_PIXELS, DIGEST, REGIME = "label", "valid_pixels", "digest", "regime"
SHA256, SEAL, DEFAULT_REGIME = "sha256", "seal", "default_regime"
FILLED, DERIVED = "filled", "derived"
ORIGINS = (FILLED, DERIVED)
"""Where labels come from that were added to those of the source."""
ABOUT, CONFIDENCE, MOST = "about", "confidence", "most"
CERTAIN = 255
"""The highest confidence of a pixel; that of a derived label."""
NAME_BYTES = 255
"""Bytes that a name of a split, task or regime may have: those of a file's."""

# Object headers and chunk indices of this version carry checksums; older ones do not.
LIBRARY = ("v110", "v110")


def tables(tasks: int) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Type and shape of a row of each table of numbers; `OPTIONAL` ones need not be there."""
    return {
        SIZE: (np.dtype(np.int32), (2,)),
        SOURCE_SIZE: (np.dtype(np.int32), (2,)),
        CROP: (np.dtype(np.int32), (4,)),
        CAMERA: (np.dtype(np.float64), (4,)),
        VALID_PIXELS: (np.dtype(np.int32), (tasks,)),
        DIGEST: (np.dtype(np.uint8), (1 + tasks, 32)),
    }


def added_tables(origin: str) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Type and shape of a row of each table beside labels that were added."""
    found: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
        VALID_PIXELS: (np.dtype(np.int32), ()),
        DIGEST: (np.dtype(np.uint8), (2, 32)),
    }
    return found | ({MOST: (np.dtype(np.uint8), ())} if origin == FILLED else {})


FACTS: dict[str, np.dtype[Any] | None] = {SOURCE: np.dtype(np.uint8), SKIPPED: None}
"""Type of each table that reading samples does not need; None for texts of fixed length."""
OPTIONAL = (SIZE, *FACTS)


def label_attributes(task: Task) -> dict[str, Any]:
    """What is written beside a label: kind, void, units, and what else its kind needs."""
    kind, storage = task.kind, task.kind.storage()
    attributes = {"kind": kind.name, "void": storage["void"], "units": kind.units}
    attributes |= {name: storage[name] for name in ("scale", "offset", "layout") if name in storage}
    described = kind.to_json()
    if "names" in described:
        attributes["classes"] = list(described["names"])
        attributes["palette"] = described["palette"]
    return attributes


def stored_form(kind: Kind, size: tuple[int, int]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of one stored label of a kind, for an image of that height and width."""
    storage = kind.storage()
    values = (2,) if storage.get("layout") == "octahedral" else ()
    return (*size, *values), np.dtype(storage["dtype"])


def safe_name(name: str) -> bool:
    """Whether a text can be the name of a file or folder, and no path to anywhere."""
    return (
        0 < len(name.encode(errors="replace")) <= NAME_BYTES
        and name.isprintable()
        and not name.startswith(".")
        and "/" not in name
        and "\\" not in name
    )


def texts(values: Sequence[str], length: int = 1) -> NDArray[Any]:
    """Texts of one length in bytes: that of the longest, or `length` where that is more."""
    data = [value.encode() for value in values]
    return np.array(data, h5py.string_dtype("utf-8", max(length, *map(len, data))))


def put(attributes: h5py.AttributeManager, values: Mapping[str, Any]) -> None:
    """Write attributes: texts, lists of texts, and whatever h5py takes."""
    for name, value in values.items():
        if isinstance(value, str):
            attributes.create(name, texts([value])[0], dtype=texts([value]).dtype)
        elif isinstance(value, list) and value and isinstance(value[0], str):
            attributes.create(name, texts(value))
        else:
            attributes.create(name, value)


def plain(value: Any) -> Any:
    """An attribute as h5py reads it, with texts as `str` whatever their form in the file.

    Raises:
        UnicodeError: where a text is no UTF-8.
    """
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        value.encode()  # h5py gives what is no UTF-8 as signs that cannot be written
    if isinstance(value, np.ndarray) and value.dtype.kind in "SO":
        return [plain(each) for each in value.tolist()]
    return value


def canonical(value: Any) -> str:
    """JSON in the one form that digests and comparisons use."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def tasks_json(tasks: tuple[Task, ...]) -> str:
    """The tasks of a store as its attribute holds them."""
    return canonical([task.to_json() for task in tasks])


def tool() -> str:
    """Name and version of the distribution that writes."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"mtpartial {version('mtpartial')}"
    except PackageNotFoundError:
        return "mtpartial"
