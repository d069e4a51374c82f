"""SegNet with attention: the networks of MTAN, for several tasks and for one."""

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.attention import Mask, Stage
from mtmodels.networks.base import Attention, EncoderOptions, Network, Output
from mtmodels.networks.blocks import last_convolution, normalised_block, upsample
from mtmodels.networks.encoders.segnet_encoder import SegNetEncoder
from mtmodels.networks.segnet import SegNetDecoder, head, scaled_stages

FIRST = 3
"""Layers of a stage up to the first ReLU: what an attention mask is made from."""


class AttentionSegNet(Network):
    """A shared SegNet, and paths of attention that pick from each of its stages what they need.

    In every stage a mask in [0, 1] is made from what the stage holds and what the path took
    before, and multiplied with the stage's last map. A 3x3 convolution that all paths share leads
    to the next stage.

    Args:
        tasks: The tasks to predict.
        options: Those of `EncoderOptions`.

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.
    """

    options: EncoderOptions
    layers: ClassVar[str] = "vgg"
    norm_stride: ClassVar[int] = 16

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        stages = scaled_stages(self.options.width, wide=False, deep=False)
        self.encoder = SegNetEncoder(3, stages, weights=self.options.encoder_weights)
        self.decoder = SegNetDecoder(stages)
        down = [channels for _, channels in stages]
        up = [*reversed(down[:-1]), down[0]]
        self.down, self.up = _ways([*down, down[-1]]), _ways([down[-1], *up])
        self.masks = nn.ModuleDict({path: _masks(down, up) for path in self.paths().values()})
        self.heads = nn.ModuleDict({t.name: head(up[-1], t.channels) for t in tasks})
        self.feature_channels = down[-1]
        self.feature_stride = 32

    @abstractmethod
    def paths(self) -> dict[str, str]:
        """The name of the path that each task reads."""

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks at the size of the image."""
        stages, features = self._shared(image)
        taken = {path: self._attend(path, stages)[0] for path in self.masks}
        predictions = {
            task.name: kind_model(task).activation(
                self.heads[task.name](taken[self.paths()[task.name]])
            )
            for task in self.tasks
        }
        return Output(predictions, features)

    @torch.no_grad()
    def attention(self, image: Float[Tensor, "b 3 h w"]) -> Attention:
        """The masks of each task, from the first stage of the encoder to the last of the decoder.

        Returns:
            For each task ten maps in [0, 1], at strides of 1 to 16 and back.
        """
        stages, _ = self._shared(image)
        names = [f"{half} {i + 1}" for half in ("encoder", "decoder") for i in range(len(self.up))]
        masks = {path: self._attend(path, stages)[1] for path in self.masks}
        return {t: dict(zip(names, masks[p], strict=True)) for t, p in self.paths().items()}

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last convolution of the shared decoder."""
        return list(last_convolution(self.decoder).parameters())

    def _shared(self, image: Tensor) -> tuple[list[Stage], Tensor]:
        """The ten stages of the shared network, and the map between its halves."""
        self.check_size(*image.shape[-2:])
        x = self.normalised(image)
        stages, places = [], []
        for stage in cast(Iterable[nn.Sequential], self.encoder.stages):
            first = stage[:FIRST](x)
            stages.append(Stage(first, stage[FIRST:](first)))
            x, place = F.max_pool2d(stages[-1].offered, 2, return_indices=True)
            places.append(place)
        features = x
        for layers, place in zip(self.decoder.stages, reversed(places), strict=True):
            unpooled = F.max_unpool2d(x, place, [2, 2])
            x = layers(unpooled)
            stages.append(Stage(unpooled, x))
        return stages, features

    def _attend(self, path: str, stages: Sequence[Stage]) -> tuple[Tensor, list[Tensor]]:
        """What a path takes at last, and its masks."""
        taken: list[Tensor] = []
        masks = []
        for i, (stage, mask) in enumerate(zip(stages, self.masks[path].children(), strict=True)):
            going_up = i >= len(self.down)
            if going_up:
                taken = [self.up[i - len(self.down)](upsample(taken[0]))]
            masks.append(mask(torch.cat([stage.seen, *taken], dim=1)))
            taken = [masks[-1] * stage.offered]
            if not going_up:
                taken = [F.max_pool2d(self.down[i](taken[0]), 2)]
        return taken[0], masks


class SegNetMTAN(AttentionSegNet):
    """MTAN: a path of attention for every task.

    Reference: Liu, Johns and Davison 2019, section 3, and its released code.
    Differs from the released code as `segnet` does.
    """

    summary: ClassVar[str] = "MTAN: a shared SegNet, and masks by which each task picks from it."
    reference: ClassVar[str] = "MTAN, section 3 and its released code"

    def paths(self) -> dict[str, str]:
        """One for each task."""
        return {task.name: task.name for task in self.tasks}


class SegNetSTAN(AttentionSegNet):
    """STAN: one path of attention, whatever the number of tasks.

    With one task it is the single-task attention network that MTAN compares with. With several it
    tells what attention is worth without being a task's own.

    Reference: Liu, Johns and Davison 2019, section 4, and its released code.
    """

    summary: ClassVar[str] = "STAN: SegNet with one path of attention, which all tasks read."
    reference: ClassVar[str] = "MTAN, section 4 (single task) and its released code"

    def paths(self) -> dict[str, str]:
        """The same for all."""
        return {task.name: "all" for task in self.tasks}


def _ways(channels: Sequence[int]) -> nn.ModuleList:
    """What leads a path from stage to stage."""
    pairs = itertools.pairwise(channels)
    return nn.ModuleList(normalised_block(before, after, count=1) for before, after in pairs)


def _masks(down: Sequence[int], up: Sequence[int]) -> nn.ModuleList:
    """The masks of one path: behind the first stage they see what was taken before, too."""
    seen = [down[0], *(2 * channels for channels in down[1:])]
    seen += [before + channels for before, channels in zip([down[-1], *up], up, strict=False)]
    return nn.ModuleList(Mask(i, o) for i, o in zip(seen, [*down, *up], strict=True))
