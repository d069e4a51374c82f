"""Looks of made-up predictions at a batch, for tests of what methods add to supervision."""

from collections.abc import Mapping, Sequence

import torch

from mtdata.reading.batch import Batch
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.methods.semi_supervised import Look
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network
from tests.batches import generator, random_batch

ONE = {"semantic": [0, 3], "depth": [1], "normals": [2]}
"""Four images, each with one label."""
SIZE = (64, 64)


def look_at(
    network: Network,
    rows: Mapping[str, Sequence[int]] | None = None,
    *,
    images: int = 4,
    seed: int = 0,
) -> Look:
    """One view of a random batch, with predictions and features that are leaves of the graph."""
    batch = random_batch(network.tasks, images, SIZE, rows=ONE if rows is None else rows, seed=seed)
    predictions = {t.name: _prediction(t, batch, seed + i) for i, t in enumerate(network.tasks)}
    size = [side // network.feature_stride for side in SIZE]
    features = torch.randn(
        images, network.feature_channels, *size, generator=generator(seed + 200)
    ).requires_grad_()
    return Look(Views(batch), predictions, predictions, features)


def _prediction(task: Task, batch: Batch, seed: int) -> torch.Tensor:
    shape = (len(batch), task.channels, *batch.image.shape[-2:])
    raw = torch.randn(shape, generator=generator(seed + 100))
    return kind_model(task).activation(raw).requires_grad_()
