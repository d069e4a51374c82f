"""The one table of what depends on a kind of label."""

import pytest
import torch

import mtdata.tasks.kinds
from mtdata.errors import UnknownNameError
from mtmodels.kinds import KINDS, kind_model
from tests.runs.batches import SIX


def test_every_kind_has_a_row() -> None:
    assert KINDS.keys() == mtdata.tasks.kinds.KINDS.keys()


@pytest.mark.parametrize("task", SIX, ids=lambda task: task.name)
def test_rows_fit_their_kind(task: mtdata.Task) -> None:
    row = kind_model(task)
    assert row.loss(task.name) is row.losses[row.default_loss]
    raw = 100 * torch.randn(2, task.channels, 3, 4).half()
    for function in (row.activation, row.as_input):
        value = function(raw)
        assert value.shape == raw.shape
        assert value.dtype == torch.float32
        assert value.isfinite().all()


def test_normals_without_direction_stay_finite() -> None:
    raw = torch.zeros(1, 3, 2, 2, requires_grad=True)
    KINDS["normals"].activation(raw).sum().backward()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


def test_unknown_loss_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no loss .* of task `depth`.*Known: l1"):
        kind_model(SIX[1]).loss("depth", "l2")
