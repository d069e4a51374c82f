"""The views of a batch that a method trains on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtdata.reading.batch import Batch, join
from mtdata.reading.geometry import Change
from mtdata.reading.geometry.device import apply
from mtdata.tasks.sample import Camera, Extent
from mtdata.tasks.task import Task
from mtmodels.networks.base import Network, Output

Step = Sequence[Change]
"""One change an image of the batch."""


@dataclass(frozen=True)
class View:
    """How a method wants a view; the first is the batch as the reader augmented it.

    Args:
        scales: What one of is drawn to zoom into an image; None for those of the run
            (`views.scales`).
        flip: The chance of a flip; None for that of the run (`views.flip`).
        colour: How strongly brightness, contrast, saturation and hue change, in [0, 1]; 0 not.
        blur: The largest deviation of a Gaussian blur, in pixels; 0 for none.
        supervised: Whether its labels supervise.
    """

    scales: tuple[float, ...] | None = None
    flip: float | None = None
    colour: float = 0.0
    blur: float = 0.0
    supervised: bool = True


class Views:
    """The same images in one view or several.

    Args:
        batches: The first view, and what was made of it.
        steps: For each further view, what made it of the first, one change after the other.
        supervised: For each view, whether its labels supervise; all where it is not given.
        paper: Whether inverse depth is divided by a zoom, as the code released with the papers
            does, in place of multiplied.

    Reference: MTPSL section 3.1 (e_r); the released code crops the first view once more.
    """

    def __init__(
        self,
        *batches: Batch,
        steps: Sequence[Sequence[Step]] = (),
        supervised: Sequence[bool] = (),
        paper: bool = False,
    ) -> None:
        self.batches = batches
        self.steps = (tuple[Step, ...](), *map(tuple, steps))
        self.supervised = tuple(supervised) or (True,) * len(batches)
        self.paper = paper

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def main(self) -> Batch:
        """The first view."""
        return self.batches[0]

    @property
    def last(self) -> Batch:
        """The last view; the first where it is the only one."""
        return self.batches[-1]

    @property
    def all(self) -> Batch:
        """All views as one batch, one behind the other."""
        return self.main if len(self) == 1 else join(self.batches)

    def predict(self, network: Network) -> list[Output]:
        """What a network says of each view, in one pass over all of them."""
        output, size = network(self.all.image), len(self.main)
        if len(self) == 1:
            return [output]
        predictions = {name: p.split(size) for name, p in output.predictions.items()}
        decoded = [None] * len(self) if output.decoded is None else output.decoded.split(size)
        return [
            Output({name: p[i] for name, p in predictions.items()}, features, decoded[i])
            for i, features in enumerate(output.features.split(size))
        ]

    def moved(
        self,
        task: Task,
        prediction: Float[Tensor, "b c h w"],
        *,
        to: int = -1,
        valid: Bool[Tensor, "b h w"] | None = None,
    ) -> tuple[Float[Tensor, "b c h w"], Bool[Tensor, "b h w"]]:
        """A prediction of the first view as another view should have it, and where it does.

        Args:
            task: What is predicted: depth is divided by a zoom, normals turn in a flip.
            prediction: Probabilities, depth or normals; gradients pass.
            to: Which view.
            valid: Where the prediction counts; None for all of the true image.
        """
        valid = self.main.inside() if valid is None else valid
        for step in self.steps[to]:
            prediction, valid = apply(
                prediction, step, kind=task.kind, valid=valid, prediction=True, paper=self.paper
            )
        return prediction, valid


def joined(outputs: Sequence[Output]) -> dict[str, Float[Tensor, "v c h w"]]:
    """The predictions of several views as those of one batch, one behind the other."""
    if len(outputs) == 1:
        return dict(outputs[0].predictions)
    names = outputs[0].predictions
    return {name: torch.cat([output.predictions[name] for output in outputs]) for name in names}


def changed(
    batch: Batch, tasks: Sequence[Task], steps: Sequence[Step], *, paper: bool = False
) -> Batch:
    """Another view of a batch.

    Args:
        batch: The first view.
        tasks: The tasks of the network; labels of others stay as they are.
        steps: The changes to make, one after the other.
        paper: Divide inverse depth by the zoom, as the code released with the papers does.
    """
    kinds = {task.name: task.kind for task in tasks}
    image, labels, valid = batch.image, dict(batch.labels), dict(batch.valid)
    for step in steps:
        batch = replace(batch, extents=extents(batch, step), cameras=cameras(batch, step))
        image, _ = apply(image, step)
        for name in kinds.keys() & labels.keys():
            labels[name], valid[name] = apply(
                labels[name],
                [step[i] for i in batch.rows[name].tolist()],
                kind=kinds[name],
                valid=valid[name],
                paper=paper,
            )
    return _with(batch, image, labels, valid)


def extents(batch: Batch, step: Step) -> tuple[Extent, ...] | None:
    """Where the true images lie after a change; None where no image of the batch is padded."""
    if batch.extents is None:
        return None
    size = batch.image.shape[-2:]
    return tuple(
        change.moved(extent, *size) for change, extent in zip(step, batch.extents, strict=True)
    )


def cameras(batch: Batch, step: Step) -> tuple[Camera | None, ...] | None:
    """The cameras that see the images after a change; None where none is known."""
    if batch.cameras is None:
        return None
    size = batch.image.shape[-2:]
    return tuple(
        camera and change.camera(camera, *size)
        for change, camera in zip(step, batch.cameras, strict=True)
    )


def _with(
    batch: Batch,
    image: Float[Tensor, "b 3 h w"],
    labels: Mapping[str, Tensor],
    valid: Mapping[str, Tensor],
) -> Batch:
    return replace(batch, image=image, labels=labels, valid=valid)
