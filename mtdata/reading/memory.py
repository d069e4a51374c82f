"""What the system gives a process: memory that stays, how much there is, and processors."""

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
SAMPLES = 256 << 20
STEPS = 2**31 - 1
"""Bytes that are kept between samples, and between training steps; more cannot be asked for."""
PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
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


def cores() -> int:
    """Processors that this process may use: fewer than there are under an affinity or a quota."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    quotas = [share for group in _groups("cpu") if (share := _quota(group)) is not None]
    return max(1, min([allowed, *(round(share) for share in quotas)]))


def _of_machine() -> int | None:
    path = PROC / "meminfo"
    if not path.is_file():
        return None
    lines = (line.split() for line in path.read_text().splitlines())
    return next((int(line[1]) * 1024 for line in lines if line[0] == "MemAvailable:"), None)


def _of_group() -> int | None:
    """What limits of the control groups (a container in a batch job in a slice) leave, at least."""
    left = []
    for group in _groups("memory"):
        for names in (("memory.max", "memory.current"),
                      ("memory.limit_in_bytes", "memory.usage_in_bytes")):  # fmt: skip
            limit, used = (_word(group / name) for name in names)
            if limit.isdigit() and used.isdigit():
                left.append(max(0, int(limit) - int(used)))
    return min(left) if left else None


def _quota(group: Path) -> float | None:
    """Processors that a group may use, where it says so."""
    quota, _, period = _word(group / "cpu.max").partition(" ")
    if not quota:
        quota, period = _word(group / "cpu.cfs_quota_us"), _word(group / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _groups(controller: str) -> Iterator[Path]:
    """The folders of the control group of this process and of all above it.

    A limit of any of them holds. In a container the path may be that of the host; what of it is
    not there is passed over, and the root is what the container sees as its own.
    """
    for line in _word(PROC / "self" / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names and controller not in names.split(","):
            continue
        base = GROUPS / controller if names else GROUPS
        inner = PurePosixPath(path.lstrip("/"))
        for place in (inner, *inner.parents):
            yield base / place


def _word(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
