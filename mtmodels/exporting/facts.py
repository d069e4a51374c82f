"""What a file says of itself: tasks, data and its terms, run, image."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from mtdata import Task
from mtdata.errors import named
from mtdata.sources.licences import licences_of
from mtdata.tasks.kinds import Classes, Depth
from mtmodels.exporting.graph import SMALLEST
from mtmodels.networks.base import Network
from mtmodels.training.record import checkpoint
from mtmodels.training.setup.loading import TrainedRun

FORMAT = "mtpartial network"
HOLDS = {
    "classes": "scores, one channel a class; the largest wins, their softmax is probabilities",
    "binary": "a score; above 0 is yes, 1 / (1 + exp(-score)) is the probability",
    "depth": "depth",
    "normals": "unit vectors: x right, y up, z towards the camera",
}
"""What a channel holds, by the kind of the task: what the network gives, as `predict` takes it."""


def facts_of(
    run: TrainedRun, network: Network, place: Path, *, trained: tuple[int, int]
) -> dict[str, Any]:
    """All that a user of the file has to know, as JSON has it.

    Args:
        run: The run.
        network: Its network.
        place: The checkpoint.
        trained: Height and width of the images of the training.
    """
    return {
        "format": FORMAT,
        "format_version": "1",
        "made_with": f"mtpartial {version('mtpartial')}",
        "input": {
            "name": "image",
            "layout": "float32 [batch, 3, height, width]",
            "colours": "RGB in [0, 1]",
            "multiple": network.stride,
            "smallest": SMALLEST * network.stride,
            "trained_size": list(trained),
            "normalisation": {
                "mean": list(network.options.mean),
                "std": list(network.options.std),
                "where": "in the graph: give the image as it is",
            },
        },
        "outputs": {task.name: output_of(task) for task in network.tasks},
        "data": {
            "dataset": run.dataset,
            "licences": licences_of(run.dataset),
            "content_digest": run.facts["store"]["content_digest"],
            "regime": run.config.regime,
        },
        "run": {
            "name": run.folder.path.resolve().name,
            "method": run.config.method.name,
            "network": run.config.network.label,
            "checkpoint": place.name.strip(".").removesuffix(".old"),
            "weights": checkpoint.digest(place),
            "created": run.facts.get("created"),
        },
    }


def output_of(task: Task) -> dict[str, Any]:
    """What the output of a task holds.

    Raises:
        UnknownNameError: where nothing is known of its kind.
    """
    kind = task.kind
    known: dict[str, Any] = {
        "kind": kind.name,
        "layout": f"float32 [batch, {task.channels}, height, width]",
        "holds": named("kind of label", kind.name, HOLDS),
        "units": kind.units,
    }
    if isinstance(kind, Classes):
        known |= {"names": list(kind.names), "palette": [*map(list, kind.palette)]}
    if isinstance(kind, Depth):
        known["inverse"] = kind.inverse
    return known
