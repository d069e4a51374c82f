"""Each known relation against loops, on exact labels, and on what spoils it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mtdata.reading.batch import Batch, collate
from mtdata.reading.geometry import Change, Crop, Flip, apply
from mtdata.sources.rooms.source import Rooms
from mtdata.tasks.kinds import Binary, Classes, Depth, Normals
from mtdata.tasks.normals_from_depth import normals_from_depth
from mtdata.tasks.sample import Camera, Sample
from mtdata.tasks.task import Task
from mtmodels.methods.parts.relation_terms import without_camera
from mtmodels.methods.parts.relations import RELATIONS, surfaces
from mtmodels.methods.parts.relations.base import Loss, Rays, Relation, Scene
from mtmodels.methods.parts.relations.surfaces import normals_of_depth
from tests.mtmodels.methods.relation_loops import LOOPS, Image
from tests.runs.batches import classes, generator

CAMERAS = (Camera(20.0, 22.0, 5.5, 4.0), Camera(30.0, 28.0, 2.0, 6.5))
SIZE = (9, 11)
GREY = ((0, 0, 0),) * 3
TASKS = {
    "semantic": Task("semantic", Classes(("background", "person", "dog"), GREY)),
    "parts": Task("parts", Classes(("background", "head", "torso"), GREY)),
    "edges": Task("edges", Binary()),
    "depth": Task("depth", Depth()),
    "inverse": Task("inverse", Depth(unit="1/m")),
    "normals": Task("normals", Normals()),
}
ENDS = {
    "normals-of-depth": ("depth", "normals"),
    "depth-along-normals": ("normals", "depth"),
    "depth-by-fit": ("normals", "depth"),
    "depth-of-depth": ("depth", "inverse"),
    "parts-in-persons": ("semantic", "parts"),
    "persons-at-parts": ("parts", "semantic"),
    "edges-at-classes": ("semantic", "edges"),
    "classes-in-edges": ("edges", "semantic"),
}
each_relation = pytest.mark.parametrize("name", RELATIONS)


def make(name: str, **ends: str) -> Relation:
    given, learns = ENDS[name]
    given, learns = ends.get("given", given), ends.get("learns", learns)
    assert RELATIONS[name].holds(TASKS[given], TASKS[learns])
    return RELATIONS[name](TASKS[given], TASKS[learns])


def value(task: str, *, predicted: bool, seed: int) -> torch.Tensor:
    """Two images: surfaces that bend, with a step, and blocks of classes."""
    rng, shape = generator(seed), (2, 1, *SIZE)
    y, x = torch.meshgrid(*(torch.arange(s, dtype=torch.float64) for s in SIZE), indexing="ij")
    noise = torch.rand(2, 3, *SIZE, generator=rng, dtype=torch.float64)
    if task in ("depth", "inverse"):
        depth = 2 + 0.04 * x + 0.03 * y + 0.5 * (x > 7) + 0.01 * noise[:, :1]
        return depth if task == "depth" else 1 / depth
    if task == "normals":
        tilt = torch.stack([0.3 + 0 * x, -0.2 + 0.6 * (y > 5), 1 + 0 * x])
        return F.normalize(tilt + 0.05 * noise, dim=1)
    channels = TASKS[task].channels
    if predicted:
        return 3 * torch.randn(2, channels, *SIZE, generator=rng, dtype=torch.float64)
    if task == "edges":
        return (torch.rand(shape, generator=rng) < 0.08).to(torch.uint8)
    blocks = torch.randint(0, channels, (2, 1, 3, 4), generator=rng).float()
    return F.interpolate(blocks, SIZE).to(torch.uint8)


def scene(name: str, seed: int = 0, **ends: str) -> Scene:
    """One image in ten pixels of which nothing is known; the second image is padded below."""
    given, learns = ENDS[name]
    given, learns = ends.get("given", given), ends.get("learns", learns)
    inside = torch.ones(2, *SIZE, dtype=torch.bool)
    inside[1, 7:] = False
    sure = torch.rand(2, *SIZE, generator=generator(seed + 5)) < 0.9
    prediction = value(learns, predicted=True, seed=seed + 1)
    rays = Rays.of(CAMERAS, prediction) if RELATIONS[name].needs_camera else None
    return Scene(value(given, predicted=False, seed=seed), sure & inside, prediction, inside, rays)


def image(of: Scene, i: int, relation: Relation) -> Image:
    given, learns = relation.given.kind, relation.learns.kind
    return Image(
        of.given[i].movedim(0, -1).numpy(),
        of.sure[i].numpy(),
        of.prediction[i].movedim(0, -1).numpy(),
        of.inside[i].numpy(),
        CAMERAS[i],
        isinstance(given, Depth) and given.inverse,
        isinstance(learns, Depth) and learns.inverse,
    )


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        *((name, {}) for name in ENDS),
        ("normals-of-depth", {"given": "inverse"}),
        ("depth-along-normals", {"learns": "inverse"}),
        ("depth-by-fit", {"learns": "inverse"}),
        ("depth-of-depth", {"given": "inverse", "learns": "depth"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_loop(name: str, ends: dict[str, str], seed: int) -> None:
    relation, of = make(name, **ends), scene(name, seed, **ends)
    loss, seen = relation.loss(of)
    for i in range(2):
        expected, counts = LOOPS[name](image(of, i, relation))
        np.testing.assert_array_equal(seen[i].numpy(), counts)
        np.testing.assert_allclose(loss[i].numpy(), expected, rtol=1e-6, atol=1e-9)
    assert loss.sum() > 0
    assert not seen[1, 7:].any()


def test_every_relation_has_a_loop() -> None:
    assert set(LOOPS) == set(ENDS) == set(RELATIONS)


@each_relation
def test_gradient(name: str) -> None:
    relation, of = make(name), scene(name, 2)
    leaf = of.prediction.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p: relation.loss(replace(of, prediction=p))[0], leaf, fast_mode=True
    )
    relation.loss(of)[0].sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.abs().max() > 0
    assert (leaf.grad[1, :, 8:] == 0).all(), "padding learns nothing"


@each_relation
def test_pixels_of_which_nothing_is_known_do_not_matter(name: str) -> None:
    relation, of = make(name), scene(name)
    results = []
    garbage = torch.nan if of.given.is_floating_point() else 255
    for given in (of.given, of.given.where(of.sure[:, None], garbage)):
        leaf = of.prediction.clone().requires_grad_()
        loss, seen = relation.loss(replace(of, given=given, prediction=leaf))
        loss.sum().backward()
        results.append((loss.detach(), seen, leaf.grad))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@each_relation
@pytest.mark.parametrize("extreme", [0.0, -5.0, 1e-30, 1e4, 1e18, -1e18])
def test_finite_on_extreme_values(name: str, extreme: float) -> None:
    relation, of = make(name), scene(name)
    prediction = of.prediction.float().clone()
    prediction[:, :, 2:5] = extreme
    given = of.given
    if name == "normals-of-depth":
        prediction = of.prediction.float()
        given = given.float().clone()
        given[:, :, 2:5] = abs(extreme)
    given = given.float() if given.is_floating_point() else given
    leaf = prediction.requires_grad_()
    rays = None if of.rays is None else Rays.of(CAMERAS, leaf)
    loss, _ = relation.loss(replace(of, given=given, prediction=leaf, rays=rays))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert (loss >= 0).all() or name in ("normals-of-depth", "depth-by-fit")
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()


def test_the_scale_of_a_disparity_is_not_known() -> None:
    """Any factor will do against pixels of disparity; none will against metres."""
    disparity = Task("disparity", Depth(unit="px"))
    relation = RELATIONS["depth-of-depth"](TASKS["depth"], disparity)
    of = scene("depth-of-depth")
    inside = torch.ones_like(of.inside)
    of = replace(of, sure=inside, inside=inside, prediction=700 / of.given)
    loss, seen = relation.loss(of)
    assert seen.all()
    assert loss.max() < 1e-9
    bent = replace(of, prediction=of.prediction + torch.linspace(0, 50, SIZE[1]))
    assert relation.loss(bent)[0].mean() > 1
    assert make("depth-of-depth").loss(of)[0].mean() > 100
    # Released code divides 1/metres by a zoom as well: then its factor is open too.
    assert make("depth-of-depth").loss(replace(of, paper=True))[0].max() < 1e-9


def test_what_relations_hold_of() -> None:
    other = Task("semantic", classes(5))
    assert not RELATIONS["parts-in-persons"].holds(other, TASKS["parts"])
    assert not RELATIONS["persons-at-parts"].holds(TASKS["semantic"], TASKS["parts"])
    assert not RELATIONS["edges-at-classes"].holds(TASKS["parts"], TASKS["edges"])
    assert not RELATIONS["depth-of-depth"].holds(TASKS["depth"], Task("other", Depth()))
    for member in RELATIONS.values():
        assert member.summary
        assert member.needs


# --- rooms: depth, normals, classes, edges and camera are exact there -------------------------

ROOMS = ("semantic", "depth", "normals", "edges")


def rooms(*changes: Change) -> Batch:
    """Six rooms, changed one after the other."""
    source = Rooms(images=(6, 0), size=(96, 128))
    tasks = source.tasks()
    samples: list[Sample] = []
    for i in range(6):
        sample = source.read("train", f"{i:06d}", ROOMS)
        for change in changes:
            sample = apply(sample, change, tasks)
        samples.append(sample)
    return collate(samples)


def said(name: str, batch: Batch, *, given: Any = None, learns: Any = None) -> Loss:
    """What a relation says of labels, taken as what is given and as what is predicted."""
    ends = dict(zip(ENDS[name], (given, learns), strict=True))
    found = {task: batch.labels[task] if v is None else v for task, v in ends.items()}
    task, learner = ENDS[name]
    prediction = found[learner]
    if learner == "semantic":
        prediction = 20.0 * F.one_hot(prediction[:, 0].long(), 13).movedim(-1, 1)
    if learner == "edges":
        prediction = 20.0 * (2 * prediction.float() - 1)
    assert batch.cameras is not None
    cameras = [camera for camera in batch.cameras if camera is not None]
    known = {t.name: t for t in Rooms.tasks()}
    relation = RELATIONS[name](known[task], known[learner])
    everywhere = batch.inside()
    return relation.loss(
        Scene(found[task], everywhere, prediction, everywhere, Rays.of(cameras, batch.image))
    )


def share_above(loss: Loss, limit: float) -> float:
    values, seen = loss
    return (values[seen] > limit).float().mean().item()


@pytest.mark.parametrize("name", ["normals-of-depth", "depth-by-fit"])
def test_labels_of_rooms_have_the_normals_of_their_depth(name: str) -> None:
    """Within 2 degrees on 85 of 100 pixels; with the camera or an axis wrong on next to none."""
    batch = rooms()
    limit = 1 - np.cos(np.deg2rad(2.0))
    exact = said(name, batch)
    assert share_above(exact, limit) < 0.15
    assert exact[1].float().mean() > 0.7, "most pixels are of one surface"
    for axis in range(3):
        turned = (
            batch.labels["normals"]
            * torch.tensor([1.0 - 2 * (i == axis) for i in range(3)])[:, None, None]
        )
        ends = {"given": turned} if name == "depth-by-fit" else {"learns": turned}
        assert share_above(said(name, batch, **ends), limit) > 0.35
    wide = tuple(Camera(c.fx / 2, c.fy / 2, c.cx, c.cy) for c in batch.cameras or () if c)
    assert share_above(said(name, replace(batch, cameras=wide)), limit) > 0.5


def test_depth_of_rooms_runs_along_their_normals() -> None:
    """The next point lies within 1 mm of the surface on 9 of 10 pixels, and 1 mm off on average."""
    batch = rooms()
    exact, depth = said("depth-along-normals", batch), batch.labels["depth"]
    assert share_above(exact, 0.001) < 0.1
    assert exact[0].mean() < 0.0015
    for wrong in (torch.full_like(depth, 2.5), depth * torch.linspace(0.8, 1.2, 128)):
        assert said("depth-along-normals", batch, learns=wrong)[0].mean() > 0.007
    # The scale of a scene is free.
    twice = said("depth-along-normals", batch, learns=2 * depth)[0]
    torch.testing.assert_close(twice, 2 * exact[0], atol=1e-5, rtol=1e-3)


def test_classes_of_rooms_change_at_their_edges() -> None:
    """Two changes in a hundred lie where thinning took the edge more than a pixel away."""
    batch = rooms()
    values, _ = said("edges-at-classes", batch)
    asked = values > 1e-10
    assert (values[asked] > 1).float().mean() < 0.03
    none = torch.zeros_like(batch.labels["edges"])
    wrong, _ = said("edges-at-classes", batch, learns=none)
    assert (wrong[wrong > 1e-10] > 1).float().mean() > 0.99
    assert share_above(said("classes-in-edges", batch), 1.0) < 0.001
    assert share_above(said("classes-in-edges", batch, given=none), 1.0) > 0.02


def test_relations_that_need_no_camera() -> None:
    assert without_camera([TASKS["depth"], TASKS["normals"], TASKS["parts"]]) == []
    found = without_camera([TASKS[name] for name in ("semantic", "edges", "depth", "normals")])
    assert found == ["edges-at-classes", "classes-in-edges"]


@pytest.mark.parametrize(
    "changes",
    [
        [Crop(2.0, 0.2, 0.9)],
        [Crop(2.0, 0.5, 0.0), Flip()],
        [Crop(1.5, 0.7, 0.1), Flip(), Crop(1.2)],
    ],
    ids=str,
)
def test_relations_hold_in_what_is_cropped_and_flipped(
    changes: list[Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zoomed depth has stairs, as each value is that of the nearest pixel; in wider windows none.

    With the focal lengths of before, or a camera that is not mirrored, the normals are other ones.
    """
    monkeypatch.setattr(surfaces, "WINDOW", 9)
    monkeypatch.setattr(surfaces, "MISFIT", 0.02)
    batch = rooms(*changes)
    assert batch.cameras is not None

    def median(cameras: tuple[Camera | None, ...]) -> float:
        rays = Rays.of([c for c in cameras if c], batch.image)
        normals, seen = normals_of_depth(batch.labels["depth"], batch.inside(), rays)
        cosine = (normals * batch.labels["normals"]).sum(1).clamp(-1, 1)
        return torch.rad2deg(torch.acos(cosine))[seen].median().item()

    before = rooms().cameras
    assert before is not None
    exact = median(batch.cameras)
    assert exact < 2.0
    pairs = zip(batch.cameras, before, strict=True)
    old = tuple(c and b and replace(c, fx=b.fx, fy=b.fy) for c, b in pairs)
    assert median(old) > exact + 3
    if changes[-1] == Flip():
        mirrored = tuple(c and replace(c, cx=128 - c.cx) for c in batch.cameras)
        assert median(mirrored) > exact + 3


def test_normals_are_those_that_a_store_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sums, windows and signs as in `mtdata`, which labels were made with."""
    monkeypatch.setattr(surfaces, "WINDOW", 7)
    monkeypatch.setattr(surfaces, "MISFIT", float("inf"))
    batch = rooms()
    valid = torch.rand(6, 96, 128, generator=generator(3)) < 0.8
    assert batch.cameras is not None
    cameras = [camera for camera in batch.cameras if camera is not None]
    depth = batch.labels["depth"].double()
    found, seen = normals_of_depth(depth, valid, Rays.of(cameras, depth))
    for i, camera in enumerate(cameras):
        expected, there = normals_from_depth(
            depth[i, 0].numpy(), valid[i].numpy(), camera, window=7
        )
        np.testing.assert_array_equal(seen[i].numpy(), there)
        apart = np.linalg.norm(found[i].movedim(0, -1).numpy() - expected, axis=-1)
        assert np.quantile(apart[there], 0.999) < 1e-5
