"""Where data comes from: every member reads one published layout, or makes its data."""

from pathlib import Path
from typing import Any

from mtdata.errors import UnknownNameError
from mtdata.sources.base import Source, check_options
from mtdata.sources.cityscapes.source import Cityscapes
from mtdata.sources.folder.source import Folder
from mtdata.sources.locate import locate
from mtdata.sources.nyu.source import Nyu
from mtdata.sources.pascal.source import Pascal
from mtdata.sources.rooms.source import Rooms

SOURCES: dict[str, type[Source]] = {
    "nyu": Nyu,
    "cityscapes": Cityscapes,
    "pascal": Pascal,
    "folder": Folder,
    "rooms": Rooms,
}


def source_class(name: str) -> type[Source]:
    """The source of that name.

    Raises:
        UnknownNameError: where there is none.
    """
    if name not in SOURCES:
        raise UnknownNameError("data set", name, SOURCES)
    return SOURCES[name]


def open_source(name: str, root: Path | None = None, **options: Any) -> Source:
    """The source of that name, on `root` or wherever its folder is found.

    Args:
        name: A name of `SOURCES`.
        root: The folder; None to look for it.
        options: What `takes` of the source names.

    Raises:
        UnknownNameError: where there is no such source.
        UsageError: for an option that it does not take, or a wrong value of one.
        SourceNotFoundError: where its folder is not found.
    """
    source = source_class(name)
    check_options(source, options)
    source.tasks(**options)  # a wrong value is refused before a folder is looked for
    return source(locate(source, root), **options)


__all__ = [
    "SOURCES",
    "Cityscapes",
    "Folder",
    "Nyu",
    "Pascal",
    "Rooms",
    "Source",
    "open_source",
    "source_class",
]
