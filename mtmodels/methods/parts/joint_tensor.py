"""All tasks of an image as one tensor: as they are predicted, and with labels in their place."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mtdata.reading.batch import Batch
from mtdata.tasks.task import Task
from mtmodels import processes
from mtmodels.encodings import value_label
from mtmodels.kinds import kind_model
from mtmodels.losses import at_least_single, image_means
from mtmodels.methods.parts.supervision import Seen

SMALLEST_SPREAD = 1e-3
"""In the units of the task: a millimetre, or a thousandth of the disparity."""


class Joint(NamedTuple):
    """The `n` images of a view that show a task with one valid pixel at least.

    `predicted` has what the network says of every task. In `shown` the labels that there are take
    the place of predictions. `valid` has the pixels at which all labels of an image hold; elsewhere
    both are 0. The targets are what an auto-encoder should make of each. `inside` has the pixels of
    the true images; None where none is padded.
    """

    predicted: Float[Tensor, "n c h w"]
    shown: Float[Tensor, "n c h w"]
    valid: Bool[Tensor, "n h w"]
    predicted_target: Float[Tensor, "n c h w"]
    shown_target: Float[Tensor, "n c h w"]
    inside: Bool[Tensor, "n h w"] | None


class Spread(nn.Module):
    """Where the values of a task lie: mean and deviation of all labels that were shown so far.

    Its sums are buffers, so that a resumed run goes on with the same numbers.
    """

    count: Tensor
    total: Tensor
    squares: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("count", "total", "squares"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def note(self, values: Float[Tensor, " k"]) -> None:
        """Count the valid pixels of labels in."""
        exact = values.double()
        count = exact.new_tensor(len(exact))
        more = processes.summed(torch.stack([count, exact.sum(), exact.square().sum()]))
        self.count += more[0]
        self.total += more[1]
        self.squares += more[2]

    def forward(self, value: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The share of a normal distribution that lies below each value, in [0, 1].

        Before the first label: of the standard one.
        """
        mean = self.total / self.count.clamp(min=1)
        variance = self.squares / self.count.clamp(min=1) - mean.square()
        deviation = torch.where(self.count > 0, variance.clamp(min=0).sqrt(), 1)
        return share_below(value, mean, deviation.clamp(min=SMALLEST_SPREAD))


class JointTensor(nn.Module):
    """Makes the joint tensors of a batch, and says how well they are reconstructed.

    Args:
        tasks: The tasks, in the order of the channels.

    Reference: JTR, Nishi et al. 2024, section 3. docs/methods/jtr.md says where this differs from
    the released code.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.channels = [task.channels for task in tasks]
        self.spreads = nn.ModuleDict(
            {task.name: Spread() for task in tasks if kind_model(task).unbounded}
        )

    def note(self, batch: Batch) -> None:
        """Take note of where the values of the labels of a batch lie."""
        for name, spread in self.spreads.items():
            assert isinstance(spread, Spread)
            shown = name in batch.labels
            # Also where this part of a batch shows none: another process may have some.
            none = batch.image.new_zeros(0)
            spread.note(batch.labels[name][:, 0][batch.valid[name]] if shown else none)

    def forward(
        self,
        batch: Batch,
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        seen: Seen,
        rng: torch.Generator,
        *,
        second: bool = False,
    ) -> Joint | None:
        """The joint tensors of a view; None where no image shows a task.

        No gradient flows into the prediction of a task whose label an image shows.

        Args:
            batch: The view.
            predictions: Of all its images.
            seen: Which of them show which task.
            rng: Draws the classes of predictions.
            second: Whether it is the view that the auto-encoder learns from.
        """
        images = seen.host.any(0).nonzero()[:, 0].to(batch.device)
        if not len(images):
            return None
        valid = all_valid(batch, seen)
        predicted, shown = [], []
        for i, task in enumerate(self.tasks):
            # What is not labelled is one and the same in both, down to the draw of a class.
            one = self.read(task, unlabelled_alone(predictions[task.name], seen.device[i]), rng)
            predicted.append(one)
            shown.append(put_labels(one, self.read_label(task, batch), batch, task.name, seen))
        here = valid[images]
        stacked, labelled = (
            torch.where(here[:, None], torch.cat(parts, dim=1)[images], 0)
            for parts in (predicted, shown)
        )
        inside = None if batch.extents is None else batch.inside()[images]
        return Joint(stacked, labelled, here, stacked.detach(), labelled.detach(), inside)

    def reconstruction(
        self,
        made: Float[Tensor, "n c h w"],
        target: Float[Tensor, "n c h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> Float[Tensor, " n"]:
        """How far what was made is from its target: the sum over tasks, mean over valid pixels."""
        parts = zip(
            self.tasks,
            made.split(self.channels, dim=1),
            target.split(self.channels, dim=1),
            strict=True,
        )
        losses = [self.lost(task, made_, target_, valid) for task, made_, target_ in parts]
        return torch.stack(losses).sum(0)

    def lost(
        self,
        task: Task,
        made: Float[Tensor, "n c h w"],
        target: Float[Tensor, "n c h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> Float[Tensor, " n"]:
        """The part of one task."""
        means, _ = image_means(kind_model(task).reconstruction(made, target, valid), valid)
        return means

    def squeeze(self, task: Task, value: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Values without an upper bound, as their place among the labels."""
        squeezed: Tensor = self.spreads[task.name](value)
        return squeezed

    def read(
        self, task: Task, prediction: Float[Tensor, "b c h w"], rng: torch.Generator
    ) -> Float[Tensor, "b c h w"]:
        """A prediction in [0, 1]: a class drawn, a place in a distribution, shifted normals."""
        if kind_model(task).unbounded:
            return self.squeeze(task, prediction)
        return at_least_single(kind_model(task).encode_prediction(prediction, rng))

    def read_label(self, task: Task, batch: Batch) -> Float[Tensor, "n c h w"] | None:
        """The labels of a task in the same form; None where there are none."""
        if task.name not in batch.labels:
            return None
        label, valid = batch.labels[task.name], batch.valid[task.name]
        if kind_model(task).unbounded:
            return self.squeeze(task, value_label(label, valid, task.channels))
        return kind_model(task).encode_label(label, valid, task.channels)


def share_below(
    value: Float[Tensor, "n c h w"], mean: float | Tensor, deviation: float | Tensor
) -> Float[Tensor, "n c h w"]:
    """The cumulative normal distribution, in single precision or better."""
    value = at_least_single(value)
    steps = (value - mean) / (deviation * math.sqrt(2))
    return (0.5 * (1 + torch.erf(steps))).to(value.dtype)


def all_valid(batch: Batch, seen: Seen) -> Bool[Tensor, "b h w"]:
    """The pixels at which every label that an image shows is valid."""
    valid: Bool[Tensor, "b h w"] = batch.image.new_ones(batch.image[:, 0].shape).bool()
    for i, name in enumerate(seen.tasks):
        if name in batch.labels:
            rows = batch.rows[name]
            counts = seen.device[i][rows][:, None, None]
            valid[rows] = valid[rows] & (batch.valid[name] | ~counts)
    return valid


def unlabelled_alone(
    prediction: Float[Tensor, "b c h w"], labelled: Bool[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """The prediction, with gradients for the images that do not show the task."""
    return torch.where(labelled[:, None, None, None], prediction.detach(), prediction)


def put_labels(
    predicted: Float[Tensor, "b c h w"],
    label: Float[Tensor, "n c h w"] | None,
    batch: Batch,
    task: str,
    seen: Seen,
) -> Float[Tensor, "b c h w"]:
    """The predictions, with the labels of the images that show the task in their place."""
    if label is None:
        return predicted
    placed = torch.zeros_like(predicted).index_copy(0, batch.rows[task], label.to(predicted.dtype))
    return torch.where(seen.images(task)[:, None, None, None], placed, predicted)
