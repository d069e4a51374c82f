"""Every method keeps what `Method` promises, under any labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from mtdata.reading.batch import Batch
from mtdata.reading.geometry import Crop
from mtdata.tasks.task import Task
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views, changed
from mtmodels.networks import NETWORKS
from mtmodels.options import options_of
from mtmodels.weightings.fixed import Equal
from tests.asserts import assert_every_parameter_learns, same_terms
from tests.mtmodels.methods.making import make_method
from tests.quick import few
from tests.runs.batches import SIX, random_batch, spoilt

each_method = pytest.mark.parametrize("name", METHODS)
QUICK = ("sl", "align", "mtpsl")
"""One without further networks, and two with those that take the least."""
each_quick_method = pytest.mark.parametrize("name", few(METHODS, QUICK))
THREE = SIX[:3]
SURFACE = SIX[1:3]
"""Two tasks between which a relation is known."""


def make(name: str, tasks: Sequence[Task] = THREE, **options: Any) -> Method:
    return make_method(name, tasks, **options)


STRONG: dict[str, dict[str, Any]] = {
    "xtc": {"consistency_weight": 0.5},
    "align": {"consistency_weight": 0.5},
}
WEAK: dict[str, dict[str, Any]] = {
    "mtpsl": {"consistency_weight": 0.01},
    "direct-map": {"consistency_weight": 0.01},
    "perceptual-map": {"consistency_weight": 0.01},
    "contrastive": {"consistency_weight": 0.01},
    "discriminator": {"consistency_weight": 0.01},
    "x-task": {"consistency_weight": 0.01, "gradient_weights": False},
    "kd": {"distillation_weights": 0.01},
    "jtr": {"distance_weight": 0.01, "reconstruction_weight": 0.01},
}
PLAIN: dict[str, dict[str, Any]] = {"x-task": {"gradient_weights": False}}
"""Without what weighs a term by the batch that it is in."""


def views(method: Method, batch: Batch) -> Views:
    """As many views as the method wants."""
    more = method.default_views - 1
    steps = [[[Crop(1.2, 0.3 * i, 0.7)] * len(batch.keys)] for i in range(more)]
    others = [changed(batch, method.network.tasks, changes) for changes in steps]
    return Views(batch, *others, steps=steps, supervised=[True] + [False] * more)


def step(method: Method, batch: Batch) -> Terms:
    terms: Terms = method(views(method, batch), progress=0.5, rng=torch.Generator())
    return terms


def total(method: Method, terms: Terms) -> torch.Tensor:
    return torch.stack([*terms.tasks.values(), *terms.auxiliary.values()]).sum()


def gradients(method: Method, batch: Batch) -> dict[str, torch.Tensor]:
    method.zero_grad()
    total(method, step(method, batch)).backward()
    return {n: p.grad.clone() for n, p in method.named_parameters() if p.grad is not None}


@each_method
def test_every_parameter_learns_from_full_labels(name: str) -> None:
    method = make(name, SIX, **STRONG.get(name, {}))
    terms = step(method, random_batch(SIX))
    assert list(terms.tasks) == [task.name for task in SIX]
    total(method, terms).backward()
    assert_every_parameter_learns(method)


@each_method
@pytest.mark.parametrize("only", THREE, ids=lambda task: task.name)
def test_runs_with_every_label_missing_but_one(name: str, only: Task) -> None:
    method = make(name)
    terms = step(method, random_batch(THREE, 3, rows={only.name: [1]}))
    assert list(terms.tasks) == [only.name]
    assert total(method, terms).isfinite()
    total(method, terms).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


@each_method
def test_runs_without_any_label(name: str) -> None:
    terms = step(make(name), random_batch(THREE, rows={}))
    assert not terms.tasks
    assert Equal([t.name for t in THREE]).backward(terms, [], torch.Tensor.backward).isfinite()


@each_method
def test_a_label_without_a_valid_pixel_is_no_label(name: str) -> None:
    method = make(name)
    batch = random_batch(THREE)
    empty = replace(batch, valid={**batch.valid, "depth": torch.zeros_like(batch.valid["depth"])})
    assert list(step(method, empty).tasks) == ["semantic", "normals"]


@each_quick_method
@pytest.mark.parametrize("reduction", ["image", "pixels"])
def test_pixels_that_are_not_valid_do_not_matter(name: str, reduction: str) -> None:
    method = make(name, reduction=reduction)
    batch = random_batch(THREE, 3, rows={"semantic": [0, 2], "depth": [1, 2], "normals": [0]})
    clean, dirty = gradients(method, batch), gradients(method, spoilt(batch))
    assert clean.keys() == dirty.keys()
    assert all(torch.equal(clean[key], dirty[key]) for key in clean)
    method.eval()
    assert same_terms(step(method, batch), step(method, spoilt(batch)))


@each_method
def test_leaves_the_batch(name: str) -> None:
    batch = random_batch(THREE)
    before = {key: value.clone() for key, value in batch.labels.items()}
    step(make(name), batch)
    assert all(torch.equal(value, before[key]) for key, value in batch.labels.items())


@each_method
def test_labels_of_other_tasks_do_not_matter(name: str) -> None:
    method = make(name, SURFACE).eval()
    assert same_terms(step(method, random_batch(SURFACE)), step(method, _with_classes()))


def _with_classes() -> Batch:
    pair, three = random_batch(SURFACE), random_batch(THREE)
    return replace(
        pair,
        labels={"semantic": three.labels["semantic"], **pair.labels},
        valid={"semantic": three.valid["semantic"], **pair.valid},
        rows={"semantic": three.rows["semantic"], **pair.rows},
    )


@each_quick_method
def test_overfits_one_batch(name: str) -> None:
    method = make(name, **WEAK.get(name, {}))
    batch = random_batch(THREE, 2, rows={"semantic": [0], "depth": [0, 1], "normals": [1]})
    batch = replace(
        batch, labels={k: v[:, :, :1, :1].expand_as(v) for k, v in batch.labels.items()}
    )
    optimizer = torch.optim.Adam(method.parameters(), lr=5e-2)
    values = []
    for _ in range(25):
        loss = total(method, step(method, batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.2 * values[0]


@each_method
def test_terms_keep_single_precision_under_autocast(name: str) -> None:
    method = make(name)
    with torch.autocast("cpu", torch.bfloat16):
        terms = step(method, random_batch(THREE, 2, rows={"semantic": [0, 1], "depth": [0]}))
    values = [*terms.tasks.values(), *terms.auxiliary.values()]
    assert {value.dtype for value in values} == {torch.float32}
    total(method, terms).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


@each_method
def test_terms_are_means_over_the_images_of_the_batch(name: str) -> None:
    method = make(name, **PLAIN.get(name, {})).eval()
    whole = random_batch(THREE, 3, rows={"semantic": [0, 2], "depth": [1], "normals": [0, 1, 2]})
    parts = [step(method, _image(whole, i)) for i in range(3)]
    terms = step(method, whole)
    for task, value in terms.tasks.items():
        alone = [p.tasks.get(task, p.auxiliary.get(f"{task}/consistency")) for p in parts]
        expected = sum(v.item() for v in alone if v is not None) / 3
        assert value.item() == pytest.approx(expected, rel=1e-4)


def _image(batch: Batch, i: int) -> Batch:
    """One image of a batch with its labels."""
    here = {k: (rows == i).nonzero()[:, 0] for k, rows in batch.rows.items()}
    here = {k: index for k, index in here.items() if len(index)}
    return Batch(
        (batch.keys[i],),
        batch.image[[i]],
        {k: batch.labels[k][index] for k, index in here.items()},
        {k: batch.valid[k][index] for k, index in here.items()},
        {k: torch.zeros(1, dtype=torch.long) for k in here},
        cameras=batch.cameras and (batch.cameras[i],),
    )


@each_method
def test_task_weights_scale_the_terms(name: str) -> None:
    options = PLAIN.get(name, {})
    plain = make(name, **options).eval()
    heavy = make(name, **options, task_weights={"depth": 50.0}).eval()
    batch = random_batch(THREE)
    before, after = step(plain, batch), step(heavy, batch)
    factors = {"semantic": 1.0, "depth": 50.0, "normals": 1.0}
    for task, factor in factors.items():
        assert after.tasks[task].item() == pytest.approx(factor * before.tasks[task].item())
    assert all(torch.equal(after.parts[key], before.parts[key]) for key in before.parts)


@each_method
def test_losses_are_chosen_by_task(name: str) -> None:
    method = make(name, losses={"normals": "l1"}).eval()
    batch = random_batch(THREE)
    prediction = method.network(batch.image).predictions["normals"]
    difference = (prediction - batch.labels["normals"]).abs().mean(1)
    expected = torch.stack(
        [difference[n][batch.valid["normals"][n]].mean() for n in range(2)]
    ).mean()
    value = step(method, batch).parts["normals/direct"]
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


@each_method
def test_paper_divides_by_the_number_of_labelled_tasks(name: str) -> None:
    rows = {"semantic": [0], "depth": [0, 1], "normals": [0]}
    batch = random_batch(THREE, 2, rows=rows)
    plain = step(make(name).eval(), batch).parts
    divided = step(make(name, normalise="paper").eval(), batch).parts
    assert divided["semantic/direct"].item() == pytest.approx(plain["semantic/direct"].item() / 3)
    alone = step(make(name).eval(), _image(batch, 1)).parts["depth/direct"].item() / 2
    expected = (plain["depth/direct"].item() - alone) / 3 + alone
    assert divided["depth/direct"].item() == pytest.approx(expected, rel=1e-5)


@each_method
def test_state_round_trip(name: str) -> None:
    first, second = make(name), make(name)
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.add_(1)
    second.load_state_dict(first.state_dict())
    batch = random_batch(THREE)
    assert same_terms(step(first.eval(), batch), step(second.eval(), batch))


@each_method
def test_predicts_with_the_network_alone(name: str) -> None:
    method = make(name).eval()
    image = torch.rand(1, 3, 40, 50)
    expected = method.network.predict(image)
    assert all(torch.equal(p, expected[key]) for key, p in method.predict(image).items())


@each_method
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"losses": {"depth": "l2"}}, "There is no loss `l2` of task `depth`"),
        (
            {"losses": {"deep": "l1"}},
            "no task for the option `losses` `deep`. Did you mean `depth`",
        ),
        (
            {"task_weights": {"depth": 0.0}},
            "`task_weights` should be a mapping, each value above",
        ),
        ({"reduction": "sum"}, "no reduction `sum`"),
        ({"normalise": "none"}, "no normalise `none`"),
        ({"normalise": "paper", "reduction": "pixels"}, "should be `image` with"),
    ],
)
def test_refuses_options(name: str, options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(name, **options)


@each_method
def test_says_what_it_is(name: str) -> None:
    assert METHODS[name].summary
    assert METHODS[name].reference


@pytest.mark.parametrize("name", [n for n in METHODS if "mapping_width" in options_of(METHODS[n])])
def test_a_mapping_without_channels_is_refused_by_its_own_name(name: str) -> None:
    options: dict[str, Any] = {"mapping_width": 0.0}
    with pytest.raises(
        ValueError, match=r"`mapping_width` should be in \(0, 100\] or null; found 0"
    ):
        METHODS[name](NETWORKS["unet-resnet18"](SIX[:2], width=0.125), **options)


@each_method
def test_a_method_learns_from_images_without_a_label_where_it_says_so(name: str) -> None:
    method = make(name, THREE, **STRONG.get(name, WEAK.get(name, {})))
    bare = random_batch(THREE, rows={})
    terms = step(method, bare)
    found = [*terms.tasks.values(), *terms.auxiliary.values()]
    moves = bool(found) and torch.stack(found).sum().requires_grad
    assert moves == method.uses_unlabelled
