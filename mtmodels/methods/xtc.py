"""Cross-task consistency: a transferred prediction is compared with the direct one."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from jaxtyping import Bool, Float
from torch import Tensor

from mtdata.reading.batch import Batch
from mtmodels.kinds import kind_model
from mtmodels.methods.parts.supervision import Seen
from mtmodels.methods.parts.transfer import TransferMethod, TransferOptions
from mtmodels.networks.base import Network


class XTCOptions(TransferOptions):
    """What cross-task consistency can be told."""

    target: Literal["soft", "hard"] = "soft"
    """`soft`: the probabilities of the direct prediction, eq. 13. `hard`: the class it decides for,
    as the released code does. The same for depth and normals."""


class XTC(TransferMethod):
    """l_{t->s} compares with the direct prediction of s, through which no gradient flows.

    It needs no label, so every image has it. Pixels of depth and normals take no part where an
    image shows the task and its label is not valid there: nothing ever trained the target.

    Args:
        network: The network to train.
        options: Those of `XTCOptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: XTasC-Net eq. 3 and 11 to 15. Equation 11 prints the direct prediction of t as the
    target; section III and the code have that of s.
    """

    options: XTCOptions
    summary: ClassVar[str] = "transferred predictions agree with the direct ones (XTasC-Net)"
    reference: ClassVar[str] = "XTasC-Net eq. 11-16"
    uses_unlabelled = True

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        rows = {task.name: kind_model(task) for task in network.tasks}
        soft = self.options.target == "soft"
        self.compare = {name: row.soft if soft else row.hard for name, row in rows.items()}
        self.masked = {n for n, row in rows.items() if row.untrained_outside_valid}

    def transfer_loss(
        self,
        source: str,
        target: str,
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        batch: Batch,
        seen: Seen,
    ) -> Float[Tensor, ""]:
        """The distance to the direct prediction of `target`."""
        transferred = self.transfer(source, target, predictions)
        valid = self._trained(target, batch)
        loss = self.compare[target](transferred, predictions[target].detach(), valid)
        return self.supervision.compared(target, loss, valid)

    def _trained(self, task: str, batch: Batch) -> Bool[Tensor, "b h w"]:
        """The pixels whose direct prediction of `task` may be a target."""
        trained = batch.inside()
        if task in self.masked and task in batch.labels:
            trained[batch.rows[task]] = batch.valid[task]
        return trained
