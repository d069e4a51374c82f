"""Scores of a split, with the device and the precision of the run."""

import math
from dataclasses import dataclass
from itertools import islice

from mtdata.progress import Progress
from mtdata.reading.batch import Batch
from mtdata.reading.dataset import Dataset
from mtdata.reading.loader import Loader
from mtmodels import processes
from mtmodels.fabric import Fabric
from mtmodels.metrics import METRICS
from mtmodels.networks.base import Network
from mtmodels.scoring.evaluation import Evaluation, Predict
from mtmodels.scoring.original import frames
from mtmodels.training.config import Config
from mtmodels.training.loop.precision import placed

LARGE = 2**26
"""Pixels of a split from which on it pays to compile what scores them, which takes a second."""


class HeldOut:
    """Batches of the images that are held out, for a method that asks them something.

    Args:
        dataset: What to read, with the labels that may be seen; images without any are left out.
        config: Batch size and seed.

    Raises:
        UsageError: where no image shows a label.
    """

    def __init__(self, dataset: Dataset, config: Config) -> None:
        self.dataset, _ = dataset.drop_unlabelled()
        self.size = min(config.batch // config.accumulate, len(self.dataset))
        self._loader = Loader(
            self.dataset, self.size, seed=config.seed, shuffle=True, drop_last=True
        )

    def draw(self, look: int, batches: int) -> list[Batch]:
        """As many batches, or all there are: a function of the seed and the number of the look."""
        return list(islice(self._loader.epoch(look), batches))


@dataclass(frozen=True)
class Scorer:
    """Scores splits with one network.

    Args:
        predict: The `predict` of a network or method that is on its device.
        fabric: Device and precision.
        config: Batch size and number of workers.
        channels_last: The layout of the network.
    """

    predict: Predict
    fabric: Fabric
    config: Config
    channels_last: bool

    @classmethod
    def of(cls, network: Network, fabric: Fabric, config: Config) -> "Scorer":
        """Put a network on the device of the run."""
        return cls(network.predict, fabric, config, placed(network, fabric))

    def score(
        self,
        dataset: Dataset,
        *protocols: str,
        jobs: int | None = None,
        thresholds: int | None = None,
        keep: bool = False,
        progress: Progress | None = None,
    ) -> list[Evaluation]:
        """Score a split, predicting once for all protocols.

        Args:
            dataset: What to score.
            protocols: Keys of `METRICS`.
            jobs: Processes for scores that take long; None for as many as read.
            thresholds: How many thresholds edges are scored at; None for as many as published.
            keep: Whether to keep what each image adds.
            progress: Told (batches done, batches, what).
        """
        from mtmodels.scoring.evaluate import evaluate_under  # see mtmodels.metrics.protocols

        original = any(METRICS[protocol].at != "stored" for protocol in protocols)
        return evaluate_under(
            protocols,
            self.predict,
            Loader(
                dataset, self.config.batch, seed=self.config.seed, workers=self.config.workers or 0
            ),
            tasks=dataset.tasks,
            device=self.fabric.device,
            precision=self.fabric.autocast,
            channels_last=self.channels_last,
            frames=frames(dataset) if original else None,
            jobs=jobs or self.config.workers or 1,
            thresholds=thresholds,
            keep=keep,
            alone=processes.count() > 1,
            compiled=len(dataset) * math.prod(dataset.size) > LARGE,
            progress=progress,
        )
