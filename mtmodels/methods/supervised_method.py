"""What all methods share: they learn from the labels there are."""

from collections.abc import Mapping

from mtmodels.methods.base import Method
from mtmodels.methods.parts.supervision import Supervision
from mtmodels.networks.base import Network


class SupervisedMethod(Method):
    """Has the losses of predictions against labels, as `supervision`.

    Args:
        network: The network to train.
        losses: The loss of a task by name; the default of its kind where it is not given.
        task_weights: A factor on the terms of a task; 1 where it is not given.
        reduction: "image" or "pixels", for all tasks or by task.
        normalise: "batch", or "paper" to divide by the number of labelled tasks of an image.

    Raises:
        ValueError: for a task, loss, reduction or normalisation that there is not.
    """

    def __init__(
        self,
        network: Network,
        *,
        losses: Mapping[str, str] | None = None,
        task_weights: Mapping[str, float] | None = None,
        reduction: str | Mapping[str, str] = "image",
        normalise: str = "batch",
    ) -> None:
        super().__init__(network)
        self.supervision = Supervision(
            network.tasks,
            losses=losses,
            task_weights=task_weights,
            reduction=reduction,
            normalise=normalise,
        )
