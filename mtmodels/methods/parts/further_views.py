"""What methods share that learn from labels in the first view and from something else in others."""

from collections.abc import Sequence
from typing import Annotated, Literal

from mtmodels.methods.views import View
from mtmodels.options import SECOND_VIEW, Options, Share


class FurtherViewOptions(Options):
    """How the views are supervised, and how what comes beside the labels begins."""

    ramp_up: Share = 0.0
    """The share of the training over which the factor on the consistency rises from 0."""
    supervise: Annotated[Literal["main", "all"], SECOND_VIEW] = "main"
    """`main`: the labels of the first view, as released. `all`: of every view."""

    def ramp(self, progress: float) -> float:
        """Rises linearly from 0 to 1 over the first `ramp_up` of the training; 1 where it is 0."""
        return min(1.0, progress / self.ramp_up) if self.ramp_up > 0 else 1.0

    def views(self, count: int) -> Sequence[View]:
        """All made as the run says; the labels of the first alone supervise, or those of all."""
        return [View(), *[View(supervised=self.supervise == "all")] * (count - 1)]
