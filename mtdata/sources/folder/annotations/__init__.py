"""What annotation tools write: shapes with names, in place of an array a label."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtdata.sources.folder.annotations.base import Format

FORMATS: "Registry[type[Format]]" = Registry(
    "format of annotations",
    base="mtdata.sources.folder.annotations.base:Format",
    members={
        "coco-masks": "mtdata.sources.folder.annotations.coco:Coco",
        "labelme": "mtdata.sources.folder.annotations.labelme:Labelme",
        "cvat": "mtdata.sources.folder.annotations.cvat:Cvat",
    },
)

__all__ = ["FORMATS"]
