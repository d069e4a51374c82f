"""A folder that is whole or absent, and that replaces nothing but an earlier export."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtdata.errors import UsageError
from mtdata.store.atomic import disk_errors, sync

MARK = "export.json"
"""What every export holds: a folder without it is none of ours and is never replaced."""


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
    if not (out / MARK).is_file():
        raise UsageError(
            f"--overwrite replaces what `mtdata export` made; {out} holds no {MARK} and is "
            "something else. Remove it yourself, or give another path with -o."
        )


@contextmanager
def replacing_folder(out: Path) -> Iterator[Path]:
    """Yield a new folder beside `out`; it takes that name if all went well, else it goes.

    Raises:
        MtdataError: where the disk is full or the folder cannot be written.
    """
    temporary, old = (out.with_name(f".{out.name}.{what}") for what in ("exporting", "replaced"))
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        # What an export left that was killed.
        for left in (temporary, old):
            if left.exists():
                shutil.rmtree(left)
        temporary.mkdir()
        try:
            yield temporary
            if out.exists():
                out.rename(old)
            temporary.rename(out)
            sync(out.parent)
        finally:
            for left in (temporary, old):
                shutil.rmtree(left, ignore_errors=True)
