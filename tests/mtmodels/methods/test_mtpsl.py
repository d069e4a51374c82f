"""Joint task-pair spaces against a slow reference, and who gets which gradient."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mtdata.errors import UnknownNameError
from mtdata.reading.batch import Batch
from mtdata.reading.geometry import Crop
from mtmodels.kinds import KINDS, kind_model
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method
from mtmodels.methods.mtpsl import MTPSL, centred
from mtmodels.methods.parts.joint_space import Conditioning
from mtmodels.methods.parts.pairs import Pair, pair_code, present_pairs
from mtmodels.methods.parts.supervision import Seen, Supervision, SupervisionOptions
from mtmodels.methods.ssl import SSL
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from mtmodels.networks.auxiliary.mapping import MappingNetwork
from mtmodels.networks.base import Output
from tests.mtmodels.methods.looks import second_view
from tests.runs.batches import SIX, random_batch

THREE = SIX[:3]
NAMES = tuple(task.name for task in THREE)
ROWS = {"semantic": [0], "depth": [1, 3], "normals": [1, 2]}


def make(**options: Any) -> MTPSL:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](THREE, width=0.125)
    method = MTPSL(network, **{"mapping_width": 0.0625, **options}).double()
    for i, parameter in enumerate(method.joint.film_parameters()):
        noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i))
        parameter.data = parameter.data + 0.3 * noise.double()
    return method


def batch(rows: dict[str, list[int]] | None = None) -> Batch:
    made = random_batch(THREE, 4, (64, 32), rows=ROWS if rows is None else rows)
    return replace(made, image=made.image.double())


def views(rows: dict[str, list[int]] | None = None) -> Views:
    return second_view(batch(rows), THREE, [[Crop(1.2, 0.1 * i, 0.2 * i) for i in range(4)]])


def step(method: Method, of: Views, *, progress: float = 1.0) -> Terms:
    terms: Terms = method(of, progress=progress, rng=torch.Generator().manual_seed(7))
    return terms


def soft(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encode classes without a draw, so that a loop in another order gives the same."""
    row = kind_model(THREE[0])
    plain = replace(row, encode_prediction=lambda logits, _rng: logits.softmax(1))
    monkeypatch.setitem(KINDS, "classes", plain)


def reference(method: MTPSL, of: Views, outputs: Output, *, stage: bool = False) -> float:
    """Image by image and pair by pair, each branch on its own, as the released code works."""
    second, images = of.last, len(of.last)
    features = outputs.features[-images:]
    maps: dict[tuple[str, str], list[tuple[Tensor, Tensor, Tensor]]] = defaultdict(list)
    for image in range(images):
        shown = {t for t in NAMES if image in second.rows.get(t, torch.tensor([])).tolist()}
        sources = sorted(shown) if stage else [s for s in NAMES if s not in shown] or list(NAMES)
        for s in sources:
            said = _label(second, s, image) if stage else _prediction(outputs, s, image, images)
            for t in sorted(shown - {s}):
                a = _map(method, s, t, said, s, is_label=False)
                b = _map(method, s, t, _label(second, t, image), t, is_label=True)
                maps[s, t].append((a, b, features[image : image + 1]))
    total = 0.0
    for triples in maps.values():
        ends = [torch.cat(one) for one in zip(*triples, strict=True)]
        if method.options.centre:
            ends = [one - one.mean((0, 2, 3), keepdim=True) for one in ends]
        for a, b, f in zip(*(one.split(1) for one in ends), strict=True):
            total += _distance(a, b)
            total += method.options.regulariser * (_distance(a, f) + _distance(b, f))
    return (1 if stage else method.options.consistency_weight) * total / images


def _prediction(outputs: Output, task: str, image: int, images: int) -> Tensor:
    row = kind_model(THREE[NAMES.index(task)])
    predicted = outputs.predictions[task][-images:][image : image + 1]
    return row.encode_prediction(predicted, torch.Generator())


def _label(second: Batch, task: str, image: int) -> Tensor:
    k = second.rows[task].tolist().index(image)
    described = THREE[NAMES.index(task)]
    label, valid = second.labels[task][k : k + 1], second.valid[task][k : k + 1]
    return kind_model(described).encode_label(label, valid, described.channels).double()


def _map(method: MTPSL, s: str, t: str, x: Tensor, task: str, *, is_label: bool) -> Tensor:
    code = pair_code(s, t, NAMES)
    conditioning = method.joint.conditioning
    if is_label and conditioning in ("input_and_pair", "separate"):
        code = pair_code(t, s, NAMES)
    network = method.joint.mappings[code if conditioning == "separate" else 0]
    assert isinstance(network, MappingNetwork)
    zero = torch.tensor([0])
    mapped: Tensor = network(
        {task: x}, zero, torch.tensor([code]) if network.film_parameters() else zero
    )
    return mapped


def _distance(a: Tensor, b: Tensor) -> float:
    cells = [
        1 - F.cosine_similarity(a[0, :, y, x], b[0, :, y, x], dim=0).item()
        for y in range(a.shape[2])
        for x in range(a.shape[3])
    ]
    return sum(cells) / len(cells)


@pytest.mark.parametrize("conditioning", get_args(Conditioning))
@pytest.mark.parametrize("regulariser", [0.0, 0.5])
@pytest.mark.parametrize("rows", [ROWS, {t: [0, 1, 2, 3] for t in NAMES}], ids=["partial", "full"])
def test_equals_the_loop(
    conditioning: str,
    regulariser: float,
    rows: dict[str, list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    soft(monkeypatch)
    method, of = make(conditioning=conditioning, regulariser=regulariser), views(rows)
    with torch.no_grad():
        outputs = method.network(of.all.image)
        expected = reference(method, of, outputs)
        monkeypatch.setattr(method.network, "forward", lambda _: outputs)
        found = step(method, of).auxiliary["consistency"].item()
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rows", [ROWS, {t: [0, 1, 2, 3] for t in NAMES}], ids=["partial", "full"])
def test_centred_equals_the_loop(
    rows: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    soft(monkeypatch)
    method, plain, of = make(centre=True), make(), views(rows)
    with torch.no_grad():
        outputs = method.network(of.all.image)
        expected = reference(method, of, outputs)
        for one in (method, plain):
            monkeypatch.setattr(one.network, "forward", lambda _: outputs)
        found, as_released = (
            step(one, of).auxiliary["consistency"].item() for one in (method, plain)
        )
    assert found == pytest.approx(expected, rel=1e-9)
    assert found != pytest.approx(as_released, rel=1e-3)


def test_cells_outside_the_image_have_no_say_in_the_mean() -> None:
    pairs = [Pair(0, "a", "b"), Pair(0, "b", "a"), Pair(1, "a", "b")]
    maps = torch.randn(3, 5, 2, 4, generator=torch.Generator().manual_seed(0))
    cells = torch.ones(3, 2, 4, dtype=torch.bool)
    cells[0, :, 3] = False
    found = centred(maps, pairs, cells)
    for alike in ([0, 2], [1]):
        for channel in range(5):
            inside = [
                maps[p, channel, y, x].item()
                for p in alike
                for y in range(2)
                for x in range(4)
                if cells[p, y, x]
            ]
            expected = maps[alike, channel] - sum(inside) / len(inside)
            torch.testing.assert_close(found[alike, channel], expected)
    everywhere = centred(maps, pairs)
    assert everywhere[[0, 2]].mean((0, 2, 3)).abs().max() < 1e-6
    assert not torch.equal(everywhere, found)
    near = 1 + 0.003 * maps  # all but collapsed: rounded to 8 bits the mean would be off by more
    with torch.autocast("cpu", torch.bfloat16):
        found = centred(near, pairs)
    torch.testing.assert_close(found, centred(near, pairs), rtol=0, atol=0)
    # Nothing is divided by none.
    assert centred(maps, pairs, torch.zeros_like(cells)).isfinite().all()


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize(
    "rows",
    [{**ROWS, "semantic": [0, 1, 3]}, {t: [0, 1, 2, 3] for t in NAMES}],
    ids=["partial", "full"],
)
def test_the_stage_equals_the_loop(centre: bool, rows: dict[str, list[int]]) -> None:
    method, of = make(mapping_epochs=2, centre=centre), views(rows)
    (stage,) = method.stages()
    before = {name: buffer.clone() for name, buffer in method.network.named_buffers()}
    with torch.no_grad():
        outputs = method.network(of.last.image)
        method.network.load_state_dict(before, strict=False)
        expected = reference(method, of, outputs, stage=True)
    terms = stage.forward(of, progress=0.0, rng=torch.Generator())
    assert terms.auxiliary["mapping"].item() == pytest.approx(expected, rel=1e-9)
    assert not terms.tasks
    assert all(name.startswith("mapping/") for name in terms.parts)
    for name, buffer in method.network.named_buffers():
        assert torch.equal(buffer, before[name]), name
    terms.auxiliary["mapping"].backward()
    assert all(p.grad is None for p in method.network.parameters())
    learns = {id(p) for group in stage.groups() for p in group.parameters}
    assert learns == {id(p) for p in method.joint.parameters()}
    assert any(p.grad is not None and p.grad.any() for p in method.joint.parameters())


def test_a_stage_needs_images_with_two_labels() -> None:
    method = make(mapping_epochs=1)
    assert make().stages() == ()
    nothing = method.stages()[0].forward(
        views({"semantic": [0], "depth": [1]}), progress=0.0, rng=torch.Generator()
    )
    assert nothing == Terms()
    one = np.eye(3, dtype=bool)
    with pytest.raises(ValueError, match=r"two tasks or more.*found none.*--regime"):
        method.check_labels(one)
    make().check_labels(one)
    method.check_labels(np.concatenate([one, [[True, True, False]]]))
    with pytest.raises(ValueError, match=r"`regulariser` should be above 0.*found 0"):
        make(mapping_epochs=1, regulariser=0.0)
    with pytest.raises(ValueError, match="`mapping_epochs`"):
        make(mapping_epochs=-1)


@pytest.mark.parametrize("rows", [ROWS, {t: [0, 1, 2, 3] for t in NAMES}], ids=["partial", "full"])
def test_probabilities_enter_as_they_are(
    rows: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    method, of = make(soft=True), views(rows)
    with torch.no_grad():
        outputs = method.network(of.all.image)
        monkeypatch.setattr(method.network, "forward", lambda _: outputs)
        values = [
            method(of, progress=1.0, rng=torch.Generator().manual_seed(seed)).auxiliary
            for seed in (1, 2)
        ]
        soft(monkeypatch)  # only now, for the loop alone
        expected = reference(method, of, outputs)
    assert values[0]["consistency"].item() == pytest.approx(expected, rel=1e-9)
    assert torch.equal(values[0]["consistency"], values[1]["consistency"])


def test_classes_are_drawn_unless_told_otherwise() -> None:
    method, of = make(), views()
    with torch.no_grad():
        first, second = (
            method(of, progress=1.0, rng=torch.Generator().manual_seed(seed)).auxiliary
            for seed in (1, 2)
        )
    assert not torch.equal(first["consistency"], second["consistency"])


@pytest.mark.parametrize("name", ["mtpsl", "contrastive", "discriminator"])
def test_what_is_clipped_together(name: str) -> None:
    for clip, expected in (("together", ""), ("apart", "mapping")):
        network = NETWORKS["unet-resnet18"](THREE, width=0.125)
        method = METHODS[name](network, mapping_width=0.0625, clip=clip)
        own, *others = method.parameter_groups()
        assert own.clip == ""
        assert {id(p) for p in own.parameters} == {id(p) for p in network.parameters()}
        assert {group.clip for group in others} == {expected}


@pytest.mark.parametrize("distance", ["squared", "loss"])
def test_crops_are_those_of_ssl(distance: str) -> None:
    method, of = make(with_ssl=True, ssl_weight=0.3, ssl_distance=distance), views()
    single = SSL(method.network, ssl_weight=0.3, distance=distance)
    with torch.no_grad():
        found, expected = (step(m, of).auxiliary for m in (method.eval(), single.eval()))
    assert set(found) == {*expected, "consistency"}
    assert expected
    for name, term in expected.items():
        assert torch.equal(found[name], term)


def test_one_view_serves_both_purposes() -> None:
    of = Views(batch())
    assert step(make(), of).auxiliary["consistency"] > 0


def test_supervision_is_on_the_first_view_unless_told_otherwise() -> None:
    of = views()
    method = make(consistency_weight=0.0)
    output = method.network(of.all.image)
    main = {name: p[:4] for name, p in output.predictions.items()}
    supervision = Supervision(THREE, SupervisionOptions())
    expected = supervision.direct(main, of.main, supervision.seen(of.main))
    found = step(method, of).tasks
    assert {n: v.item() for n, v in found.items()} == pytest.approx(
        {n: v.item() for n, v in expected.items()}
    )
    method = make(consistency_weight=0.0, supervise="all")
    flags = [view.supervised for view in method.views(2)]
    both = Views(*of.batches, steps=of.steps[1:], supervised=flags)
    everything = step(method, both).tasks
    whole = supervision.direct(output.predictions, of.all, supervision.seen(of.all))
    assert {n: v.item() for n, v in everything.items()} == pytest.approx(
        {n: v.item() for n, v in whole.items()}
    )


class TestPairs:
    def seen(self, *rows: list[bool]) -> Seen:
        host = torch.tensor(rows).T
        return Seen(NAMES, host, host, host)

    def test_unlabelled_with_labelled(self) -> None:
        seen = self.seen([True, False, False], [False, True, True])
        assert present_pairs(seen) == [
            Pair(0, "depth", "semantic"),
            Pair(0, "normals", "semantic"),
            Pair(1, "semantic", "depth"),
            Pair(1, "semantic", "normals"),
        ]

    def test_an_image_with_every_label_has_every_pair(self) -> None:
        seen = self.seen([True, True, True])
        assert len(present_pairs(seen)) == 6
        assert present_pairs(seen, "unlabelled") == []

    def test_a_crop_does_not_make_it_partly_labelled(self) -> None:
        emptied, given = torch.tensor([[True], [False], [True]]), torch.ones(3, 1).bool()
        pairs = present_pairs(Seen(NAMES, emptied, emptied, given))
        assert {pair.target for pair in pairs} == {"semantic", "normals"}
        assert len(pairs) == 4

    def test_all_pairs_where_asked_for(self) -> None:
        pairs = present_pairs(self.seen([True, True, False]), "all")
        assert [(p.source, p.target) for p in pairs] == [
            ("semantic", "depth"),
            ("depth", "semantic"),
            ("normals", "semantic"),
            ("normals", "depth"),
        ]

    def test_no_label_no_pair(self) -> None:
        assert present_pairs(self.seen([False, False, False])) == []

    def test_order_of_the_codes(self) -> None:
        codes = {pair_code(s, t, NAMES): (s, t) for s in NAMES for t in NAMES if s != t}
        a, b, c = NAMES
        assert [codes[i] for i in range(6)] == [(a, b), (a, c), (b, a), (b, c), (c, a), (c, b)]


def gradient_norm(parameters: Iterable[Tensor]) -> float:
    return float(sum(p.grad.norm().item() for p in parameters if p.grad is not None))


class TestGradients:
    def consistency(self, **options: Any) -> MTPSL:
        method = make(**options)
        step(method, views()).auxiliary["consistency"].backward()
        return method

    def test_reach_network_and_mapping(self) -> None:
        method = self.consistency()
        assert gradient_norm(method.network.parameters()) > 0
        assert gradient_norm(method.joint.parameters()) > 0

    def test_detached_predictions_train_the_mapping_alone(self) -> None:
        method = self.consistency(detach_predictions=True)
        assert gradient_norm(method.network.parameters()) == 0
        assert gradient_norm(method.joint.parameters()) > 0

    def test_features_are_a_target_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for detach in (True, False):
            method, of = make(detach_features=detach), views()
            output = method.network(of.all.image)
            leaf = output.features.detach().requires_grad_()
            frozen = {name: p.detach() for name, p in output.predictions.items()}
            looked = Output(frozen, leaf)
            monkeypatch.setattr(method.network, "forward", lambda _, looked=looked: looked)
            step(method, of).auxiliary["consistency"].backward()
            assert (leaf.grad is None) == detach

    def test_only_the_codes_of_present_pairs_learn(self) -> None:
        method = make()
        step(method, views({"semantic": [0, 1, 2, 3]})).auxiliary["consistency"].backward()
        gamma = method.joint.film_parameters()[0].grad
        assert gamma is not None
        present = {pair_code(s, "semantic", NAMES) for s in ("depth", "normals")}
        assert set(gamma.abs().sum(0).nonzero()[:, 0].tolist()) == present


def test_the_mapping_works_by_the_pairs_that_are_there() -> None:
    """Its share of a step grows with them, not with all ordered pairs."""
    method = make()
    seen: list[int] = []
    last = method.joint.mappings[0].trunk.blocks[-1]  # type: ignore[union-attr, index]
    last.register_forward_hook(lambda _m, x, _y: seen.append(len(x[0])))  # type: ignore[union-attr]
    step(method, views({"semantic": [0], "depth": [1], "normals": [2]}))
    step(method, views({}))
    assert seen == [3 * 2 * 2]


@pytest.mark.parametrize("value", ["label", "prediction"])
def test_what_is_mapped_twice_is_encoded_once(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row, count = kind_model(THREE[1]), [0]
    encode = getattr(row, f"encode_{value}")

    def counted(x: Tensor, *rest: Any) -> Tensor:
        count[0] += len(x)
        encoded: Tensor = encode(x, *rest)
        return encoded

    option: dict[str, Any] = {f"encode_{value}": counted}
    changed = replace(row, **option)
    monkeypatch.setitem(KINDS, "depth", changed)
    step(make(), views({t: [0, 1, 2, 3] for t in NAMES}))
    assert count == [4]


def test_a_label_that_the_crop_lost_makes_no_pair() -> None:
    of = views({"semantic": [0], "depth": [1]})
    valid = {**of.last.valid, "depth": torch.zeros_like(of.last.valid["depth"])}
    lost = Views(of.main, replace(of.last, valid=valid), steps=of.steps[1:])
    terms = step(make(), lost)
    assert list(terms.tasks) == ["semantic", "depth"]
    assert {name for name in terms.parts if "with" in name} == {
        "consistency/depth_with_semantic",
        "consistency/normals_with_semantic",
    }


def test_ramp() -> None:
    method, of = make(ramp_up=0.5), views()
    full = step(method, of, progress=0.5).auxiliary["consistency"].item()
    assert step(method, of, progress=0.0).auxiliary["consistency"].item() == 0
    half = step(method, of, progress=0.25).auxiliary["consistency"].item()
    assert half == pytest.approx(full / 2)
    assert step(method, of, progress=1.0).auxiliary["consistency"].item() == full


def test_paper_normalisation_divides_by_the_unlabelled_tasks() -> None:
    of = views({"semantic": [0, 1, 2, 3]})
    batch_ = step(make(), of).auxiliary["consistency"].item()
    assert step(make(normalise="paper"), of).auxiliary["consistency"].item() == pytest.approx(
        batch_ / 2
    )


def test_crops_teach_the_network_where_the_consistency_does_not() -> None:
    method = make(with_ssl=True, detach_predictions=True)
    terms = step(method, views()).auxiliary
    assert all(term.requires_grad for term in terms.values())
    terms["depth/crops"].backward()
    assert gradient_norm(method.network.parameters()) > 0


def test_crops_of_one_view_are_refused() -> None:
    with pytest.raises(ValueError, match="second view for crops to compare; found one"):
        step(make(with_ssl=True), Views(batch()))


def test_with_ssl_adds_its_terms() -> None:
    terms = step(make(with_ssl=True, ssl_weight=3.0), views())
    assert {"consistency", "semantic/crops", "depth/crops", "normals/crops"} == set(terms.auxiliary)


def test_groups_have_rates_and_schedules_of_their_own() -> None:
    schedule = {"name": "step", "options": {"every": 30}}
    groups = make(film_rate=0.1, mapping_rate=0.5, film_schedule=schedule).parameter_groups()
    assert [group.scale for group in groups] == [1.0, 0.5, 0.1]
    assert groups[2].schedule is not None
    assert groups[2].schedule.name == "step"
    method = make()
    grouped = [p for group in method.parameter_groups() for p in group.parameters]
    assert len(grouped) == len(set(map(id, grouped))) == len(list(method.parameters()))
    assert len(make(conditioning="none").parameter_groups()) == 2


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"regulariser": -1.0}, "`regulariser` should be 0 or more; found -1.0"),
        ({"consistency_weight": float("inf")}, "`consistency_weight` should be 0 or more"),
        ({"ramp_up": 2.0}, r"`ramp_up` should be in \[0, 1\]; found 2.0"),
        ({"conditioning": "pairs"}, "conditioning"),
        ({"pairs": "some"}, "no pairs `some`"),
        ({"mapping_norm": "batch"}, "mapping norm"),
        ({"supervise": "second"}, "no supervise `second`"),
        ({"mapping_width": -1.0}, r"`mapping_width` should be in \(0, 100\]"),
    ],
)
def test_refuses(option: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, UnknownNameError), match=message):
        make(**option)


def test_needs_two_tasks() -> None:
    with pytest.raises(ValueError, match="2 or more tasks"):
        MTPSL(NETWORKS["unet-resnet18"](THREE[:1], width=0.125))
