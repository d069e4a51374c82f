"""U-Nets whose encoder is densely connected and whose decoders attend: MT-UNet and ST-UNet."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.attention import Mask
from mtmodels.networks.base import Attention, Network, NetworkOptions, Output
from mtmodels.networks.blocks import Predicting, convolution, last_convolution, scaled

WIDTHS = (64, 128, 256, 512)
"""Channels of the blocks of the encoder; those of a decoder are the same, turned."""
BOTTLENECK = (512, 1024)
"""Channels of its two convolutions."""
CROSSED = 1
"""The block of a decoder, counted from 0, behind which the others listen: the paper's second."""

Dense = Literal["within", "block", "global"]
Up = Literal["transposed", "bilinear"]
Map = TypeVar("Map", int, Tensor)


class AttentionUNetOptions(NetworkOptions):
    """What the U-Nets of the MT-UNet paper can be told."""

    dense: Dense = "global"
    """What a convolution of the encoder reads. `within`: what its block reads, and the convolution
    before it; a block reads the block before. `block`: a block reads all blocks before. `global`:
    all convolutions before, as the text says."""
    upsampling: Up = "transposed"
    """How maps grow: by a learnt transposed convolution, or bilinearly."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """The share of values that is dropped behind each block of the encoder; the paper names none,
    0.2 is DenseNet's."""
    norm_eps: Annotated[float, Field(gt=0)] = 1e-3
    """What batch norms add to a variance. They come behind a ReLU: a channel that is 0 all over the
    training has no variance, and with 1e-5 the first image that moves it would do so 316-fold."""


class MTUNetOptions(AttentionUNetOptions):
    """What MT-UNet can be told."""

    cross_talk: bool = True
    """Whether the third block of a decoder also reads what the second ones of the others gave."""
    cross_talk_attended: bool = True
    """Whether it reads that behind the mask, as the giver's own third block does, or before it."""


class DenseEncoder(nn.Module):
    """Blocks of two 3x3 convolutions, ReLU and batch norm, that read what came before them.

    Between blocks lie dropout, once for each map, and 2x2 max-pools.

    Args:
        blocks: Channels of the two convolutions of each block.
        dense: What a block reads.
        dropout: The share of values that is dropped behind a block.
    """

    def __init__(self, blocks: Sequence[tuple[int, int]], *, dense: Dense, dropout: float) -> None:
        super().__init__()
        self.dense, self.dropout = dense, nn.Dropout(dropout)
        self.blocks = nn.ModuleList()
        kept: list[int] = []
        for first, second in blocks:
            seen = sum(kept) or 3
            layers = [_activated(seen, first), _activated(seen + first, second)]
            self.blocks.append(nn.ModuleList(layers))
            kept += self._left(first, second)
            kept = kept[-1:] if dense == "within" else kept

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """What each block gives: the map of its second convolution, at half the size each time."""
        given: list[Tensor] = []
        kept: list[Tensor] = []
        for block in self.blocks:
            seen = [F.max_pool2d(x, 2) for x in kept]
            first, second = cast(Sequence[nn.Module], block)
            low = first(torch.cat(seen or [image], dim=1))
            given.append(second(torch.cat([*(seen or [image]), low], dim=1)))
            left = [self.dropout(x) for x in self._left(low, given[-1])]
            kept = left if self.dense == "within" else [*seen, *left]
        return given

    def _left(self, first: Map, second: Map) -> list[Map]:
        """What of a block later ones can read."""
        return [first, second] if self.dense == "global" else [second]


class Given(NamedTuple):
    """What a block of a decoder makes."""

    plain: Tensor
    mask: Tensor

    @property
    def attended(self) -> Tensor:
        """What it gives to the next."""
        return self.mask * self.plain


class AttentionDecoder(nn.Module):
    """Four blocks of two convolutions; what the second gives is multiplied with a mask.

    The mask is made from what the first gives. Maps grow between the blocks.

    Args:
        inputs: Channels that each block reads.
        channels: Channels that each block gives.
        upsampling: How maps grow.
    """

    def __init__(self, inputs: Sequence[int], channels: Sequence[int], *, upsampling: Up) -> None:
        super().__init__()
        pairs = list(zip(inputs, channels, strict=True))
        self.first = nn.ModuleList(_activated(i, o) for i, o in pairs)
        self.second = nn.ModuleList(_activated(o, o) for o in channels)
        self.masks = nn.ModuleList(Mask(o, o, size=3) for o in channels)
        self.ups = nn.ModuleList(_up(o, o, upsampling) for o in channels[:-1])

    def forward(self, block: int, read: Sequence[Tensor]) -> Given:
        """Run one block: decoders that listen to each other run side by side."""
        first = self.first[block](torch.cat(list(read), dim=1))
        return Given(self.second[block](first), self.masks[block](first))


class AttentionUNet(Network):
    """A densely connected encoder, and decoders that attend.

    Args:
        tasks: The tasks to predict.
        options: Those of `AttentionUNetOptions`.
    """

    options: AttentionUNetOptions
    layers: ClassVar[str] = "vgg"
    stride: ClassVar[int] = 16
    norm_stride: ClassVar[int] = 16

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        told, width = self.options, self.options.width
        down = [scaled(c, width) for c in WIDTHS]
        first, last = (scaled(c, width) for c in BOTTLENECK)
        blocks = [*((c, c) for c in down), (first, last)]
        self.encoder = DenseEncoder(blocks, dense=told.dense, dropout=told.dropout)
        up = down[::-1]
        self.up = _up(last, up[0], told.upsampling)
        below = [up[0] if told.upsampling == "transposed" else last, *up[:-1]]
        inputs = [skip + given for skip, given in zip(up, below, strict=True)]
        names = dict.fromkeys(self.paths().values())
        if self.crossing():
            inputs[CROSSED + 1] += (len(names) - 1) * up[CROSSED]
        self.decoders = nn.ModuleDict(
            {name: AttentionDecoder(inputs, up, upsampling=told.upsampling) for name in names}
        )
        self.heads = nn.ModuleDict(
            {
                t.name: convolution(up[-1], t.channels, size=1, bias=True, layer=Predicting)
                for t in tasks
            }
        )
        self.feature_channels, self.feature_stride = last, 16
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = told.norm_eps

    @abstractmethod
    def paths(self) -> dict[str, str]:
        """The name of the decoder that each task reads."""

    def crossing(self) -> Literal["", "plain", "attended"]:
        """What the other decoders hear of one; nothing where it is empty."""
        return ""

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks at the size of the image."""
        features, blocks = self._decode(image)
        last = {name: given.attended for name, given in blocks[-1].items()}
        predictions = {
            task.name: kind_model(task).activation(
                self.heads[task.name](last[self.paths()[task.name]])
            )
            for task in self.tasks
        }
        decoded = next(iter(last.values())) if self.decoded_channels else None
        return Output(predictions, features, decoded)

    @torch.no_grad()
    def attention(self, image: Float[Tensor, "b 3 h w"]) -> Attention:
        """The masks of the four blocks of each decoder, at strides of 8 to 1."""
        _, blocks = self._decode(image)
        return {
            task: {f"decoder {i + 1}": given[path].mask for i, given in enumerate(blocks)}
            for task, path in self.paths().items()
        }

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last layer behind the encoder: the transposed convolution, where there is one."""
        last = self.up if isinstance(self.up, nn.ConvTranspose2d) else None
        return list((last or last_convolution(self.encoder)).parameters())

    def _decode(self, image: Tensor) -> tuple[Tensor, list[dict[str, Given]]]:
        """The map between the halves, and for each block what each decoder makes there."""
        self.check_size(*image.shape[-2:])
        *skips, features = self.encoder(self.normalised(image))
        decoders = cast(Mapping[str, AttentionDecoder], self.decoders)
        read = {name: [self.up(features)] for name in decoders}
        blocks: list[dict[str, Given]] = []
        for i, skip in enumerate(reversed(skips)):
            given = {name: decoders[name](i, [skip, *read[name]]) for name in decoders}
            blocks.append(given)
            if i + 1 < len(skips):
                read = self._passed_on(i, given)
        return features, blocks

    def _passed_on(self, block: int, given: Mapping[str, Given]) -> dict[str, list[Tensor]]:
        """What the next block of each decoder reads beside the encoder: its own, then others'."""
        decoders = cast(Mapping[str, AttentionDecoder], self.decoders)
        own = {name: decoders[name].ups[block](one.attended) for name, one in given.items()}
        if block != CROSSED or not self.crossing():
            return {name: [x] for name, x in own.items()}
        heard = own
        if self.crossing() == "plain":
            heard = {name: decoders[name].ups[block](one.plain) for name, one in given.items()}
        return {n: [own[n], *(x for other, x in heard.items() if other != n)] for n in own}


class MTUNet(AttentionUNet):
    """MT-UNet: a decoder for each task, and cross-talk between them.

    With two tasks the third block of each decoder reads the second one of the other, as in the
    paper; with more, those of all others.

    Reference: MT-UNet, "Proposed Methodology" and "Architecture Design and Protocols".
    Differs from the paper, which is no code, where it has to choose: see the options. Of its
    bottleneck the second convolution has the 1024 channels that the text names, and the transposed
    convolution halves them, as a U-Net does.
    """

    options: MTUNetOptions
    summary: ClassVar[str] = "MT-UNet: a dense encoder, attending decoders that hear each other."
    reference: ClassVar[str] = 'MT-UNet, "Architecture Design and Protocols"'

    def paths(self) -> dict[str, str]:
        """One for each task."""
        return {task.name: task.name for task in self.tasks}

    def crossing(self) -> Literal["", "plain", "attended"]:
        """As the options say."""
        if not self.options.cross_talk:
            return ""
        return "attended" if self.options.cross_talk_attended else "plain"


class STUNet(AttentionUNet):
    """ST-UNet: one decoder, whatever the number of tasks.

    With one task it is the single-task network that MT-UNet compares with, and `mt-unet` of that
    task. With several all share the decoder but for its last convolution.

    Reference: MT-UNet, tables 1 and 2.
    """

    summary: ClassVar[str] = "ST-UNet: a dense encoder and one attending decoder, for all tasks."
    reference: ClassVar[str] = "MT-UNet, tables 1 and 2 (single task)"

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        self.decoded_channels = scaled(WIDTHS[0], self.options.width)

    def paths(self) -> dict[str, str]:
        """The same for all."""
        return {task.name: "all" for task in self.tasks}


def _activated(channels_in: int, channels_out: int) -> nn.Sequential:
    """3x3 convolution, ReLU, batch norm, in the order of the paper."""
    return nn.Sequential(
        convolution(channels_in, channels_out, bias=True),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(channels_out),
    )


def _up(channels_in: int, channels_out: int, upsampling: Up) -> nn.Module:
    """What doubles height and width; bilinear interpolation keeps the channels."""
    if upsampling == "bilinear":
        return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    layer = nn.ConvTranspose2d(channels_in, channels_out, 2, stride=2)
    nn.init.xavier_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
