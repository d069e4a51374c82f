"""Rooms are furnished within their walls, and nothing stands in anything else."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdata.sources.rooms.rendering.arrays import CLASS_OF, SHELL, pack
from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.furnishing.floorplan import (
    FACING,
    FloorPlan,
    Rectangle,
    Side,
    around,
)
from mtdata.sources.rooms.rendering.furnishing.layout import draw_scene
from mtdata.sources.rooms.rendering.scene import Scene, Thing
from mtdata.sources.rooms.rendering.solids import combined, moved, turned

SCENES = [draw_scene(Draws("layout", number)) for number in range(25)]
every_scene = pytest.mark.parametrize("scene", SCENES, ids=range(len(SCENES)))


@every_scene
def test_everything_is_in_the_room(scene: Scene) -> None:
    arrays = pack(scene)
    c, s = np.abs(arrays.turn.T)
    x, y, z = arrays.reach.T
    reach = np.stack((c * x + s * z, y, s * x + c * z), axis=1)
    room = np.array(scene.room)
    # Frames sink into the walls a little, and soft things bulge.
    assert (arrays.centre - reach > -0.13)[SHELL:].all()
    assert (arrays.centre + reach < room + 0.13)[SHELL:].all()


@every_scene
def test_the_viewer_is_in_the_room_and_in_nothing(scene: Scene) -> None:
    arrays = pack(scene)
    place = np.array(scene.view.position)
    assert (place > 0.25).all()
    assert (place < np.array(scene.room) - 0.25).all()
    x, y, z = (place - arrays.centre).T
    c, s = arrays.turn.T
    local = np.stack((c * x - s * z, y, s * x + c * z), axis=1)
    inside = (np.abs(local) < arrays.reach + 0.02).all(axis=1)
    assert not inside[SHELL:].any()


def _footprint(thing: Thing) -> Rectangle:
    rectangles = [
        around(s.centre[0], s.centre[2], 2 * abs(s.size[0]), 2 * abs(s.size[2]), s.turn)
        for s in thing.solids
    ]
    return Rectangle(
        min(r.left for r in rectangles),
        max(r.right for r in rectangles),
        min(r.low for r in rectangles),
        max(r.high for r in rectangles),
    )


@every_scene
def test_large_furniture_stands_apart(scene: Scene) -> None:
    large = [
        t for t in scene.things if t.name in ("bed", "sofa", "cabinet", "dresser", "bookshelf")
    ]
    for first, second in combinations(map(_footprint, large), 2):
        assert not first.overlaps(second, -0.04)


@every_scene
def test_every_name_has_a_class(scene: Scene) -> None:
    assert {thing.name for thing in scene.things} <= set(CLASS_OF)


def test_scenes_differ() -> None:
    assert len({scene.digest() for scene in SCENES}) == len(SCENES)
    assert len({scene.shell[2].first for scene in SCENES}) > 20


rectangles = st.builds(
    lambda x, z, width, depth: Rectangle(x, x + width, z, z + depth),
    *[st.floats(-0.5, 4.5)] * 2,
    *[st.floats(0.1, 2.0)] * 2,
)


@given(st.lists(rectangles, max_size=12))
def test_a_floor_is_taken_once(wanted: list[Rectangle]) -> None:
    plan = FloorPlan((4.0, 2.5, 5.0), (2.0, 4.7))
    taken = [r for r in wanted if plan.on_floor(r, away=0.5)]
    assert taken == plan.taken
    for rectangle in taken:
        assert rectangle.distance(2.0, 4.7) >= 0.5
        assert rectangle.left >= 0
        assert rectangle.right <= 4.0
    for first, second in combinations(taken, 2):
        assert not first.overlaps(second, 0.0)


def test_a_full_wall_takes_nothing_more() -> None:
    plan, draws = FloorPlan((4.0, 2.5, 5.0), (2.0, 4.7)), Draws("full")
    placed = [plan.against_wall(draws, Side.BACK, (1.5, 1.0, 0.5), tries=50) for _ in range(5)]
    assert 1 <= sum(place is not None for place in placed) <= 2
    assert plan.against_wall(draws, Side.BACK, (4.5, 1.0, 0.5)) is None


@pytest.mark.parametrize(
    ("side", "inward"), [(Side.LEFT, (1, 0)), (Side.RIGHT, (-1, 0)), (Side.BACK, (0, 1))]
)
def test_furniture_faces_away_from_its_wall(side: Side, inward: tuple[int, int]) -> None:
    x, _, z = turned((0.0, 0.0, 1.0), FACING[side])
    assert (x, z) == inward


def test_turns_add_up() -> None:
    first, second = (0.8, 0.6), (0.6, -0.8)
    both = combined(first, second)
    for vector in ((1.0, 2.0, 3.0), (0.0, -1.0, 0.5)):
        one_by_one = turned(turned(vector, first), second)
        np.testing.assert_allclose(turned(vector, both), one_by_one)


def test_moving_things_back_is_no_move() -> None:
    thing = next(t for t in SCENES[0].things if len(t.solids) > 2)
    away = moved((thing,), (0.0, 0.0, 0.0), (0.0, 1.0))
    (back,) = moved(away, (0.0, 0.0, 0.0), (0.0, -1.0))
    for before, after in zip(thing.solids, back.solids, strict=True):
        np.testing.assert_allclose(after.centre, before.centre)
        np.testing.assert_allclose(after.turn, before.turn)
