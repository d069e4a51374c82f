"""The aggregators of torchjd, by the names of their papers.

Left out of torchjd 0.18: `Sum` (here `equal`), `Mean`, `Constant` (`fixed`) and `Random` (`rlw`),
which need no gradient a task; `Krum` and `TrimmedMean`, which guard against dishonest workers and
would throw tasks away; `ExcessMTL`, which keeps the squares of every gradient; `MoDo` and
`SDMGrad`, which want several batches a step; `PCD`, which wants a main task.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from mtmodels.options import Factor, Positive, Share, Weight
from mtmodels.weightings.aggregation import AggregatorOptions, AggregatorWeighting

if TYPE_CHECKING:
    from torchjd.linalg import DualConeProjector


class PCGrad(AggregatorWeighting):
    """Each gradient loses what goes against another one, in random order; then they are added."""

    summary: ClassVar[str] = "gradients lose what goes against another's"
    reference: ClassVar[str] = "Yu et al. 2020; compared with in XTasC-Net"
    theirs: ClassVar[str] = "PCGrad"


class MGDAOptions(AggregatorOptions):
    """What MGDA can be told."""

    epsilon: Factor = 1e-5
    """The step below which its search ends; 1e-5 in the code of KD4MTL."""
    iterations: Positive = 250
    """The most steps of its search; 250 in the code of KD4MTL."""


class MGDA(AggregatorWeighting):
    """The shortest vector among the averages of the gradients.

    MTPSL compares with `gradients: features` (KD4MTL), where it is an upper bound.
    """

    options: MGDAOptions
    summary: ClassVar[str] = "the shortest average of the gradients"
    reference: ClassVar[str] = "Desideri 2012; Sener and Koltun 2018; compared with in MTPSL"
    theirs: ClassVar[str] = "MGDA"

    def arguments(self, count: int) -> dict[str, Any]:
        """Algorithm 2 of Sener and Koltun."""
        return {"epsilon": self.options.epsilon, "max_iters": self.options.iterations}


class CAGradOptions(AggregatorOptions):
    """What CAGrad can be told."""

    c: Weight = 0.4
    """How far from the mean gradient it may go, as a share of its length; 0.4 on NYUv2."""


class CAGrad(AggregatorWeighting):
    """Near the mean gradient, the direction that is best for the task that gains least."""

    options: CAGradOptions
    summary: ClassVar[str] = "near the mean gradient, best for the task that gains least"
    reference: ClassVar[str] = "Liu et al. 2021"
    theirs: ClassVar[str] = "CAGrad"

    def arguments(self, count: int) -> dict[str, Any]:
        """Algorithm 1."""
        return {"c": self.options.c}


class IMTLG(AggregatorWeighting):
    """The average of the gradients on which all of them have the same shadow."""

    summary: ClassVar[str] = "equal projections on every task's gradient"
    reference: ClassVar[str] = "Liu et al. 2021 (IMTL)"
    theirs: ClassVar[str] = "IMTLG"


class AlignedMTL(AggregatorWeighting):
    """The gradients turned until none goes against another, with one length."""

    summary: ClassVar[str] = "gradients turned until none goes against another"
    reference: ClassVar[str] = "Senushkin et al. 2023"
    theirs: ClassVar[str] = "AlignedMTL"


class NashMTLOptions(AggregatorOptions):
    """What Nash-MTL can be told."""

    iterations: Positive = 20
    """Of its solver."""
    longest: Weight = 1.0
    """The length that the result is cut to; 0 for any."""


class NashMTL(AggregatorWeighting):
    """What the tasks would agree on if they bargained."""

    options: NashMTLOptions
    summary: ClassVar[str] = "what tasks would agree on if they bargained"
    reference: ClassVar[str] = "Navon et al. 2022"
    theirs: ClassVar[str] = "NashMTL"

    def arguments(self, count: int) -> dict[str, Any]:
        """Algorithm 1, solved anew at every step."""
        return {
            "n_tasks": count,
            "max_norm": self.options.longest,
            "optim_niter": self.options.iterations,
        }

    @property
    def power(self) -> float:
        """The longer the gradients, the smaller their factors: what is bargained for has none."""
        return 1.0

    def remembered(self, aggregator: Any) -> dict[str, Any]:
        """Where its solver begins."""
        return {"factors": np.asarray(aggregator.weighting.prvs_alpha).tolist()}

    def remember(self, aggregator: Any, memory: Mapping[str, Any]) -> None:
        """Let the solver begin there."""
        aggregator.weighting.prvs_alpha = np.asarray(memory["factors"], dtype=np.float64)


class UPGrad(AggregatorWeighting):
    """Each gradient projected to where it goes against none; then their mean."""

    summary: ClassVar[str] = "gradients projected to where they go against none"
    reference: ClassVar[str] = "Quinton and Rey 2024"
    theirs: ClassVar[str] = "UPGrad"

    def arguments(self, count: int) -> dict[str, Any]:
        """Equation 4, projected by `scipy`."""
        return {"projector": _projector()}


class DualProj(AggregatorWeighting):
    """The mean gradient, projected to where it goes against none."""

    summary: ClassVar[str] = "the mean gradient projected to where it goes against none"
    reference: ClassVar[str] = "Lopez-Paz and Ranzato 2017 (GEM)"
    theirs: ClassVar[str] = "DualProj"

    def arguments(self, count: int) -> dict[str, Any]:
        """Equation 11 of GEM, projected by `scipy`."""
        return {"projector": _projector()}


class GradDrop(AggregatorWeighting):
    """In each place one sign is drawn, and the gradients of the other sign are left out there."""

    summary: ClassVar[str] = "one sign of gradient a place, drawn by chance"
    reference: ClassVar[str] = "Chen et al. 2020"
    theirs: ClassVar[str] = "GradDrop"
    factors: ClassVar[bool] = False


class ConFIG(AggregatorWeighting):
    """The direction that has the same angle with every gradient."""

    summary: ClassVar[str] = "the direction at one angle from every gradient"
    reference: ClassVar[str] = "Liu, Chu and Thuerey 2024"
    theirs: ClassVar[str] = "ConFIG"
    factors: ClassVar[bool] = False


class FairGradOptions(AggregatorOptions):
    """What FairGrad can be told."""

    alpha: Weight = 1.0
    """What is fair: 0 the mean, 1 proportional, larger nearer to the task that gains least."""


class FairGrad(AggregatorWeighting):
    """The direction whose gains for the tasks are alpha-fair."""

    options: FairGradOptions
    summary: ClassVar[str] = "gains that are fair among the tasks"
    reference: ClassVar[str] = "Ban and Ji 2024"
    theirs: ClassVar[str] = "FairGrad"

    def arguments(self, count: int) -> dict[str, Any]:
        """Equation 4."""
        return {"alpha": self.options.alpha}

    @property
    def power(self) -> float:
        """From equation 4: the products of all gradients with the factors, to -1 / alpha."""
        return 2 * self.options.alpha / (1 + self.options.alpha)


class GradVacOptions(AggregatorOptions):
    """What gradient vaccine can be told."""

    beta: Share = 0.5
    """How fast the cosines that it aims at follow those of the steps."""


class GradVac(AggregatorWeighting):
    """Gradients are turned until their cosines are those of earlier steps."""

    options: GradVacOptions
    summary: ClassVar[str] = "gradients keep the cosines they had in earlier steps"
    reference: ClassVar[str] = "Wang et al. 2021"
    theirs: ClassVar[str] = "GradVac"

    def arguments(self, count: int) -> dict[str, Any]:
        """Algorithm 1."""
        return {"beta": self.options.beta}

    def remembered(self, aggregator: Any) -> dict[str, Any]:
        """The cosines of earlier steps."""
        return {"cosines": aggregator.gramian_weighting._phi_t}

    def remember(self, aggregator: Any, memory: Mapping[str, Any]) -> None:
        """Aim at these cosines."""
        cosines = memory["cosines"]
        if cosines is not None:
            held = aggregator.gramian_weighting
            held._phi_t, held._state_key = cosines.clone(), (len(cosines), cosines.dtype)


def _projector() -> "DualConeProjector":
    """The projection that UPGrad and DualProj need, by non-negative least squares.

    torchjd's own is quadprog's, which is under the GPL.
    """
    from scipy.optimize import nnls
    from torchjd.linalg import DualConeProjector

    class LeastSquares(DualConeProjector):
        """min v'Gv with v >= u: with v = u + x and G = R R', |R'x + R'u| is least for x >= 0."""

        def __call__(self, U: torch.Tensor, G: Any) -> torch.Tensor:  # noqa: N803  (theirs)
            gramian = G.detach().cpu().double().numpy()
            scale = max(float(np.trace(gramian)), np.finfo(float).tiny)
            values, vectors = np.linalg.eigh(gramian / scale)
            root = (vectors * np.sqrt(np.maximum(values, 0))).T
            rows = U.detach().cpu().double().numpy()
            found = [u + nnls(root, -root @ u)[0] for u in rows.reshape(-1, len(gramian))]
            return torch.as_tensor(np.array(found).reshape(rows.shape), dtype=G.dtype).to(G.device)

    return LeastSquares()
