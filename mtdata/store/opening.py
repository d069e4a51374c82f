"""Opening a file read-only, or saying in one paragraph why it is no store."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the Blosc filter that chunks are read through

from mtdata.errors import BrokenStoreError, StoreError
from mtdata.store import format as layout
from mtdata.tasks.task import Task


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


def open_file(path: Path) -> h5py.File:
    """Open a store read-only; the caller closes it.

    Raises:
        StoreError: where it is missing, no HDF5, cut off, another format or a newer version.
    """
    file = _open_hdf5(path)
    try:
        with reading(path, "the description"):
            _check_format(path, file)
    except BaseException:
        file.close()
        raise
    return file


def _open_hdf5(path: Path) -> h5py.File:
    if not path.exists():
        raise StoreError(
            f"{path} should be a store; there is no such file. "
            "Give the path of one, or make one with `mtdata build`."
        )
    try:
        # A chunk is one sample and read whole: a cache of chunks would only copy it.
        return h5py.File(path, "r", rdcc_nbytes=0)
    except PermissionError as error:
        raise StoreError(
            f"{path} should be readable; it is not. Change its permissions."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} {_why(path, str(error))}") from error


def _why(path: Path, message: str) -> str:
    if path.is_dir():
        return "should be a store, one HDF5 file; it is a folder. Give the path of the file."
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
    found = file.attrs.get("format")
    if found != layout.FORMAT:
        raise StoreError(
            f"{path} should be a store with the attribute format={layout.FORMAT!r}; it is an HDF5 "
            f"file with format={found!r}. Give the path of a file that `mtdata build` made."
        )
    version = int(file.attrs.get("format_version", 0))
    if version > layout.VERSION:
        raise StoreError(
            f"{path} has format version {version}; this program reads up to {layout.VERSION}. "
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
    except (KeyError, ValueError, TypeError, AttributeError, OSError, RuntimeError) as error:
        raise broken(path, f"{what} cannot be read ({_short(error)})") from error


def _short(error: Exception) -> str:
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.strip().rstrip(".")


def read_header(path: Path, file: h5py.File) -> Header:
    """The attributes of the root.

    Raises:
        StoreError: where one is missing or cannot be understood.
    """
    attributes = file.attrs
    with reading(path, "the description"):
        return Header(
            dataset=str(attributes["dataset"]),
            created=str(attributes["created"]),
            tool=str(attributes["tool"]),
            options=json.loads(attributes["options"]),
            tasks=tuple(Task.from_json(value) for value in json.loads(attributes["tasks"])),
            default_regime=str(attributes["default_regime"]),
            source_digest=str(attributes["source_digest"]),
            content_digest=str(attributes["content_digest"]),
            format_version=int(attributes["format_version"]),
        )
