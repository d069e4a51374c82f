"""What scoring a network takes and gives; `mtmodels.scoring.evaluate` does it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from mtmodels.metrics.scores import Score, to_json
from mtmodels.scoring.samples import Samples

Predict = Callable[[Float[Tensor, "b 3 h w"]], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Evaluation:
    """The scores of the tasks that had a label.

    `images` counts the images seen, `labelled[task]` those of them that show the task, 0 for one
    without scores; `samples`, where they were asked for, is what each image adds.
    """

    protocol: str
    images: int
    labelled: dict[str, int]
    scores: dict[str, dict[str, Score]]
    samples: Samples | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """`protocol`, `images`, `labelled` and `scores` for a JSON file; NaN is None."""
        return {
            "protocol": self.protocol,
            "images": self.images,
            "labelled": dict(self.labelled),
            "scores": to_json(self.scores),
        }


@contextmanager
def evaluation_mode(predict: Predict) -> Iterator[None]:
    """Evaluation mode for the module that a method belongs to, if it belongs to one."""
    owner = getattr(predict, "__self__", None)
    modules = list(owner.modules()) if isinstance(owner, nn.Module) else []
    training = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, mode in zip(modules, training, strict=True):
            module.training = mode
