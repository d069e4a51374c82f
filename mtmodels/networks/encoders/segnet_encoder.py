"""The encoder of SegNet: VGG-16 with batch norm, whose pooling remembers where each maximum was."""

from collections.abc import Sequence
from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtmodels.networks.blocks import normalised_block
from mtmodels.networks.encoders.weights import VGG16_BN, load_encoder_weights

STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""Convolutions and their channels in each of the five stages; a 2x2 max-pool follows each stage."""


class SegNetEncoder(nn.Module):
    """Five stages of 3x3 convolution, batch norm and ReLU, each with a 2x2 max-pool behind it.

    Args:
        channels_in: Channels of the input.
        stages: Convolutions and their channels in each stage.
        weights: None, "imagenet", or a file with the state of torchvision's `vgg16_bn`.

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.
    """

    def __init__(
        self,
        channels_in: int,
        stages: Sequence[tuple[int, int]],
        *,
        weights: str | Path | None = None,
    ) -> None:
        super().__init__()
        inputs = (channels_in, *(channels for _, channels in stages))
        self.stages = nn.ModuleList(
            normalised_block(before, channels, count=count)
            for before, (count, channels) in zip(inputs, stages, strict=False)
        )
        if weights is not None:
            load_encoder_weights(self, weights, VGG16_BN, rename=self._name_in_vgg)

    def forward(self, x: Float[Tensor, "b c h w"]) -> tuple[Tensor, list[Tensor]]:
        """The map behind the last pool, and the places of the maxima of every pool."""
        places = []
        for stage in self.stages:
            x, place = F.max_pool2d(stage(x), 2, return_indices=True)
            places.append(place)
        return x, places

    def _name_in_vgg(self, key: str) -> str:
        """The name of an entry in `vgg16_bn.features`, which counts the layers of all stages."""
        _, stage, layer, entry = key.split(".")
        before = [len(list(stage.children())) + 1 for stage in self.stages]  # 1: the pool
        return f"{sum(before[: int(stage)]) + int(layer)}.{entry}"
