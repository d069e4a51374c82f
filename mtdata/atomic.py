"""Files that are whole or absent: temporary file, sync, rename; and what a full disk says."""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4
from zlib import crc32

from mtdata.errors import MtdataError, UsageError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_LOCKLESS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL}
_UNWRITABLE = {
    errno.EACCES,
    errno.ENOENT,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
}


def check_new(out: Path, *, overwrite: bool, folder: bool = True) -> None:
    """Refuse a path that may not be written to, before anything is computed.

    Args:
        out: The path.
        overwrite: Whether a file that is there is replaced.
        folder: Whether its folder has to be there; else it is made later.

    Raises:
        UsageError: for a folder, a file that is there and is to stay, and a folder that is not.
        MtdataError: where the system does not let it be looked for.
    """
    with disk_errors(out):
        is_folder = out.is_dir()
    if is_folder:
        raise UsageError(f"`out` should be a file; {out} is a folder. Give another with -o.")
    if out.exists() and not overwrite:
        raise UsageError(
            f"`out` should be new; {out} is there already. Replace it with --overwrite, or give "
            "another with -o."
        )
    if folder and not out.absolute().parent.is_dir():
        raise UsageError(
            f"`out` should be in a folder that is there; found no {out.parent}. Make it first."
        )


def fresh_name(path: Path) -> str:
    """What a small file is called beside its place until it is whole."""
    # Short, as a name may be as long as names can be; the same each time, so that none piles up.
    return f".{crc32(path.name.encode()):08x}.new"


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path beside that of a small file; what is written there takes its name at the end.

    Errors are those of the system.
    """
    fresh = path.with_name(fresh_name(path))
    try:
        yield fresh
        sync(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def alone(path: Path, *, wait: bool = True, elsewhere: bool = True) -> Iterator[bool]:
    """Hold the lock of a file that is about to be replaced, and yield whether it is held.

    The lock is on a file beside it, since HDF5 locks the file itself for whoever reads it, and a
    file that is replaced takes its lock away with it. That file goes with the lock: who waits for
    one that was removed meanwhile takes a new one.

    Args:
        path: The file.
        wait: Wait for whoever holds it; else yield False where somebody does.
        elsewhere: Whether the command can write to another path, with --out.

    Raises:
        MtdataError: where the file system has no locks, or the folder cannot be written.
    """
    path = path.resolve()
    # Here, since importing it takes longer than a command that never locks should (60 ms).
    from filelock import FileLock

    place = path.with_name(f".{path.name}.lock")
    lock = FileLock(place, timeout=-1 if wait else 0, fallback_to_soft=False)
    if not _taken(lock, path, elsewhere=elsewhere):
        yield False
        return
    try:
        yield True
    finally:
        place.unlink(missing_ok=True)
        lock.release()


def _taken(lock: "BaseFileLock", path: Path, *, elsewhere: bool) -> bool:
    from filelock import Timeout

    try:
        with disk_errors(path, elsewhere=elsewhere):
            path.parent.stat()  # a folder that is not there would be made
            lock.acquire()
    except Timeout:
        return False
    except OSError as error:
        if error.errno not in _LOCKLESS:
            raise
        raise MtdataError(
            f"{path} should be on a file system that can lock files; found: {error.strerror}. "
            "Two processes that write it at once could not be told apart: use another disk."
        ) from error
    return True


@contextmanager
def replacing(path: Path, *, needed: int | None = None, new: bool = False) -> Iterator[Path]:
    """As `swapping`, while nobody else replaces that file.

    Raises:
        MtdataError: where the disk is full, or the folder cannot be written or locked.
    """
    with alone(path), swapping(path, needed=needed, new=new) as temporary:
        yield temporary


@contextmanager
def swapping(
    path: Path, *, needed: int | None = None, new: bool = False, elsewhere: bool = True
) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes that name if all went well, else it goes.

    Where `path` is a link, what it points to is replaced. Whoever calls this holds its lock; what
    another left that was killed is removed.

    Args:
        path: The file.
        needed: The bytes that have to fit.
        new: Whether a file that has appeared there meanwhile stays, and this one goes.
        elsewhere: Whether the command can write to another path, with --out.

    Raises:
        MtdataError: where the disk is full or the folder cannot be written.
        UsageError: where a file that stays has appeared there.
    """
    path = path.resolve()
    temporary = path.with_name(f"{path.name}.{uuid4().hex[:8]}.tmp")
    asked = None if needed is None else lambda: needed
    with disk_errors(path, needed=asked, elsewhere=elsewhere):
        for left in path.parent.glob(f"{escape(path.name)}.{'?' * 8}.tmp"):
            left.unlink(missing_ok=True)
        try:
            if needed is not None:
                _reserve(temporary, needed)
            yield temporary
            sync(temporary)
            _name(temporary, path, new=new)
            sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _name(temporary: Path, path: Path, *, new: bool) -> None:
    """Give a file its name; whatever has it is replaced, unless the file should be new."""
    if not new:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)
        return
    except OSError:  # it is there, or this is a file system without links
        if not path.exists():
            temporary.replace(path)
            return
    raise UsageError(
        f"{path} was new when this began and is there now: it stays, and what was made is gone. "
        "Replace it with --overwrite, or give another path with --out."
    )


def _reserve(path: Path, size: int) -> None:
    """Fail now, by an ordinary error, where `size` bytes do not fit.

    HDF5 that runs out of space half-way cannot close its file any more.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(
    path: Path, *, needed: Callable[[], int] | None = None, elsewhere: bool = True
) -> Iterator[None]:
    """Turn what the system says about writing `path` into one paragraph.

    Args:
        path: What is written.
        needed: How many bytes that takes, asked when there are too few.
        elsewhere: Whether the command can write to another path, with --out.

    Raises:
        MtdataError: where the disk is full or the folder cannot be written.
    """
    try:
        yield
    except MtdataError:
        raise
    except (OSError, RuntimeError) as error:
        number = _number(error)
        if number is None:
            raise
        if number in _FULL:
            text = _no_space(path, number, needed and needed(), elsewhere=elsewhere)
            raise MtdataError(text) from error
        if number in _UNWRITABLE:
            reason = os.strerror(number).lower()
            where = "Give another path with --out" if elsewhere else "Copy it to where it can be"
            raise MtdataError(
                f"{path} should be writable; found: {reason}. {where}, or change its permissions."
            ) from error
        if number == errno.EMFILE:
            raise MtdataError(
                f"{path} cannot be written, since this process has too many files open already. "
                "Allow more (ulimit -n 4096), or use fewer --jobs."
            ) from error
        raise


def _no_space(path: Path, number: int, needed: int | None, *, elsewhere: bool) -> str:
    left = shutil.disk_usage(path.parent).free
    need = "" if needed is None else f"about {needed / 1e6:.1f} MB are needed and "
    limit = " (or the limit on the size of a file was reached)" if number == errno.EFBIG else ""
    partial = path.with_name(f"{path.name}.partial")
    kept = f"; what is done so far is kept in {partial.name}, and --resume continues it"
    return (
        f"The disk of {path} is full{limit}: {need}{left / 1e6:.1f} MB are left. Make room"
        f"{', or write to another disk with --out' if elsewhere else ' and try again'}"
        f"{kept if partial.exists() else ''}."
    )


def _number(error: BaseException) -> int | None:
    # HDF5 gives the number of the system in its text only, when a file cannot be closed.
    found = getattr(error, "errno", None)
    if found is None and (match := re.search(r"errno = (\d+)", str(error))):
        found = int(match.group(1))
    return found
