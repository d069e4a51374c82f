"""The names and types that a store of version 1 is made of, and nothing else.

/                          attrs: format, format_version, dataset, created, tool, options (JSON),
                                  tasks (JSON), default_regime, source_digest, content_digest
/<split>                   attrs: role = train | test
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
"""

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from mtdata.tasks.kinds import Kind
from mtdata.tasks.task import Task

FORMAT = "mtdata"
VERSION = 1
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
SOURCE, SKIPPED = "source", "skipped"
LABEL, VALID_PIXELS, DIGEST, REGIME = "label", "valid_pixels", "digest", "regime"

# Object headers and chunk indices of this version carry checksums; older ones do not.
LIBRARY = ("v110", "v110")


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


def canonical(value: Any) -> str:
    """JSON in the one form that digests and comparisons use."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def tasks_json(tasks: tuple[Task, ...]) -> str:
    """The tasks of a store as its attribute holds them."""
    return canonical([task.to_json() for task in tasks])


def tool() -> str:
    """Name and version of the distribution that writes."""
    try:
        return f"mtpartial {version('mtpartial')}"
    except PackageNotFoundError:
        return "mtpartial"
