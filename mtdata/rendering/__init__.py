"""A ray-casting renderer of made-up rooms, with exact labels."""

from mtdata.rendering.render import Picture, render
from mtdata.rendering.scene import Scene

__all__ = ["Picture", "Scene", "render"]
