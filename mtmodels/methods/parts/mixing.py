"""What a teacher says of a view, and views into which a part of another image was pasted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtdata.reading.batch import Batch
from mtdata.tasks.task import Task
from mtmodels.methods.views import Views

BOX_SHARES = (0.25, 0.5)
"""The share of the image that a pasted box has, from and to."""


@dataclass(frozen=True)
class Taught:
    """Values of one task for all images of a view, and the pixels at which they are taught.

    Args:
        task: The task.
        value: Probabilities, depth or unit normals.
        sure: False as well wherever the image has a label of the task.
        pixels: How many pixels the true image of each has, without padding.
    """

    task: Task
    value: Float[Tensor, "b c h w"]
    sure: Bool[Tensor, "b h w"]
    pixels: Int[Tensor, " b"] | Float[Tensor, " b"]


def mixed(
    views: Views,
    taught: Sequence[Sequence[Taught]],
    tasks: Sequence[Task],
    *,
    how: str,
    rng: torch.Generator,
) -> tuple[Views, list[list[Taught]]]:
    """Paste a part of another image into each image of the further views, labels and all.

    The first view stays. What an image gets is the same part of image, labels and taught values;
    an image shows a task that a pasted part shows on that part alone.

    Args:
        views: The views.
        taught: For each further view, what is taught in it.
        tasks: The tasks of the network.
        how: "none", "boxes" (French et al. 2020) or "classes": half of the classes of the other
            image (Olsson et al. 2021), known by its labels or by what is taught.
        rng: Draws the other image, the boxes and the classes.
    """
    if how == "none" or len(views.main) < 2:
        return views, [list(each) for each in taught]
    batches, moved = [views.main], []
    for batch, each in zip(views.batches[1:], taught, strict=True):
        donor = _another(len(batch), rng)
        part = _boxes(batch, rng) if how == "boxes" else _classes(batch, each, tasks, donor, rng)
        part &= batch.inside()[donor]  # padding is no part of an image
        batches.append(_pasted(batch, donor, part))
        moved.append(
            [
                replace(
                    one,
                    value=torch.where(part[:, None], one.value[donor], one.value),
                    sure=torch.where(part, one.sure[donor], one.sure),
                    pixels=(one.pixels + one.pixels[donor]) / 2,
                )
                for one in each
            ]
        )
    return (
        Views(*batches, steps=views.steps[1:], supervised=views.supervised, paper=views.paper),
        moved,
    )


def _another(count: int, rng: torch.Generator) -> Int[Tensor, " b"]:
    """For each image another one of the batch: a turn by a number drawn."""
    turn = int(torch.randint(1, count, (), generator=rng, device=rng.device))
    return (torch.arange(count) + turn) % count


def _boxes(batch: Batch, rng: torch.Generator) -> Bool[Tensor, "b h w"]:
    """A box an image, of the shape of the image."""
    height, width = batch.image.shape[-2:]
    part = torch.zeros(len(batch), height, width, dtype=torch.bool)
    drawn = torch.rand(len(batch), 3, generator=rng, device=rng.device).cpu()
    low, high = BOX_SHARES
    for one, (size, top, left) in zip(part, drawn.tolist(), strict=True):
        side = (low + (high - low) * size) ** 0.5
        h, w = round(side * height), round(side * width)
        y, x = round(top * (height - h)), round(left * (width - w))
        one[y : y + h, x : x + w] = True
    return part.to(batch.device)


def _classes(
    batch: Batch,
    taught: Sequence[Taught],
    tasks: Sequence[Task],
    donor: Int[Tensor, " b"],
    rng: torch.Generator,
) -> Bool[Tensor, "b h w"]:
    """Where the other image has one of half of its classes; nowhere where these are not known."""
    task = next(task for task in tasks if has_classes(task))
    known = {one.task.name: one for one in taught}.get(task.name)
    shape = (len(batch), *batch.image.shape[-2:])
    ids = torch.full(shape, -1, dtype=torch.int64, device=batch.device)
    if known is not None:
        ids = known.value.argmax(1)
        labelled = batch.rows.get(task.name)
        if labelled is not None:
            ids[labelled] = -1
    if task.name in batch.labels:
        label, valid = batch.labels[task.name][:, 0].long(), batch.valid[task.name]
        ids[batch.rows[task.name]] = torch.where(valid, label, -1)
    ids = ids.where(batch.inside(), -1)
    drawn = torch.rand(len(batch), task.channels, generator=rng, device=rng.device)
    drawn = drawn.to(batch.device)
    there = torch.zeros(len(batch), task.channels + 1, dtype=torch.bool, device=batch.device)
    there.scatter_(1, (ids + 1).flatten(1), True)
    there = there[:, 1:]  # the first is of pixels whose class is not known
    rank = drawn.where(there, 2).argsort(1).argsort(1)
    chosen = there & (rank < (there.sum(1, keepdim=True) + 1) // 2)
    chosen = torch.cat([torch.zeros_like(chosen[:, :1]), chosen], 1)
    return chosen.gather(1, (ids + 1).flatten(1)).view(shape)[donor]


def has_classes(task: Task) -> bool:
    """Whether a label of the task chooses one of several classes."""
    return task.kind.name == "classes"


def _pasted(batch: Batch, donor: Int[Tensor, " b"], part: Bool[Tensor, "b h w"]) -> Batch:
    """The batch with a part of another image in each, and of its labels."""
    labels, valid, rows, shares = {}, {}, {}, {}
    for name, label in batch.labels.items():
        has = torch.zeros(len(batch), dtype=torch.bool)
        has[batch.rows[name].cpu()] = True
        full = label.new_zeros(len(batch), *label.shape[1:])
        shown = batch.valid[name].new_zeros(len(batch), *label.shape[-2:])
        full[batch.rows[name]], shown[batch.rows[name]] = label, batch.valid[name]
        own = (has | has[donor]).nonzero()[:, 0]
        labels[name] = torch.where(part[:, None], full[donor], full)[own]
        valid[name] = torch.where(part, shown[donor], shown)[own]
        rows[name] = own.to(batch.device)
        # Else a corner of a label would weigh as much in a loss of images as all of it.
        # One that a crop emptied is no whole to be a part of.
        pixels = shown.flatten(1).sum(1)
        sources = (pixels > 0).int() + (pixels[donor] > 0).int()
        whole = ((pixels + pixels[donor]) / sources.clamp(min=1))[own]
        shares[name] = valid[name].flatten(1).sum(1) / whole.clamp(min=1)
    image = torch.where(part[:, None], batch.image[donor], batch.image)
    # Pixels of two images: neither one box of true pixels nor one camera.
    return replace(
        batch,
        image=image,
        labels=labels,
        valid=valid,
        rows=rows,
        extents=None,
        cameras=None,
        shares=shares,
    )
