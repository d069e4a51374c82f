"""The task-transfer network of XTasC-Net: from the prediction of one task to another task."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.blocks import convolution, scaled, upsample


def _pair(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two convolutions, a ReLU behind each; no batch norm, as released."""
    return nn.Sequential(
        convolution(channels_in, channels_out, bias=True),
        nn.ReLU(inplace=True),
        convolution(channels_out, channels_out, bias=True),
        nn.ReLU(inplace=True),
    )


class TransferNetwork(nn.Module):
    """A small U-Net: three blocks down, three blocks up.

    Height and width should be divisible by 8, which every network's stride grants.

    Args:
        source: The task that is read.
        target: The task that is predicted from it.
        width: A factor on its channels; 1 is the published network.

    Reference: XTasC-Net, section IV-A.
    Differs from the paper's text as the authors' code does: the blocks on the way up magnify first,
    and take the pooled maps of the way down as skips. The paper's parameter counts have the skips.
    """

    def __init__(self, source: Task, target: Task, *, width: float = 1.0) -> None:
        super().__init__()
        self.source, self.target = kind_model(source), kind_model(target)
        a, b, c = (scaled(channels, width) for channels in (64, 128, 256))
        self.down = nn.ModuleList([_pair(source.channels, a), _pair(a, b), _pair(b, c)])
        self.up = nn.ModuleList([_pair(c, b), _pair(b + b, a), _pair(a + a, a)])
        self.head = convolution(a, target.channels, size=1, bias=False)

    def forward(self, prediction: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """The transferred prediction; gradients flow back into the one it is made from."""
        x = self.source.as_input(prediction)
        pooled = []
        for block in self.down:
            x = F.max_pool2d(block(x), 2)
            pooled.append(x)
        x = self.up[0](upsample(x))
        for block, skip in zip(self.up[1:], (pooled[1], pooled[0]), strict=True):
            x = block(upsample(torch.cat([x, skip], dim=1)))
        return self.target.activation(self.head(x))
