"""Distillation from single-task networks: the shared maps can be turned into those of each."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mtdata.errors import UsageError
from mtdata.reading.batch import Batch
from mtmodels.losses import at_least_single, image_means
from mtmodels.methods.base import Method, ParameterGroup, ScheduleName, learning
from mtmodels.methods.parts.pairs import cells_inside
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions, per_task
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network, Output
from mtmodels.networks.blocks import convolution
from mtmodels.options import Weight

SMALLEST = 1e-6
"""Added to the square of a length, as released."""


class KDOptions(SupervisionOptions):
    """What distillation can be told."""

    teachers: Mapping[str, str]
    """The run folder of a trained single-task network for every task, {semantic: runs/semantic,
    depth: runs/depth}; as a flag --teachers semantic=runs/semantic,depth=runs/depth."""
    distillation_weights: Weight | Mapping[str, Weight] = 1.0
    """A factor on the distillation, one for all tasks or by task; released are 1 for semantic and
    depth and 2 for normals."""
    teacher_norm: Literal["running", "batch"] = "running"
    """What batch norm of the teachers takes: `running` statistics, as when they are scored, or
    those of the `batch`, as released."""
    adapter_rate: Weight = 0.1
    """The learning rate of the adapters, from the first step to the last; 0.1 as released."""
    adapter_weight_decay: Weight = 5e-4
    """Their weight decay; 5e-4 as released."""


class KD(Method):
    """A 1x1 convolution a task turns the shared maps into those of its frozen teacher.

    The maps are the end of the encoder, and the end of the decoder where the tasks share one. All
    images take part, with labels or without.

    Args:
        network: The network to train.
        options: Those of `KDOptions`.

    Raises:
        ValueError: where a task has no teacher, or an option is out of range.

    Reference: Li and Bilen 2020, "Knowledge Distillation for Multi-Task Learning" (KD4MTL), and its
    released code.
    """

    options: KDOptions
    uses_unlabelled = True
    summary: ClassVar[str] = "shared maps can be turned into those of single-task networks (KD4MTL)"
    reference: ClassVar[str] = "KD4MTL (Li and Bilen 2020), section 3"

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)
        names = self.supervision.names
        given = per_task("teachers", self.options.teachers, names, default="")
        missing = [name for name in names if not given[name]]
        if missing:
            raise ValueError(
                "`teachers` should have the run folder of a trained network for every task; found "
                f"none for {', '.join(missing)}. Train one with --tasks {missing[0]} --method sl, "
                "and name it in --teachers."
            )
        self.distillation = per_task(
            "distillation_weights", self.options.distillation_weights, names, default=1.0
        )
        widths = {"features": network.feature_channels, "decoded": network.decoded_channels}
        self.adapters = nn.ModuleDict(
            {
                name: nn.ModuleDict(
                    {
                        level: convolution(width, width, size=1, bias=False)
                        for level, width in widths.items()
                        if width
                    }
                )
                for name in names
            }
        )

    def runs(self) -> Mapping[str, str]:
        """The run of the teacher of each task."""
        return self.options.teachers

    def loaded(self) -> None:
        """Check that each teacher has maps to compare with.

        Raises:
            UsageError: where one predicts another task, or its maps have another size.
        """
        for task, teacher in self.teachers.items():
            found = [other.name for other in teacher.tasks]
            if task not in found:
                raise UsageError(
                    f"the teacher of `{task}` should predict {task}; found a run of "
                    f"{', '.join(found)} in {self.options.teachers[task]}. Give another run in "
                    "--teachers."
                )
            wanted, has = _maps(self.network), _maps(teacher)
            if wanted != has or self.network.stride % teacher.stride:
                raise UsageError(
                    f"the teacher of `{task}` should have maps as the network has them, {wanted}; "
                    f"found {has} in {self.options.teachers[task]}. Train it with the same "
                    "--network and width."
                )
            for module in teacher.modules():
                if isinstance(module, _BatchNorm):
                    module.train(self.options.teacher_norm == "batch")

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and the distillation of every task."""
        outputs = views.predict(self.network)
        own = {level: torch.cat(maps) for level, maps in _levels(outputs).items()}
        auxiliary: dict[str, Tensor] = {}
        parts: dict[str, Tensor] = {}
        for task, teacher in self.teachers.items():
            with torch.no_grad():
                taught = _levels([teacher(views.all.image)])
            distances = {
                level: _mean(unit_distance(adapter(own[level]), taught[level][0]), views.all)
                for level, adapter in self.adapters[task].items()  # type: ignore[operator]
            }
            total = torch.stack([*distances.values()]).sum()
            auxiliary[f"{task}/distillation"] = self.distillation[task] * total
            parts |= {f"{task}/{level}": x.detach() for level, x in distances.items()}
        return self.supervision.terms(views, outputs) + Terms(auxiliary=auxiliary, parts=parts)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The network; the adapters with a rate and a weight decay of their own."""
        adapters = ParameterGroup(
            learning(self.adapters),
            schedule=ScheduleName(name="constant"),
            rate=self.options.adapter_rate,
            weight_decay=self.options.adapter_weight_decay,
        )
        return [ParameterGroup(learning(self, without=[self.adapters])), adapters]


def unit_distance(
    a: Float[Tensor, "n d h w"], b: Float[Tensor, "n d h w"]
) -> Float[Tensor, "n h w"]:
    """The squared distance of the vectors of each cell, made unit, in [0, 4].

    Reference: the released code of KD4MTL.
    """
    a, b = (
        x / (x.square().sum(1, keepdim=True) + SMALLEST).sqrt()
        for x in map(at_least_single, (a, b))
    )
    return (a - b).square().sum(1)


def _mean(distance: Float[Tensor, "b h w"], batch: Batch) -> Float[Tensor, ""]:
    """Over images and the cells that see them, not padding alone."""
    cells = cells_inside(batch, distance[:, None])
    return distance.mean() if cells is None else image_means(distance * cells, cells)[0].mean()


def _levels(outputs: Sequence[Output]) -> dict[str, list[Tensor]]:
    """The maps of all views, by level."""
    maps = {"features": [output.features for output in outputs]}
    decoded = [output.decoded for output in outputs if output.decoded is not None]
    return maps | ({"decoded": decoded} if decoded else {})


def _maps(network: Network) -> str:
    """Channels and strides of the maps of a network, in words."""
    maps = [(network.feature_channels, network.feature_stride, "encoder")]
    if network.decoded_channels:
        maps.append((network.decoded_channels, network.decoded_stride, "decoder"))
    return " and ".join(f"{c} channels at 1/{s} of the size ({end})" for c, s, end in maps)
