"""Direct maps: what is mapped to another task against the labels of that task."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from mtdata.tasks.task import Task
from mtmodels.losses import cosine, l1
from mtmodels.methods.direct_map import DirectMap
from mtmodels.methods.parts.label_distance import whole_cosine
from mtmodels.methods.parts.label_mapping import by_tasks
from mtmodels.methods.parts.pairs import Pair, present_pairs
from mtmodels.methods.terms import Terms
from mtmodels.networks import NETWORKS
from mtmodels.networks.auxiliary.label_network import LabelMapping
from tests.mtmodels.methods.looks import Look, look_at, own_terms
from tests.runs.batches import SIX, classes, generator

THREE = SIX[:3]
FOUR = (*THREE, SIX[4])
"""One task of every kind."""
REGRESSED = SIX[1:3]
"""Tasks whose predictions are encoded without drawing classes, so that a loop gives the same."""
ROWS = {"depth": [0, 1, 3], "normals": [2]}
LOSSES = {"depth": l1, "normals": cosine}


def make(tasks: Any = THREE, **options: Any) -> DirectMap:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](tasks, width=0.125)
    return DirectMap(network, mapping_width=0.03125, **options)


def extra(method: DirectMap, look: Look, progress: float = 1.0) -> Terms:
    return own_terms(method, look, progress=progress)


def encoded(look: Look, task: str) -> torch.Tensor:
    """By hand, for depth and normals."""
    prediction = look.last[task]
    if task == "normals":
        return (prediction + 1) / 2
    return prediction / prediction.abs().amax((1, 2, 3), keepdim=True)


def loop(method: DirectMap, look: Look, pair: Pair) -> float:
    """One pair of one image: the mean over the valid pixels of its label."""
    mapping = method.mappings[f"{pair.source}_to_{pair.target}"]
    mapped = mapping(encoded(look, pair.source))[[pair.image]]
    row = look.batch.rows[pair.target].tolist().index(pair.image)
    label, valid = (x[pair.target][[row]] for x in (look.batch.labels, look.batch.valid))
    return LOSSES[pair.target](mapped, label, valid)[valid].mean().item()


@pytest.mark.parametrize("normalise", ["batch", "paper"])
def test_is_what_a_loop_over_images_and_pairs_gives(normalise: str) -> None:
    # Evaluation: batch norm does not care with whom an image goes through the mapping.
    method = make(
        REGRESSED, consistency_weight=2.0, task_weights={"depth": 3.0}, normalise=normalise
    ).eval()
    look = look_at(method.network, ROWS)
    pairs = present_pairs(method.supervision.seen(look.batch))
    values = {pair: loop(method, look, pair) for pair in pairs}
    expected = sum({"depth": 3, "normals": 1}[p.target] * value for p, value in values.items())
    result = extra(method, look)
    assert result.auxiliary["consistency"].item() == pytest.approx(2 * expected / 4, rel=1e-4)
    to_depth = [value for pair, value in values.items() if pair.target == "depth"]
    assert len(to_depth) == 3
    part = result.parts["consistency/normals_to_depth"].item()
    assert part == pytest.approx(sum(to_depth) / 3, rel=1e-4)


def test_paper_shares_the_term_among_the_unlabelled_tasks() -> None:
    rows = {"depth": [0, 1, 2, 3]}
    plain, paper = (make(normalise=n).eval() for n in ("batch", "paper"))
    values = [
        extra(m, look_at(m.network, rows)).auxiliary["consistency"].item() for m in (plain, paper)
    ]
    assert values[1] == pytest.approx(values[0] / 2)


def test_pixels_pools_over_the_images_of_a_pair() -> None:
    method = make(REGRESSED, reduction="pixels").eval()
    look = look_at(method.network, {"depth": [0, 1]})
    mapped = method.mappings["normals_to_depth"](encoded(look, "normals")[:2])
    valid = look.batch.valid["depth"]
    expected = l1(mapped, look.batch.labels["depth"], valid)[valid].mean() * 2 / 4
    result = extra(method, look).auxiliary["consistency"]
    assert result.item() == pytest.approx(expected.item(), rel=1e-4)


def test_gradients_reach_mapping_and_prediction() -> None:
    method = make()
    look = look_at(method.network, {"semantic": [0], "depth": [1]})
    extra(method, look).auxiliary["consistency"].backward()
    reached = {
        name: (p.grad.flatten(1).abs().sum(1) > 0).tolist()
        for name, p in look.last.items()
        if p.grad is not None
    }
    assert reached == {
        "semantic": [False, True, False, False],
        "depth": [True, False, False, False],
        "normals": [True, True, False, False],
    }
    assert look.features.grad is None
    learning = {
        n.split(".")[0] for n, p in method.mappings.named_parameters() if p.grad is not None
    }
    assert learning == {
        "depth_to_semantic",
        "normals_to_semantic",
        "semantic_to_depth",
        "normals_to_depth",
    }


def test_each_mapping_runs_once_and_only_where_its_pair_occurs() -> None:
    method = make()
    ran: list[tuple[str, int]] = []
    for name, mapping in method.mappings.items():
        mapping.register_forward_hook(lambda _, a, __, name=name: ran.append((name, len(a[0]))))
    extra(method, look_at(method.network, {"depth": [0, 1, 3]}))
    assert sorted(ran) == [("normals_to_depth", 3), ("semantic_to_depth", 3)]


def test_images_that_show_everything_take_part_in_all_pairs_by_default() -> None:
    rows = {task.name: [0, 1] for task in THREE}
    for pairs, number in (("auto", 6), ("unlabelled", 0), ("all", 6)):
        method = make(pairs=pairs)
        result = extra(method, look_at(method.network, rows, images=2))
        assert len(result.parts) == number
        assert bool(result.auxiliary) == bool(number)


def test_no_label_is_no_term() -> None:
    method = make()
    assert extra(method, look_at(method.network, {})) == Terms()


def test_the_weight_ramps_up() -> None:
    method = make(ramp_up=0.5, consistency_weight=4.0).eval()
    look = look_at(method.network)
    values = [
        extra(method, look, at).auxiliary["consistency"].item() for at in (0.0, 0.25, 0.5, 1.0)
    ]
    assert values[0] == 0
    assert values[1] == pytest.approx(values[2] / 2)
    assert values[3] == pytest.approx(values[2])


def test_one_image_of_the_smallest_size_trains() -> None:
    mapping = LabelMapping(SIX[0], SIX[2], width=0.0625)
    mapped = mapping(torch.rand(1, 5, 32, 32))
    assert mapped.shape == (1, 3, 32, 32)
    mapped.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in mapping.parameters())


def test_maps_of_a_finer_stride_are_padded_and_cut() -> None:
    mapping = LabelMapping(SIX[1], SIX[0], width=0.0625).eval()
    image = torch.rand(2, 1, 40, 72, generator=generator(0))
    expected = mapping(F.pad(image, (0, 24, 0, 24), mode="replicate"))[..., :40, :72]
    assert torch.equal(mapping(image), expected)


def test_cosine_sees_whole_images_and_no_void_pixel() -> None:
    a, b = torch.randn(2, 2, 3, 4, 5, generator=generator(0)).unbind(0)
    valid = torch.rand(2, 4, 5, generator=generator(1)) < 0.5
    valid[1] = False
    loss, there = whole_cosine(a, b, valid)
    x, y = a[0][:, valid[0]].flatten(), b[0][:, valid[0]].flatten()
    expected = 1 - x @ y / (x.norm() * y.norm())
    assert loss.shape == there.shape == (2, 1, 1)
    assert loss[0].item() == pytest.approx(expected.item(), rel=1e-5)
    assert there.flatten().tolist() == [True, False]
    depth = torch.rand(1, 1, 4, 5)
    full = torch.ones(1, 4, 5).bool()
    assert whole_cosine(3 * depth, depth, full).loss.item() == pytest.approx(0, abs=1e-6)
    assert whole_cosine(depth.flip(-1), depth, full).loss.item() > 0.01


def test_cosine_compares_probabilities_with_one_hot_labels() -> None:
    method = make(SIX[:2], distance="cosine").eval()
    look = look_at(method.network, {"semantic": [1]})
    mapped = method.mappings["depth_to_semantic"](encoded(look, "depth")[[1]])
    label, valid = look.batch.labels["semantic"][0, 0].long(), look.batch.valid["semantic"][0]
    x = mapped.softmax(1)[0][:, valid].flatten()
    y = F.one_hot(label, 5).movedim(-1, 0).float()[:, valid].flatten()
    expected = (1 - F.cosine_similarity(x, y, dim=0)).item() / 4
    assert extra(method, look).auxiliary["consistency"].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("distance", ["loss", "cosine"])
def test_every_kind_is_mapped(distance: str) -> None:
    method = make(FOUR, distance=distance, pairs="all")
    look = look_at(method.network, {task.name: [0] for task in FOUR}, images=1)
    result = extra(method, look)
    assert len(result.parts) == 12
    result.auxiliary["consistency"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in look.last.values())


def test_mappings_have_a_rate_of_their_own() -> None:
    method = make(mapping_rate=0.3)
    network, mappings = method.parameter_groups()
    assert (network.scale, mappings.scale) == (1.0, 0.3)
    assert {id(p) for p in network.parameters} == {id(p) for p in method.network.parameters()}
    assert {id(p) for p in mappings.parameters} == {id(p) for p in method.mappings.parameters()}


def test_groups_images_by_pair() -> None:
    pairs = [Pair(0, "a", "b"), Pair(1, "b", "a"), Pair(2, "a", "b")]
    assert by_tasks(pairs) == {("a", "b"): [0, 2], ("b", "a"): [1]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance": "l2"}, "no distance `l2`"),
        ({"pairs": "some"}, "no pairs `some`"),
        ({"mapping_width": 0.0}, r"`mapping_width` should be in \(0, 100\] or null; found 0.0"),
        ({"mapping_rate": -1.0}, "`mapping_rate` should be 0 or more; found -1.0"),
        ({"consistency_weight": -1.0}, "`consistency_weight` should be 0 or more"),
        ({"ramp_up": 2.0}, r"`ramp_up` should be in \[0, 1\]; found 2.0"),
    ],
)
def test_refuses(options: dict[str, Any], message: str) -> None:
    network = NETWORKS["unet-resnet18"](THREE, width=0.125)
    with pytest.raises(ValueError, match=message):
        DirectMap(network, **{"mapping_width": 0.03125, **options})


def test_wants_two_tasks() -> None:
    with pytest.raises(ValueError, match="2 or more tasks for this method; found 1"):
        make(SIX[:1])


def test_mappings_have_the_sizes_that_the_documentation_states() -> None:
    tasks = (Task("semantic", classes(13)), *SIX[1:3])
    with torch.device("meta"):
        method = DirectMap(NETWORKS["segnet"](tasks))
    assert sum(p.numel() for p in method.mappings.parameters()) == 149_892_770
