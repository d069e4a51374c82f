"""Trained networks teach the tasks that an image does not show."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import BeforeValidator
from torch import Tensor

from mtdata.errors import UsageError
from mtdata.reading.batch import Batch
from mtdata.tasks.task import Task
from mtmodels.methods.parts.teaching import Teaching, TeachingOptions
from mtmodels.networks.base import Network
from mtmodels.options import Share, as_tuple


class SelfTrainingOptions(TeachingOptions):
    """What self-training can be told."""

    teachers: Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
    """Run folders of trained networks, each of some of the tasks, [runs/a, runs/b]; as a flag
    --teachers runs/a,runs/b. What several say of a task is averaged."""
    taught: Literal["missing", "all"] = "missing"
    """`missing`: what an image has no label of. `all`: what it has a label of, too."""
    confidence: Share = 0.0
    """The probability from which a class is taught."""
    keep: Share = 1.0
    """The share of the pixels of an image that is taught of depth and normals: those on which the
    teachers agree most, on the mirrored image too."""


class SelfTraining(Teaching):
    """What frozen networks that were trained on the labels say is learnt beside the labels.

    The teachers read the first view and its mirror image, as the network does, so that they say
    something new of every crop; the mean of all is the target.

    Args:
        network: The network to train.
        options: Those of `SelfTrainingOptions`.

    Raises:
        ValueError: where there is no teacher, or an option is out of range.

    Reference: Xie et al. 2020, "Self-training with Noisy Student"; Ghiasi et al. 2021, "Multi-Task
    Self-Training" (a teacher a task); the same view for teacher and student after Beyer et al.
    2022, "A good teacher is patient and consistent". None of the papers that this
    package stands on has it.
    """

    options: SelfTrainingOptions
    summary: ClassVar[str] = "trained networks teach what an image does not show"
    reference: ClassVar[str] = "Xie et al. 2020; Ghiasi et al. 2021; Beyer et al. 2022"
    first_taught: ClassVar[int] = 0

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **{"teachers": (), **options})  # none is refused here, in words
        self.missing_alone = self.options.taught == "missing"
        given = self.options.teachers
        if not given or len(set(given)) < len(given):
            raise ValueError(
                "--teachers RUN[,RUN...] should name trained runs, each once; found "
                f"{', '.join(given) or 'none'}. Train one with --method sl, and name it."
            )

    def runs(self) -> Mapping[str, str]:
        """The run of each teacher."""
        return {f"teacher {n}": run for n, run in enumerate(self.options.teachers, 1)}

    def loaded(self) -> None:
        """Check that the teachers say something of the tasks of the network.

        Raises:
            UsageError: where one predicts none of them, or other classes or units.
        """
        own = {task.name: task for task in self.network.tasks}
        for run, teacher in zip(self.options.teachers, self.teachers.values(), strict=True):
            shared = [task for task in teacher.tasks if task.name in own]
            if not shared:
                raise UsageError(
                    f"a teacher should predict one of {', '.join(own)} at least; found a run of "
                    f"{_names(teacher.tasks)} in {run}. Give another run in --teachers."
                )
            for task in shared:
                ours, theirs = own[task.name].kind.meaning, task.kind.meaning
                if ours != theirs:
                    raise UsageError(
                        f"the teacher {run} should mean by `{task.name}` what the store does, "
                        f"{ours}; found {theirs}. Train one on this store, and name it in "
                        "--teachers."
                    )

    def check_size(self, height: int, width: int) -> None:
        """Refuse images that the network or a teacher cannot take.

        Raises:
            ValueError: with what to do.
        """
        super().check_size(height, width)
        for teacher in self.teachers.values():
            teacher.check_size(height, width)

    def wanted(self, batch: Batch) -> Bool[Tensor, "t b"]:
        """What has no label, or all."""
        missing = super().wanted(batch)
        return torch.ones_like(missing) if self.options.taught == "all" else missing

    def say(self, image: Float[Tensor, "b 3 h w"]) -> Sequence[dict[str, Tensor]]:
        """What each teacher predicts."""
        return [teacher(image).predictions for teacher in self.teachers.values()]


def _names(tasks: Sequence[Task]) -> str:
    return ", ".join(task.name for task in tasks)
