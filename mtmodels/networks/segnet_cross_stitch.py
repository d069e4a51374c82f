"""A SegNet a task, whose maps are mixed between the stages: cross-stitch, as MTAN released it."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.base import EncoderOptions, Network, Output
from mtmodels.networks.blocks import last_convolution, start_uniform
from mtmodels.networks.encoders.segnet_encoder import SegNetEncoder
from mtmodels.networks.segnet import SegNetDecoder, head, scaled_stages

OWN = 0.9
"""The share of its own map that a task begins with under `units: pairs`."""


class CrossStitchOptions(EncoderOptions):
    """What cross-stitch can be told."""

    units: Literal["sources", "pairs"] = "sources"
    """What a mixture has weights for. `sources`, as released: one for each task that gives, the
    same for all that take, 1 at first, so that all tasks go on with one sum. `pairs`, as in the
    paper of cross-stitch: one for each pair, at first 0.9 of a task's own map and equal parts of
    the others'."""


class SegNetCrossStitch(Network):
    """A whole SegNet for each task; behind each pool and before each unpool their maps are mixed.

    Args:
        tasks: The tasks to predict.
        options: Those of `CrossStitchOptions`.

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.

    Reference: Misra et al. 2016, equation 1; in the form that MTAN compares with and released.
    Differs from the released code as `segnet` does.
    """

    summary: ClassVar[str] = "A SegNet for each task, their maps mixed between the stages."
    reference: ClassVar[str] = "Misra et al. 2016; MTAN, section 4 and its released code"
    options: CrossStitchOptions
    layers: ClassVar[str] = "vgg"
    norm_stride: ClassVar[int] = 16

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        stages = scaled_stages(self.options.width, wide=False, deep=False)
        weights = self.options.encoder_weights
        self.encoders = nn.ModuleList(SegNetEncoder(3, stages, weights=weights) for _ in tasks)
        self.decoders = nn.ModuleList(SegNetDecoder(stages) for _ in tasks)
        mixtures = 2 * len(stages) - 1
        self.units = nn.Parameter(self._first_units(len(tasks)).repeat(mixtures, 1, 1))
        channels = stages[0][1]
        self.heads = nn.ModuleDict({t.name: head(channels, t.channels) for t in tasks})
        start_uniform(self.decoders, self.heads, *([] if weights else [self.encoders]))
        self.feature_channels = stages[-1][1]
        self.feature_stride = 32

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks at the size of the image."""
        self.check_size(*image.shape[-2:])
        maps = [self.normalised(image)] * len(self.tasks)
        places: list[list[Tensor]] = []
        units = iter(self.units)
        for i, stages in enumerate(zip(*(e.stages for e in self.encoders), strict=True)):
            mixed = _mixed(maps, next(units)) if i else maps
            pooled = [
                F.max_pool2d(stage(x), 2, return_indices=True)
                for stage, x in zip(stages, mixed, strict=True)
            ]
            maps = [x for x, _ in pooled]
            places.append([place for _, place in pooled])
        features = torch.stack(maps).mean(0)
        for stages, back in zip(
            zip(*(d.stages for d in self.decoders), strict=True), reversed(places), strict=True
        ):
            maps = [
                stage(F.max_unpool2d(x, place, [2, 2]))
                for stage, x, place in zip(stages, _mixed(maps, next(units)), back, strict=True)
            ]
        predictions = {
            task.name: kind_model(task).activation(self.heads[task.name](x))
            for task, x in zip(self.tasks, maps, strict=True)
        }
        return Output(predictions, features)

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last convolution of each task before the last mixture: all tasks read them all."""
        before = [list(d.get_submodule("stages").children())[-2] for d in self.decoders]
        return [p for stage in before for p in last_convolution(stage).parameters()]

    def _first_units(self, count: int) -> Tensor:
        """The weights of a mixture, [takes or 1, gives]."""
        if self.options.units == "sources":
            return torch.ones(1, count)
        own = OWN if count > 1 else 1.0
        others = (1 - own) / max(1, count - 1)
        return torch.eye(count) * (own - others) + others


def _mixed(maps: Sequence[Tensor], units: Tensor) -> list[Tensor]:
    """The sums that the tasks go on with."""
    sums = [sum(w * x for w, x in zip(row, maps, strict=True)) for row in units]
    return sums * (len(maps) // len(sums))
