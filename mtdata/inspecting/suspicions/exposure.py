"""Images that are too dark, too bright, or show next to nothing."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.suspicions.base import IMAGE, Check, Images, Spread, Suspicion, Table
from mtdata.tasks.sample import Sample

DARK, BRIGHT, FLAT = 45, 215, 16
"""Grey levels: 9 in 10 pixels are darker than the first, or brighter than the second; the range of
98 in 100 pixels is smaller than the last."""
BURNT = 0.4
"""Share of the pixels at the upper end of the scale."""
SURE = 2.0


class Exposure(Check):
    """Looks at the distribution of grey levels; what is usual in the store is no fault of one."""

    name: ClassVar[str] = "exposure"
    summary: ClassVar[str] = "images that are too dark, too bright or empty"

    def measure(self, sample: Sample) -> Mapping[str, NDArray[Any]]:
        """Five quantiles of the grey levels, and the share at the upper end."""
        grey = sample.image.mean(-1)
        levels = np.quantile(grey, (0.01, 0.1, 0.5, 0.9, 0.99))
        return {IMAGE: np.array([*levels, (grey >= 253).mean()], np.float32)}

    def judge(self, images: Images, found: Mapping[str, Table]) -> Iterator[Suspicion]:
        """Each image once, by what is worst about it."""
        rows, values = found[IMAGE]
        first, low, middle, high, last, burnt = values.T
        flat = last - first
        flaws = (
            ("image dark", high < DARK, -high, "9 of 10 pixels are darker than {3:.0f} of 255"),
            (
                "image bright",
                (low > BRIGHT) | (burnt > BURNT),
                low + 255 * burnt,
                "9 of 10 pixels are brighter than {1:.0f} of 255, {7:.0f} % are white",
            ),
            (
                "image empty",
                flat < FLAT,
                -flat,
                "98 of 100 pixels are at {0:.0f} to {4:.0f} of 255",
            ),
        )
        told: set[int] = set()
        for kind, odd, away, says in flaws:
            spread = Spread.of(away, least=4.0)
            for i in np.flatnonzero(odd):
                score = float(spread.score(away[i])) if spread else None
                if i in told or (score is not None and score < SURE):
                    continue
                told.add(int(i))
                what = f"{says.format(*values[i], 0, 100 * burnt[i])}; " + (
                    f"half of them are usually at {np.median(middle):.0f}"
                )
                yield Suspicion(images.place(rows[i]), IMAGE, kind, what, score)
