"""Commands in processes of their own, forked from one that has imported what takes seconds.

The one that they are forked from does nothing but import: what has threads cannot be forked.
"""

import multiprocessing
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path

IMPORTED = (
    *("mtmodels.training.run", "mtmodels.training.setup.setup", "mtmodels.training.finish"),
    *("mtmodels.scoring.evaluate", "mtdata.building.build", "torchvision", "matplotlib.figure"),
)
SECONDS = 240
"""After which a command is taken to hang."""


@dataclass(frozen=True)
class Forked:
    """A process that was started, and the file with all that it says."""

    process: BaseProcess
    told: Path

    @property
    def pid(self) -> int:
        """Its number."""
        assert self.process.pid is not None
        return self.process.pid

    def wait(self, seconds: float = SECONDS) -> tuple[int, str]:
        """Its exit code, negative for a signal, and what it said.

        Raises:
            TimeoutError: when it has not ended by then; it is killed.
        """
        self.process.join(seconds)
        said = self.told.read_text(encoding="utf-8")
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise TimeoutError(said)
        return self.process.exitcode, said


def prepare() -> None:
    """Have the server import what takes seconds, once it is started: by anybody, in any test."""
    multiprocessing.set_forkserver_preload(list(IMPORTED))


def start(
    work: Callable[..., object],
    arguments: Sequence[object],
    *,
    folder: Path,
    told: Path,
) -> Forked:
    """Call something in a process of its own, with that folder as the current one.

    Its own children, if it starts any, are those of the process that it is forked from.

    Args:
        work: A function of a module.
        arguments: Its arguments.
        folder: Where it works.
        told: The file that gets what it says.
    """
    context = multiprocessing.get_context("forkserver")
    told.touch()
    given = (work, tuple(arguments), folder, told, dict(os.environ), list(sys.path))
    process = context.Process(target=_work, args=given)
    process.start()
    return Forked(process, told)


def command(program: str, arguments: Sequence[str]) -> None:
    """What the installed program does, by its entry point."""
    sys.argv = [program, *arguments]
    import_module(f"cli.{program}").main()


def _work(
    work: Callable[..., object],
    arguments: Sequence[object],
    folder: Path,
    told: Path,
    environment: Mapping[str, str],
    path: Sequence[str],
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path
    os.chdir(folder)
    warnings.resetwarnings()
    with told.open("w", encoding="utf-8") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        try:
            work(*arguments)
        except Exception:
            traceback.print_exc()
            sys.exit(1)
