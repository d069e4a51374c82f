"""Whether the mapping of a trained run tells of what image it reads.

In the joint space of each ordered pair of tasks (s, t), over test images: is the map of the
prediction of s nearer to the map of the label of t of its own image than to those of other images?
The share of images for which it is the nearest of all, and its mean rank, beside what chance gives.
The same with the label of s in place of its prediction says what the mapping itself can do.

    python -m benchmarks.collapse RUN [--data FILE] [--checkpoint last|best] [--images 32]
        [--out FILE.json]
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.machine import describe
from benchmarks.studies.cells import write_results
from mtdata.errors import MtdataError, UsageError
from mtdata.reading.batch import Batch, collate
from mtmodels.losses import map_distance
from mtmodels.methods.mtpsl import centred
from mtmodels.methods.parts.joint import JointMethod
from mtmodels.methods.parts.joint_space import Point, Predictions
from mtmodels.methods.parts.pairs import Pair
from mtmodels.training.setup.data import at_size
from mtmodels.training.setup.loading import (
    TrainedRun,
    Which,
    load_method,
    open_run,
    run_tasks,
)


@dataclass(frozen=True)
class Retrieval:
    """How well what is said of s finds the label of t of its own image.

    Args:
        nearest: The share of images whose own label is the nearest.
        rank: The mean rank of their own label, 1 for the nearest.
        own: The mean distance to it.
        others: The mean distance to the labels of other images.
    """

    nearest: float
    rank: float
    own: float
    others: float


def retrieve(distances: Tensor) -> Retrieval:
    """Rank the diagonal of a matrix of distances in its rows; what is as near shares the rank.

    Args:
        distances: From what each image says (rows) to the labels of all.
    """
    count, own = len(distances), distances.diagonal()
    nearer = (distances < own[:, None]).sum(1)
    tied = (distances == own[:, None]).sum(1)
    return Retrieval(
        nearest=((nearer == 0) / tied).mean().item(),
        rank=(1 + nearer + (tied - 1) / 2).mean().item(),
        own=own.mean().item(),
        others=((distances.sum() - own.sum()) / (count * (count - 1))).item(),
    )


def chance(count: int) -> tuple[float, float, float]:
    """What a mapping gives that says nothing: share, mean rank, and its 95 % deviation."""
    return 1 / count, (count + 1) / 2, 1.96 * math.sqrt((count**2 - 1) / 12 / count)


@torch.no_grad()
def measure(method: JointMethod, batch: Batch) -> dict[str, tuple[Retrieval, Retrieval]]:
    """For each ordered pair of tasks, what the prediction and what the label of s finds.

    Args:
        method: In evaluation mode.
        batch: Images that show all tasks.
    """
    predictions = dict(method.network(batch.image).predictions)
    names, found = [task.name for task in method.network.tasks], {}
    for source, target in ((s, t) for s in names for t in names if s != t):
        pairs = [Pair(image, source, target) for image in range(len(batch))]
        points = (method.joint.prediction, method.joint.label_of_source)
        both = [distances(method, pairs, point, batch, predictions) for point in points]
        found[f"{source}_with_{target}"] = (retrieve(both[0]), retrieve(both[1]))
    return found


def distances(
    method: JointMethod,
    pairs: Sequence[Pair],
    point: Callable[[Pair], Point],
    batch: Batch,
    predictions: Predictions,
) -> Tensor:
    """From what is said of s (rows) to the label of t (columns), image by image.

    Args:
        method: Whose joint space.
        pairs: One pair of tasks, an image each.
        point: What of s is mapped.
        batch: The images.
        predictions: What the network says of them.
    """
    # As in training what is compared is mapped in one pass.
    points = [*map(point, pairs), *map(method.joint.label, pairs)]
    rng = torch.Generator().manual_seed(0)
    said, labels = method.joint(points, batch, predictions, rng).chunk(2)
    cells = method.cells(pairs, batch, said)
    if getattr(method.options, "centre", False):
        said, labels = (centred(maps, pairs, cells) for maps in (said, labels))
    rows = []
    for image, one in enumerate(said):
        both = None if cells is None else cells & cells[image]
        rows.append(map_distance(one.expand_as(labels), labels, both))
    return torch.stack(rows)


def some_images(run: TrainedRun, data: Path | None, count: int) -> Batch:
    """Some images of the first test split that show all tasks of a run, evenly over it.

    Raises:
        UsageError: where there are fewer than two.
    """
    with run.open_store(data) as store:
        names = [task.name for task in run_tasks(run, store)]
        tests = [split.name for split in store.splits.values() if split.role == "test"]
        if not tests:
            raise UsageError(f"{store.path} should have a split of role test; found none.")
        dataset = at_size(store.dataset(tests[0], names), run.config.size)
        rows = np.flatnonzero(dataset.labelled.all(1))
        if len(rows) < 2 or count < 2:
            raise UsageError(
                f"two images or more that show {', '.join(names)} should be compared; found "
                f"{len(rows)} in {tests[0]}, and {count} wanted with --images."
            )
        chosen = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]
        return collate([dataset.read(int(row)) for row in chosen])


def load(run: TrainedRun, data: Path | None, which: Which | None) -> JointMethod:
    """The method of a run, in evaluation mode.

    Raises:
        UsageError: where it has no joint spaces.
    """
    with run.open_store(data) as store:
        method = load_method(run, run_tasks(run, store), which).eval()
    if not isinstance(method, JointMethod):
        raise UsageError(
            "the method of the run should map into joint spaces (mtpsl, contrastive, "
            f"discriminator); found {run.config.method.name}."
        )
    return method


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, help="the store, where it moved")
    parser.add_argument("--checkpoint", choices=["last", "best"])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    try:
        run = open_run(arguments.run)
        method = load(run, arguments.data, arguments.checkpoint)
        batch = some_images(run, arguments.data, arguments.images)
    except MtdataError as error:
        parser.error(str(error))
    found = measure(method, batch)
    share, rank, spread = chance(len(batch))
    print(describe())
    print(
        f"{arguments.run.name}, {len(batch)} test images. Chance: nearest {100 * share:.1f} %, "
        f"mean rank {rank:.1f} (95 %: {rank - spread:.1f} to {rank + spread:.1f})."
    )
    for name, both in found.items():
        for what, one in zip(("prediction", "label"), both, strict=True):
            print(
                f"{name:<26} by {what:<11} nearest {100 * one.nearest:5.1f} %  mean rank "
                f"{one.rank:5.1f}  distance to its own {one.own:.4f}, to others {one.others:.4f}"
            )
    if arguments.out:
        pairs = {
            name: {"prediction": asdict(a), "label": asdict(b)} for name, (a, b) in found.items()
        }
        at = {"nearest": share, "rank": rank, "rank_95": spread}
        result = {"run": arguments.run.name, "images": len(batch), "chance": at, "pairs": pairs}
        write_results(arguments.out, result)


if __name__ == "__main__":
    main()
