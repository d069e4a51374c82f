"""A ray-casting renderer of made-up rooms, with exact labels."""

from mtdata.sources.rooms.rendering.render import Picture, render
from mtdata.sources.rooms.rendering.scene import Scene

__all__ = ["Picture", "Scene", "render"]
