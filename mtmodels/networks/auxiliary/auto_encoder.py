"""An auto-encoder of all tasks at once: a SegNet that reads and gives a joint tensor."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from mtmodels.networks.auxiliary.conditioned import Statistics
from mtmodels.networks.blocks import convolution
from mtmodels.networks.encoders.segnet_encoder import SegNetEncoder
from mtmodels.networks.segnet import SegNetDecoder, scaled_stages

STRIDE = 32


class AutoEncoder(nn.Module):
    """From the joint tensor of an image to a code of 1/32 of its size, and back.

    Sizes that 32 does not divide are padded on the right and bottom, and cut again.

    Args:
        channels: Of the joint tensor: those of all tasks together.
        width: A factor on the channels inside; 1 is the published network.
        over: What batch norm takes its statistics over: "sample", one image at a time as released,
            or "pass", all images that are given.

    Reference: Nishi et al. 2024, "Joint-Task Regularization for Partially Labeled Multi-Task
    Learning", and its released code, which also makes a batch norm that it never runs.
    """

    def __init__(self, channels: int, *, width: float = 1.0, over: Statistics = "sample") -> None:
        super().__init__()
        stages = scaled_stages(width, wide=False, deep=False)
        first, self.over = stages[0][1], over
        self.encoder = SegNetEncoder(channels, stages)
        self.decoder = SegNetDecoder(stages)
        self.head = nn.Sequential(
            convolution(first, first, bias=True), convolution(first, channels, size=1, bias=True)
        )

    def forward(
        self, joint: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n d hs ws"], Float[Tensor, "n c h w"]]:
        """Code and reconstruction, the latter as the last layer has it."""
        height, width = joint.shape[-2:]
        codes, made = [], []
        for images in self._passes(joint):
            code, places = self.encoder(images)
            codes.append(code)
            made.append(self.head(self.decoder(code, places)))
        return torch.cat(codes), torch.cat(made)[..., :height, :width]

    def still_code(self, joint: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d hs ws"]:
        """The code alone, with gradients for what is read and none for the encoder."""
        still = {name: p.detach() for name, p in self.encoder.named_parameters()}
        passes = self._passes(joint)
        return torch.cat([functional_call(self.encoder, still, (images,))[0] for images in passes])

    def _passes(self, joint: Float[Tensor, "n c h w"]) -> tuple[Tensor, ...]:
        """What goes through together, padded."""
        height, width = joint.shape[-2:]
        pad = (0, -width % STRIDE, 0, -height % STRIDE)
        padded = F.pad(joint, pad, mode="replicate") if any(pad) else joint
        passes: tuple[Tensor, ...] = padded.split(1 if self.over == "sample" else len(padded))
        return passes
