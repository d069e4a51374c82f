"""The dicts that a plug-in may have, and which family each adds to."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from mtdata.registry import Registry


class Family(NamedTuple):
    """A family that plug-ins may add to.

    Args:
        where: Its registry, as "module:NAME"; imported when a plug-in has a member of it.
        classes: Whether a member is a class; else it is an object of one.
    """

    where: str
    classes: bool = True

    @property
    def registry(self) -> Registry[Any]:
        """Its registry."""
        module, _, name = self.where.partition(":")
        found: Registry[Any] = getattr(import_module(module), name)
        return found


FAMILIES: Mapping[str, Family] = {
    "SOURCES": Family("mtdata.sources:SOURCES"),
    "REGIMES": Family("mtdata.regimes:REGIMES"),
    "NETWORKS": Family("mtmodels.networks:NETWORKS"),
    "ENCODERS": Family("mtmodels.networks.encoders:ENCODERS"),
    "METHODS": Family("mtmodels.methods:METHODS"),
    "RELATIONS": Family("mtmodels.methods.parts.relations:RELATIONS"),
    "WEIGHTINGS": Family("mtmodels.weightings:WEIGHTINGS"),
    "METRICS": Family("mtmodels.metrics:METRICS", classes=False),
    "SCHEDULES": Family("mtmodels.training.loop:SCHEDULES"),
    "OPTIMISERS": Family("mtmodels.training.loop:OPTIMISERS"),
    "CHECKS": Family("mtdata.inspecting.suspicions:CHECKS"),
}
"""By the name of the dict. They are named, not imported: a plug-in of data needs no torch."""
