"""The `.pth` files released with MTPSL: one tensor of images and tasks, without torch.

torch reads such files with a restricted unpickler too (`weights_only`), but that of its versions up
to 2.5 can be tricked (CVE-2025-32434), and the commands of `mtdata` do not import torch.
"""

import zipfile
from collections.abc import Mapping
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError
from mtdata.regimes.importing.assignment import Assignment
from mtdata.regimes.importing.unpickling import Call, Names, load

WHAT = "a tensor of zeros and ones, images x tasks, saved by torch as MTPSL does"
COLUMNS = {2: ("semantic", "depth"), 3: ("semantic", "depth", "normals")}
LIMIT = 64_000_000
"""Bytes that an archive may unpack to."""
TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
"""How the numbers of a storage are written."""
MAGIC = 0x1950A86A20F9469CFC6C
"""The number that the older form begins with."""


class _Storage(NamedTuple):
    """The numbers behind a tensor: their type, and where they are."""

    dtype: str
    key: str
    length: int


class _Tensor(NamedTuple):
    """A tensor as the file describes it: numbers one behind the other, from one of them on."""

    storage: _Storage
    start: int
    shape: tuple[int, ...]


def _tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *more: Any
) -> _Tensor:
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError("its tensor is empty")
    contiguous = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if (
        stride != contiguous
        or not isinstance(offset, int)
        or offset < 0
        or offset + prod(shape) > storage.length
    ):
        raise ValueError("its tensor is a view that is not contiguous")
    return _Tensor(storage, offset, shape)


def _storage(pid: tuple[Any, ...]) -> _Storage:
    tag, dtype, key, _, length = pid[:5]
    if tag != "storage" or dtype not in TYPES.values():
        raise ValueError("it refers to something that is no storage")
    return _Storage(dtype, str(key), int(length))


NAMES: Names = {
    ("torch._utils", "_rebuild_tensor_v2"): Call(_tensor),
    ("collections", "OrderedDict"): Call(dict),
    **{("torch", name): dtype for name, dtype in TYPES.items()},
}


def read_pth(path: Path) -> Assignment:
    """Read which tasks of the i-th image a file shows; both forms of `torch.save` are read.

    Raises:
        DataError: where it holds anything else; nothing in it is run.
    """
    file = BytesIO(path.read_bytes())
    read = _read_zip if zipfile.is_zipfile(file) else _read_old
    file.seek(0)
    content, data = read(file, path)
    tensors = list(content.values()) if isinstance(content, dict) else [content]
    if len(tensors) != 1 or not isinstance(tensors[0], _Tensor) or len(tensors[0].shape) != 2:
        raise DataError(f"{path} should hold {WHAT}; found something else.")
    weights = _numbers(tensors[0], data, path)
    if weights.shape[1] not in COLUMNS or not np.isin(weights, (0, 1)).all():
        raise DataError(
            f"{path} should hold {WHAT}, with 2 tasks (semantic, depth) or 3 (and normals); found "
            f"{list(weights.shape)} and values from {weights.min()} to {weights.max()}."
        )
    return Assignment(None, COLUMNS[weights.shape[1]], weights == 1)


def _numbers(tensor: _Tensor, data: Mapping[str, bytes], path: Path) -> NDArray[Any]:
    storage = tensor.storage
    content = data.get(storage.key, b"")
    dtype = np.dtype(storage.dtype)
    if not storage.length or len(content) != storage.length * dtype.itemsize:
        raise DataError(
            f"{path} should hold {WHAT}; found {len(content)} bytes for {storage.length} numbers. "
            "Get it again."
        )
    numbers = np.frombuffer(content, dtype, prod(tensor.shape), tensor.start * dtype.itemsize)
    return numbers.reshape(tensor.shape)


def _read_old(file: BytesIO, path: Path) -> tuple[Any, dict[str, bytes]]:
    """The form before torch 1.6: pickles one behind the other, then each storage and its length."""
    magic, _, system = (load(file, path, {}, what=WHAT) for _ in range(3))
    if magic != MAGIC or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise DataError(f"{path} should hold {WHAT}; found something else.")
    content = load(file, path, NAMES, what=WHAT, persistent=_storage)
    keys = load(file, path, {}, what=WHAT)
    if not isinstance(keys, list) or len(keys) != 1:
        raise DataError(f"{path} should hold {WHAT}; found another number of tensors.")
    file.seek(8, 1)  # the length again
    return content, {str(keys[0]): file.read()}


def _read_zip(file: BytesIO, path: Path) -> tuple[Any, dict[str, bytes]]:
    """The form since torch 1.6: an archive of a pickle and a file for each storage."""
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > LIMIT:
                raise DataError(
                    f"{path} should unpack to at most {LIMIT // 10**6} MB; it says it is more. "
                    "A list of labels is smaller: give another file."
                )
            members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise DataError(
            f"{path} should hold {WHAT}; its archive is broken ({error}). Get it again."
        ) from error
    if "data.pkl" not in members or members.get("byteorder", b"little") != b"little":
        raise DataError(f"{path} should hold {WHAT}; found an archive of something else.")
    content = load(BytesIO(members["data.pkl"]), path, NAMES, what=WHAT, persistent=_storage)
    return content, {
        name.removeprefix("data/"): data
        for name, data in members.items()
        if name.startswith("data/")
    }
