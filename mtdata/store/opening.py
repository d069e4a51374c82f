"""Opening a file read-only, or saying in one paragraph why it is no store."""

import errno
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py

from mtdata.errors import BrokenStoreError, StoreError
from mtdata.store import format as layout
from mtdata.store.inplace import finish, is_unfinished
from mtdata.store.look import look, look_at_root
from mtdata.tasks.task import Task

Read = TypeVar("Read")


@dataclass(frozen=True)
class Header:
    """What the root of a store says."""

    dataset: str
    created: str
    tool: str
    options: dict[str, Any]
    tasks: tuple[Task, ...]
    default_regime: str
    source_digest: str
    content_digest: str
    format_version: int = layout.VERSION
    seal: str | None = None
    """None in a store of before."""


Identity = tuple[int, int, int]
"""What tells that a file is still the one that was looked at: its number, size and time."""
TRIES = 5


def identity(path: Path) -> Identity | None:
    """The present one of a path; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def steadily(path: Path, read: Callable[[], Read]) -> Read:
    """Read again where the file was changed meanwhile, as by a regime that somebody adds.

    Raises:
        StoreError: what reading raised while nothing changed.
    """
    for _ in range(TRIES - 1):
        before = identity(path)
        try:
            return read()
        except BrokenStoreError:
            if before == identity(path) and not is_unfinished(path):
                raise
    return read()


@contextmanager
def view(path: Path, *, looked_at: bool = False) -> Iterator[h5py.File]:
    """What a store holds at this moment, for reading what may change.

    HDF5 opens a file once in a process, and goes on to see it as it was; this way it opens it anew.

    Args:
        path: The file.
        looked_at: Whether this very file was looked at before.

    Raises:
        StoreError: where it is missing, no HDF5, cut off, another format or a newer version, or
            made of anything that no store is made of.
    """
    _check_kind(path)
    finish(path)
    with ExitStack() as stack:
        with _refusals(path):
            raw = stack.enter_context(path.open("rb", buffering=0))
            file = stack.enter_context(h5py.File(raw, "r"))
        with reading(path, "the description"):
            if "format" in file.attrs:
                look_at_root(file)
            _check_format(path, file)
            if not looked_at:
                look(path, file)
        yield file


def open_file(path: Path) -> h5py.File:
    """Open a store to read tables and pixels, which never change; the caller closes it.

    Raises:
        StoreError: where it cannot be opened.
    """
    _check_kind(path)
    with _refusals(path):
        import hdf5plugin  # noqa: F401  registers the filter of chunks; tables need none

        # A chunk is one sample and read whole: a cache of chunks would only copy it.
        return h5py.File(path, "r", rdcc_nbytes=0)
    raise AssertionError


def _check_kind(path: Path) -> None:
    if not path.exists():
        raise StoreError(
            f"{path} should be a store; there is no such file. "
            "Give the path of one, or make one with `mtdata build`."
        )
    if path.is_dir():
        raise StoreError(
            f"{path} should be a store, one HDF5 file; it is a folder. Give the path of the file."
        )
    if not path.is_file():
        raise StoreError(
            f"{path} should be a store, one HDF5 file; it is a pipe or a device. Give the path of "
            "the file."
        )


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise StoreError(
            f"{path} should be readable; it is not. Change its permissions."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} {_why(path, error)}") from error
    except (RuntimeError, ValueError) as error:
        raise broken(path, f"HDF5 cannot read it ({_short(error)})") from error


def _why(path: Path, error: OSError) -> str:
    message = str(error)
    if error.errno == errno.EMFILE or f"errno = {errno.EMFILE}" in message:
        return (
            "cannot be opened, since this process has too many files open already. Allow more "
            "(ulimit -n 4096), or use fewer workers."
        )
    if not h5py.is_hdf5(path):
        return (
            "should be a store, an HDF5 file; it is no HDF5. Give the path of a file "
            "that `mtdata build` made."
        )
    if "truncated" in message:
        return (
            f"should be longer; it ends after {path.stat().st_size} bytes: it was cut off, for "
            "instance by a copy that was interrupted. Copy or build it again."
        )
    return f"should be a store; HDF5 cannot read it ({message}). Copy or build it again."


def _check_format(path: Path, file: h5py.File) -> None:
    found = layout.plain(file.attrs.get("format"))
    if found != layout.FORMAT:
        raise StoreError(
            f"{path} should be a store with the attribute format={layout.FORMAT!r}; it is an HDF5 "
            f"file with format={found!r}. Give the path of a file that `mtdata build` made."
        )
    version = int(file.attrs.get("format_version", 0))
    if version > layout.SHARDED_VERSION:
        newest = layout.SHARDED_VERSION
        raise StoreError(
            f"{path} has format version {version}; this program reads up to {newest}. "
            "Update mtpartial, or build the store again with this version."
        )
    if version < 1:
        raise broken(path, f"format_version is {version}")


def broken(path: Path, what: str) -> BrokenStoreError:
    """A store that does not hold what its format promises."""
    return BrokenStoreError(path, what)


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Whatever goes wrong inside is a broken store; HDF5 has a different error for each way.

    Raises:
        StoreError: naming `what` could not be read.
    """
    try:
        yield
    except StoreError:
        raise
    except (
        KeyError, ValueError, TypeError, AttributeError, OSError, RuntimeError, ArithmeticError,
    ) as error:  # fmt: skip
        raise broken(path, f"{what} cannot be read ({_short(error)})") from error


def _short(error: Exception) -> str:
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.strip().rstrip(".")


def read_header(path: Path, file: h5py.File) -> Header:
    """The attributes of the root.

    Raises:
        StoreError: where one is missing or cannot be understood.
    """
    with reading(path, "the description"):
        attributes = {name: layout.plain(value) for name, value in file.attrs.items()}
        header = Header(
            dataset=str(attributes["dataset"]),
            created=str(attributes["created"]),
            tool=str(attributes["tool"]),
            options=json.loads(attributes["options"]),
            tasks=tuple(Task.from_json(value) for value in json.loads(attributes["tasks"])),
            default_regime=str(attributes[layout.DEFAULT_REGIME]),
            source_digest=str(attributes["source_digest"]),
            content_digest=str(attributes["content_digest"]),
            format_version=int(attributes["format_version"]),
            seal=attributes.get(layout.SEAL),
        )
        # These become names of files and folders.
        for name in (header.dataset, header.default_regime, *(t.name for t in header.tasks)):
            if not layout.safe_name(name):
                raise ValueError(f"the name {name!r} should be one word without slashes")
    return header
