"""Fabric, without torchmetrics: lightning_fabric imports all of that to compare its version.

With torchmetrics come torchvision's models and scipy.signal: a quarter of the time before the first
step. What scores imports it later.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType

NAME = "torchmetrics"


@contextmanager
def _version_alone() -> Iterator[None]:
    """In its place, a module that knows its version and nothing else."""
    if NAME in sys.modules or "lightning_fabric" in sys.modules:
        yield
        return
    stand_in = ModuleType(NAME)
    stand_in.__version__ = metadata.version(NAME)  # type: ignore[attr-defined]
    sys.modules[NAME] = stand_in
    try:
        yield
    finally:
        del sys.modules[NAME]


with _version_alone():
    from lightning_fabric import Fabric

__all__ = ["Fabric"]
