"""Simple people, standing or sitting: head, torso, arms and legs of rods and ellipsoids.

The parts are those of PASCAL-Context: head 1, torso and neck 2, upper arm 3, lower arm and hand 4,
upper leg 5, lower leg and foot 6. Lengths are shares of the height of the person.
"""

from dataclasses import dataclass
from math import sqrt

from mtdata.sources.rooms.rendering import palette
from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.scene import Material, Solid, Texture, Thing, Vector
from mtdata.sources.rooms.rendering.solids import ball, capsule

HEAD, TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG = range(1, 7)


@dataclass(frozen=True, slots=True)
class _Look:
    skin: Material
    hair: Material
    shirt: Material
    sleeve: Material
    trousers: Material
    shin: Material
    shoe: Material


def _look(draws: Draws) -> _Look:
    skin = palette.plain(draws.pick(palette.SKINS), gloss=0.05)
    shirt, trousers = palette.fabric(draws, lively=0.45), palette.fabric(draws, lively=0.1)
    hair = draws.pick(palette.HAIRS)
    return _Look(
        skin=skin,
        hair=Material(Texture.FABRIC, hair, palette.mixed(hair, palette.grey(0.0), 0.5), 0.02),
        shirt=shirt,
        sleeve=shirt if draws.chance(0.5) else skin,
        trousers=trousers,
        shin=trousers if draws.chance(0.8) else skin,
        shoe=palette.plain(palette.grey(draws.between(0.05, 0.5)), gloss=0.3),
    )


def _toward(start: Vector, direction: Vector, length: float) -> Vector:
    x, y, z = direction
    scale = length / sqrt(x * x + y * y + z * z)
    return start[0] + scale * x, start[1] + scale * y, start[2] + scale * z


def _head(neck: Vector, h: float, look: _Look, *, long_hair: bool) -> list[Solid]:
    x, y, z = neck
    middle = (x, y + 0.085 * h, z + 0.012 * h)
    solids = [
        capsule((x, y - 0.04 * h, z), (x, y + 0.03 * h, z), 0.032 * h, look.skin, part=TORSO),
        ball(middle, (0.045 * h, 0.067 * h, 0.054 * h), look.skin, part=HEAD),
        ball(
            (x, y + 0.103 * h, z - 0.004 * h),
            (0.051 * h, 0.06 * h, 0.055 * h),
            look.hair,
            part=HEAD,
        ),
    ]
    if long_hair:
        solids.append(
            ball(
                (x, y + 0.055 * h, z - 0.024 * h),
                (0.052 * h, 0.085 * h, 0.035 * h),
                look.hair,
                part=HEAD,
            )
        )
    return solids


def _trunk(hip: Vector, neck: Vector, h: float, look: _Look) -> list[Solid]:
    x, y, z = hip
    chest = (x, y + 0.72 * (neck[1] - y), z + 0.005 * h)
    waist = (x, y + 0.3 * (neck[1] - y), z)
    return [
        ball((x, y + 0.01 * h, z), (0.098 * h, 0.075 * h, 0.07 * h), look.trousers, part=TORSO),
        ball(waist, (0.086 * h, 0.13 * h, 0.064 * h), look.shirt, part=TORSO),
        ball(chest, (0.104 * h, 0.12 * h, 0.072 * h), look.shirt, part=TORSO),
        capsule(
            (x - 0.085 * h, neck[1] - 0.045 * h, z),
            (x + 0.085 * h, neck[1] - 0.045 * h, z),
            0.04 * h,
            look.shirt,
            part=TORSO,
        ),
    ]


def _arm(
    side: float, neck: Vector, h: float, draws: Draws, look: _Look, *, sits: bool
) -> list[Solid]:
    shoulder = (neck[0] + side * 0.118 * h, neck[1] - 0.055 * h, neck[2])
    pose = 0 if sits else draws.integer(5)
    out, ahead = draws.between(0.08, 0.4), draws.between(-0.15, 0.3)
    upper: Vector = (side * out, -1.0, ahead)
    lower: Vector = (side * draws.between(-0.1, 0.2), -1.0, draws.between(0.1, 0.6))
    if sits:
        lower = (-side * draws.between(0.0, 0.35), -0.25, 1.0)
    elif pose == 0:  # hand on the hip
        upper, lower = (side * 0.8, -1.0, -0.1), (-side * 0.9, -0.8, 0.35)
    elif pose == 1:  # hand raised or held out
        upper = (side * draws.between(0.3, 1.0), draws.between(-0.6, 0.2), 0.4)
        lower = (side * draws.between(-0.1, 0.5), draws.between(0.2, 1.0), 0.6)
    elbow = _toward(shoulder, upper, 0.165 * h)
    wrist = _toward(elbow, lower, 0.145 * h)
    hand = _toward(wrist, lower, 0.04 * h)
    return [
        capsule(shoulder, elbow, 0.032 * h, look.shirt, part=UPPER_ARM),
        capsule(elbow, wrist, 0.025 * h, look.sleeve, part=LOWER_ARM),
        capsule(wrist, hand, 0.024 * h, look.skin, part=LOWER_ARM),
    ]


def _leg(hip: Vector, knee: Vector, ankle: Vector, h: float, look: _Look) -> list[Solid]:
    toe = (ankle[0], ankle[1] - 0.012 * h, ankle[2] + 0.075 * h)
    heel = (ankle[0], ankle[1] - 0.012 * h, ankle[2] - 0.015 * h)
    return [
        capsule(hip, knee, 0.05 * h, look.trousers, part=UPPER_LEG),
        capsule(knee, ankle, 0.035 * h, look.shin, part=LOWER_LEG),
        capsule(heel, toe, 0.025 * h, look.shoe, part=LOWER_LEG),
    ]


def _person(
    draws: Draws, hip: Vector, h: float, feet: list[tuple[Vector, Vector]], *, sits: bool
) -> Thing:
    look = _look(draws)
    neck = (hip[0], hip[1] + 0.31 * h, hip[2] + draws.between(-0.01, 0.03) * h)
    solids = _head(neck, h, look, long_hair=draws.chance(0.4)) + _trunk(hip, neck, h, look)
    for side, (knee, ankle) in zip((-1.0, 1.0), feet, strict=True):
        joint = (hip[0] + side * 0.052 * h, hip[1], hip[2])
        solids += _leg(joint, knee, ankle, h, look) + _arm(side, neck, h, draws, look, sits=sits)
    return Thing("person", tuple(solids))


def standing(draws: Draws) -> Thing:
    """A person who stands at the origin and looks along +z; 0.3 m around it belong to them."""
    h = draws.between(1.5, 1.92)
    feet = []
    for side in (-1.0, 1.0):
        x, z = side * draws.between(0.05, 0.085) * h, draws.between(-0.06, 0.06) * h
        knee = (0.5 * (x + side * 0.052 * h), 0.27 * h, z + 0.02 * h)
        feet.append((knee, (x, 0.042 * h, z)))
    return _person(draws, (0.0, 0.515 * h, 0.0), h, feet, sits=False)


def sitting(draws: Draws, height: float) -> Thing:
    """A person on a seat of this height whose front edge is at the origin; they look along +z."""
    h = draws.between(1.5, 1.9)
    y = height + 0.045 * h
    feet = []
    for side in (-1.0, 1.0):
        x = side * draws.between(0.06, 0.1) * h
        knee = (x, y + 0.012 * h, 0.075 * h)
        ankle = (
            x + side * draws.between(-0.02, 0.04) * h,
            0.042 * h,
            draws.between(0.07, 0.15) * h,
        )
        feet.append((knee, ankle))
    return _person(draws, (0.0, y + 0.02 * h, -0.15 * h), h, feet, sits=True)
