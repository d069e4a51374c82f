"""Makes the views that a run trains on."""

from collections.abc import Sequence

from mtdata.reading.augment import sample_rng
from mtdata.reading.batch import Batch
from mtdata.reading.geometry import Change, Crop, Flip
from mtdata.tasks.task import Task
from mtmodels.methods.views import Step, Views, second_view
from mtmodels.training.config import Config

STAY = Crop(1.0)


class ViewMaker:
    """Crops each image of a batch once more, where two views are wanted.

    The draw of an image is a function of (seed, epoch, key), as that of its first view is.

    Args:
        config: Seed, number of views and how the second is drawn.
        tasks: The tasks whose labels are cropped along.

    Reference: the released code of MTPSL, whose second crop is one of the first crop. A flip
    before it is what that code does on Cityscapes.
    """

    def __init__(self, config: Config, tasks: Sequence[Task]) -> None:
        self.part, self.seed, self.tasks = config.views, config.seed, tuple(tasks)
        self.paper = config.augmentation.paper_geometry

    def __call__(self, batch: Batch, epoch: int) -> Views:
        """The views of a batch in an epoch."""
        if self.part.count != 2:
            return Views(batch)
        drawn = [self._draw(epoch, key) for key in batch.keys]
        flips, crops = ([change[i] for change in drawn] for i in (0, 1))
        steps: list[Step] = [flips, crops] if self.part.flip else [crops]
        return second_view(batch, self.tasks, steps, paper=self.paper)

    def _draw(self, epoch: int, key: str) -> tuple[Change, Change]:
        rng = sample_rng(self.seed, epoch, f"{key}, second view")
        crop = Crop.draw(rng, self.part.scales)
        return Flip.draw(rng, self.part.flip) or STAY, crop
