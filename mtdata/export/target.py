"""A folder that is whole or absent, and that replaces nothing but an earlier export."""

import ctypes
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from uuid import uuid4

from mtdata.atomic import alone, disk_errors, sync
from mtdata.errors import UsageError
from mtdata.sources.folder.source import MARK

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Constants of Linux."""


def check_target(out: Path, *, overwrite: bool) -> None:
    """Refuse a target that is taken.

    Raises:
        UsageError: for a file, a folder that is not empty, and one that is no export where it
            should be replaced.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"`out` should be a folder; {out} is a file. Give another path with -o.")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not overwrite:
        raise UsageError(
            f"`out` should be new or empty; {out} is not. Replace it with --overwrite, or give "
            "another path with -o."
        )
    if not (out / MARK).is_file():  # none of ours
        raise UsageError(
            f"--overwrite replaces what `mtdata export` made; {out} holds no {MARK} and is "
            "something else. Remove it yourself, or give another path with -o."
        )


@contextmanager
def replacing_folder(out: Path) -> Iterator[Path]:
    """Yield a new folder beside `out`; it takes that name if all went well, else it goes.

    The two change places at once, where the system can do that: a kill leaves the one or the other.

    Raises:
        MtdataError: where the disk is full, the folder cannot be written, or another export is
            writing it.
    """
    out = out.resolve()
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with alone(out, wait=False) as held:
            if not held:
                raise UsageError(
                    f"{out} is being written by another export. Wait for it, or give another path "
                    "with -o."
                )
            _clean(out)
            temporary = out.with_name(f".{out.name}.{uuid4().hex[:8]}.exporting")
            temporary.mkdir()
            try:
                yield temporary
                _put(temporary, out)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)


def _clean(out: Path) -> None:
    """Remove what an export left that was killed; put back what it had set aside."""
    aside = _aside(out)
    if aside.exists() and not out.exists():
        aside.rename(out)
    earlier = out.with_name(f".{out.name}.exporting")
    for left in (aside, earlier, *out.parent.glob(f".{escape(out.name)}.{'?' * 8}.exporting")):
        if left.exists():
            shutil.rmtree(left)


def _aside(out: Path) -> Path:
    return out.with_name(f".{out.name}.replaced")


def _put(folder: Path, out: Path) -> None:
    if out.exists() and not _exchange(folder, out):
        out.rename(_aside(out))
        folder.rename(out)
        shutil.rmtree(_aside(out))
    elif not out.exists():
        folder.rename(out)
    sync(out.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names at once (Linux, on most file systems); tells whether it did."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    here, names = ctypes.c_int(AT_FDCWD), [ctypes.c_char_p(bytes(p)) for p in (one, other)]
    done: int = library.renameat2(here, names[0], here, names[1], ctypes.c_uint(RENAME_EXCHANGE))
    return done == 0
