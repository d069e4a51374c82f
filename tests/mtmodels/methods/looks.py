"""Made-up views, and looks of made-up predictions at them, for tests of methods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mtdata.reading.batch import Batch
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.methods.direct_map import DirectMap
from mtmodels.methods.parts.joint import JointMethod
from mtmodels.methods.perceptual_map import PerceptualMap
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Step, Views, changed
from mtmodels.networks.base import Network, Output
from tests.runs.batches import generator, random_batch

ONE = {"semantic": [0, 3], "depth": [1], "normals": [2]}
"""Four images, each with one label."""
SIZE = (64, 64)


@dataclass(frozen=True)
class Look:
    """Views, and what a network says of each."""

    views: Views
    outputs: Sequence[Output]

    @property
    def batch(self) -> Batch:
        """The last view."""
        return self.views.last

    @property
    def last(self) -> Mapping[str, torch.Tensor]:
        """Its predictions."""
        return self.outputs[-1].predictions

    @property
    def features(self) -> torch.Tensor:
        """Its features."""
        return self.outputs[-1].features


def own_terms(
    method: JointMethod | DirectMap | PerceptualMap, look: Look, *, progress: float = 1.0
) -> Terms:
    """What a method adds to the supervised terms."""
    return method.consistency(look.views, look.outputs, progress=progress, rng=generator(0))


def second_view(batch: Batch, tasks: Sequence[Task], steps: Sequence[Step]) -> Views:
    """The batch, and another view whose labels do not supervise."""
    return Views(batch, changed(batch, tasks, steps), steps=[steps], supervised=[True, False])


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
    return Look(Views(batch), [Output(predictions, features)])


def _prediction(task: Task, batch: Batch, seed: int) -> torch.Tensor:
    shape = (len(batch), task.channels, *batch.image.shape[-2:])
    raw = torch.randn(shape, generator=generator(seed + 100))
    return kind_model(task).activation(raw).requires_grad_()
