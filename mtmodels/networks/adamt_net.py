"""AdaMT-Net, as far as it is described."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.base import Attention, Network, NetworkOptions, Output
from mtmodels.networks.blocks import Predicting, convolution, normalised_block, scaled, upsample

WIDTHS = (64, 128, 256, 512)
BOTTLENECK = 1024
HALVES = (256, 128, 64, 32)
"""Channels of a convolution of a decoder; a block gives two such maps side by side."""


class AdaMTNetOptions(NetworkOptions):
    """What AdaMT-Net can be told."""

    attention_weight: Literal["none", "channel"] = "none"
    """Whether what a mask lets through is also scaled, by a learnt factor a channel. The layer that
    reads it scales each channel anyway."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """The share of maps that is dropped behind each block."""


class AttentionBlock(nn.Module):
    """Two convolutions, each with batch norm and sigmoid; the first gives a mask for the second.

    What the second gives, and the same behind the mask, stand side by side.

    Args:
        channels_in: Channels that it reads.
        channels: Channels of each convolution.
        weighted: Whether there is a factor a channel behind the mask.
        dropout: The share of maps that is dropped of what it gives.
    """

    def __init__(self, channels_in: int, channels: int, *, weighted: bool, dropout: float) -> None:
        super().__init__()
        self.first = _squashed(channels_in, channels)
        self.second = _squashed(channels, channels)
        self.weight = nn.Parameter(torch.ones(channels, 1, 1)) if weighted else None
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Float[Tensor, "b c h w"]) -> tuple[Tensor, Tensor]:
        """What it gives, and its mask."""
        mask = self.first(x)
        plain = self.second(mask)
        attended = mask * plain if self.weight is None else self.weight * mask * plain
        return self.dropout(torch.cat([plain, attended], dim=1)), mask


class AdaMTNet(Network):
    """Each block of a shared encoder reads all blocks before; each task has an attending decoder.

    Args:
        tasks: The tasks to predict.
        options: Those of `AdaMTNetOptions`.

    Reference: Jha et al. 2020, "AdaMT-Net", as the code released with XTasC-Net repeats it.
    Differs from that code in the weight behind a mask: there it has the shape of a whole batch, so
    that 31 of 49 million parameters belong to one number of images of one size, and no other can
    be predicted. Of one map only as it leaves its block something is dropped.
    """

    options: AdaMTNetOptions
    summary: ClassVar[str] = "AdaMT-Net: an encoder that rereads its blocks, attending decoders."
    reference: ClassVar[str] = "Jha et al. 2020 (AdaMT-Net); compared with in XTasC-Net"
    layers: ClassVar[str] = "vgg"
    stride: ClassVar[int] = 16
    norm_stride: ClassVar[int] = 8

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        told = self.options
        down = [scaled(c, told.width) for c in WIDTHS]
        self.dropout = nn.Dropout2d(told.dropout)
        self.blocks = nn.ModuleList(
            normalised_block(sum(down[:i]) or 3, channels, count=2)
            for i, channels in enumerate(down)
        )
        self.feature_channels, self.feature_stride = scaled(BOTTLENECK, told.width), 16
        self.bottleneck = convolution(sum(down), self.feature_channels, size=1, bias=True)
        up = [scaled(c, told.width) for c in HALVES]
        below = [self.feature_channels, *(2 * c for c in up)]
        inputs = [skip + given for skip, given in zip(down[::-1], below, strict=False)]

        def decoder() -> nn.ModuleList:
            return nn.ModuleList(
                AttentionBlock(
                    i, o, weighted=told.attention_weight == "channel", dropout=told.dropout
                )
                for i, o in zip(inputs, up, strict=True)
            )

        self.decoders = nn.ModuleDict({task.name: decoder() for task in tasks})
        self.heads = nn.ModuleDict(
            {
                t.name: convolution(below[-1], t.channels, size=1, bias=False, layer=Predicting)
                for t in tasks
            }
        )

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks at the size of the image."""
        skips, features = self._encode(image)
        predictions = {
            task.name: kind_model(task).activation(
                self.heads[task.name](self._decode(task.name, skips, features)[0])
            )
            for task in self.tasks
        }
        return Output(predictions, features)

    @torch.no_grad()
    def attention(self, image: Float[Tensor, "b 3 h w"]) -> Attention:
        """The masks of the four blocks of each decoder, at strides of 8 to 1."""
        skips, features = self._encode(image)
        masks = {task.name: self._decode(task.name, skips, features)[1] for task in self.tasks}
        return {
            task: {f"decoder {i + 1}": mask for i, mask in enumerate(own)}
            for task, own in masks.items()
        }

    def shared_parameters(self) -> list[nn.Parameter]:
        """The convolution between the halves."""
        return list(self.bottleneck.parameters())

    def _encode(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """What each block gives, and the map between the halves."""
        self.check_size(*image.shape[-2:])
        given: list[Tensor] = []
        kept: list[Tensor] = []
        for block in self.blocks:
            given.append(block(torch.cat(kept, dim=1) if kept else self.normalised(image)))
            kept = [F.max_pool2d(x, 2) for x in (*kept, self.dropout(given[-1]))]
        return given, self.bottleneck(torch.cat(kept, dim=1))

    def _decode(
        self, task: str, skips: Sequence[Tensor], features: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """The last map of a task, and its masks."""
        x, masks = features, []
        for block, skip in zip(self.decoders[task].children(), reversed(skips), strict=True):
            x, mask = block(torch.cat([upsample(x), skip], dim=1))
            masks.append(mask)
        return x, masks


def _squashed(channels_in: int, channels_out: int) -> nn.Sequential:
    """3x3 convolution, batch norm, sigmoid."""
    return nn.Sequential(
        convolution(channels_in, channels_out, bias=True),
        nn.BatchNorm2d(channels_out),
        nn.Sigmoid(),
    )
