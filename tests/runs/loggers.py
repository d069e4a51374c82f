"""Loggers of the interface of lightning-fabric, as a user may have them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

# As `mttrain` does it: the class comes with the compiler of torch otherwise.
from mtmodels.fabric import Fabric  # noqa: F401  # isort: skip
from lightning_fabric.loggers.logger import Logger

HEARD: dict[str, list[tuple[int | None, dict[str, Any]]]] = {}
"""By the name of the run, what its loggers were told."""
CALLS: list[str] = []


class Keeping(Logger):
    """Keeps what it hears in memory."""

    def __init__(self, save_dir: Path, name: str, tracking: str = "here") -> None:
        self.save_dir, self._name = save_dir, name
        HEARD.setdefault(name, [])

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> int:
        return 0

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        HEARD[self._name].append((step, dict(metrics)))

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        CALLS.append(f"hyperparameters {params['method']['name']}")

    def log_graph(self, model: Any, input_array: Tensor | None = None) -> None:
        raise AssertionError

    def finalize(self, status: str) -> None:
        CALLS.append(f"finalize {status}")


class Failing(Keeping):
    """Hears two rows, and no more."""

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        if len(HEARD[self._name]) == 2:
            raise ConnectionError("no network")
        super().log_metrics(metrics, step)


class Demanding(Keeping):
    """Cannot be made of what a run knows."""

    def __init__(self, save_dir: Path, name: str, project: str) -> None:
        super().__init__(save_dir, name)


class NoLogger:
    """Lacks the interface."""

    def log_metrics(self) -> None:
        raise AssertionError


def function() -> None:
    """Is no class."""
