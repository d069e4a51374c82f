"""What the system gives a process that reads: memory that stays, and how much there is."""

import ctypes
import sys
from functools import cache
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _LARGEST = 256 << 20, 32 << 20


@cache
def keep_freed() -> None:
    """Let the C library keep up to 256 MiB that were freed, instead of giving them back at once.

    A sample takes a few megabytes that the next one needs again. To get each page anew from the
    system takes longer than to decode what goes into it. Only glibc can be told; elsewhere, and
    after the first time, this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def available() -> int | None:
    """Bytes that this process may still take without swapping; None where nobody tells."""
    found = [bytes_ for bytes_ in (_of_machine(), _of_group()) if bytes_ is not None]
    return min(found) if found else None


def _of_machine() -> int | None:
    path = Path("/proc/meminfo")
    if not path.is_file():
        return None
    lines = (line.split() for line in path.read_text().splitlines())
    return next((int(line[1]) * 1024 for line in lines if line[0] == "MemAvailable:"), None)


def _of_group() -> int | None:
    """What a limit of the control group (a container, a batch job) leaves."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = ((folder / f"memory.{name}").read_text() for name in ("max", "current"))
    except OSError:
        return None
    return int(limit) - int(used) if limit.strip().isdigit() else None
