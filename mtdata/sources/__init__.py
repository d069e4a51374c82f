"""Where data comes from: every member reads one published layout, or makes its data."""

from mtdata.errors import UnknownNameError
from mtdata.sources.base import Role, Source
from mtdata.sources.nyu import Nyu
from mtdata.sources.rooms import Rooms

SOURCES: dict[str, type[Source]] = {"nyu": Nyu, "rooms": Rooms}


def source_class(name: str) -> type[Source]:
    """The source of that name.

    Raises:
        UnknownNameError: where there is none.
    """
    if name not in SOURCES:
        raise UnknownNameError("data set", name, SOURCES)
    return SOURCES[name]


__all__ = ["SOURCES", "Nyu", "Role", "Rooms", "Source", "source_class"]
