"""A whole SegNet that maps one task to the label space of another."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.networks.segnet import SegNet


class LabelMapping(nn.Module):
    """Reads encoded predictions or labels of one task and predicts another task from them.

    Args:
        source: The task that is read.
        target: The task that is predicted.
        width: A factor on its channels; 1 is the published network.

    Reference: MTPSL section 4: "we use the whole SegNet as the cross-task mapping functions".
    """

    def __init__(self, source: Task, target: Task, *, width: float = 1.0) -> None:
        super().__init__()
        self.target = target.name
        self.segnet = SegNet([target], width=width, channels_in=source.channels)

    def forward(self, encoded: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """A prediction of the target, in the form that networks predict it.

        Maps of a network with a finer stride are padded on the right and bottom, and cut again.
        """
        height, width = encoded.shape[-2:]
        pad = (0, -width % self.segnet.stride, 0, -height % self.segnet.stride)
        padded = F.pad(encoded, pad, mode="replicate") if any(pad) else encoded
        prediction: Tensor = self.segnet(padded).predictions[self.target]
        return prediction[..., :height, :width]
