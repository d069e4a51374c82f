"""What is in a data set, and which labels of it may be seen."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtdata.inspecting.suspicions import CHECKS
    from mtdata.inspecting.suspicions.base import Check, Suspicion
    from mtdata.plugins import Plugin, load_plugin
    from mtdata.reading.augment import Augmentation
    from mtdata.reading.batch import Batch, collate
    from mtdata.reading.dataset import Dataset
    from mtdata.reading.loader import Loader
    from mtdata.reading.photometric import Photometric
    from mtdata.regimes import REGIMES
    from mtdata.regimes.base import Regime
    from mtdata.sources import SOURCES
    from mtdata.sources.base import Source
    from mtdata.store import Store, open_store
    from mtdata.tasks.kinds import KINDS, Binary, Classes, Depth, Kind, Normals
    from mtdata.tasks.sample import Camera, Sample
    from mtdata.tasks.task import TASK_ORDER, Task

# Every command imports this package, and numpy alone costs 0.2 s: all of it waits until it is used.
_HOME = {
    "collate": "mtdata.reading.batch",
    "Photometric": "mtdata.reading.photometric",
    "Loader": "mtdata.reading.loader",
    "Dataset": "mtdata.reading.dataset",
    "Batch": "mtdata.reading.batch",
    "Augmentation": "mtdata.reading.augment",
    "CHECKS": "mtdata.inspecting.suspicions",
    "Check": "mtdata.inspecting.suspicions.base",
    "Suspicion": "mtdata.inspecting.suspicions.base",
    "KINDS": "mtdata.tasks.kinds",
    "REGIMES": "mtdata.regimes",
    "SOURCES": "mtdata.sources",
    "TASK_ORDER": "mtdata.tasks.task",
    "Binary": "mtdata.tasks.kinds",
    "Camera": "mtdata.tasks.sample",
    "Classes": "mtdata.tasks.kinds",
    "Depth": "mtdata.tasks.kinds",
    "Kind": "mtdata.tasks.kinds",
    "Normals": "mtdata.tasks.kinds",
    "Plugin": "mtdata.plugins",
    "Regime": "mtdata.regimes.base",
    "Sample": "mtdata.tasks.sample",
    "Source": "mtdata.sources.base",
    "Store": "mtdata.store",
    "Task": "mtdata.tasks.task",
    "load_plugin": "mtdata.plugins",
    "open_store": "mtdata.store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


__all__ = [
    "CHECKS",
    "KINDS",
    "REGIMES",
    "SOURCES",
    "TASK_ORDER",
    "Augmentation",
    "Batch",
    "Binary",
    "Camera",
    "Check",
    "Classes",
    "Dataset",
    "Depth",
    "Kind",
    "Loader",
    "Normals",
    "Photometric",
    "Plugin",
    "Regime",
    "Sample",
    "Source",
    "Store",
    "Suspicion",
    "Task",
    "collate",
    "load_plugin",
    "open_store",
]
