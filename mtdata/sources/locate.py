"""Find the folder of a data set that nobody named."""

import os
from pathlib import Path

from mtdata.errors import SourceNotFoundError
from mtdata.sources.base import Source

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
