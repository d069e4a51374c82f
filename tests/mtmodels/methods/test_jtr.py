"""Joint-task regularisation: the numbers of the released code, and a loop beside the default."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

import mtmodels.encodings
from mtdata.reading.batch import Batch
from mtdata.tasks.sample import Extent
from mtdata.tasks.task import Task
from mtmodels.losses import map_distance
from mtmodels.methods.jtr import JTR
from mtmodels.methods.parts.joint_tensor import Joint, Spread
from mtmodels.methods.parts.released_joint import DEVIATION, MEAN
from mtmodels.methods.views import View, Views
from mtmodels.networks import NETWORKS
from mtmodels.networks.auxiliary.auto_encoder import AutoEncoder
from mtmodels.networks.auxiliary.conditioned import Statistics
from mtmodels.networks.base import Output
from tests.quick import few
from tests.runs.batches import PAIR, SIX, generator, random_batch
from tests.runs.golden import JTRGolden

THREE = SIX[:3]
FOUR = (*THREE, SIX[4])
"""One task of every kind."""
SIZE = (64, 64)
both_forms = pytest.mark.parametrize("as_released", [False, True])


def make(tasks: Sequence[Task] = THREE, **options: Any) -> JTR:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](tasks, width=0.125)
    return JTR(network, **{"auto_encoder_width": 0.0625, **options})


@both_forms
def test_codes_of_padding_take_no_part(as_released: bool) -> None:
    """Padding is 0 in both, so that codes of it are alike."""
    method, batch = make(as_released=as_released), random_batch(THREE, 2, size=(64, 192))
    predictions = predictions_of(batch, THREE)
    whole = joint(method, batch, predictions)
    extents = (Extent(0, 0, 64, 64),) * 2
    padded = joint(method, replace(batch, extents=extents), predictions)
    assert padded.inside is not None
    codes = [method.auto_encoder.still_code(x)[..., :2] for x in (whole.shown, whole.predicted)]
    found = method.distance(padded._replace(shown=whole.shown, predicted=whole.predicted))
    torch.testing.assert_close(found, map_distance(*codes))


@pytest.fixture
def likeliest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawn class is the likeliest one, with the gradient of the softmax."""
    monkeypatch.setattr(mtmodels.encodings, "_gumbel", lambda like, _: torch.zeros_like(like))


def joint(
    method: JTR, batch: Batch, predictions: dict[str, Tensor], *, second: bool = False
) -> Joint:
    seen = method.supervision.seen(batch)
    made = method.joint(batch, predictions, seen, generator(0), second=second)
    assert isinstance(made, Joint)
    return made


def predictions_of(batch: Batch, tasks: Sequence[Task], seed: int = 7) -> dict[str, Tensor]:
    """Leaves of the graph."""
    made = {}
    for i, task in enumerate(tasks):
        shape = (len(batch), task.channels, *batch.image.shape[-2:])
        raw = torch.randn(shape, generator=generator(seed + i))
        unit = task.name == "normals"
        made[task.name] = torch.nn.functional.normalize(raw, dim=1) if unit else 2 * raw + 1
    return {name: p.requires_grad_() for name, p in made.items()}


@pytest.mark.real
def test_golden_auto_encoder(shared: Path) -> None:
    golden = JTRGolden(shared / "golden")
    network = AutoEncoder(17)
    # The released network has a batch norm over what it reads, which it never runs.
    own = sum(p.numel() for p in network.parameters())
    assert own + 2 * 17 == int(golden.numbers["parameters"]) == 24_989_427
    golden.filled(network)
    code, made = network(golden.numbers["input"])
    for value, name in ((code, "code"), (made, "reconstruction")):
        expected = golden.numbers[name]
        assert (value - expected).abs().max() <= 1e-9 * expected.abs().max()


@pytest.mark.real
@pytest.mark.usefixtures("likeliest")
@pytest.mark.parametrize("shown", few(JTRGolden.sets, JTRGolden.sets[-1:]), ids="+".join)
def test_golden_losses(shared: Path, shown: list[str]) -> None:
    golden = JTRGolden(shared / "golden")
    method = make(golden.tasks, as_released=True, auto_encoder_width=1.0)
    golden.filled(method.auto_encoder)
    first = {name: p.requires_grad_() for name, p in golden.predictions(0).items()}
    second = golden.predictions(2)
    batches = [golden.batch(image, shown) for image in (0, 0, 1)]
    outputs = [Output(p, golden.labels.image[:1]) for p in (first, first, second)]
    terms = method.regularisation(
        Views(*batches, steps=[[], []]), outputs, progress=0.0, rng=generator(0)
    )
    distance = terms.auxiliary["distance"] + terms.auxiliary["auto-encoder/distance"]
    assert distance.item() / 4 == pytest.approx(golden.number(shown, "distance"), rel=1e-9)
    lost = terms.auxiliary["auto-encoder/reconstruction"]
    assert lost.item() / 2 == pytest.approx(golden.number(shown, "reconstruction"), rel=1e-9)
    (distance + lost).backward()
    for name, prediction in first.items():
        gradient = 0.0 if prediction.grad is None else prediction.grad.abs().sum().item()
        expected = golden.number(shown, f"gradient_{name}_1")
        assert gradient == pytest.approx(expected, rel=1e-9, abs=0), name
        assert (expected == 0) == (name in shown)


ROWS = {"semantic": [0, 1], "depth": [1], "normals": [], "saliency": [3]}
"""Four images; the third shows nothing."""


@pytest.mark.usefixtures("likeliest")
def test_the_joint_tensor_is_what_a_loop_gives() -> None:
    method = make(FOUR)
    batch = random_batch(FOUR, 4, SIZE, rows=ROWS)
    method.joint.note(batch)
    predictions = predictions_of(batch, FOUR)
    made = joint(method, batch, predictions)
    labels = batch.labels["depth"][0, 0][batch.valid["depth"][0]].tolist()
    mean = math.fsum(labels) / len(labels)
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in labels) / len(labels))

    def read(task: str, image: int, y: int, x: int) -> list[float]:
        values = predictions[task][image, :, y, x].tolist()
        if task == "semantic":
            return [float(v == max(values)) for v in values]
        if task == "saliency":
            return [float(values[0] > 0)]
        if task == "normals":
            return [(v + 1) / 2 for v in values]
        return [0.5 * (1 + math.erf((values[0] - mean) / deviation / math.sqrt(2)))]

    def read_label(task: str, row: int, y: int, x: int) -> list[float]:
        value = batch.labels[task][row, 0, y, x].item()
        if task == "semantic":
            return [float(value == i) for i in range(5)]
        if task == "saliency":
            return [value]
        return [0.5 * (1 + math.erf((value - mean) / deviation / math.sqrt(2)))]

    for n, image in enumerate([0, 1, 3]):
        rows = {t: r.index(image) for t, r in ROWS.items() if image in r}
        for y, x in [(0, 0), (5, 60), (17, 3), (40, 40), (63, 63), (12, 33)]:
            valid = all(bool(batch.valid[task][row, y, x]) for task, row in rows.items())
            assert bool(made.valid[n, y, x]) == valid
            predicted, shown = [], []
            for task in ROWS:
                one = read(task, image, y, x)
                predicted += one
                shown += read_label(task, rows[task], y, x) if task in rows else one
            for value, expected in ((made.predicted, predicted), (made.shown, shown)):
                wanted = expected if valid else [0.0] * len(expected)
                assert value[n, :, y, x].tolist() == pytest.approx(wanted, abs=1e-5)


def test_the_terms_are_sums_over_the_images_that_show_something() -> None:
    """Image by image, and loss by loss, divided by all four images."""
    method = make(FOUR, distance_weight=3.0, reconstruction_weight=0.5, ramp_up=0.5)
    batch = random_batch(FOUR, 4, SIZE, rows=ROWS)
    predictions = predictions_of(batch, FOUR)
    output = Output(predictions, batch.image)
    terms = method.regularisation(Views(batch), [output], progress=0.25, rng=generator(3))
    seen, rng = method.supervision.seen(batch), generator(3)
    near, far = (method.joint(batch, predictions, seen, rng) for _ in range(2))
    distance = reconstruction = own = 0.0
    for n in range(3):
        for made, is_far in ((near, False), (far, True)):
            codes, lost = [], 0.0
            for read in (made.predicted[[n]], made.shown[[n]]):
                code, raw = method.auto_encoder(read)
                codes.append(code)
                losses = [
                    method.joint.lost(task, r, t, made.valid[[n]]).item()
                    for task, r, t in zip(
                        FOUR, raw.split([5, 1, 3, 1], 1), read.split([5, 1, 3, 1], 1), strict=True
                    )
                ]
                lost += sum(losses)
            unit = [torch.nn.functional.normalize(code, dim=1) for code in codes]
            apart = 1 - (unit[0] * unit[1]).sum(1).mean().item()
            if is_far:
                own, reconstruction = own + apart, reconstruction + lost
            else:
                distance += apart
    assert terms.auxiliary["distance"].item() == pytest.approx(0.5 * 3 * distance / 4, rel=1e-4)
    assert terms.auxiliary["auto-encoder/distance"].item() == pytest.approx(
        3 * 0.5 * own / 4, rel=1e-4
    )
    assert terms.auxiliary["auto-encoder/reconstruction"].item() == pytest.approx(
        0.5 * reconstruction / 4, rel=1e-4
    )


@both_forms
def test_who_learns_from_what(as_released: bool) -> None:
    method = make(as_released=as_released)
    batch = random_batch(THREE, 3, SIZE, rows={"semantic": [0], "depth": [0, 1]})
    predictions = predictions_of(batch, THREE)
    output = Output(predictions, batch.image)

    def terms() -> dict[str, Tensor]:
        views = Views(batch)
        return dict(
            method.regularisation(views, [output], progress=0.0, rng=generator(0)).auxiliary
        )

    terms()["distance"].backward()
    assert all(p.grad is None for p in method.auto_encoder.parameters())
    reached = {
        name: (p.grad.flatten(1).abs().sum(1) > 0).nonzero()[:, 0].tolist()
        for name, p in predictions.items()
        if p.grad is not None
    }
    # The tasks that an image does not show, of images that show another.
    assert reached == {"semantic": [1], "depth": [], "normals": [0, 1]}
    for p in predictions.values():
        p.grad = None
    own = terms()
    (own["auto-encoder/distance"] + own["auto-encoder/reconstruction"]).backward()
    assert all(p.grad is None for p in predictions.values())
    assert all(p.grad is not None for p in method.auto_encoder.parameters())


def test_what_is_not_labelled_is_the_same_in_both() -> None:
    method = make()
    batch = random_batch(THREE, 2, SIZE, rows={"depth": [0, 1]})
    made = joint(method, batch, predictions_of(batch, THREE))
    assert torch.equal(made.predicted[:, :5], made.shown[:, :5])
    assert torch.equal(made.predicted[:, 6:], made.shown[:, 6:])
    assert not torch.equal(made.predicted[:, 5], made.shown[:, 5])
    released = joint(make(as_released=True), batch, predictions_of(batch, THREE))
    assert not torch.equal(released.predicted[:, :5], released.shown[:, :5])


@pytest.mark.parametrize("unit", ["metres", "disparity"])
def test_depth_takes_its_place_among_the_labels_that_are_shown(unit: str) -> None:
    """The first slip: constants of NYUv2 leave disparity in a thousandth of the range."""
    scale = {"metres": 1.0, "disparity": 0.05}[unit]
    rows = {"semantic": [0, 1]}
    batch = random_batch(PAIR, 2, SIZE, rows={**rows, "depth": [0]})
    batch = replace(batch, labels={**batch.labels, "depth": scale * batch.labels["depth"]})
    spans = {}
    for as_released in (False, True):
        method = make(PAIR, as_released=as_released)
        method.joint.note(batch)
        read = method.joint.read_label(PAIR[1], batch)
        assert read is not None
        inside = read[:, 0][batch.valid["depth"]]
        spans[as_released] = float(inside.max() - inside.min())
    assert 0.8 < spans[False] < 1
    assert spans[True] < (0.9 if unit == "metres" else 0.05)
    assert (MEAN, DEVIATION) == (2.3618, 1.5876)


def test_a_spread_is_that_of_all_labels_so_far() -> None:
    spread = Spread()
    values = torch.rand(500, generator=generator(0)) * 7 + 100
    for part in values.split(90):
        spread.note(part)
    normal = torch.distributions.Normal(values.double().mean(), values.double().std(correction=0))
    at = torch.tensor([[[[98.0, 101.0, 103.5, 109.0]]]])
    assert torch.allclose(spread(at).double(), normal.cdf(at.double()), atol=1e-5)
    assert spread.state_dict().keys() == {"count", "total", "squares"}


def test_the_spread_is_noted_in_training_from_the_first_view_alone() -> None:
    method = make(PAIR)
    batch = random_batch(PAIR, 2, SIZE, rows={"semantic": [0], "depth": [1]})
    method(Views(batch, batch, steps=[[]]), progress=0.0, rng=generator(0))
    method.eval()(Views(batch), progress=0.0, rng=generator(0))
    spread = method.joint.spreads["depth"]
    assert isinstance(spread, Spread)
    assert spread.count == batch.valid["depth"].sum()


def test_void_pixels_are_nothing_in_both() -> None:
    method = make()
    batch = random_batch(THREE, 2, SIZE, rows={"semantic": [0], "depth": [0, 1]})
    made = joint(method, batch, predictions_of(batch, THREE))
    both = batch.valid["semantic"][0] & batch.valid["depth"][0]
    assert torch.equal(made.valid[0], both)
    for read in (made.predicted, made.shown):
        assert (read.movedim(1, -1)[~made.valid] == 0).all()
    assert (made.shown_target == made.shown).all()
    # As released an image without a label of normals says (0, 0, 0) there, which reads as 0.5.
    released = joint(make(as_released=True), batch, predictions_of(batch, THREE))
    assert (released.predicted[:, 6:].movedim(1, -1)[~released.valid] == 0.5).all()


def test_a_right_reconstruction_of_normals_costs_nothing() -> None:
    """Two slips: of three entries a pixel counts as three, and a target is not a direction."""
    batch = random_batch(THREE, 1, SIZE, rows={"normals": [0]})
    predictions = predictions_of(batch, THREE)
    task = THREE[2]
    costs = {}
    for as_released in (False, True):
        method = make(as_released=as_released)
        made = joint(method, batch, predictions, second=True)
        raw = predictions["normals"].detach(), batch.labels["normals"]
        targets = made.predicted_target[:, 6:], made.shown_target[:, 6:]
        costs[as_released] = [
            method.joint.lost(task, r, target, made.valid).item()
            for r, target in zip(raw, targets, strict=True)
        ]
    assert costs[False] == pytest.approx([0, 0], abs=1e-6)
    assert costs[True][1] == pytest.approx(1 - 1 / 3, abs=1e-3)
    assert costs[True][0] > 0.5


def test_a_right_reconstruction_of_depth_costs_nothing() -> None:
    """One slip: the target of a prediction is squeezed once more."""
    batch = random_batch(PAIR, 1, SIZE, rows={"depth": [0]})
    predictions = predictions_of(batch, PAIR)
    costs = {}
    for as_released in (False, True):
        method = make(PAIR, as_released=as_released)
        made = joint(method, batch, predictions, second=True)
        raw = made.predicted[:, 5:].logit(1e-7)
        lost = method.joint.lost(PAIR[1], raw, made.predicted_target[:, 5:], made.valid)
        costs[as_released] = lost.item()
    assert costs[False] == pytest.approx(0, abs=1e-5)
    assert costs[True] > 0.05


@both_forms
def test_the_third_view_is_never_flipped_as_released(as_released: bool) -> None:
    first, second, third = make(as_released=as_released, colour=0.5).views(3)
    assert first == View()
    assert second == View(colour=0.5, supervised=False)
    assert third == View(colour=0.5, supervised=False, flip=0.0 if as_released else None)
    assert len(make(as_released=as_released).views(1)) == 1


@pytest.mark.parametrize("tasks", [PAIR, THREE, SIX])
def test_the_auto_encoder_runs_as_often_for_any_number_of_tasks(tasks: Sequence[Task]) -> None:
    method = make(tasks)
    calls: list[int] = []
    method.auto_encoder.encoder.register_forward_hook(lambda *_: calls.append(1))
    rows = {task.name: [i % 2] for i, task in enumerate(tasks)}
    batch = random_batch(tasks, 2, SIZE, rows=rows)
    method(Views(batch), progress=0.0, rng=generator(0))
    assert len(calls) == 4 * 2


@pytest.mark.parametrize("norm", get_args(Statistics))
def test_statistics_over_each_image_or_over_all(norm: Statistics) -> None:
    torch.manual_seed(0)
    network = AutoEncoder(4, width=0.125, over=norm)
    images = torch.rand(2, 4, 40, 48)
    code, made = network(images)
    assert made.shape == images.shape
    assert torch.equal(code, network.still_code(images))
    alone = network(images[:1])[0]
    assert torch.allclose(code[:1], alone, atol=1e-6) == (norm == "sample")


def test_a_network_with_a_finer_stride_is_padded() -> None:
    torch.manual_seed(0)
    method = JTR(NETWORKS["deeplab-resnet18"](PAIR, width=0.125), auto_encoder_width=0.0625)
    batch = random_batch(PAIR, 2, (40, 56), rows={"depth": [0], "semantic": [1]})
    terms = method(Views(batch), progress=0.0, rng=generator(0))
    assert all(value.isfinite() for value in terms.auxiliary.values())


def test_the_auto_encoder_has_the_width_of_its_network() -> None:
    for name, first in {"segnet": 32, "unet-resnet18": 16}.items():
        method = JTR(NETWORKS[name](PAIR, width=0.5))
        assert method.auto_encoder.head[0].in_channels == first
    groups = make(auto_encoder_rate=0.25).parameter_groups()
    assert [group.scale for group in groups] == [1.0, 0.25]


def test_one_task_has_nothing_to_learn_from() -> None:
    with pytest.raises(ValueError, match=r"2 or more tasks.*found 1"):
        make(SIX[:1])
