"""Laws of rendered labels, over many scenes."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering import Picture, Scene, render
from mtdata.sources.rooms.rendering.arrays import Arrays, pack
from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.furnishing.layout import draw_scene
from mtdata.sources.rooms.rendering.labels import LEAST_SHARE, instances
from mtdata.sources.rooms.rendering.rays import eye_of
from mtdata.sources.rooms.rendering.trace import Hits, trace
from mtdata.tasks.facts import PARTS7, SEMANTIC13
from mtdata.tasks.sample import Camera

SIZE = (48, 64)
TASKS = ("semantic", "depth", "normals", "parts", "saliency", "edges")
SCENES = range(16)
every_scene = pytest.mark.parametrize("number", SCENES)


@cache
def scene(number: int) -> Scene:
    return draw_scene(Draws("labels", number))


@cache
def picture(number: int) -> Picture:
    return render(scene(number), SIZE, TASKS)


@cache
def hits(number: int) -> tuple[Arrays, Hits]:
    arrays = pack(scene(number))
    return arrays, trace(scene(number).room, eye_of(scene(number).view, SIZE), arrays)


def rays(camera: Camera) -> NDArray[np.float64]:
    """Directions of the pixels in the camera frame, [h, w, 3], with depth 1."""
    h, w = SIZE
    x = (np.arange(w) + 0.5 - camera.cx) / camera.fx
    y = (camera.cy - np.arange(h) - 0.5) / camera.fy
    return np.stack((*np.meshgrid(x, y), np.full(SIZE, -1.0)), axis=-1)


@every_scene
def test_shapes_and_types(number: int) -> None:
    shown = picture(number)
    assert shown.image.shape == (*SIZE, 3)
    assert shown.image.dtype == np.uint8
    assert 40 < shown.image.mean() < 190
    assert shown.image.std() > 10
    for task, label in shown.labels.items():
        assert label.shape[:2] == SIZE
        assert label.dtype == (np.float32 if task in ("depth", "normals") else np.uint8)


@every_scene
def test_depth_is_that_of_a_room(number: int) -> None:
    depth = picture(number).labels["depth"]
    assert depth.min() > 0.4
    assert depth.max() < 8.7


@every_scene
def test_normals_are_unit_and_face_the_viewer(number: int) -> None:
    shown = picture(number)
    normals = shown.labels["normals"]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
    assert ((normals * rays(shown.camera)).sum(axis=-1) < 0).all()


@every_scene
def test_normals_are_those_of_the_depth(number: int) -> None:
    """Neighbours with the same solid and normal lie in a plane with that normal."""
    shown = picture(number)
    normals = shown.labels["normals"].astype(np.float64)
    points = rays(shown.camera) * shown.labels["depth"][..., None]
    solid = hits(number)[1].solid
    for axis in (0, 1):
        first, second = (np.take(normals, range(*span), axis) for span in _spans(axis))
        one, two = (np.take(points, range(*span), axis) for span in _spans(axis))
        same = np.equal(*(np.take(solid, range(*span), axis) for span in _spans(axis)))
        same &= np.abs(first - second).max(axis=-1) < 1e-6
        off = np.abs(((two - one) * first).sum(axis=-1))[same]
        assert same.mean() > 0.6
        assert off.max() < 1e-4


def _spans(axis: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (0, SIZE[axis] - 1), (1, SIZE[axis])


@every_scene
def test_curved_normals_are_those_of_the_depth(number: int) -> None:
    """Between neighbours on one round solid the mean of their normals is nearly at right angles."""
    shown = picture(number)
    arrays, seen = hits(number)
    curved = arrays.shape[seen.solid] >= 2
    normals = shown.labels["normals"].astype(np.float64)
    points = rays(shown.camera) * shown.labels["depth"][..., None]
    same = curved[:, 1:] & (seen.solid[:, 1:] == seen.solid[:, :-1])
    # Where both look the same way to some extent: not across the rim of a lid.
    same &= (normals[:, 1:] * normals[:, :-1]).sum(axis=-1) > 0.9
    step = (points[:, 1:] - points[:, :-1])[same]
    middle = (normals[:, 1:] + normals[:, :-1])[same]
    if len(step):
        sine = np.abs((step * middle).sum(axis=-1)) / np.linalg.norm(step, axis=-1) / 2
        assert np.quantile(sine, 0.9) < 0.05


@every_scene
def test_a_finer_picture_shows_the_same(number: int) -> None:
    """The middle pixel of every 3 x 3 of a picture three times the size is the same ray."""
    h, w = SIZE
    fine = render(scene(number), (3 * h, 3 * w), ("semantic", "depth", "parts"))
    coarse = picture(number).labels
    for task, label in fine.labels.items():
        there = label[1::3, 1::3]
        same = (
            np.isclose(there, coarse[task], rtol=1e-5) if task == "depth" else there == coarse[task]
        )
        assert same.mean() > 0.999


@every_scene
def test_classes_and_parts(number: int) -> None:
    labels = picture(number).labels
    arrays, seen = hits(number)
    assert labels["semantic"].max() < SEMANTIC13.channels
    person = arrays.person[seen.solid]
    assert ("parts" in labels) == person.any()
    if "parts" in labels:
        assert labels["parts"].max() < PARTS7.channels
        np.testing.assert_array_equal(labels["parts"] > 0, person)
        objects = SEMANTIC13.names.index("objects")
        assert (labels["semantic"][person] == objects).all()


@every_scene
def test_saliency_is_people_or_one_thing(number: int) -> None:
    salient = picture(number).labels["saliency"]
    arrays, seen = hits(number)
    assert set(np.unique(salient)) <= {0, 1}
    person = arrays.person[seen.solid]
    if person.sum() >= person.size / LEAST_SHARE:
        np.testing.assert_array_equal(salient == 1, person)
    elif salient.any():
        instance = instances(arrays, seen)
        chosen = np.unique(instance[salient == 1])
        assert len(chosen) == 1
        np.testing.assert_array_equal(salient == 1, instance == chosen[0])
        assert arrays.movable[chosen[0]]


@every_scene
def test_edges_are_thin_and_between_instances(number: int) -> None:
    edges = picture(number).labels["edges"].astype(bool)
    instance = np.pad(instances(*hits(number)), 1, mode="edge")
    middle = instance[1:-1, 1:-1]
    sides = (instance[:-2, 1:-1], instance[2:, 1:-1], instance[1:-1, :-2], instance[1:-1, 2:])
    border = np.any([side != middle for side in sides], axis=0)
    assert edges.any()
    assert not (edges & ~border).any()
    assert edges.sum() < 0.75 * border.sum()
    full = edges[1:, 1:] & edges[:-1, 1:] & edges[1:, :-1] & edges[:-1, :-1]
    assert full.mean() < 0.005  # thinning keeps the odd square


def test_every_class_and_part_occurs() -> None:
    counts = {"semantic": np.zeros(13, int), "parts": np.zeros(7, int)}
    for number in range(40):
        labels = render(scene(number), (24, 32), tuple(counts)).labels
        for task, label in labels.items():
            counts[task] += np.bincount(label.reshape(-1), minlength=counts[task].size)
    assert (counts["semantic"] > 0).all()
    assert (counts["parts"] > 0).all()


def test_only_what_is_asked_for_is_made() -> None:
    assert set(render(scene(0), SIZE, ("depth",)).labels) == {"depth"}
    assert render(scene(0), SIZE, ()).labels == {}
    np.testing.assert_array_equal(render(scene(0), SIZE, ()).image, picture(0).image)
