"""Made-up tasks, labels and batches for tests of networks, losses and methods."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mtdata.reading.batch import Batch
from mtdata.tasks.kinds import Binary, Classes, Depth, Normals
from mtdata.tasks.sample import Camera
from mtdata.tasks.task import Task


def classes(number: int) -> Classes:
    return Classes(tuple(f"class {i}" for i in range(number)), ((0, 0, 0),) * number)


SIX = (
    Task("semantic", classes(5)),
    Task("depth", Depth()),
    Task("normals", Normals()),
    Task("parts", classes(3)),
    Task("saliency", Binary()),
    Task("edges", Binary()),
)
PAIR = SIX[:2]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_label(task: Task, n: int, size: tuple[int, int], seed: int) -> Tensor:
    """A label of the raw type of the kind, `[n, c, h, w]`."""
    rng, shape = generator(seed), (n, 1, *size)
    if task.kind.name == "normals":
        vector = torch.randn(n, 3, *size, generator=rng)
        return torch.nn.functional.normalize(vector, dim=1)
    if task.kind.name == "depth":
        return 0.5 + 4 * torch.rand(shape, generator=rng)
    high = task.channels if task.kind.name == "classes" else 2
    return torch.randint(0, high, shape, generator=rng).to(torch.uint8)


def random_batch(
    tasks: Sequence[Task],
    images: int = 2,
    size: tuple[int, int] = (32, 32),
    *,
    seed: int = 0,
    rows: Mapping[str, Sequence[int]] | None = None,
) -> Batch:
    """A batch in which `rows` says which images show which task; all where it is not given."""
    rows = {task.name: range(images) for task in tasks} if rows is None else rows
    shown = [task for task in tasks if rows.get(task.name)]
    labels, valid = {}, {}
    for i, task in enumerate(shown):
        n = len(rows[task.name])
        labels[task.name] = random_label(task, n, size, seed + i)
        valid[task.name] = torch.rand(n, *size, generator=generator(seed + 50 + i)) < 0.8
    return Batch(
        tuple(f"{i:04d}" for i in range(images)),
        torch.rand(images, 3, *size, generator=generator(seed + 99)),
        labels,
        valid,
        {task.name: torch.tensor(list(rows[task.name])) for task in shown},
        cameras=tuple(Camera(40.0, 42.0, size[1] / 2 + i, size[0] / 2) for i in range(images)),
    )


def spoilt(batch: Batch) -> Batch:
    """The same batch with garbage in every pixel that is not valid."""
    labels = {}
    for name, label in batch.labels.items():
        garbage = torch.full_like(label, float("nan") if label.is_floating_point() else 255)
        labels[name] = label.where(batch.valid[name][:, None], garbage)
    return replace(batch, labels=labels)
