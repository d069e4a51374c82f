"""Weights learnt as the uncertainty of each task."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from mtmodels.options import Options
from mtmodels.weightings.total import TotalWeighting

FORMS: dict[str, tuple[float, float]] = {"xtasc": (0.0, 1.0), "mtan": (-0.5, 0.5)}
"""Where s starts, and the factor on s in the total."""


class UncertaintyOptions(Options):
    """What learnt uncertainties can be told."""

    form: Literal["xtasc", "mtan"] = "xtasc"
    """`xtasc`: s starts at 0, c = 1, as released with XTasC-Net, whose L_t has the consistency in
    it. `mtan`: s starts at -0.5, c = 1/2, as released with MTAN and MTPSL."""


class Uncertainty(TotalWeighting):
    """0.5 exp(-s_t) L_t + c s_t with a learnt s_t a task, the log of a variance.

    A task that is absent from a batch neither adds to the total nor moves its s_t: the latter is a
    parameter of its own, which an optimiser skips where it has no gradient.

    Args:
        tasks: Names of the tasks of the run.
        options: Those of `UncertaintyOptions`.

    Raises:
        UnknownNameError: for a form that there is not.

    Reference: Kendall, Gal and Cipolla 2018, "Multi-Task Learning Using Uncertainty to Weigh Losses
    for Scene Geometry and Semantics"; its factor on s is 1/2.
    """

    options: UncertaintyOptions
    summary: ClassVar[str] = "weights learnt as the uncertainty of each task"
    reference: ClassVar[str] = "Kendall et al. 2018; forms of XTasC-Net and MTAN"
    adds_up: ClassVar[bool] = True

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        start, self.factor = FORMS[self.options.form]
        self.log_variance = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(start)) for name in self.tasks}
        )

    def scale(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        """The losses by their uncertainty, with its price, which is paid once a step."""
        scaled = []
        for name, loss in losses.items():
            s = self.log_variance[name]
            price = 0.0 if name in self.earlier else self.factor * self.parts
            scaled.append(0.5 * torch.exp(-s) * loss + price * s)
        return scaled

    def weights(self) -> dict[str, float]:
        """0.5 exp(-s_t)."""
        return {n: 0.5 * (-s.detach().double()).exp().item() for n, s in self.log_variance.items()}
