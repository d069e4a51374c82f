"""The `.pth` files released with MTPSL: one tensor of images and tasks.

torch reads them without running anything (`weights_only`, sound from version 2.6 on: that of 2.5
can be tricked, CVE-2025-32434). It is imported here alone, since it takes seconds, and what a file
may claim of its size is bounded before and after. No `mmap`: it takes what a compressed member
holds for numbers.
"""

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mtdata.errors import DataError
from mtdata.regimes.importing.assignment import Assignment
from mtdata.regimes.importing.unpickling import would_run

WHAT = "a tensor of zeros and ones, images x tasks, saved by torch as MTPSL does"
COLUMNS = {2: ("semantic", "depth"), 3: ("semantic", "depth", "normals")}
LIMIT = 64_000_000
"""Bytes that an archive may unpack to."""
NAMED = re.compile(r"GLOBAL (\S+)|(?:class|function|global) [`'](\S+?)[`']")
"""How torch tells what a pickle names, where it refuses that."""


def read_pth(path: Path) -> Assignment:
    """Read which tasks of the i-th image a file shows; both forms of `torch.save` are read.

    Raises:
        DataError: where it holds anything else; nothing in it is run.
    """
    _check_archive(path)
    content = _load(path)
    found = list(content.values()) if isinstance(content, dict) else [content]
    if len(found) != 1 or not _is_table(found[0]):
        raise DataError(f"{path} should hold {WHAT}; found something else.")
    weights = found[0].numpy()
    if weights.shape[1] not in COLUMNS or not weights.size or not np.isin(weights, (0, 1)).all():
        values = f"values from {weights.min()} to {weights.max()}" if weights.size else "no values"
        raise DataError(
            f"{path} should hold {WHAT}, with 2 tasks (semantic, depth) or 3 (and normals); found "
            f"{list(weights.shape)} and {values}."
        )
    return Assignment(None, COLUMNS[weights.shape[1]], weights == 1)


def _check_archive(path: Path) -> None:
    """Refuse what would unpack to more than it should; the form before torch 1.6 is no archive."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{path} should hold {WHAT}; its archive is broken ({error}). Get it again."
        ) from error
    if size > LIMIT:
        raise DataError(
            f"{path} should unpack to at most {LIMIT // 10**6} MB; it says it is more. "
            "A list of labels is smaller: give another file."
        )


def _load(path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # of other protocols
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle fails in any way
        named = NAMED.search(str(error))
        if named:
            raise would_run(path, WHAT, named[1] or named[2]) from None
        raise DataError(
            f"{path} should hold {WHAT}; torch cannot read it, and nothing of it was run "
            f"({_reason(error)}). Get it again."
        ) from error


def _reason(error: Exception) -> str:
    """The end of what torch says; before it comes advice to run what is in the file."""
    lines = str(error).split("WeightsUnpickler error:")[-1].strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")


def _is_table(found: Any) -> bool:
    """Whether it is a plain tensor of two axes that has a number of its own for each place."""
    import torch

    return (
        type(found) is torch.Tensor
        and found.layout is torch.strided
        and found.device.type == "cpu"
        and found.dim() == 2
        and found.dtype in (torch.float16, torch.float32, torch.float64, torch.bool, torch.uint8,
                            torch.int8, torch.int16, torch.int32, torch.int64)
        and found.numel() * found.element_size() <= found.untyped_storage().nbytes() <= LIMIT
    )  # fmt: skip
