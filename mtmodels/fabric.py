"""Fabric, without what it imports and hardly uses: torchmetrics, and the compiler of torch.

lightning_fabric imports all of torchmetrics to compare its version, with torchvision's models and
scipy.signal; and torch._dynamo, with sympy, for the type of compiled modules. Together that is half
of the time before the first step or prediction. What scores imports torchmetrics later, and what
makes an optimiser the compiler.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType


def _stand_in(name: str, **attributes: object) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(attributes)
    return module


class _Compiled:
    """No module is one: nothing here is compiled before Fabric wraps it."""


STAND_INS: Mapping[str, Mapping[str, object]] = {
    "torchmetrics": {"__version__": metadata.version("torchmetrics")},
    "torch._dynamo": {"OptimizedModule": _Compiled},
}
"""All that lightning_fabric asks these modules for."""


@contextmanager
def _standing_in() -> Iterator[None]:
    """In the place of each module that is not imported yet, one that knows what is asked for."""
    absent = [name for name in STAND_INS if name not in sys.modules]
    if "lightning_fabric" in sys.modules:
        absent = []
    sys.modules.update({name: _stand_in(name, **STAND_INS[name]) for name in absent})
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with _standing_in():
    from lightning_fabric import Fabric
    from lightning_fabric.loggers.csv_logs import CSVLogger
    from lightning_fabric.loggers.tensorboard import TensorBoardLogger
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

__all__ = ["CSVLogger", "Fabric", "LightningEnvironment", "SLURMEnvironment", "TensorBoardLogger"]
