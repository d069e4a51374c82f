"""What a scene is made of: solids with materials, things made of solids, lamps and a view.

World frame: x right, y up, z towards the viewer, metres; the floor is y = 0 and the room fills
0..width, 0..height, 0..length. Everything here is plain numbers, drawn once and never changed.
"""

import dataclasses
import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

Vector = tuple[float, float, float]
Turn = tuple[float, float]
"""Cosine and sine of a rotation about y: (x, z) -> (c x + s z, -s x + c z)."""

FORWARD: Turn = (1.0, 0.0)


class Shape(IntEnum):
    """The kinds of surfaces a ray may meet."""

    PLANE = 0
    BOX = 1
    ELLIPSOID = 2
    FRUSTUM = 3
    CAPSULE = 4


class Texture(IntEnum):
    """How a material varies over a surface."""

    PLAIN = 0
    WOOD = 1
    PLANKS = 2
    TILES = 3
    FABRIC = 4
    STRIPES = 5
    PLAID = 6
    BRICKS = 7
    DOTS = 8
    PANELS = 9
    FOLDS = 10
    BOOKS = 11
    PICTURE = 12
    WINDOW = 13
    SCREEN = 14


@dataclass(frozen=True, slots=True)
class Material:
    """The look of a surface.

    Args:
        texture: How the two colours alternate.
        first: Colour, each channel 0..1 as displayed.
        second: The other colour.
        size: Metres of one repeat of the texture.
        gloss: Strength of highlights, 0..1.
        glow: Light that the surface gives by itself, in units of a white surface in full light.
        seed: Tells two surfaces of one texture apart.
    """

    texture: Texture
    first: Vector
    second: Vector
    size: float = 0.1
    gloss: float = 0.0
    glow: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Solid:
    """One convex solid.

    Args:
        shape: Its kind.
        centre: Its middle, metres.
        size: Half sizes of a box; semi-axes of an ellipsoid; bottom radius, half height and top
            radius of a frustum; half the axis of a capsule, as a vector.
        material: Its look.
        part: The human part it is, 0 for none (an id of `PARTS7`).
        radius: Of a capsule, metres.
        turn: About the vertical (not used by capsules).
    """

    shape: Shape
    centre: Vector
    size: Vector
    material: Material
    part: int = 0
    radius: float = 0.0
    turn: Turn = FORWARD


@dataclass(frozen=True, slots=True)
class Thing:
    """Solids that make one instance.

    Args:
        name: One of the 40 classes of NYU Depth v2.
        solids: What it is made of.
        shades: Whether it throws a shadow.
    """

    name: str
    solids: tuple[Solid, ...]
    shades: bool = True


@dataclass(frozen=True, slots=True)
class Lamp:
    """A source of light.

    Args:
        position: Metres.
        aim: The middle of the half space that it throws shadows in, a unit vector along an axis.
        power: The light it gives, linear.
        radius: How large it is, metres; the larger, the softer its shadows.
    """

    position: Vector
    aim: Vector
    power: Vector
    radius: float


@dataclass(frozen=True, slots=True)
class View:
    """Where the camera stands and how it is turned.

    Args:
        position: Metres.
        turn: About the vertical; (1, 0) looks along -z.
        tilt: Upwards.
        roll: About the optical axis.
        focal: Focal length in widths of the image.
    """

    position: Vector
    turn: Turn
    tilt: Turn
    roll: Turn
    focal: float

    def axes(self) -> tuple[Vector, Vector, Vector]:
        """The axes of the camera (right, up, towards the viewer) in the world."""
        (c, s), (ct, st), (cr, sr) = self.turn, self.tilt, self.roll
        right, up, back = (c, 0.0, -s), (s * st, ct, c * st), (s * ct, -st, c * ct)
        x, y, z = (
            tuple(cr * a + sr * b for a, b in zip(right, up, strict=True)),
            tuple(cr * b - sr * a for a, b in zip(right, up, strict=True)),
            back,
        )
        return x, y, z  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Scene:
    """A room with all that stands in it, its light and its viewer.

    Args:
        room: Width, height and length, metres.
        shell: Materials of floor, ceiling, left, right, back and front wall.
        things: All else.
        lamps: At most two.
        ambient: Light from everywhere, linear.
        view: The camera.
        exposure: Mean brightness that the picture is developed to, linear.
        noise: Standard deviation of the noise of the sensor, in grey levels.
        grain: Seed of that noise.
    """

    room: Vector
    shell: tuple[Material, ...]
    things: tuple[Thing, ...]
    lamps: tuple[Lamp, ...]
    ambient: Vector
    view: View
    exposure: float
    noise: float
    grain: int

    def digest(self) -> str:
        """SHA-256 over every parameter, bit for bit."""
        hasher = hashlib.sha256()
        _feed(hasher, self)
        return hasher.hexdigest()


def _feed(hasher: Any, value: Any) -> None:
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _feed(hasher, getattr(value, field.name))
    elif isinstance(value, tuple):
        hasher.update(struct.pack("<q", len(value)))
        for item in value:
            _feed(hasher, item)
    elif isinstance(value, str):
        hasher.update(value.encode() + b"\0")
    else:
        hasher.update(struct.pack("<d", value))
