"""What docs/methods/reduction.md says: how losses become one number under partial labels."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from mtdata.reading.batch import Batch
from mtdata.reading.geometry import Crop
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method
from mtmodels.methods.parts.pairs import present_pairs
from mtmodels.methods.parts.supervision import Supervision
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from mtmodels.options import build
from mtmodels.recipes import load_recipe
from mtmodels.training.setup.resolve import resolve
from mtmodels.weightings import WEIGHTINGS
from tests.mtmodels.methods.looks import second_view
from tests.runs.batches import PAIR, SIX, random_batch

THREE = SIX[:3]


def make(name: str, tasks: Any = THREE, **options: Any) -> Method:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](tasks, width=0.125)
    return build("method", METHODS, name, network, options=options).eval()


def step(method: Method, views: Views) -> Terms:
    terms: Terms = method(views, progress=1.0, rng=torch.Generator().manual_seed(0))
    return terms


def emptied(batch: Batch, task: str, image: int) -> Batch:
    """The label is there, and none of its pixels is valid any more."""
    valid = batch.valid[task].clone()
    valid[batch.rows[task].tolist().index(image)] = False
    return replace(batch, valid={**batch.valid, task: valid})


def all_valid(batch: Batch) -> Batch:
    return replace(batch, valid={t: torch.ones_like(v) for t, v in batch.valid.items()})


@pytest.mark.parametrize("shown", [[0], [0, 2], [0, 1, 2, 3]])
def test_pixels_and_images_weigh_a_task_alike(shown: list[int]) -> None:
    """Where images have equally many valid pixels, both reductions are the same number."""
    batch = all_valid(random_batch(THREE, 4, rows={"semantic": shown}))
    values = [
        step(make("sl", reduction=reduction), Views(batch)).tasks["semantic"].item()
        for reduction in ("image", "pixels")
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


@pytest.mark.parametrize("recipe", ["xtasc-nyu-multi", "xtasc-nyu-xtc", "xtasc-cityscapes-align"])
def test_under_one_classes_weigh_as_depth_does(recipe: str) -> None:
    """A loss of 1 at each valid pixel: two of four images show each task, so each term is 1/2."""
    options = resolve(load_recipe(recipe).config).method.options
    method = resolve(load_recipe(recipe).config).method.name
    supervision = make(method, PAIR, **options).supervision
    assert isinstance(supervision, Supervision)
    for task in supervision.losses:
        supervision.losses[task] = lambda prediction, label, valid: valid.float()
    batch = random_batch(PAIR, 4, rows={"semantic": [0, 3], "depth": [1, 2]})
    predictions = {task.name: torch.zeros(4, task.channels, 32, 32) for task in PAIR}
    found = supervision.direct(predictions, batch, supervision.seen(batch))
    assert {task: term.item() for task, term in found.items()} == {"semantic": 0.5, "depth": 0.5}


@pytest.mark.parametrize("normalise", ["batch", "paper"])
def test_crops_are_divided_by_the_tasks_without_a_label(normalise: str) -> None:
    method = make("ssl", normalise=normalise)
    crops = [Crop(1.5, 0.2, 0.4), Crop(1.2, 0.6, 0.1)]

    def term(rows: dict[str, list[int]]) -> float:
        views = second_view(random_batch(THREE, 2, rows=rows), THREE, [crops])
        return step(method, views).auxiliary["depth/crops"].item()

    both = {"semantic": [0, 1], "normals": [0, 1]}
    alone = term(both)
    shared = term({"semantic": [0, 1]})
    assert alone == pytest.approx(2 * shared, rel=1e-5)


@pytest.mark.parametrize(("normalise", "share"), [("batch", 1.0), ("paper", 0.5)])
def test_supervised_losses_are_divided_where_it_is_asked_for(normalise: str, share: float) -> None:
    batch = random_batch(THREE, 1, rows={"semantic": [0], "depth": [0]})
    terms = step(make("sl", normalise=normalise), Views(batch))
    plain = step(make("sl"), Views(batch))
    for task, term in terms.tasks.items():
        assert term.item() == pytest.approx(share * plain.tasks[task].item(), rel=1e-6)


@pytest.mark.parametrize(
    ("weighting", "options"),
    [
        ("equal", {}),
        ("uncertainty", {"form": "mtan"}),
        ("fixed", {"values": {"semantic": 3.0, "depth": 0.2}}),
    ],
)
def test_consistency_has_the_weight_of_its_task_with_and_without_a_label(
    weighting: str, options: dict[str, Any]
) -> None:
    method = make("xtc", PAIR, consistency_weight=1.0)
    transfer = next(method.transfers["depth_to_semantic"].parameters())  # type: ignore[index, union-attr]
    gradients = []
    for rows in ({"depth": [0, 1]}, {"semantic": [0]}):
        weigh = build("weighting", WEIGHTINGS, weighting, ["semantic", "depth"], options=options)
        method.zero_grad()
        batch = random_batch(PAIR, 2, rows=rows)
        terms = step(method, Views(batch))
        assert ("depth" in terms.tasks) == ("depth" in rows)
        weigh.backward(terms, [], torch.Tensor.backward)
        assert transfer.grad is not None
        gradients.append(transfer.grad.clone())
        learnt = dict(weigh.named_parameters())
        if "depth" not in rows:
            assert all(p.grad is None for name, p in learnt.items() if "depth" in name)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_an_emptied_label_is_neither_shown_nor_lacking() -> None:
    batch = emptied(random_batch(THREE, 2, rows={"semantic": [0, 1], "depth": [0]}), "depth", 0)
    seen = make("mtpsl").supervision.seen(batch)  # type: ignore[union-attr, operator]
    pairs = present_pairs(seen)
    assert {(p.image, p.source, p.target) for p in pairs} == {
        (0, "normals", "semantic"),
        (1, "depth", "semantic"),
        (1, "normals", "semantic"),
    }
    assert present_pairs(seen, "unlabelled") == pairs


def test_an_emptied_label_is_no_reason_to_compare_crops() -> None:
    batch = random_batch(THREE, 1, rows={"semantic": [0], "depth": [0]})
    crops = [Crop(1.5, 0.2, 0.4)]
    full = step(make("ssl"), second_view(batch, THREE, [crops]))
    bare = step(make("ssl"), second_view(emptied(batch, "depth", 0), THREE, [crops]))
    assert list(full.auxiliary) == list(bare.auxiliary) == ["normals/crops"]
    assert torch.equal(full.auxiliary["normals/crops"], bare.auxiliary["normals/crops"])


def test_a_missing_part_of_align_counts_as_nothing() -> None:
    """Images show semantic and depth alone, so each term has one part of two."""
    batch = random_batch(THREE, 2, rows={"semantic": [0, 1], "depth": [0, 1]})
    terms = step(make("align", consistency_weight=0.5), Views(batch))
    parts = {name: part.item() for name, part in terms.parts.items()}
    expected = 0.5 * parts["semantic/direct"] + 0.5 * parts["semantic/to_depth"] / 2
    assert terms.tasks["semantic"].item() == pytest.approx(expected, rel=1e-6)
