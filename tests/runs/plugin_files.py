"""Small plug-ins, as users write them."""

from collections.abc import Mapping
from pathlib import Path

NETWORK = '''"""A network of one layer."""

import torch.nn.functional as F
from torch import nn

from mtmodels import Network, Output
from mtmodels.kinds import kind_model


class Tiny(Network):
    """One convolution for all tasks."""

    summary = "one convolution"
    reference = "nobody's"
    stride = 1
    feature_channels = 4
    feature_stride = 1

    def __init__(self, tasks, **options):
        super().__init__(tasks, **options)
        self.shared = nn.Conv2d(3, 4, 3, padding=1)
        self.heads = nn.ModuleDict({task.name: nn.Conv2d(4, task.channels, 1) for task in tasks})

    def forward(self, image):
        features = F.relu(self.shared(self.normalised(image)))
        raw = {task: self.heads[task.name](features) for task in self.tasks}
        return Output({t.name: kind_model(t).activation(x) for t, x in raw.items()}, features)

    def shared_parameters(self):
        return list(self.shared.parameters())


NETWORKS = {"tiny": Tiny}
'''

REST = '''"""A method, a relation, a weighting, a protocol, a schedule and an optimiser."""

from mtmodels.methods.parts.relations.base import Relation
from mtmodels.methods.sl import SL
from mtmodels.metrics.base import Metric
from mtmodels.metrics.classes import PooledClasses
from mtmodels.metrics.depth import PooledDepth
from mtmodels.metrics.protocols import Protocol
from mtmodels.training.loop.optimisers import SGD
from mtmodels.training.loop.schedules import Schedule
from mtmodels.weightings.fixed import Equal


class Plain(SL):
    """Learns from the labels there are."""

    summary = "sl by another name"


class Same(Equal):
    """The sum."""

    summary = "equal by another name"


class Bias(PooledDepth):
    """Says something new, too."""

    better = {**PooledDepth.better, "novelty": True}

    def compute(self):
        return {**super().compute(), "novelty": 1.0}


class Part(Schedule):
    """A share of the rate, all along."""

    summary = "a share of the rate"

    share: float = 0.5
    """Of the rate."""

    def __call__(self, position):
        return self.share


class Again(SGD):
    """Stochastic gradient descent."""

    summary = "sgd by another name"


class EqualDepth(Relation):
    """Two depths in one unit are one."""

    summary = "two depths are one"
    needs = "two tasks of depth"

    @classmethod
    def holds(cls, given, learns):
        return given.kind.name == learns.kind.name == "depth"

    def loss(self, scene):
        loss = (scene.prediction - scene.given).abs()[:, 0]
        return loss.where(scene.sure, 0), scene.sure


METHODS = {"plain": Plain}
RELATIONS = {"equal": EqualDepth}
SCHEDULES = {"part": Part}
OPTIMISERS = {"again": Again}
WEIGHTINGS = {"same": Same}
METRICS = {"mine": Protocol("A protocol.", {"classes": PooledClasses, "depth": Bias})}
'''

SOURCE = '''"""A data set of noise, and a regime."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from mtdata import Binary, Regime, Sample, Source, Task


@dataclass(frozen=True)
class Noise:
    """What is drawn: it travels to the worker processes with the source."""

    level: int


class Mine(Source):
    """Noise."""

    name = "mine"
    summary = "Noise with labels."
    download = "Nothing to download."
    licence = "none"
    default_size = (8, 8)
    needs_root = False

    def __init__(self, root=None, **options):
        super().__init__(root, **options)
        self.noise = Noise(255)

    @classmethod
    def tasks(cls, **options):
        return (Task("edges", Binary()), Task("saliency", Binary()))

    def splits(self):
        return {"train": ("a", "b", "c", "d"), "test": ("e", "f")}

    def roles(self):
        return {"train": "train", "test": "test"}

    def read(self, split, key, tasks):
        rng = np.random.default_rng(ord(key))
        image = rng.integers(0, self.noise.level, (8, 8, 3), np.uint8)
        labels = {task: rng.integers(0, 2, (8, 8), np.uint8) for task in tasks}
        return Sample(key, image, labels, {task: np.ones((8, 8), bool) for task in tasks})

    def fingerprint(self, split, key):
        return sha256(key.encode()).digest()


class First(Regime):
    """Only labels of the first task."""

    name = "first"
    summary = "labels of the first task, and one of each other"
    takes = ()

    def choose(self, keys, tasks, available, *, seed):
        chosen = available.copy()
        chosen[1:, 1:] = False
        return chosen

    def choose_alone(self, key, tasks, has, *, seed):
        return has[:1]


SOURCES = {"mine": Mine}
REGIMES = {"first": First}
'''


def write(folder: Path, text: str = NETWORK, *, name: str = "mine.py") -> Path:
    """Write a plug-in."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def install(site: Path, plugins: Mapping[str, str]) -> None:
    """Make a folder on the path look as if a distribution with plug-ins was installed in it."""
    about = site / "their_plugins-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-plugins\nVersion: 1.2\n")
    lines = [f"{name} = {module}" for name, module in plugins.items()]
    (about / "entry_points.txt").write_text("\n".join(["[mtpartial.plugins]", *lines, ""]))
