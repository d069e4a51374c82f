"""Which images a relation speaks of, how much it counts, and what is refused."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtdata import load_plugin
from mtdata.reading.batch import join
from mtdata.reading.geometry import Crop, Flip
from mtdata.tasks.kinds import Classes, Depth
from mtdata.tasks.sample import Camera, Extent
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method
from mtmodels.methods.geometry import Geometry
from mtmodels.methods.parts.mixing import mixed
from mtmodels.methods.parts.relations import RELATIONS
from mtmodels.methods.parts.relations.base import Rays, Scene
from mtmodels.methods.parts.teaching import Teaching
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views, changed
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Output
from mtmodels.options import options_of
from tests.mtmodels.methods.looks import second_view
from tests.mtmodels.methods.making import make_method
from tests.runs.batches import PAIR, SIX, generator, random_batch
from tests.runs.plugin_files import REST, write

TASKS = (
    Task("semantic", Classes(("background", "person", "dog"), ((0, 0, 0),) * 3)),
    *SIX[1:3],
    Task("parts", Classes(("background", "head", "torso"), ((0, 0, 0),) * 3)),
    SIX[5],
)
ROWS = {"semantic": [0], "depth": [1, 2], "normals": [2], "edges": [0, 1]}
NOW = {"weight": 1.0, "begin": 0.0, "ramp_up": 0.0}
USUAL = [name for name in RELATIONS if RELATIONS[name].usual]


def make(**options: Any) -> Geometry:
    torch.manual_seed(0)
    return Geometry(NETWORKS["unet-resnet18"](TASKS, width=0.125), **options).double().eval()


def views(**rows: Any) -> Views:
    batch = random_batch(TASKS, 3, rows=rows or ROWS)
    labels = {n: x.double() if x.is_floating_point() else x for n, x in batch.labels.items()}
    return Views(replace(batch, image=batch.image.double(), labels=labels))


def step(method: Method, of: Views, progress: float = 1.0) -> Terms:
    terms: Terms = method(of, progress=progress, rng=generator(0))
    return terms


@pytest.mark.parametrize("given", ["all", "sure", "labels"])
@pytest.mark.parametrize("name", [n for n in RELATIONS if n != "depth-of-depth"])
def test_a_term_is_the_mean_over_images_that_lack_what_learns(name: str, given: str) -> None:
    """Image by image: a label where there is one, else what is predicted and sure of itself."""
    method = make(
        relations={name: {**NOW, "weight": 0.5}}, geometry_given=given, geometry_weight=3.0
    )
    of = views()
    batch, [output] = of.main, of.predict(method.network)
    known = next(k.relation for k in method.relations.known if k.name == name)
    source, learner = known.given.name, known.learns.name
    total, speaking = torch.zeros((), dtype=torch.float64), 0
    for i in range(3):
        labelled = i in ROWS.get(source, [])
        unsure = kind_model(known.given).certainty is None
        of_labels = given == "labels" or (given == "sure" and unsure)
        if i in ROWS.get(learner, []) or (of_labels and not labelled):
            continue
        speaking += 1
        if labelled:
            at = ROWS[source].index(i)
            value, sure = batch.labels[source][[at]], batch.valid[source][[at]]
        else:
            row, prediction = kind_model(known.given), output.predictions[source][[i]].detach()
            value, sure = row.as_label(prediction), torch.ones(1, 32, 32, dtype=torch.bool)
            if known.given.kind.name == "classes":
                sure = prediction.softmax(1).amax(1) >= 0.6
            if known.given.kind.name == "binary":
                sure = (prediction.sigmoid() - 0.5).abs()[:, 0] >= 0.1
        assert batch.cameras is not None
        cameras = [c for c in batch.cameras[i : i + 1] if c is not None]
        inside = torch.ones(1, 32, 32, dtype=torch.bool)
        learns = output.predictions[learner][[i]]
        loss, _ = known.loss(Scene(value, sure, learns, inside, Rays.of(cameras, learns)))
        total += loss.sum() / (32 * 32)
    found = step(method, of).auxiliary
    assert list(found) == ([f"{learner}/{name}"] if speaking else [])
    if speaking:
        assert found[f"{learner}/{name}"].item() == pytest.approx(1.5 * total.item() / 3, rel=1e-6)


def test_what_is_labelled_is_never_overruled() -> None:
    full = {task.name: [0, 1, 2] for task in TASKS}
    assert not step(make(), views(**full)).auxiliary
    full["normals"] = [0, 1]
    assert list(step(make(), views(**full)).auxiliary) == ["normals/normals-of-depth"]


def test_a_relation_has_a_beginning_and_rises() -> None:
    method = make(relations={"normals-of-depth": {"weight": 2.0, "begin": 0.2, "ramp_up": 0.4}})
    of = views()
    assert not step(method, of, 0.19).auxiliary
    half, whole = (step(method, of, at) for at in (0.4, 0.6))
    name = "normals/normals-of-depth"
    assert half.auxiliary[name].item() == pytest.approx(whole.auxiliary[name].item() / 2)
    assert whole.auxiliary[name].item() == pytest.approx(2 * whole.parts[name].item())


@pytest.mark.parametrize("detach", [True, False])
def test_what_is_given_is_a_target_unless_both_are_to_learn(*, detach: bool) -> None:
    method = make(relations={"depth-by-fit": NOW}, geometry_given="all", geometry_detach=detach)
    of = views(semantic=[0])
    [output] = of.predict(method.network)
    leaves = {n: p.detach().requires_grad_() for n, p in output.predictions.items()}
    # Every normal of a network that learnt nothing yet is far from the planes of depth.
    terms = method.relations.terms(of, [replace(output, predictions=leaves)], progress=1.0)
    terms.auxiliary["depth/depth-by-fit"].backward()
    assert leaves["depth"].grad is not None
    assert (leaves["normals"].grad is None) == detach


def tilted(method: Geometry, of: Views) -> Output:
    """A wall that is predicted straight ahead, with normals that say it is turned."""
    [output] = of.predict(method.network)
    found = {name: p.detach().clone() for name, p in output.predictions.items()}
    found["depth"][:] = 2.0
    found["normals"][:] = torch.tensor([0.6, 0.0, 0.8])[:, None, None]
    found["semantic"][:, 0] = 9.0
    found["semantic"][:, 1, :, 12:] = 18.0
    return replace(output, predictions=found)


SEEN = {"normals-of-depth": NOW, "depth-along-normals": NOW, "edges-at-classes": NOW}


def test_only_images_with_a_camera_take_part() -> None:
    method, of = make(relations=SEEN, geometry_given="all"), views(parts=[0])
    output = tilted(method, of)

    def said(*cameras: Camera | None) -> Mapping[str, torch.Tensor]:
        batch = replace(of.main, cameras=cameras or None)
        return method.relations.terms(Views(batch), [output], progress=1.0).parts

    camera = Camera(40.0, 40.0, 16.0, 16.0)
    blind, one, all_ = said(), said(None, camera, None), said(camera, camera, camera)
    assert list(blind) == ["edges/edges-at-classes"]
    assert len(one) == len(all_) == 3
    for term in ("normals/normals-of-depth", "depth/depth-along-normals"):
        assert one[term] > 0
        assert one[term].item() == pytest.approx(all_[term].item() / 3)


def test_only_true_pixels_take_part() -> None:
    """A padded image is judged where the image is, whatever is predicted beside it."""
    method, of = make(relations=SEEN, geometry_given="all"), views(parts=[0])
    output, found = tilted(method, of), []
    padded = Views(replace(of.main, extents=(Extent(0, 0, 20, 32),) * 3))
    for beside in (0.5, 7.0):
        predictions = {name: p.clone() for name, p in output.predictions.items()}
        for prediction in predictions.values():
            prediction[:, :, 20:] = beside
        out = replace(output, predictions=predictions)
        found.append(method.relations.terms(padded, [out], progress=1.0).parts)
    assert len(found[0]) == 3
    assert all(x > 0 for x in found[0].values())
    assert all(torch.equal(x, found[1][name]) for name, x in found[0].items())


def test_padding_does_not_thin_a_relation() -> None:
    """The same pixels say the same of an image, whatever it is padded to."""
    method, of = make(relations=SEEN, geometry_given="all"), views(parts=[0])
    output = tilted(method, of)
    whole, padded = (
        method.relations.terms(
            Views(replace(of.main, extents=(Extent(0, 0, height, 32),) * 3)), [output], progress=1.0
        ).parts
        for height in (32, 16)
    )
    normals = "normals/normals-of-depth"
    assert padded[normals].item() == pytest.approx(whole[normals].item(), rel=0.2)


def test_views_and_joined_batches_have_cameras_of_their_own() -> None:
    batch = random_batch(TASKS, 2)
    crops = [Crop(1.5, 0.3, 0.7), Crop(2.0, 0.1, 0.2)]
    made = changed(batch, TASKS, [[Flip(), Flip()], crops])
    assert batch.cameras is not None
    for before, after, crop in zip(batch.cameras, made.cameras or (), crops, strict=True):
        assert before is not None
        assert after == crop.camera(Flip().camera(before, 32, 32), 32, 32)
    blind = replace(batch, cameras=None)
    assert join([blind, made]).cameras == (None, None, *(made.cameras or ()))
    assert join([blind, blind]).cameras is None
    assert changed(blind, TASKS, [crops]).cameras is None
    pasted, _ = mixed(Views(batch, batch), [[]], TASKS, how="boxes", rng=generator(0))
    assert pasted.last.cameras is None
    of = views()
    both = second_view(of.main, TASKS, [[Flip()] * 3])
    method = make(geometry_given="all")
    one, two = step(method, of).parts, step(method, both).parts
    assert one.keys() == two.keys()
    assert one["normals/normals-of-depth"] != two["normals/normals-of-depth"]


def test_predictions_that_say_nothing_of_themselves_are_not_given() -> None:
    """On an image that shows neither, depth and normals could agree on anything."""
    neither, found = views(parts=[0]), {}
    for given in ("labels", "sure", "all"):
        method = make(relations=SEEN, geometry_given=given)
        output = tilted(method, neither)
        found[given] = list(method.relations.terms(neither, [output], progress=1.0).parts)
    assert found["labels"] == []
    assert found["sure"] == ["edges/edges-at-classes"]
    assert len(found["all"]) == 3
    assert make().uses_unlabelled
    assert not make(relations={"normals-of-depth": NOW}).uses_unlabelled
    assert not make(geometry_given="labels").uses_unlabelled


@pytest.mark.parametrize("name", ["geometry", "mtpsl", "ssl", "teacher", "self-training"])
def test_labels_that_leave_a_relation_nothing_to_say_are_told(name: str) -> None:
    """All tasks or none, as under `fraction`, where the relation was dropped without a word."""
    three = SIX[:3]
    options = {} if name == "geometry" else {"with_geometry": True}
    shown = np.array([[True, True, True], [False, False, False]])
    [told] = make_method(name, three, **options).idle(shown)
    assert "no training image does: they add nothing" in told
    assert not list(make_method(name, three, **options, geometry_given="all").idle(shown))
    shown[1, 1] = True  # depth, of which normals follow
    assert not list(make_method(name, three, **options).idle(shown))
    if name != "geometry":
        assert not list(make_method(name, three).idle(shown[:1]))


WITH = [name for name in METHODS if "with_geometry" in options_of(METHODS[name])]


@pytest.mark.parametrize("name", WITH)
def test_other_methods_add_the_same_terms(name: str) -> None:
    three, crops = SIX[:3], [[Crop(1.2, 0.3, 0.7)] * 3]
    batch = random_batch(three, 3, rows={"semantic": [0], "depth": [1], "normals": [2]})
    of = second_view(batch, three, crops)
    plain = make_method(name, three).eval()
    method = make_method(name, three, with_geometry=True).eval()
    assert plain.cameras_for == ()
    assert method.cameras_for == ("normals-of-depth", "depth-along-normals")
    own, more = step(plain, of), step(method, of)
    added = {n: x for n, x in more.auxiliary.items() if n not in own.auxiliary}
    assert set(added) == {"normals/normals-of-depth", "depth/depth-along-normals"}
    seen = Views(batch) if issubclass(METHODS[name], Teaching) else of
    geometry = make_method("geometry", three).eval()
    expected = step(geometry, seen).auxiliary
    for term, value in added.items():
        assert value.item() == pytest.approx(expected[term].item(), rel=1e-5), term


def test_there_are_methods_to_add_it_to() -> None:
    assert {"mtpsl", "contrastive", "discriminator", "ssl", "teacher"} <= set(WITH)


@pytest.mark.parametrize(
    ("tasks", "options", "message"),
    [
        (PAIR, {}, r"tasks should have a relation that is known: depth in any unit.*`depth` \(met"),
        (
            PAIR,
            {"relations": {"depth-by-fit": 1.0}},
            "`depth-by-fit` is known of depth in any unit",
        ),
        (TASKS, {"relations": {"normals-of-dept": 1.0}}, "Did you mean `normals-of-depth`"),
        (TASKS, {"relations": {}}, "`relations` should name one or more; found none"),
        (
            TASKS,
            {"relations": {"normals-of-depth": {"wieght": 1.0}}},
            "no option `wieght` of `relations.normals-of-depth`. Did you mean `weight`",
        ),
        (
            TASKS,
            {"relations": {"normals-of-depth": -1.0}},
            "`relations.normals-of-depth.weight` should be 0 or more; found -1.0",
        ),
        (TASKS, {"relations": ["normals-of-depth"]}, "`relations` should be a mapping"),
        (TASKS, {"geometry_given": "label"}, "geometry given `label`"),
    ],
)
def test_what_cannot_be_is_refused(
    tasks: tuple[Task, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Geometry(NETWORKS["unet-resnet18"](tasks, width=0.125), **options)


def test_the_usual_relations_are_those_that_the_tasks_have() -> None:
    names = [known.name for known in make().relations.known]
    assert names == [name for name in USUAL if name != "depth-of-depth"]
    assert make(relations={"depth-by-fit": 1.0}).cameras_for == ("depth-by-fit",)
    assert make(relations={"edges-at-classes": 1.0}).cameras_for == ()


def test_two_depths_tell_each_other() -> None:
    tasks = (SIX[1], Task("disparity", Depth(unit="px")))
    network = NETWORKS["unet-resnet18"](tasks, width=0.125)
    method = Geometry(network, relations={NAME: NOW}, geometry_given="all")
    terms = step(method.eval(), Views(random_batch(tasks, 2, rows={"depth": [0]})))
    # The other image has neither: each is given to the other there.
    assert list(terms.auxiliary) == [f"disparity/{NAME}", f"depth/{NAME}"]
    with pytest.raises(ValueError, match=f"`{NAME}` is known of two tasks of depth in different"):
        make(relations={NAME: NOW})


def test_a_teacher_keeps_the_geometry_of_the_views() -> None:
    """Inverse depth is divided by a zoom where the released code is followed, as depth is."""
    tasks = (SIX[1], Task("disparity", Depth(unit="1/m")))
    network = NETWORKS["unet-resnet18"](tasks, width=0.125)
    options = {"with_geometry": True, "relations": {NAME: NOW}, "begin": 0.0}
    method = METHODS["teacher"](network, **options).eval()
    batch = random_batch(tasks, 2, rows={"depth": [0]})
    crops = [[Crop(1.2, 0.3, 0.7)] * 2]
    found = {
        paper: step(method, Views(batch, changed(batch, tasks, crops), steps=[crops], paper=paper))
        .auxiliary[f"disparity/{NAME}"]
        .item()
        for paper in (False, True)
    }
    expected = {
        paper: step(Geometry(network, relations={NAME: NOW}).eval(), Views(batch, paper=paper))
        .auxiliary[f"disparity/{NAME}"]
        .item()
        for paper in (False, True)
    }
    assert found[True] != found[False]
    assert found == pytest.approx(expected)


NAME = "depth-of-depth"


def test_a_relation_of_a_plug_in_is_used_where_it_is_named(tmp_path: Path) -> None:
    load_plugin(write(tmp_path, REST, name="rest.py"))
    tasks = (*SIX[1:3], Task("distance", Depth()))
    network = NETWORKS["unet-resnet18"](tasks, width=0.125)
    assert "equal" not in [known.name for known in Geometry(network).relations.known]
    method = Geometry(network, relations={"equal": NOW}).eval()
    terms = step(method, Views(random_batch(tasks, 2, rows={"depth": [0, 1]})))
    assert list(terms.auxiliary) == ["distance/equal"]


def test_rays_are_those_of_the_camera() -> None:
    camera = Camera(20.0, 40.0, 8.5, 3.0)
    rays = Rays.of([camera], torch.zeros(1, 1, 6, 16))
    assert rays.u[0, 0, 8].item() == 0
    assert rays.u[0, 0, 9].item() == pytest.approx(1 / 20)
    assert rays.v[0, 5, 0].item() == pytest.approx(2.5 / 40)
    assert rays.focal.tolist() == [[20, 40]]
