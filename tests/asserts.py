"""Properties that every member of a family keeps, each stated once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mtdata.errors import DataError
from mtdata.sources.base import Source
from mtdata.store import Store
from mtdata.store.split import Split
from mtdata.tasks.task import Task
from mtmodels.losses import PixelLoss
from mtmodels.methods.terms import Terms
from mtmodels.networks.base import Network
from mtmodels.weightings.base import Weighting

Read = set[tuple[str, int, str | None]]
"""Split, index of the image, and task; None for the image itself."""


def note_reads(monkeypatch: pytest.MonkeyPatch) -> Read:
    """What is read of stores from now on."""
    read: Read = set()
    original = Split.read_stored

    def spy(self: Split, index: int, task: str | None) -> Any:
        read.add((self.name, index, task))
        return original(self, index, task)

    monkeypatch.setattr(Split, "read_stored", spy)
    return read


def labels_of_training(read: Read) -> Read:
    """Those among what was read."""
    return {cell for cell in read if cell[0] == "train" and cell[2] is not None}


def shown_labels(store: Store, regime: str) -> Read:
    """The labels of training that a regime shows."""
    split = store.split("train")
    names = [task.name for task in store.tasks]
    return {("train", int(i), names[t]) for i, t in np.argwhere(split.visible(regime))}


def assert_folder_refused(
    source: Callable[[Path], Source], root: Path, error: type[DataError], text: str
) -> None:
    """A wrong folder is told of in a paragraph when its splits are listed, before any work."""
    with pytest.raises(error, match=text) as caught:
        source(root).splits()
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def assert_predicts(network: Network, tasks: Sequence[Task], size: tuple[int, int]) -> None:
    """One prediction a task, with its channels, at the size of the image; the declared features."""
    output = network(torch.rand(2, 3, *size))
    assert list(output.predictions) == [task.name for task in tasks]
    for task in tasks:
        assert output.predictions[task.name].shape == (2, task.channels, *size)
        assert output.predictions[task.name].dtype == torch.float32
    stride = network.feature_stride
    assert output.features.shape == (
        2,
        network.feature_channels,
        size[0] // stride,
        size[1] // stride,
    )


def assert_every_parameter_learns(module: nn.Module) -> None:
    """After a backward pass every parameter has a finite gradient that is not zero everywhere.

    But for those that a stage froze.
    """
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def assert_refuses_size(network: Network, height: int, width: int) -> None:
    """A size that the network cannot take is named together with one that it can."""
    with pytest.raises(ValueError, match=f"found {height}x{width}.*--size "):
        network(torch.rand(1, 3, height, width))


def assert_matches_reference(
    loss: PixelLoss,
    reference: Callable[..., float],
    prediction: Tensor,
    label: Tensor,
    valid: Tensor,
) -> None:
    """Each pixel of the loss is what a loop over pixels and channels gives; 0 where not valid."""
    value = loss(prediction, label, valid)
    for n, y, x in torch.cartesian_prod(*(torch.arange(size) for size in valid.shape)).tolist():
        expected = 0.0
        if valid[n, y, x]:
            weights = label[n, 0][valid[n]]
            expected = reference(
                prediction[n, :, y, x].tolist(), label[n, :, y, x].tolist(), weights.tolist()
            )
        assert value[n, y, x].item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def assert_ignores_invalid(
    loss: PixelLoss, prediction: Tensor, label: Tensor, valid: Tensor, garbage: float
) -> None:
    """Whatever lies in a pixel that is not valid: value and gradient do not change by a bit."""
    results = []
    for filling in (label, label.where(valid[:, None], torch.full_like(label, garbage))):
        leaf = prediction.clone().requires_grad_()
        value = loss(leaf, filling, valid)
        value.sum().backward()
        assert leaf.grad is not None
        assert (value[~valid] == 0).all()
        assert (leaf.grad.movedim(1, -1)[~valid] == 0).all()
        results.append((value.detach(), leaf.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def assert_pure(loss: PixelLoss, *tensors: Tensor) -> None:
    """The arguments are as they were."""
    before = [tensor.clone() for tensor in tensors]
    loss(*tensors)
    for old, new in zip(before, tensors, strict=True):
        assert torch.equal(old, new)


def assert_gradient(loss: PixelLoss, prediction: Tensor, label: Tensor, valid: Tensor) -> None:
    """The gradient is that of finite differences, in float64."""
    leaf = prediction.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: loss(p, label, valid), leaf)


def same_terms(a: Terms, b: Terms) -> bool:
    """Whether two steps gave the same terms, bit for bit."""
    pairs = [(a.tasks, b.tasks), (a.auxiliary, b.auxiliary), (a.parts, b.parts)]
    return all(x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x) for x, y in pairs)


def assert_descends_every_loss(weighting: Weighting, losses: dict[str, Tensor]) -> None:
    """The gradient of the total by each loss is positive."""
    leaves = {name: loss.clone().requires_grad_() for name, loss in losses.items()}
    total = weighting.backward(Terms(leaves), [], lambda x: x.backward())
    assert total.ndim == 0
    assert not total.requires_grad
    for name, leaf in leaves.items():
        assert leaf.grad is not None, name
        assert leaf.grad > 0, name
