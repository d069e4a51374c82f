"""Loggers beside `metrics.jsonl`: they hear what is written there, scores of the end, pictures."""

import inspect
import math
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mtdata.errors import UsageError
from mtmodels.training.config import Config
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import Row, read_rows

CSV, TENSORBOARD = "csv", "tensorboard"
CALLED = ("log_metrics", "log_hyperparams", "save", "finalize")
"""What of the interface of lightning-fabric's loggers is called."""
TIMES = 10
"""How often pictures are drawn in a run."""
EACH = 2
"""How many images these show."""
Draw = Callable[[Path, int], Sequence[Path]]
"""Draws predictions of so many images into a folder."""
Given = Collection[tuple[str, int]]
"""Kinds and steps of rows."""


def check_logs(names: Sequence[str]) -> None:
    """Refuse loggers that there are not, without making any.

    Raises:
        UsageError: naming the first, and what to install.
    """
    for name in names:
        if name == TENSORBOARD and find_spec("tensorboard") is None:
            raise UsageError(
                "the log `tensorboard` should have its extra installed; there is no package "
                "`tensorboard` here. Run: pip install 'mtpartial[tensorboard]', or give --log csv."
            )
        if name not in (CSV, TENSORBOARD):
            _class_of(name)


def _class_of(name: str) -> Callable[..., Any]:
    """The class of a logger by its import name."""
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise UsageError(
            "`log` should be csv, tensorboard (with the extra of that name: pip install "
            "'mtpartial[tensorboard]'), or MODULE:CLASS, a logger of the interface of "
            f"lightning-fabric; found `{name}`."
        )
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # whatever the module raises
        raise UsageError(
            f"the log `{name}` should be a class that can be imported; found "
            f"{type(error).__name__}: {error}. Install what it is part of, or give --log csv."
        ) from error
    lacks = [one for one in CALLED if not callable(getattr(found, one, None))]
    if not isinstance(found, type) or lacks:
        what = f"it lacks {', '.join(lacks)}" if isinstance(found, type) else "it is no class"
        raise UsageError(
            f"the log `{name}` should have the interface of lightning-fabric's Logger; {what}. "
            "Derive it from `lightning_fabric.loggers.Logger`."
        )
    return found


class OtherLog:
    """A logger by its import name. It cannot take back what it heard.

    Args:
        name: `MODULE:CLASS`. Of `root_dir`, `save_dir`, `name` and `run_name` the class is given
            those that it takes.
        folder: Of the run.

    Raises:
        UsageError: where it cannot be made.
    """

    def __init__(self, name: str, folder: RunFolder) -> None:
        run = folder.path.resolve().name
        known = {"root_dir": folder.logs, "save_dir": folder.logs, "name": run, "run_name": run}
        made = _class_of(name)
        try:
            takes = inspect.signature(made).parameters
            self._logger = made(**{key: known[key] for key in known if key in takes})
        except Exception as error:
            raise UsageError(
                f"the log `{name}` could not be made: {type(error).__name__}: {error}. It is given "
                "those of root_dir, save_dir, name and run_name that it takes, and nothing else."
            ) from error
        self._given: Given = ()

    def start(self, config: Config, rows: Sequence[Row], *, step: int, given: Given) -> None:
        """Begin, or go on after some steps.

        Args:
            config: Of the run.
            rows: What the run has written until then.
            step: The steps that are done.
            given: The rows behind them that were written before, and will be again.
        """
        self._given = given
        self._logger.log_hyperparams(config.to_dict())

    def row(self, kind: str, row: Row) -> None:
        """Hear a row, unless that was heard."""
        if (kind, row["step"]) not in self._given:
            self._logger.log_metrics(metrics(kind, row), row["step"])

    def pictures(self, what: str, files: Sequence[Path], step: int) -> None:
        """See pictures; the interface has none."""

    def close(self, status: str) -> None:
        """Hear no more."""
        self._logger.finalize(status)


class CsvLog(OtherLog):
    """`logs/csv/metrics.csv`, written anew from all rows where a run goes on."""

    def __init__(self, _: str, folder: RunFolder) -> None:
        self._folder = folder.logs

    def start(self, config: Config, rows: Sequence[Row], *, step: int, given: Given) -> None:
        """As of any log."""
        from mtmodels.fabric import CSVLogger

        shutil.rmtree(self._folder / CSV, ignore_errors=True)
        self._given = ()
        self._logger = CSVLogger(self._folder, "", CSV, flush_logs_every_n_steps=1)
        for row in rows:
            self.row(row["kind"], row)


class TensorboardLog(OtherLog):
    """`logs/tensorboard`; where a run goes on, readers are told what no longer holds."""

    def __init__(self, _: str, folder: RunFolder) -> None:
        self._folder = folder.logs

    def start(self, config: Config, rows: Sequence[Row], *, step: int, given: Given) -> None:
        """As of any log."""
        from mtmodels.fabric import TensorBoardLogger

        begun = any((self._folder / TENSORBOARD).glob("events.*"))
        self._given = ()
        # What belongs to the last step that is done is told anew: its scores may follow again.
        self._logger = TensorBoardLogger(
            self._folder, "", TENSORBOARD, purge_step=step if begun else None
        )
        for row in rows:
            if not begun or row["step"] >= step:
                self.row(row["kind"], row)

    def row(self, kind: str, row: Row) -> None:
        """Hear a row; it is on the disk then."""
        super().row(kind, row)
        self._logger.save()

    def pictures(self, what: str, files: Sequence[Path], step: int) -> None:
        """See pictures."""
        import numpy as np
        from PIL import Image

        for file in files:
            with Image.open(file) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            tag = f"{what}/pictures/{file.stem}"
            self._logger.experiment.add_image(tag, pixels, step, dataformats="HWC")
        self._logger.save()


class Logs:
    """The loggers of a run. One that fails is heard of no more, and the run goes on.

    Args:
        config: Names them.
        folder: Of the run.
        say: Tells a person.
        draw: Draws predictions as they are; None for no pictures.
        before: Those that a run which goes on had before.

    Raises:
        UsageError: for one that there is not, or that cannot be made.
    """

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        *,
        say: Callable[[str], None],
        draw: Draw | None = None,
        before: Collection[str] = (),
    ) -> None:
        check_logs(config.log)
        kinds = {CSV: CsvLog, TENSORBOARD: TensorboardLog}
        self._logs = {name: kinds.get(name, OtherLog)(name, folder) for name in config.log}
        self._config, self._folder, self._say, self._draw = config, folder, say, draw
        self._before = before

    def start(self, step: int, lost: Sequence[Row]) -> None:
        """Begin, or go on with what `metrics.jsonl` holds.

        Args:
            step: The steps that are done.
            lost: Rows behind them that were written before, and will be again.
        """
        if not self._logs:
            return
        rows, given = read_rows(self._folder.metrics), {(row["kind"], row["step"]) for row in lost}
        if self._folder.is_complete():
            given.add(("end", step))
        for name, log in list(self._logs.items()):
            heard = given if name in self._before else ()
            self._tell(name, partial(log.start, self._config, rows, step=step, given=heard))

    def row(self, kind: str, row: Row) -> None:
        """Hear what is written down."""
        for name, log in list(self._logs.items()):
            self._tell(name, partial(log.row, kind, row))

    def draw(self, epoch: int, step: int) -> None:
        """Show what is predicted after an epoch, now and then."""
        if epoch == 0 or epoch % math.ceil(self._config.epochs / TIMES):
            return
        for name, log in list(self._logs.items()):
            if isinstance(log, TensorboardLog) and self._draw is not None:
                self._tell(name, partial(_drawn, log, self._draw, step))

    def end(self, scores: Mapping[str, Any], pictures: Sequence[Path], *, step: int) -> None:
        """Hear the scores of the end, by split and protocol, and see its pictures."""
        self.row("end", {"step": step, **scores})
        for name, log in list(self._logs.items()):
            self._tell(name, partial(log.pictures, "end", pictures, step))

    def close(self, status: str = "success") -> None:
        """Let them finish; `status` is a word of the interface: success, failed, interrupted."""
        for name, log in list(self._logs.items()):
            self._tell(name, partial(log.close, status))
        self._logs = {}

    def _tell(self, name: str, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:  # of whatever logger
            del self._logs[name]
            self._say(
                f"The log `{name}` failed and hears no more ({type(error).__name__}: {error}); the "
                "run goes on, and metrics.jsonl has it all."
            )


def _drawn(log: TensorboardLog, draw: Draw, step: int) -> None:
    """Draw predictions as they are into a folder that goes again, and show them."""
    with tempfile.TemporaryDirectory() as folder:
        log.pictures("epoch", draw(Path(folder), EACH), step)


def metrics(kind: str, row: Row) -> dict[str, float]:
    """The numbers of a row, by the names of its fields; all but those of steps begin by the kind.

    Lists (scores of classes) and what is no number are left out.
    """
    rest = {key: value for key, value in row.items() if key not in ("kind", "step")}
    return dict(_numbers(rest, "" if kind == "step" else kind))


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{name}/{key}" if name else key)
    elif isinstance(value, (int, float)) and math.isfinite(value):
        yield name, float(value)
