"""Whether the mapping of a trained run says anything of what it reads.

Mean cosine distances, over test images of a store: of the maps of two images, of the maps of two
tasks of one image, of a map to the features of its own image and of another one, and of the
features of two images. A mapping that gives every input the same map has the first two near zero,
and the next two alike.

    python -m benchmarks.collapse RUN [--images 32]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import describe
from mtdata.reading.batch import Batch, collate
from mtmodels.losses import map_distance
from mtmodels.methods.joint import JointMethod
from mtmodels.methods.parts.pairs import Pair
from mtmodels.training.setup.loading import load_method, open_run


def maps(
    method: JointMethod, pair: tuple[str, str], batch: Batch, predictions: dict[str, Tensor]
) -> Tensor:
    """The predictions of the source of a pair in its joint space."""
    pairs = [Pair(image, *pair) for image in range(len(batch))]
    points = [method.joint.prediction(p) for p in pairs]
    mapped: Tensor = method.joint(points, batch, predictions, torch.Generator().manual_seed(0))
    return mapped


def mean(values: Sequence[Tensor]) -> float:
    """The mean of all distances."""
    return torch.cat(list(values)).mean().item()


def measure(method: JointMethod, batch: Batch) -> dict[str, float]:
    """The distances, each a mean over images and pairs of tasks."""
    with torch.no_grad():
        output = method.network(batch.image)
        predictions, features = dict(output.predictions), output.features
        names = [task.name for task in method.network.tasks]
        pairs = [(s, t) for s in names for t in names if s != t]
        found = {pair: maps(method, pair, batch, predictions) for pair in pairs}
    two_tasks = [map_distance(found[a], found[b]) for a in pairs for b in pairs if a[0] < b[0]]
    return {
        "maps of two images": mean([map_distance(m, m.roll(1, 0)) for m in found.values()]),
        "maps of two tasks of one image": mean(two_tasks),
        "map and features of its image": mean([map_distance(m, features) for m in found.values()]),
        "map and features of another image": mean(
            [map_distance(m, features.roll(1, 0)) for m in found.values()]
        ),
        "features of two images": mean([map_distance(features, features.roll(1, 0))]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--images", type=int, default=32)
    arguments = parser.parse_args()
    run = open_run(arguments.run)
    with run.open_store() as store:
        names = run.config.tasks or tuple(task.name for task in store.tasks)
        tasks = [task for task in store.tasks if task.name in names]
        test = next(split for split in store.splits.values() if split.role == "test")
        data = store.dataset(test.name, names)
        step = max(1, len(data) // arguments.images)
        batch = collate([data.read(i) for i in range(0, len(data), step)][: arguments.images])
    method = load_method(run, tasks)
    if not isinstance(method, JointMethod):
        parser.error(
            f"the method of the run should map into joint spaces; found {run.config.method.name}."
        )
    print(describe())
    print(f"{arguments.run}, {len(batch)} test images; cosine distances")
    for name, value in measure(method.eval(), batch).items():
        print(f"{value:8.4f}  {name}")


if __name__ == "__main__":
    main()
