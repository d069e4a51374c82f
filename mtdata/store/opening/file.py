"""Opening a file read-only, or saying in one paragraph why it is no store."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import h5py

from mtdata.errors import BrokenStoreError, StoreError, UsageError
from mtdata.store import format as layout
from mtdata.store.opening.inplace import SIGNATURE, finish, is_unfinished
from mtdata.store.opening.look import look, look_at_root
from mtdata.store.opening.remote import RemoteFile, tag_of
from mtdata.tasks.task import Task
from mtdata.urls import StorePath, Url

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
    earlier: tuple[str, ...] = ()
    """Digests of the contents that it had before updates, of which it holds everything still."""


Identity = tuple[int | str, ...]
"""What tells that a file is still the one that was looked at: its number, size and time; of one on
object storage, its size and what its server marks it with."""
TRIES = 5


def identity(path: StorePath) -> Identity | None:
    """The present one of a path; None where there is no file."""
    try:
        if isinstance(path, Url):
            return tag_of(path)
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def length_of(path: StorePath) -> int:
    """Bytes of a file.

    Raises:
        OSError: where there is none.
    """
    return tag_of(path).size if isinstance(path, Url) else path.stat().st_size


def steadily(path: StorePath, read: Callable[[], Read]) -> Read:
    """Read again where the file was changed meanwhile, as by a regime that somebody adds.

    Raises:
        StoreError: what reading raised while nothing changed.
    """
    for _ in range(TRIES - 1):
        before = identity(path)
        try:
            return read()
        except BrokenStoreError:
            if before == identity(path) and (isinstance(path, Url) or not is_unfinished(path)):
                raise
    return read()


@contextmanager
def view(path: StorePath, *, looked_at: bool = False) -> Iterator[h5py.File]:
    """What a store holds at this moment, for reading what may change.

    HDF5 opens a file once in a process, and goes on to see it as it was; this way it opens it anew.

    Args:
        path: The file.
        looked_at: Whether this very file was looked at before.

    Raises:
        StoreError: where it is missing, no HDF5, cut off, another format or a newer version, or
            made of anything that no store is made of.
    """
    if not isinstance(path, Url):
        _check_kind(path)
        finish(path)
    with ExitStack() as stack:
        with _refusals(path):
            raw = RemoteFile(path) if isinstance(path, Url) else path.open("rb", buffering=0)
            stack.enter_context(raw)
            file = stack.enter_context(h5py.File(raw, "r"))
        with reading(path, "the description"):
            if "format" in file.attrs:
                look_at_root(file, raw)
            _check_format(path, file)
            if not looked_at:
                look(path, file, raw)
        yield file


class StoreFile(h5py.File):  # type: ignore[misc]  # h5py has no types
    """A store that is open to read tables and pixels, which never change; the caller closes it.

    Args:
        path: The file.

    Raises:
        StoreError: where it cannot be opened.
    """

    def __init__(self, path: StorePath) -> None:
        self.remote = RemoteFile(path) if isinstance(path, Url) else None
        # A chunk is one sample and read whole: a cache of chunks would only copy it.
        super().__init__(self.remote or path, "r", rdcc_nbytes=0)

    @cached_property
    def pread(self) -> Callable[[int, int], bytes]:
        """Reads so many bytes at a place of the file, past HDF5."""
        if self.remote is not None:
            return self.remote.pread
        return partial(os.pread, self.id.get_vfd_handle())


def open_file(path: StorePath) -> StoreFile:
    """Open a store to read tables and pixels, which never change; the caller closes it.

    Raises:
        StoreError: where it cannot be opened.
    """
    if not isinstance(path, Url):
        _check_kind(path)
    with _refusals(path):
        import hdf5plugin  # noqa: F401  registers the filter of chunks; tables need none

        return StoreFile(path)
    raise AssertionError


def _check_kind(path: Path) -> None:
    if not path.exists():
        raise StoreError(
            f"{path} should be a store; there is no such file. "
            "Give the path of one, or make one with `mtdata build`."
        )
    if path.is_dir():
        inside = sorted(path.glob("*.h5"))
        index = path / f"{path.name}.h5"  # where `mtdata shard` puts it
        which = next((each for each in [index, *inside] if each in inside), None)
        say = "the path of the file" if which is None else which
        raise StoreError(f"{path} should be a store, one HDF5 file; it is a folder. Give {say}.")
    if not path.is_file():
        raise StoreError(
            f"{path} should be a store, one HDF5 file; it is a pipe or a device. Give the path of "
            "the file."
        )


@contextmanager
def _refusals(path: StorePath) -> Iterator[None]:
    try:
        yield
    except (StoreError, UsageError):
        raise
    except PermissionError as error:
        raise StoreError(
            f"{path} should be readable; it is not. Change its permissions."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} {_why(path, error)}") from error
    except (RuntimeError, ValueError) as error:
        raise broken(path, f"HDF5 cannot read it ({_short(error)})") from error


def _why(path: StorePath, error: OSError) -> str:
    message = str(error)
    if error.errno == errno.EMFILE or f"errno = {errno.EMFILE}" in message:
        return (
            "cannot be opened, since this process has too many files open already. Allow more "
            "(ulimit -n 4096), or use fewer workers."
        )
    try:
        is_hdf5 = _is_hdf5(path)
    except OSError as unread:
        found = os.strerror(unread.errno or errno.EIO)
        return f"cannot be read ({found}). Check the disk that it lies on."
    if not is_hdf5:
        return (
            "should be a store, an HDF5 file; it is no HDF5. Give the path of a file "
            "that `mtdata build` made."
        )
    if "truncated" in message:
        return (
            f"should be longer; it ends after {length_of(path)} bytes: it was cut off, for "
            "instance by a copy that was interrupted. Copy or build it again."
        )
    return f"should be a store; HDF5 cannot read it ({message}). Copy or build it again."


def _is_hdf5(path: StorePath) -> bool:
    if isinstance(path, Url):  # only at its beginning, where we write it
        return RemoteFile(path).pread(len(SIGNATURE), 0) == SIGNATURE
    return bool(h5py.is_hdf5(path))


def _check_format(path: StorePath, file: h5py.File) -> None:
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


def broken(path: StorePath, what: str) -> BrokenStoreError:
    """A store that does not hold what its format promises."""
    return BrokenStoreError(path, what)


@contextmanager
def reading(path: StorePath, what: str) -> Iterator[None]:
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


def read_header(path: StorePath, file: h5py.File) -> Header:
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
            earlier=tuple(map(str, json.loads(attributes.get("earlier", "[]")))),
        )
        # These become names of files and folders.
        for name in (header.dataset, header.default_regime, *(t.name for t in header.tasks)):
            if not layout.safe_name(name):
                raise ValueError(f"the name {name!r} should be one word without slashes")
    return header
