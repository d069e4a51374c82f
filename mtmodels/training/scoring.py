"""Scores of a split, with the device and the precision of the run."""

from collections.abc import Iterator, Sequence

from mtdata import Task
from mtdata.batch import Batch
from mtdata.dataset import Dataset
from mtdata.loader import Loader
from mtmodels.evaluate import Evaluation, evaluate
from mtmodels.training.config import Config
from mtmodels.training.engine import Engine
from mtmodels.training.watcher import Watcher


class Once:
    """The batches of a split, in its order, with their number.

    Args:
        dataset: What to read.
        config: Batch size and number of workers.
    """

    def __init__(self, dataset: Dataset, config: Config) -> None:
        self._loader = Loader(
            dataset,
            config.batch,
            seed=config.seed,
            shuffle=False,
            drop_last=False,
            workers=config.workers or 0,
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        return self._loader.epoch(0)


def evaluate_split(
    engine: Engine,
    dataset: Dataset,
    tasks: Sequence[Task],
    *,
    config: Config,
    protocol: str,
    watcher: Watcher,
) -> Evaluation:
    """Score a split under a protocol."""
    return evaluate(
        engine.method.predict,
        Once(dataset, config),
        tasks=tasks,
        protocol=protocol,
        device=engine.fabric.device,
        precision=engine.fabric.autocast,
        channels_last=engine.channels_last,
        progress=lambda done, total, _: watcher.evaluating(f"score {protocol}", done, total),
    )
