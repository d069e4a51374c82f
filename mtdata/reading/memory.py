"""What the system gives a process that reads: memory that stays, and how much there is."""

import ctypes
import sys
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
SAMPLES = 256 << 20
STEPS = 2**31 - 1
"""Bytes that are kept between samples, and between training steps; more cannot be asked for."""
_kept = 0


def keep_freed(most: int = SAMPLES) -> None:
    """Let the C library keep memory that was freed, instead of giving it back at once.

    A sample takes a few megabytes that the next one needs again, a training step a few gigabytes.
    To get each page anew from the system takes longer than to decode what goes into a sample. Only
    glibc can be told; elsewhere, and where as much is kept already, this does nothing.

    Args:
        most: Bytes at the end of the heap that stay.
    """
    global _kept  # noqa: PLW0603 - the heap is one for the process
    if not sys.platform.startswith("linux") or most <= _kept:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        # Blocks with a mapping of their own would always go back.
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, most)
        _kept = most


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
