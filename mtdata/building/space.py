"""Room on the disk: the partial file and the store stand side by side until the store is whole."""

import shutil
from pathlib import Path

from mtdata.errors import MtdataError

SETTLED = 16
"""Finished samples from which the length of the others is foretold."""
CLEARLY = 0.7
"""Below this share of what seems to be needed a build is refused; samples differ in length."""


def peak(store: int) -> int:
    """Bytes on the disk while a store of so many bytes is built."""
    return 2 * store


def free(out: Path) -> int:
    """Bytes that are free where a store should go; its folder need not be there yet."""
    folder = next(parent for parent in out.absolute().parents if parent.is_dir())
    return shutil.disk_usage(folder).free


def check_space(out: Path, *, written: int, done: int, samples: int) -> None:
    """Refuse early what cannot end well.

    Args:
        out: The store.
        written: Bytes of the partial file.
        done: Samples that it holds.
        samples: All samples.

    Raises:
        MtdataError: where clearly too little is free.
    """
    store = round(written / done * samples)
    needed, found = peak(store) - written, free(out)
    if found < CLEARLY * needed:
        raise MtdataError(
            f"The disk of {out} should have room for the store of about {store / 1e6:.1f} MB and, "
            f"while it is built, for a partial file of the same length: {needed / 1e6:.1f} MB from "
            f"here on; {found / 1e6:.1f} MB are left. Make room and continue with --resume, or "
            "build on another disk with --out, or less with --size, --tasks or --limit."
        )
