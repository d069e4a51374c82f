"""Labels that say the same everywhere."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.suspicions.base import Check, Images, Suspicion, Table
from mtdata.tasks.kinds import Binary, Classes, Depth, Kind, Normals
from mtdata.tasks.sample import Sample
from mtdata.wording import counted

USUAL = 0.1
"""Where more of the labels of a task are constant, that is what they are like."""
SAME = {Classes: 1.0, Binary: 1.0, Depth: 1.002, Normals: 0.9999}
"""Share of the pixels of one value; the 99th percentile over the 1st; the length of the mean of
unit vectors, which is 0.9999 where they are a degree apart."""


class Constant(Check):
    """Looks for one class, one depth or one direction over a whole image."""

    name: ClassVar[str] = "constant"
    summary: ClassVar[str] = "labels that are the same over the image"

    def measure(self, sample: Sample) -> Mapping[str, NDArray[Any]]:
        """How much alike the values of a label are, and the value."""
        return {
            name: _alike(self.tasks[name].kind, label[sample.valid[name]])
            for name, label in sample.labels.items()
            if sample.valid[name].any()
        }

    def judge(self, images: Images, found: Mapping[str, Table]) -> Iterator[Suspicion]:
        """Constant labels of a task where hardly any is."""
        for task, (rows, values) in found.items():
            kind = self.tasks[task].kind
            limit = next(limit for of, limit in SAME.items() if isinstance(kind, of))
            alike, value = values.T
            constant = alike <= limit if isinstance(kind, Depth) else alike >= limit
            share = constant.mean()
            if share > max(USUAL, 1.5 / len(rows)):
                continue
            for i in np.flatnonzero(constant):
                says = _says(kind, float(value[i]))
                what = f"is {says} everywhere, as {constant.sum()} of {counted(len(rows), 'label')}"
                # In spreads of a normal distribution: the rarer, the surer.
                score = float(np.sqrt(2 * np.log(1 / share)))
                yield Suspicion(images.place(rows[i]), task, "label constant", what, score)


def _alike(kind: Kind, seen: NDArray[Any]) -> NDArray[np.float32]:
    if isinstance(kind, Normals):
        return np.array([np.linalg.norm(seen.mean(0, dtype=np.float64)), 0], np.float32)
    if isinstance(kind, Depth):
        low, middle, high = np.quantile(seen, (0.01, 0.5, 0.99))
        return np.array(
            [high / low if low > 0 else np.inf if high > low else 1, middle], np.float32
        )
    counts = np.bincount(seen)
    return np.array([counts.max() / len(seen), counts.argmax()], np.float32)


def _says(kind: Kind, value: float) -> str:
    if isinstance(kind, Classes):
        return kind.names[int(value)]
    if isinstance(kind, Depth):
        return f"{value:.4g} {kind.units}"
    return "one direction" if isinstance(kind, Normals) else f"{value:.0f}"
