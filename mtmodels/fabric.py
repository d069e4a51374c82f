"""Fabric, without what it imports and hardly uses: the compiler of torch, and torchmetrics.

Where torchmetrics is installed, lightning_fabric imports all of it to compare its version, with
torchvision's models and scipy.signal. With the compiler that is half of the time before the first
step or prediction.
"""

from collections.abc import Mapping
from importlib import metadata

from mtmodels.late import COMPILER, imported

LIBRARIES = ("lightning_fabric", "lightning_fabric.loggers.tensorboard")


def _version(package: str) -> Mapping[str, Mapping[str, object]]:
    """The version of a package that need not be there."""
    try:
        return {package: {"__version__": metadata.version(package)}}
    except metadata.PackageNotFoundError:
        return {}


with imported(*LIBRARIES, without={**COMPILER, **_version("torchmetrics")}):
    from lightning_fabric import Fabric
    from lightning_fabric.loggers.csv_logs import CSVLogger
    from lightning_fabric.loggers.tensorboard import TensorBoardLogger
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

__all__ = ["CSVLogger", "Fabric", "LightningEnvironment", "SLURMEnvironment", "TensorBoardLogger"]
