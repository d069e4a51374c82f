"""Which sizes images have, and one for all where padding would waste too much."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtdata.sources.files.imageheader import read_header

PADDED = 2.0
"""How often the mean area the padded one may be; a build refuses more."""


@dataclass(frozen=True)
class Sizes:
    """`text` for a remark; `common` is a height and width to resize to, None if padding will do."""

    text: str
    common: tuple[int, int] | None


def look_at_sizes(paths: Sequence[Path]) -> Sizes:
    """Read the headers of some images.

    Raises:
        SampleError: for a file that has none.
    """
    headers = [read_header(path) for path in paths]
    shapes = [h.size[::-1] if h.orientation > 4 else h.size for h in headers]
    found = np.array(shapes, np.int64)
    low, high = found.min(axis=0), found.max(axis=0)
    if (low == high).all():
        return Sizes(f"all {low[0]}x{low[1]}", None)
    text = f"{low[0]}x{low[1]} to {high[0]}x{high[1]}"
    if high.prod() <= PADDED * found.prod(axis=1).mean():
        return Sizes(f"{text}: padded to the largest", None)
    height, width = (int(np.median(found[:, axis])) for axis in (0, 1))
    return Sizes(f"{text}: too different to be padded, give --size", (height, width))
