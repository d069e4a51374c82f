"""Which pairs held-out labels call helpful, against gradients that are taken one by one."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtdata.reading.batch import Batch
from mtmodels.methods.mtpsl import MTPSL
from mtmodels.methods.parts.helpful_pairs import (
    HelpfulPairOptions,
    HelpfulPairs,
    cosine,
    label_gradient,
)
from mtmodels.methods.parts.joint import JointMethod
from mtmodels.methods.parts.pairs import Pair
from mtmodels.methods.parts.supervision import Supervision
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from tests.mtmodels.methods.making import make_method
from tests.mtmodels.methods.test_mtpsl import _label, _map, _prediction, batch, make, views
from tests.quick import few
from tests.runs.batches import SIX, generator, random_batch

THREE = SIX[:3]
JOINT = ["mtpsl", "contrastive", "discriminator"]
HELD: tuple[dict[str, list[int]], ...] = (
    {"semantic": [0, 2], "depth": [1]},
    {},
    {"normals": [0, 1, 2, 3]},
)
"""Which held-out images show what; those of the second batch show nothing."""
Gradient = dict[str, Tensor]


def helpful(name: str, **options: Any) -> JointMethod:
    method = make_method(name, THREE, helpful_pairs=True, **options)
    assert isinstance(method, JointMethod)
    return method


def by_hand(loss: Tensor, method: MTPSL) -> Gradient:
    """The gradient of a loss by each parameter that no task has for itself."""
    method.zero_grad()
    loss.backward(retain_graph=True)
    found = {}
    for name, parameter in method.network.named_parameters():
        if not set(name.split(".")) & {"semantic", "depth", "normals"}:
            grad = parameter.grad
            found[name] = torch.zeros_like(parameter) if grad is None else grad.clone()
    return found


def between(a: Gradient, b: Gradient) -> float:
    """The cosine of two gradients, a parameter at a time."""
    dot = sum((a[name] * b[name]).sum().item() for name in a)
    one, other = (sum(x.square().sum().item() for x in of.values()) ** 0.5 for of in (a, b))
    return float(dot / (one * other))


def distance(a: Tensor, b: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(a, b, dim=1).mean()


def test_cosines_equal_those_of_gradients_one_by_one() -> None:
    method, of = make(helpful_pairs=True, soft=True), views()
    held = [batch(rows) for rows in HELD]
    found = method.look([of], held, progress=0.5, rng=generator(0))
    assert found is not None

    other = make(helpful_pairs=True, soft=True)
    labels: list[Gradient] = []
    for one in (held[0], held[2]):
        terms = other.supervision.terms(Views(one), [other.network(one.image)]).tasks
        each = [by_hand(term, other) for term in terms.values()]
        labels.append({name: sum(g[name] for g in each) for name in each[0]})  # type: ignore[misc]
    mean = {name: (labels[0][name] + labels[1][name]) / 2 for name in labels[0]}

    outputs, images = other.network(of.all.image), len(of.last)
    features = outputs.features[-images:].detach()
    expected = {}
    for s, t in [(s.name, t.name) for s in THREE for t in THREE if s is not t]:
        total = torch.zeros((), dtype=torch.float64)
        for image in range(images):
            shown = [n for n in of.last.rows if image in of.last.rows[n].tolist()]
            if t not in shown or s in shown:
                continue
            soft = outputs.predictions[s][-images:][image : image + 1].softmax(1)
            said = soft if s == "semantic" else _prediction(outputs, s, image, images)
            a = _map(other, s, t, said, s, is_label=False)
            b = _map(other, s, t, _label(of.last, t, image), t, is_label=True)
            f = features[image : image + 1]
            total = total + distance(a, b) + 0.5 * (distance(a, f) + distance(b, f))
        if total.requires_grad:
            expected[f"{s}_with_{t}"] = between(by_hand(total, other), mean)
    assert len(expected) > 3
    assert found.cosine == pytest.approx(expected, rel=1e-6)
    assert found.agreement == pytest.approx(expected, rel=1e-5)
    assert {name: value >= 0 for name, value in expected.items()} == found.kept


def test_held_out_labels_are_asked_without_dropout() -> None:
    """Their gradient is a draw otherwise, and each of several processes draws another one."""
    network = NETWORKS["deeplab"](THREE, width=0.0625).train()
    drops = [one for one in network.modules() if isinstance(one, nn.Dropout)]
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    assert drops
    modes: list[tuple[bool, bool]] = []

    def watch(*_: object) -> None:
        modes.append((any(d.training for d in drops), all(n.training for n in norms)))

    network.register_forward_hook(watch)
    held = [random_batch(THREE, size=(64, 64))]
    one, other = (label_gradient(network, Supervision(THREE), held) for _ in range(2))
    assert one is not None
    assert other is not None
    assert torch.equal(one, other)
    assert modes == [(False, True)] * 2
    assert all(module.training for module in network.modules())


def test_parts_of_a_step_are_asked_together() -> None:
    """A part without a pair does not count, and one that comes twice points as it does once."""
    held, once = [batch(HELD[0])], [views()]
    asked = {}
    for name, parts in {"once": once, "twice": [views({}), *once, *once]}.items():
        method = make(helpful_pairs=True, soft=True)
        found = method.look(parts, held, progress=0.5, rng=generator(0))
        assert found is not None
        asked[name] = found.cosine
    assert asked["twice"] == pytest.approx(asked["once"], rel=1e-9)
    other = views({"semantic": [2], "depth": [0, 1], "normals": [3]})
    method = make(helpful_pairs=True, soft=True)
    found = method.look([*once, other], held, progress=0.5, rng=generator(0))
    assert found is not None
    assert found.cosine.keys() >= asked["once"].keys()
    assert found.cosine != pytest.approx(asked["once"], rel=1e-3)


def test_cosines_of_gradients_that_are_small_or_none() -> None:
    a = torch.tensor([1e-30, -1e-30])
    assert cosine(a, torch.tensor([1.0, -1.0])).item() == pytest.approx(1)
    assert cosine(a, torch.zeros(2)).item() == 0


def test_a_running_mean_decides_and_a_pair_may_come_back() -> None:
    options = HelpfulPairOptions(helpful_memory=0.5, helpful_threshold=0.1)
    helpful = HelpfulPairs(["a", "b", "c"], options)
    pairs = [Pair(0, "a", "b"), Pair(1, "b", "a"), Pair(1, "c", "a")]
    assert helpful.kept(pairs) == pairs
    means = []
    for value in (0.0, 0.1, 0.4, -0.5):
        found = helpful.take({("a", "b"): torch.tensor(value), ("b", "a"): torch.tensor(0.2)})
        means.append(found.agreement["a_with_b"])
        assert found.cosine["a_with_b"] == pytest.approx(value)
        assert found.kept == {"a_with_b": means[-1] >= 0.1, "b_with_a": True}
        assert (pairs[0] in helpful.kept(pairs)) is found.kept["a_with_b"]
        # A pair that was never asked goes on.
        assert pairs[1:] == helpful.kept(pairs[1:])
    assert means == pytest.approx([0.0, 0.05, 0.225, -0.1375])


@pytest.mark.parametrize("options", [{}, {"checkpoint_mapping": True}], ids=str)
@pytest.mark.parametrize("name", few(JOINT, JOINT[:1]))
def test_a_look_changes_nothing_but_what_is_remembered(name: str, options: dict[str, Any]) -> None:
    method, rows = helpful(name, **options), {"semantic": [0, 1], "depth": [2], "normals": [3]}
    of = Views(random_batch(THREE, 4, (64, 64), rows=rows))
    held = [random_batch(THREE, 4, (64, 64), rows=rows, seed=1)]
    before = copy.deepcopy(method.state_dict())
    found = method.look([of], held, progress=0.5, rng=generator(0))
    assert found is not None
    assert len(found.cosine) == 6
    assert any(found.cosine.values())
    changed = [n for n, value in method.state_dict().items() if not torch.equal(value, before[n])]
    assert set(changed) == {"helpful.agreement", "helpful.asked"}
    assert all(parameter.grad is None for parameter in method.parameters())


@pytest.mark.parametrize("name", JOINT)
def test_a_pair_that_rests_has_no_term(name: str) -> None:
    method, rows = helpful(name), {"semantic": [0, 1], "depth": [2, 3]}
    of = Views(random_batch(THREE, 4, (64, 64), rows=rows))
    assert method.helpful is not None

    def parts() -> set[str]:
        found = method(of, progress=1.0, rng=generator(0)).parts
        return {name for name in found if name.startswith("consistency/")}

    whole = parts()
    assert "consistency/normals_with_depth" in whole
    method.helpful.take({("normals", "depth"): torch.tensor(-0.5)})
    assert parts() == whole - {"consistency/normals_with_depth"}


def test_a_pair_that_rests_is_a_source_all_the_same() -> None:
    """With `normalise=paper`, what goes on weighs 1/|U_n| whatever rests beside it."""
    method = helpful("mtpsl", normalise="paper", soft=True)
    of = Views(random_batch(THREE, 1, (64, 64), rows={"depth": [0]}))
    assert method.helpful is not None
    method.helpful.take({("normals", "depth"): torch.tensor(-0.5)})
    found = method(of, progress=1.0, rng=generator(0))
    value = found.parts["consistency/semantic_with_depth"].item()
    weight = method.options.consistency_weight / 2
    assert found.auxiliary["consistency"].item() == pytest.approx(weight * value, rel=1e-5)


@pytest.mark.parametrize(
    ("shown", "held"),
    [({}, {"semantic": [0]}), ({"semantic": [0]}, {})],
    ids=["no pair", "no held-out label"],
)
def test_a_look_with_nothing_to_ask_says_nothing(
    shown: dict[str, list[int]], held: dict[str, list[int]]
) -> None:
    method = helpful("mtpsl")
    of = Views(random_batch(THREE, 2, (64, 64), rows=shown))
    asked: list[Batch] = [random_batch(THREE, 2, (64, 64), rows=held)]
    assert method.look([of], asked, progress=0.0, rng=generator(0)) is None


@pytest.mark.parametrize("name", JOINT)
def test_nothing_is_asked_unless_wanted(name: str) -> None:
    assert make_method(name, THREE).probe() is None
    with pytest.raises(ValueError, match=r"`helpful_pairs` should go without `detach_predictions`"):
        helpful(name, detach_predictions=True)
