"""A picture of a scene, with the labels that are asked for."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering import labels
from mtdata.sources.rooms.rendering.arrays import Arrays, pack
from mtdata.sources.rooms.rendering.rays import eye_of
from mtdata.sources.rooms.rendering.scene import Scene
from mtdata.sources.rooms.rendering.shading import shade
from mtdata.sources.rooms.rendering.surface import camera_normals, surface
from mtdata.sources.rooms.rendering.trace import Hits, trace
from mtdata.tasks.sample import Camera

_LABELS: dict[str, Callable[[Arrays, Hits], NDArray[np.uint8] | None]] = {
    "semantic": labels.semantic,
    "parts": labels.parts,
    "saliency": labels.saliency,
    "edges": labels.edges,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered picture, uint8 [h, w, 3], the labels that it has, and its camera."""

    image: NDArray[np.uint8]
    labels: dict[str, NDArray[Any]]
    camera: Camera


@cache
def _keep_memory() -> None:
    """Keep the memory of temporary arrays from going back to the system after each picture.

    The GNU allocator learns from the largest block that it frees; without this, a fifth of the time
    goes into asking for the same pages again.
    """
    np.empty(1 << 24, np.uint8)


def render(scene: Scene, size: tuple[int, int], tasks: Collection[str]) -> Picture:
    """Render a scene.

    Args:
        scene: What to look at.
        size: Height and width.
        tasks: The labels to make; a scene without people gives no `parts`.
    """
    _keep_memory()
    arrays, eye = pack(scene), eye_of(scene.view, size)
    hits = trace(scene.room, eye, arrays)
    seen = surface(eye, arrays, hits)
    found: dict[str, NDArray[Any]] = {}
    for task in tasks:
        if task == "depth":
            found[task] = hits.depth
        elif task == "normals":
            found[task] = np.ascontiguousarray(camera_normals(eye, seen.normal).T).reshape(*size, 3)
        else:
            label = _LABELS[task](arrays, hits)
            if label is not None:
                found[task] = label
    return Picture(shade(scene, arrays, hits, seen), found, eye.camera)
