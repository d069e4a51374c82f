"""Where data comes from: every member reads one published layout, or makes its data."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtdata.sources.base import Source

SOURCES: "Registry[type[Source]]" = Registry(
    "data set",
    base="mtdata.sources.base:Source",
    members={
        "nyu": "mtdata.sources.nyu.source:Nyu",
        "cityscapes": "mtdata.sources.cityscapes.source:Cityscapes",
        "pascal": "mtdata.sources.pascal.source:Pascal",
        "folder": "mtdata.sources.folder.source:Folder",
        "rooms": "mtdata.sources.rooms.source:Rooms",
    },
)

__all__ = ["SOURCES"]
