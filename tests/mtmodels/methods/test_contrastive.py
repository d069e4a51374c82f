"""The contrastive method: positives closer than negatives."""

from typing import Any

import pytest
import torch

from mtmodels.losses import map_distance
from mtmodels.methods.contrastive import Contrastive, hinge
from mtmodels.methods.parts.negative_pairs import Maps, maps_across
from mtmodels.methods.parts.pairs import Pair
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from tests.mtmodels.methods.looks import Look, look_at, own_terms
from tests.runs.batches import SIX, generator

THREE = SIX[:3]
REGRESSED = SIX[1:3]
"""Tasks whose predictions are mapped without drawing classes, so that a loop gives the same."""


def make(tasks: Any = THREE, **options: Any) -> Contrastive:
    torch.manual_seed(0)
    return Contrastive(
        NETWORKS["unet-resnet18"](tasks, width=0.125),
        mapping="segnet",
        mapping_width=0.0625,
        **options,
    )


def compare(method: Contrastive, look: Look) -> torch.Tensor:
    return method.compare(method.present(look.views), look.views, look.outputs[-1], generator(0))


def alone(method: Contrastive, pair: Pair, image: int, look: Look) -> list[torch.Tensor]:
    """The maps of a prediction of any image and of the label of the pair, each in its own pass."""
    points = [method.joint.prediction(pair, image=image), method.joint.label(pair)]
    return [method.joint([p], look.batch, look.last, generator(0)) for p in points]


@pytest.mark.parametrize("negatives", [1, 2, 9, "all"])
def test_is_what_loops_over_pairs_and_images_give(negatives: int | str) -> None:
    method = make(REGRESSED, negatives=negatives)
    look = look_at(method.network, {"depth": [0, 1, 3], "normals": [2]})
    pairs = method.present(look.views)
    others = min(3, negatives) if isinstance(negatives, int) else 3
    expected = []
    for pair in pairs:
        near = map_distance(*alone(method, pair, pair.image, look))
        hinges = []
        for away in range(1, others + 1):
            far = map_distance(*alone(method, pair, (pair.image + away) % 4, look))
            hinges.append(max(0.0, 0.2 + near.item() - far.item()))
        expected.append(sum(hinges) / others)
    assert len(expected) == 4
    assert compare(method, look).tolist() == pytest.approx(expected, abs=1e-5)


def test_the_term_is_the_sum_over_pairs_and_the_mean_over_images() -> None:
    method = make(REGRESSED, consistency_weight=3.0)
    look = look_at(method.network, {"depth": [0, 1], "normals": [2]})
    extra = own_terms(method, look)
    values = compare(method, look)
    assert extra.auxiliary["consistency"].item() == pytest.approx(3 * values.sum().item() / 4)
    assert extra.parts["consistency/normals_with_depth"].item() == pytest.approx(
        values[:2].mean().item()
    )


def test_every_prediction_is_compared_with_and_every_other_image_repels() -> None:
    method = make(margin=2.0, negatives="all")
    look = look_at(method.network)
    compare(method, look).sum().backward()
    for name, prediction in look.last.items():
        assert prediction.grad is not None
        # A task is no source where it is labelled, but a negative for the labels of others.
        assert (prediction.grad.flatten(1).abs().sum(1) > 0).all(), name
    assert look.features.grad is None
    assert all(p.grad is not None for p in method.joint.parameters())


def test_a_batch_of_one_image_has_no_term() -> None:
    method = make()
    look = look_at(method.network, {"depth": [0]}, images=1)
    assert not own_terms(method, look).auxiliary


def test_no_label_is_no_term() -> None:
    method = make()
    look = look_at(method.network, {})
    assert not own_terms(method, look).auxiliary


def test_crop_consistency_stays_where_there_is_no_pair() -> None:
    method = make(with_ssl=True)
    look = look_at(method.network, {"depth": [0]}, images=1)
    views = Views(look.batch, look.batch, steps=[()], supervised=[True, False])
    look = Look(views, [*look.outputs, *look.outputs])
    extra = own_terms(method, look)
    assert set(extra.auxiliary) == {"semantic/crops", "normals/crops"}


def test_a_hinge_is_zero_beyond_the_margin() -> None:
    east, north = torch.eye(2)[:, None, :, None, None].unbind(0)
    assert hinge(Maps(east, north[None], east), 0.2).item() == 0
    assert hinge(Maps(east, north[None], east), 1.5).item() == pytest.approx(0.5)
    assert hinge(Maps(north, east[None], east), 0.2).item() == pytest.approx(1.2)
    assert hinge(Maps(east, torch.stack([north, east]), east), 0.2).item() == pytest.approx(0.1)


def test_maps_that_are_all_the_same_cost_the_margin() -> None:
    same = torch.ones(1, 2, 1, 1)
    assert hinge(Maps(same, same[None], same), 0.2).item() == pytest.approx(0.2)


def test_negatives_share_the_pass_of_positives() -> None:
    method = make(negatives="all")
    seen = []
    method.joint.mappings[0].register_forward_hook(lambda _, args, out: seen.append(len(args[1])))
    look = look_at(method.network)
    compare(method, look)
    # Four images under each of the six pairs of tasks, and two labels mapped for each image.
    assert seen == [4 * 6 + 4 * 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": -0.1}, "`margin` should be 0 or more; found -0.1"),
        (
            {"negatives": 0},
            "`negatives` should be a whole number, 1 or more or .* all; found 0",
        ),
        ({"negatives": "some"}, "no negatives `some`. Known: all"),
    ],
)
def test_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_the_first_image_follows_the_last() -> None:
    method = make(REGRESSED)
    look = look_at(method.network, {"depth": [3]})
    (pair,) = method.present(look.views)
    maps = maps_across(method.joint, [pair], look.batch, look.last, generator(0), negatives=1)
    # Batch norm over the few pixels of a sample magnifies rounding, hence distances.
    far = [map_distance(maps.negative[0], alone(method, pair, i, look)[0]).item() for i in range(4)]
    assert far[0] == pytest.approx(0, abs=1e-5)
    assert min(far[1:]) > 1e-3
