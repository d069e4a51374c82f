"""The views of a batch that a method trains on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jaxtyping import Bool, Float
from torch import Tensor

from mtdata.reading.batch import Batch, join
from mtdata.reading.geometry import Change
from mtdata.reading.geometry.device import apply
from mtdata.tasks.task import Task

Step = Sequence[Change]
"""One change an image of the batch."""


@dataclass(frozen=True)
class Views:
    """One or two views of the same images.

    Args:
        main: The batch that supervision is applied to.
        second: The same images and labels after `steps`; None where there is one view only.
        steps: What made the second view of the first, one after the other.
        paper: Whether inverse depth is divided by a zoom, as the code released with the papers
            does, in place of multiplied.

    Reference: MTPSL section 3.1 (e_r); the released code crops the first view once more.
    """

    main: Batch
    second: Batch | None = None
    steps: tuple[Step, ...] = ()
    paper: bool = False

    @property
    def all(self) -> Batch:
        """Both views as one batch, the second behind the first."""
        return self.main if self.second is None else join([self.main, self.second])

    @property
    def last(self) -> Batch:
        """The second view; the first where it is the only one."""
        return self.main if self.second is None else self.second

    def split(
        self, outputs: Float[Tensor, "v c h w"]
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]]:
        """What a network says of `all`, for the first and for the last view."""
        images = len(self.main)
        return outputs[:images], outputs[-images:]

    def moved(
        self, task: Task, prediction: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b c h w"], Bool[Tensor, "b h w"]]:
        """A prediction of the first view as the second view should have it, and where it does.

        Args:
            task: What is predicted: depth is divided by a zoom, normals turn in a flip.
            prediction: Probabilities, depth or normals; gradients pass.
        """
        valid: Bool[Tensor, "b h w"] = prediction.new_ones(prediction[:, 0].shape).bool()
        for step in self.steps:
            prediction, valid = apply(
                prediction, step, kind=task.kind, valid=valid, prediction=True, paper=self.paper
            )
        return prediction, valid


def second_view(
    batch: Batch, tasks: Sequence[Task], steps: Sequence[Step], *, paper: bool = False
) -> Views:
    """The batch and a second view of it.

    Args:
        batch: The first view.
        tasks: The tasks of the network; labels of others stay as they are.
        steps: The changes to make, one after the other.
        paper: Divide inverse depth by the zoom, as the code released with the papers does.
    """
    kinds = {task.name: task.kind for task in tasks}
    image, labels, valid = batch.image, dict(batch.labels), dict(batch.valid)
    for step in steps:
        image, _ = apply(image, step)
        for name in kinds.keys() & labels.keys():
            labels[name], valid[name] = apply(
                labels[name],
                [step[i] for i in batch.rows[name].tolist()],
                kind=kinds[name],
                valid=valid[name],
                paper=paper,
            )
    return Views(batch, _with(batch, image, labels, valid), tuple(steps), paper)


def _with(
    batch: Batch,
    image: Float[Tensor, "b 3 h w"],
    labels: Mapping[str, Tensor],
    valid: Mapping[str, Tensor],
) -> Batch:
    return replace(batch, image=image, labels=labels, valid=valid)
