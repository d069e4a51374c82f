"""A shared SegNet, and one for each task that reads the shared one at every stage."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.base import EncoderOptions, Network, Output
from mtmodels.networks.blocks import last_convolution, normalised_block, start_uniform
from mtmodels.networks.encoders.segnet_encoder import SegNetEncoder
from mtmodels.networks.segnet import SegNetDecoder, head, scaled_stages


class TaskSegNet(nn.Module):
    """The SegNet of one task: from its second stage on it sees the shared map beside its own.

    Args:
        stages: Convolutions and their channels in each stage.
    """

    def __init__(self, stages: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        inputs = (3, *(2 * channels for _, channels in stages))
        self.down = nn.ModuleList(
            normalised_block(before, channels, count=count)
            for before, (count, channels) in zip(inputs, stages, strict=False)
        )
        outputs = (stages[0][1], *(channels for _, channels in stages[:-1]))
        self.up = nn.ModuleList(
            normalised_block(2 * channels, after, count=count)
            for (count, channels), after in zip(
                reversed(stages[1:]), reversed(outputs[1:]), strict=True
            )
        )
        # As released, the last stage narrows with its second convolution, not with its first.
        channels = stages[0][1]
        self.up.append(
            nn.Sequential(
                *normalised_block(2 * channels, 2 * channels, count=1),
                *normalised_block(2 * channels, channels, count=stages[0][0] - 1),
            )
        )

    def forward(
        self, image: Float[Tensor, "b 3 h w"], down: Sequence[Tensor], up: Sequence[Tensor]
    ) -> Float[Tensor, "b c h w"]:
        """The last map.

        Args:
            image: What it begins with.
            down: The shared maps behind each pool.
            up: The shared maps behind each unpool.
        """
        x, places = image, []
        for i, stage in enumerate(self.down):
            x, place = F.max_pool2d(
                stage(torch.cat([x, down[i - 1]], dim=1) if i else x), 2, return_indices=True
            )
            places.append(place)
        for stage, place, shared in zip(self.up, reversed(places), up, strict=True):
            x = stage(torch.cat([F.max_unpool2d(x, place, [2, 2]), shared], dim=1))
        return x


class SegNetDense(Network):
    """A shared SegNet without predictions, and a SegNet a task that reads it at every stage.

    Args:
        tasks: The tasks to predict.
        options: Those of `EncoderOptions`; pre-trained weights go to the shared encoder.

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.

    Reference: MTAN, section 4 ("Dense") and its released code.
    Differs from the released code as `segnet` does, and leaves out the last stage of the shared
    decoder, whose output nothing reads there.
    """

    summary: ClassVar[str] = "A shared SegNet, and one for each task that reads it at every stage."
    reference: ClassVar[str] = "MTAN, section 4 and its released code"
    options: EncoderOptions
    layers: ClassVar[str] = "vgg"
    norm_stride: ClassVar[int] = 16

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        stages = scaled_stages(self.options.width, wide=False, deep=False)
        self.encoder = SegNetEncoder(3, stages, weights=self.options.encoder_weights)
        self.decoder = SegNetDecoder(stages)
        del self.decoder.stages[-1]
        self.task_networks = nn.ModuleDict({t.name: TaskSegNet(stages) for t in tasks})
        channels = stages[0][1]
        self.heads = nn.ModuleDict({t.name: head(channels, t.channels) for t in tasks})
        self.feature_channels = stages[-1][1]
        self.feature_stride = 32
        start_uniform(self.decoder, self.task_networks, self.heads)
        if self.options.encoder_weights is None:
            start_uniform(self.encoder)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks at the size of the image."""
        self.check_size(*image.shape[-2:])
        image = self.normalised(image)
        down, up = self._shared(image)
        maps = {name: network(image, down, up) for name, network in self.task_networks.items()}
        predictions = {
            task.name: kind_model(task).activation(self.heads[task.name](maps[task.name]))
            for task in self.tasks
        }
        return Output(predictions, down[-1])

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last convolution of the shared decoder that is read."""
        return list(last_convolution(self.decoder).parameters())

    def _shared(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The shared maps behind each pool and behind each unpool."""
        x, down, places = image, [], []
        for stage in self.encoder.stages:
            x, place = F.max_pool2d(stage(x), 2, return_indices=True)
            down.append(x)
            places.append(place)
        up = [F.max_unpool2d(x, places.pop(), [2, 2])]
        for stage in self.decoder.stages:
            up.append(F.max_unpool2d(stage(up[-1]), places.pop(), [2, 2]))
        return down, up
