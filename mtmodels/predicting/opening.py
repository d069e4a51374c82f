"""From a run to a predictor."""

from collections.abc import Sequence
from pathlib import Path

from mtdata import Task
from mtdata.errors import UnknownNameError
from mtdata.urls import StorePath
from mtmodels.networks.base import Network
from mtmodels.predicting.predictor import Predictor
from mtmodels.predicting.sizes import Size
from mtmodels.training.setup.loading import (
    TrainedRun,
    Which,
    known_tasks,
    load_network,
    open_run,
)
from mtmodels.training.setup.making import make_network


def load(
    run: Path | str,
    *,
    tasks: Sequence[str] | None = None,
    checkpoint: Which | None = None,
    device: str = "auto",
    data: StorePath | None = None,
    trust_plugins: bool = False,
) -> Predictor:
    """Load the network of a run, ready to predict; the store need not be there.

    `load(run)(image)` is what `mtmodels predict` writes for an image. `.tasks` are the tasks, with
    names and colours of classes and units in their kinds, `.network` is the module, in evaluation
    mode on its device, which normalises images itself.

    Args:
        run: The run folder.
        tasks: What is wanted; None for all of the run.
        checkpoint: "last" or "best"; None for the one that the run selected.
        device: "auto" for a card where there is one, or "cpu".
        data: A store that knows the tasks; only runs of version 0.1 need one.
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.

    Raises:
        RunFolderError: where there is no run or no such checkpoint.
        DamagedCheckpointError: where its files are not as the run wrote them.
        UsageError: for an unknown task, and where a store is needed that is not where it was.
    """
    opened = open_run(Path(run), trust_plugins=trust_plugins)
    return open_predictor(opened, tasks=tasks, which=checkpoint, device=device, data=data)


def open_predictor(
    run: TrainedRun,
    *,
    tasks: Sequence[str] | None = None,
    which: Which | None = None,
    device: str = "auto",
    data: StorePath | None = None,
) -> Predictor:
    """Load the network of a run; neither the method nor a store is needed, unless the run is old.

    Args:
        run: The run.
        tasks: What is wanted; None for all of the run.
        which: The checkpoint; None for the one that the run selected.
        device: "auto" for a card where there is one, "cpu" or "cuda".
        data: A store that knows the tasks; None for what the run knows itself.

    Raises:
        RunFolderError: where there is no such checkpoint.
        UsageError: for an unknown task, and where a store is needed that is not where it was.
    """
    network, trained, size = open_network(run, which=which, data=data)
    return Predictor.of(
        network,
        _wanted(trained, tasks),
        trained_size=size,
        device=device,
        precision=run.config.precision,
    )


def open_network(
    run: TrainedRun, *, which: Which | None = None, data: StorePath | None = None
) -> tuple[Network, tuple[Task, ...], Size]:
    """The network of a run on the processor, its tasks, and the size that it was trained on.

    Arguments and errors are those of `open_predictor`.
    """
    place = run.chosen(which)
    trained = known_tasks(run, data)
    network = make_network(run.config, trained, pretrained=False)
    load_network(network, place)
    height, width = run.known(data)["image_size"]
    return network, trained, (height, width)


def _wanted(trained: Sequence[Task], names: Sequence[str] | None) -> tuple[Task, ...]:
    """Some of the tasks, in the order of the run."""
    known = [task.name for task in trained]
    for name in names or ():
        if name not in known:
            raise UnknownNameError("task of this run", name, known)
    return tuple(task for task in trained if names is None or task.name in names)
