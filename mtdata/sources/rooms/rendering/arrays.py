"""A scene as arrays, one row a solid: what the pixel work gathers from.

Rows 0..5 are the shell: floor, ceiling, left, right, back and front wall.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering.scene import Material, Scene, Shape, Solid
from mtdata.tasks.facts import SEMANTIC13

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLOOR, CEILING, LEFT, RIGHT, BACK, FRONT = range(6)
SHELL = 6
SHELL_NAMES = ("floor", "ceiling", "wall", "wall", "wall", "wall")
CLASS_OF = {
    "bed": "bed",
    "books": "books",
    "bookshelf": "furniture",
    "box": "objects",
    "cabinet": "furniture",
    "ceiling": "ceiling",
    "chair": "chair",
    "curtain": "window",
    "desk": "table",
    "door": "wall",
    "dresser": "furniture",
    "floor": "floor",
    "floor-mat": "floor",
    "lamp": "objects",
    "otherprop": "objects",
    "person": "objects",
    "picture": "picture",
    "pillow": "objects",
    "sofa": "sofa",
    "table": "table",
    "television": "tv",
    "wall": "wall",
    "window": "window",
}
"""The class of 13 of what rooms hold, as the published mapping of the 40 classes has it."""
_ID = {name: SEMANTIC13.names.index(kind) for name, kind in CLASS_OF.items()}


@dataclass(frozen=True, slots=True)
class Materials:
    """Materials, one row a solid; colours are linear."""

    texture: Ints
    first: Floats
    second: Floats
    size: Floats
    gloss: Floats
    glow: Floats
    seed: Ints


@dataclass(frozen=True, slots=True)
class Arrays:
    """A scene as arrays of `n` solids in `m` instances.

    Args:
        shape: [n], values of `Shape`.
        centre: [n, 3] in the world.
        size: [n, 3], see `Solid`.
        turn: [n, 2], cosine and sine.
        radius: [n], of capsules.
        reach: [n, 3], half sizes of a box around, in the frame of the solid.
        instance: [n], the things in order, after the six of the shell.
        semantic: [n], ids of `SEMANTIC13`.
        part: [n], ids of `PARTS7`.
        person: [n], whether it belongs to a person.
        shades: [n], whether it throws a shadow.
        movable: [m], whether an instance may be salient.
        material: Looks.
    """

    shape: Ints
    centre: Floats
    size: Floats
    turn: Floats
    radius: Floats
    reach: Floats
    instance: Ints
    semantic: Ints
    part: Ints
    person: NDArray[np.bool_]
    shades: NDArray[np.bool_]
    movable: NDArray[np.bool_]
    material: Materials


FIXED = frozenset({"floor", "ceiling", "wall", "window", "curtain", "door", "floor-mat", "picture"})
"""What belongs to the room rather than standing in it, and is never salient."""


def _materials(looks: list[Material]) -> Materials:
    # Colours are what a screen shows; light adds up in its square (a gamma of 2).
    return Materials(
        texture=np.array([m.texture for m in looks]),
        first=np.square([m.first for m in looks]),
        second=np.square([m.second for m in looks]),
        size=np.array([m.size for m in looks]),
        gloss=np.array([m.gloss for m in looks]),
        glow=np.array([m.glow for m in looks]),
        seed=np.array([m.seed for m in looks]),
    )


def _reach(shape: Ints, size: Floats, radius: Floats) -> Floats:
    wide = np.maximum(size[:, 0], size[:, 2])
    round_ = np.stack((wide, size[:, 1], wide), axis=1)
    reach = np.where((shape == Shape.FRUSTUM)[:, None], round_, np.abs(size))
    return reach + radius[:, None]


def pack(scene: Scene) -> Arrays:
    """Turn a scene into arrays."""
    shell = [Solid(Shape.PLANE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), m) for m in scene.shell]
    solids = shell + [solid for thing in scene.things for solid in thing.solids]
    counts = [1] * SHELL + [len(thing.solids) for thing in scene.things]
    names = [*SHELL_NAMES, *(thing.name for thing in scene.things)]
    casts = [False] * SHELL + [thing.shades for thing in scene.things]
    shape = np.array([s.shape for s in solids], dtype=np.int64)
    size = np.array([s.size for s in solids])
    radius = np.array([s.radius for s in solids])
    turn = np.array([s.turn for s in solids])
    return Arrays(
        shape=shape,
        centre=np.array([s.centre for s in solids]),
        size=size,
        turn=turn,
        radius=radius,
        reach=_reach(shape, size, radius),
        instance=np.repeat(np.arange(len(counts)), counts),
        semantic=np.repeat([_ID[name] for name in names], counts),
        part=np.array([s.part for s in solids]),
        person=np.repeat([name == "person" for name in names], counts),
        shades=np.repeat(casts, counts),
        movable=np.array([name not in FIXED for name in names]),
        material=_materials([s.material for s in solids]),
    )
