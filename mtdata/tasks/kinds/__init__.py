"""Kinds of labels: classes, binary, depth, normals."""

from typing import Any

from mtdata.errors import named
from mtdata.tasks.kinds.base import Kind
from mtdata.tasks.kinds.binary import Binary
from mtdata.tasks.kinds.classes import Classes
from mtdata.tasks.kinds.depth import Depth
from mtdata.tasks.kinds.normals import Normals

KINDS: dict[str, type[Kind]] = {
    "classes": Classes,
    "binary": Binary,
    "depth": Depth,
    "normals": Normals,
}


def kind_from_json(value: dict[str, Any]) -> Kind:
    """Build a kind from what `Kind.to_json` gave.

    Raises:
        UnknownNameError: where no kind has that name.
    """
    options = dict(value)
    name = options.pop("kind")
    kind = named("kind of label", name, KINDS)
    if name == "classes":
        options["names"] = tuple(options["names"])
        options["palette"] = tuple(tuple(colour) for colour in options["palette"])
    return kind(**options)


__all__ = ["KINDS", "Binary", "Classes", "Depth", "Kind", "Normals", "kind_from_json"]
