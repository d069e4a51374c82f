"""What mapping networks read of predictions and labels."""

import pytest
import torch
from torch import Tensor

from mtdata.tasks.task import Task
from mtmodels.encodings import relative_depth, sampled_binary, sampled_classes
from mtmodels.kinds import kind_model
from tests.runs.batches import SIX, generator, random_batch

each_task = pytest.mark.parametrize("task", SIX, ids=lambda task: task.name)


def prediction(task: Task, n: int = 2) -> Tensor:
    values = torch.randn(n, task.channels, 8, 8, generator=generator(1))
    return kind_model(task).activation(values)


@each_task
def test_prediction_and_label_take_the_same_form(task: Task) -> None:
    row, batch = kind_model(task), random_batch([task], size=(8, 8))
    predicted = row.encode_prediction(prediction(task), generator(0))
    label = row.encode_label(batch.labels[task.name], batch.valid[task.name], task.channels)
    assert predicted.shape == label.shape == (2, task.channels, 8, 8)
    assert predicted.dtype == label.dtype == torch.float32
    low = -1 if task.name == "depth" else 0
    for encoded in (predicted, label):
        assert encoded.min() >= low
        assert encoded.max() <= 1 + 1e-6


@each_task
def test_void_pixels_do_not_matter(task: Task) -> None:
    row, batch = kind_model(task), random_batch([task], size=(8, 8))
    label, valid = batch.labels[task.name], batch.valid[task.name]
    garbage = torch.full_like(label, float("nan") if label.is_floating_point() else 255)
    spoilt = label.where(valid[:, None], garbage)
    encoded = row.encode_label(label, valid, task.channels)
    assert torch.equal(row.encode_label(spoilt, valid, task.channels), encoded)
    void = encoded.movedim(1, -1)[~valid]
    assert (void == (0.5 if task.name == "normals" else 0)).all()


@each_task
def test_gradients_reach_the_prediction_and_stay_finite(task: Task) -> None:
    for scale in (1.0, 100.0, 0.0):
        leaf = (scale * prediction(task)).requires_grad_()
        encoded = kind_model(task).encode_prediction(leaf, generator(0))
        encoded.square().sum().backward()
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


def test_classes_are_drawn_by_their_probability() -> None:
    logits = torch.tensor([0.7, 0.2, 0.1]).log()[None, :, None, None].expand(1, 3, 100, 100)
    drawn = sampled_classes(logits, generator(0))
    assert set(drawn.unique().tolist()) <= {0.0, 1.0} or torch.allclose(drawn, drawn.round())
    torch.testing.assert_close(drawn.sum(1), torch.ones(1, 100, 100))
    shares = drawn.mean((0, 2, 3))
    torch.testing.assert_close(shares, torch.tensor([0.7, 0.2, 0.1]), atol=0.02, rtol=0)


def test_binary_is_drawn_by_its_probability() -> None:
    logit = torch.full((1, 1, 100, 100), torch.tensor(0.3).logit().item())
    assert sampled_binary(logit, generator(0)).mean().item() == pytest.approx(0.3, abs=0.02)


@each_task
def test_without_a_generator_nothing_is_drawn(task: Task) -> None:
    leaf, state = prediction(task).requires_grad_(), torch.get_rng_state()
    row = kind_model(task)
    encoded = row.encode_prediction(leaf, None)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(encoded, row.encode_prediction(leaf, None))
    if row.certainty is not None:  # a kind that has probabilities
        assert torch.equal(encoded, row.as_value(leaf))
    else:
        assert torch.equal(encoded, row.encode_prediction(leaf, generator(0)))
    encoded.square().sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()


def test_draws_are_those_of_the_given_generator() -> None:
    logits = torch.randn(1, 4, 9, 9, generator=generator(5))
    state = torch.get_rng_state()
    first = sampled_classes(logits, generator(0))
    assert torch.equal(first, sampled_classes(logits, generator(0)))
    assert not torch.equal(first, sampled_classes(logits, generator(1)))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("depth", [[1.0, 4.0], [-3.0, 1.0], [-4.0, -1.0], [0.0, 0.0]])
def test_depth_is_bounded_whatever_its_sign(depth: list[float]) -> None:
    """Early in training the largest prediction may not be positive."""
    encoded = relative_depth(torch.tensor(depth).reshape(1, 1, 1, 2), generator(0))
    assert encoded.abs().max() <= 1
    assert encoded.flatten().sign().tolist() == [float(x > 0) - float(x < 0) for x in depth]


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1e-2, 1.0])
def test_small_depths_have_bounded_gradients(scale: float) -> None:
    depth = (scale * torch.randn(1, 1, 8, 8, generator=generator(2))).requires_grad_()
    relative_depth(depth, generator(0)).sum().backward()
    assert depth.grad is not None
    assert depth.grad.abs().max() <= 64 / max(1e-3, depth.abs().max().item())


def test_depth_is_divided_by_the_largest_of_its_own_image() -> None:
    depth = torch.tensor([[1.0, 4.0], [2.0, 8.0]]).reshape(2, 1, 1, 2)
    assert relative_depth(depth, generator(0)).flatten().tolist() == [0.25, 1, 0.25, 1]
