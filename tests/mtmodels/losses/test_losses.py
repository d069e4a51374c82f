"""Every loss of every kind: equal to a loop, masked, pure, with the right gradient."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from mtdata.tasks.task import Task
from mtmodels.kinds import KINDS
from mtmodels.losses import PixelLoss, hard_bce, hard_cross_entropy, soft_bce, soft_cross_entropy
from tests.asserts import (
    assert_gradient,
    assert_ignores_invalid,
    assert_matches_reference,
    assert_pure,
)
from tests.runs.batches import SIX, generator, random_label

Pixel = Sequence[float]
Reference = Callable[[Pixel, Pixel, Pixel], float]
"""(prediction of a pixel, label of a pixel, labels of all valid pixels) -> loss of the pixel."""


def softmax(logits: Pixel) -> list[float]:
    powers = [math.exp(v) for v in logits]
    return [p / sum(powers) for p in powers]


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def ref_cross_entropy(prediction: Pixel, label: Pixel, _: Pixel) -> float:
    return -math.log(softmax(prediction)[int(label[0])])


def ref_l1(prediction: Pixel, label: Pixel, _: Pixel) -> float:
    return sum(abs(p - y) for p, y in zip(prediction, label, strict=True)) / len(label)


def ref_cosine(prediction: Pixel, label: Pixel, _: Pixel) -> float:
    return 1 - sum(p * y for p, y in zip(prediction, label, strict=True))


def ref_bce(prediction: Pixel, label: Pixel, _: Pixel) -> float:
    p, y = sigmoid(prediction[0]), label[0]
    return -(y * math.log(p) + (1 - y) * math.log(1 - p))


def ref_balanced_bce(prediction: Pixel, label: Pixel, image: Pixel) -> float:
    off = sum(1 for value in image if value == 0) / len(image)
    return ref_bce(prediction, label, image) * (off if label[0] else 1 - off)


def ref_edge_bce(prediction: Pixel, label: Pixel, image: Pixel) -> float:
    return ref_bce(prediction, label, image) * (0.95 if label[0] else 0.05)


def ref_soft_cross_entropy(prediction: Pixel, target: Pixel, _: Pixel) -> float:
    p = softmax(prediction)
    return -sum(q * math.log(v) for q, v in zip(softmax(target), p, strict=True))


def ref_hard_cross_entropy(prediction: Pixel, target: Pixel, _: Pixel) -> float:
    return -math.log(softmax(prediction)[max(range(len(target)), key=lambda c: target[c])])


def ref_soft_bce(prediction: Pixel, target: Pixel, image: Pixel) -> float:
    return ref_bce(prediction, [sigmoid(target[0])], image)


def ref_hard_bce(prediction: Pixel, target: Pixel, image: Pixel) -> float:
    return ref_bce(prediction, [float(target[0] > 0)], image)


REFERENCES: dict[str, Reference] = {
    "cross_entropy": ref_cross_entropy,
    "l1": ref_l1,
    "cosine": ref_cosine,
    "bce": ref_bce,
    "balanced_bce": ref_balanced_bce,
    "edge_bce": ref_edge_bce,
}
BETWEEN: dict[str, tuple[PixelLoss, Reference, int]] = {
    "soft_cross_entropy": (soft_cross_entropy, ref_soft_cross_entropy, 4),
    "hard_cross_entropy": (hard_cross_entropy, ref_hard_cross_entropy, 4),
    "soft_bce": (soft_bce, ref_soft_bce, 1),
    "hard_bce": (hard_bce, ref_hard_bce, 1),
}
BY_KIND: dict[str, Task] = {task.kind.name: task for task in reversed(SIX)}
LOSSES = [
    pytest.param(BY_KIND[kind], loss, REFERENCES[name], id=f"{kind}-{name}")
    for kind, row in KINDS.items()
    for name, loss in row.losses.items()
]
each_loss = pytest.mark.parametrize(("task", "loss", "reference"), LOSSES)


def inputs(task: Task, n: int = 2, size: tuple[int, int] = (4, 5)) -> tuple[Tensor, Tensor, Tensor]:
    raw = torch.randn(n, task.channels, *size, dtype=torch.float64, generator=generator(1))
    valid = torch.rand(n, *size, generator=generator(2)) < 0.7
    return KINDS[task.kind.name].activation(raw), random_label(task, n, size, 3), valid


def perfect(task: Task, label: Tensor) -> Tensor:
    """A prediction that agrees with the label."""
    if task.kind.name == "classes":
        return 50 * torch.nn.functional.one_hot(label[:, 0].long(), task.channels).movedim(-1, 1)
    return 100 * label.float() - 50 if task.kind.name == "binary" else label


@each_loss
def test_equals_a_loop(task: Task, loss: PixelLoss, reference: Reference) -> None:
    prediction, label, valid = inputs(task)
    label = label.double() if label.is_floating_point() else label
    assert_matches_reference(loss, reference, prediction, label, valid)


@pytest.mark.parametrize("name", BETWEEN)
def test_loss_between_predictions_equals_a_loop(name: str) -> None:
    loss, reference, channels = BETWEEN[name]
    prediction, target = torch.randn(2, 2, channels, 4, 5, dtype=torch.float64)
    valid = torch.rand(2, 4, 5, generator=generator(2)) < 0.7
    assert_matches_reference(loss, reference, prediction, target, valid)


@pytest.mark.parametrize("name", BETWEEN)
def test_loss_between_predictions_is_masked_pure_and_smooth(name: str) -> None:
    loss, _, channels = BETWEEN[name]
    prediction, target = torch.randn(2, 2, channels, 4, 5, dtype=torch.float64)
    valid = torch.rand(2, 4, 5, generator=generator(2)) < 0.7
    assert_ignores_invalid(loss, prediction, target, valid, float("nan"))
    assert_pure(loss, prediction, target, valid)
    assert_gradient(loss, prediction, target, valid)


@each_loss
def test_is_least_at_the_label(task: Task, loss: PixelLoss, reference: Reference) -> None:
    prediction, label, valid = inputs(task)
    best = loss(perfect(task, label).float(), label, valid)
    assert best.abs().max() < 1e-6
    assert loss(prediction, label, valid).sum() > 0.1


@each_loss
def test_pixels_that_are_not_valid_do_not_matter(
    task: Task, loss: PixelLoss, reference: Reference
) -> None:
    prediction, label, valid = inputs(task)
    garbage = float("nan") if label.is_floating_point() else 255
    assert_ignores_invalid(loss, prediction.float(), label, valid, garbage)
    assert_ignores_invalid(loss, prediction.float(), label, torch.zeros_like(valid), garbage)


@each_loss
def test_leaves_its_arguments(task: Task, loss: PixelLoss, reference: Reference) -> None:
    assert_pure(loss, *inputs(task))


@each_loss
def test_gradient(task: Task, loss: PixelLoss, reference: Reference) -> None:
    assert_gradient(loss, *inputs(task))


@each_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_finite_at_extremes(
    task: Task, loss: PixelLoss, reference: Reference, dtype: torch.dtype
) -> None:
    _, label, valid = inputs(task)
    extremes = torch.tensor([-6e4, -1e-7, 0.0, 6e4], dtype=dtype)
    pick = torch.randint(0, 4, (2, task.channels, 4, 5), generator=generator(5))
    prediction = extremes[pick].requires_grad_()
    value = loss(prediction, label, valid)
    assert value.dtype == torch.float32
    value.mean().backward()
    assert value.isfinite().all()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


@each_loss
def test_an_image_stands_alone(task: Task, loss: PixelLoss, reference: Reference) -> None:
    prediction, label, valid = inputs(task, n=3)
    whole = loss(prediction, label, valid)
    parts = [loss(prediction[i : i + 1], label[i : i + 1], valid[i : i + 1]) for i in range(3)]
    assert torch.equal(whole, torch.cat(parts))


def test_balanced_bce_of_one_side_is_zero() -> None:
    loss = KINDS["binary"].losses["balanced_bce"]
    prediction, valid = torch.randn(1, 1, 3, 3), torch.ones(1, 3, 3, dtype=torch.bool)
    for label in (torch.zeros(1, 1, 3, 3), torch.ones(1, 1, 3, 3)):
        assert (loss(prediction, label, valid) == 0).all()
