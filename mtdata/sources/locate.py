"""Open a data set by its name, in a folder that may have to be found."""

import os
from pathlib import Path
from typing import Any

from mtdata.errors import SourceNotFoundError, UsageError
from mtdata.sources import SOURCES
from mtdata.sources.base import Source, check_options

VARIABLE = "MTDATA_SOURCES"


def locate(source: type[Source], given: Path | None = None) -> Path | None:
    """The folder to read: `given`, else `$MTDATA_SOURCES/<name>`, else `data/raw/<name>`.

    Returns None for a source that makes its data.

    Raises:
        SourceNotFoundError: where none of them is there; says what to download from where.
    """
    if not source.needs_root or given is not None:
        return given
    places = [Path("data/raw") / source.name]
    if os.environ.get(VARIABLE):
        places.insert(0, Path(os.environ[VARIABLE]) / source.name)
    for place in places:
        if place.is_dir():
            return place
    looked = " and ".join(map(str, places))
    unset = "" if len(places) > 1 else f" (${VARIABLE} is not set)"
    raise SourceNotFoundError(
        f"There is no folder of `{source.name}`: looked for {looked}{unset}. {source.download}"
    )


def open_source(name: str, root: Path | None = None, **options: Any) -> Source:
    """The source of that name, on `root` or wherever its folder is found.

    Args:
        name: A name of `SOURCES`.
        root: The folder; None to look for it.
        options: What `takes` of the source names.

    Raises:
        UnknownNameError: where there is no such source.
        UsageError: for an option that it does not take, or a wrong value of one.
        SourceNotFoundError: where its folder is not found.
    """
    source = SOURCES[name]
    check_options(source, options)
    if root is not None and not source.needs_root:
        raise UsageError(
            f"`{name}` should be given no folder, as it is made here; found {root}. Leave it out."
        )
    source.tasks(**options)  # a wrong value is refused before a folder is looked for
    return source(locate(source, root), **options)
