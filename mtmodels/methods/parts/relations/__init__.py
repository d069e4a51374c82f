"""Relations between tasks that are known beforehand, by name."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtmodels.methods.parts.relations.base import Relation

RELATIONS: "Registry[type[Relation]]" = Registry(
    "relation",
    base="mtmodels.methods.parts.relations.base:Relation",
    members={
        "normals-of-depth": "mtmodels.methods.parts.relations.surfaces:NormalsOfDepth",
        "depth-along-normals": "mtmodels.methods.parts.relations.surfaces:DepthAlongNormals",
        "depth-by-fit": "mtmodels.methods.parts.relations.surfaces:DepthByFit",
        "depth-of-depth": "mtmodels.methods.parts.relations.depths:DepthOfDepth",
        "parts-in-persons": "mtmodels.methods.parts.relations.places:PartsInPersons",
        "persons-at-parts": "mtmodels.methods.parts.relations.places:PersonsAtParts",
        "edges-at-classes": "mtmodels.methods.parts.relations.places:EdgesAtClasses",
        "classes-in-edges": "mtmodels.methods.parts.relations.places:ClassesInEdges",
    },
)

__all__ = ["RELATIONS"]
