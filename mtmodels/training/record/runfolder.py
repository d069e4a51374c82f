"""The folder of a run: what lies where in it, and when it may be used."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mtdata.atomic import fresh_name, whole
from mtdata.errors import DataError, MtdataError
from mtdata.json_text import JsonError, load_json
from mtmodels.errors import FullDiskError, RunFolderError

FORMAT = "mtpartial run"
SUMMARY_AGAIN = "Copy the run again, or write it again with `mttrain --out RUN --resume`."
"""What to do about a summary that cannot be read."""
Mode = Literal["new", "resume", "overwrite"]
HELD = (errno.EACCES, errno.EAGAIN)
"""What a lock says that another process holds."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run.

    Args:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def manifest(self) -> Path:
        """Versions, host, arguments, store, regime, seed; it marks a run, and is written last."""
        return self.path / "manifest.json"

    @property
    def metrics(self) -> Path:
        """One row a step and an epoch."""
        return self.path / "metrics.jsonl"

    @property
    def last(self) -> Path:
        """The checkpoint that a run continues from."""
        return self.path / "checkpoints" / "last"

    @property
    def best(self) -> Path:
        """The checkpoint that selection chose."""
        return self.path / "checkpoints" / "best"

    def stage(self, name: str) -> Path:
        """What a stage before the training writes: a checkpoint and rows of its own."""
        return self.path / "stages" / name

    @property
    def scores(self) -> Path:
        """One file a split and protocol."""
        return self.path / "scores"

    @property
    def predictions(self) -> Path:
        """Pictures of predictions beside labels."""
        return self.path / "predictions"

    @property
    def plugins(self) -> Path:
        """Copies of the plug-ins that the run was made with."""
        return self.path / "plugins"

    @property
    def logs(self) -> Path:
        """What loggers write, a folder each."""
        return self.path / "logs"

    @property
    def curves(self) -> Path:
        """The training curves."""
        return self.path / "curves.png"

    @property
    def report(self) -> Path:
        """Everything on one page."""
        return self.path / "report.html"

    @property
    def summary(self) -> Path:
        """What `mttrain --json` printed; there once a run is complete."""
        return self.path / "summary.json"

    @property
    def lock(self) -> Path:
        """Locked by the process that writes the run."""
        return self.path / ".lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and hold it, so that others see that a process writes it.

        The lock is one of the process: what it forks to read data does not keep it when the
        process is killed. A file system without locks lets the run go on without.

        Raises:
            RunFolderError: where another process holds it, or it cannot be made.
        """
        self.create()
        file = self._locked()
        try:
            yield
        finally:
            self.lock.unlink(missing_ok=True)
            os.close(file)

    def _locked(self) -> int:
        """The lock, open; one that another process removes meanwhile would lock nothing."""
        while True:
            file = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in HELD:
                    os.close(file)
                    raise self._is_taken() from None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), self.lock.stat()):
                    return file
            os.close(file)

    def is_held(self) -> bool:
        """Whether another process writes the run; not to be asked by the one that does.

        To close a file gives up all locks of a process on it.
        """
        try:
            file = os.open(self.lock, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in HELD
        finally:
            os.close(file)
        return False

    def _is_taken(self) -> RunFolderError:
        return RunFolderError(
            f"{self.path} should be written by one process; another mttrain writes it. Wait for "
            "it, stop it, or give another --out."
        )

    def is_run(self) -> bool:
        """Whether this program made the folder."""
        try:
            return read_facts(self.manifest).get("format") == FORMAT
        except DataError:
            return False

    def facts(self) -> dict[str, Any]:
        """The manifest of a run that is to be opened.

        Raises:
            RunFolderError: where the folder is no run, or has no configuration.
            DataError: where the manifest cannot be read.
        """
        what = f"{self.path} should be a run folder of mttrain"
        if not self.manifest.is_file():
            raise RunFolderError(f"{what}; found no manifest in it. Name the folder of a run.")
        facts = read_facts(self.manifest)
        if facts.get("format") != FORMAT:
            raise RunFolderError(
                f"{what}; its {self.manifest.name} is of something else. Name the folder of a run."
            )
        if not self.config.is_file():
            raise RunFolderError(f"{what}; found no {self.config.name} in it. Copy the run again.")
        return facts

    def is_complete(self) -> bool:
        """Whether the run came to its end."""
        return self.summary.is_file()

    def check(self, mode: Mode, *, held: bool = False) -> bool:
        """Refuse a folder that may not be used; returns whether there is a run to continue.

        Args:
            mode: What to do where a run is there already.
            held: Whether this process holds the folder.

        Raises:
            RunFolderError: where it is not empty and `mode` is new, it is no run, or its run has
                no configuration to go on with.
            DataError: where its manifest cannot be read.
        """
        if not self.path.exists():
            return False
        if not self.path.is_dir():
            raise RunFolderError(f"{self.path} should be a folder; found a file. Give another.")
        if not held and self.is_held():
            raise self._is_taken()
        if self._is_free():
            return False
        if self.manifest.is_file():
            read_facts(self.manifest, "Copy the run again, or give another --out.")
        if not self.is_run():
            raise RunFolderError(
                f"{self.path} should be empty or a run; found other things in it, which are left "
                "alone. Give another --out."
            )
        if mode == "new":
            raise RunFolderError(
                f"{self.path} holds a run already. Continue it with --resume, replace it with "
                "--overwrite, or give another --out."
            )
        if mode == "resume" and not self.config.is_file():
            raise RunFolderError(
                f"{self.config} should say how the run goes on; found none, as of one that was "
                "killed at its beginning. Replace the run with --overwrite and its options, or "
                "give another --out."
            )
        return mode == "resume"

    def _is_free(self) -> bool:
        """Whether nothing is there, or what a process left that was killed before it had a run."""
        names = {item.name for item in self.path.iterdir()}
        begun = {self.lock.name, self.config.name, self.plugins.name}
        begun |= {fresh_name(path) for path in (self.config, self.manifest)}
        return not names or (self.lock.name in names and names <= begun)

    def clear(self) -> None:
        """Remove what a run writes but its lock, and nothing else; the manifest goes last."""
        for item in (
            self.summary, self.report, self.curves, self.predictions, self.scores,
            self.path / "checkpoints", self.path / "stages", self.metrics, self.logs, self.plugins,
            self.config, self.manifest,
        ):  # fmt: skip
            if item.is_dir():
                shutil.rmtree(item)
            else:
                item.unlink(missing_ok=True)

    def create(self) -> None:
        """Make the folder.

        Raises:
            RunFolderError: where it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(
                f"{self.path} cannot be written: {error.strerror}. Give another --out."
            ) from None


@contextmanager
def room_for(folder: Path) -> Iterator[None]:
    """Say what a disk that is full while a run writes means for the run.

    Raises:
        FullDiskError: in place of what the system says.
    """
    try:
        yield
    except MtdataError:
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(next(at for at in (folder, *folder.parents) if at.exists())).free
        saved = RunFolder(folder).last.is_dir()
        raise FullDiskError(folder, free, saved=saved) from error


def write_text(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    with whole(path) as fresh:
        fresh.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write JSON that is there whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_facts(file: Path, remedy: str = "Copy the run again.") -> dict[str, Any]:
    """What a JSON file of a run says.

    Args:
        file: The file.
        remedy: What to do where it says nothing.

    Raises:
        DataError: where it says nothing.
    """
    try:
        found = load_json(file.read_bytes()) if file.is_file() else None
        why = "it does not"
    except (OSError, JsonError) as error:
        found = None
        why = f"it cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
    if not isinstance(found, dict):
        raise DataError(
            f"{file} should hold what the run wrote, as one JSON object; {why}. {remedy}"
        )
    return found
