"""Normals whose axes are exchanged or point the other way."""

from collections.abc import Iterator, Mapping
from itertools import permutations, product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.suspicions.base import Check, Images, Place, Spread, Suspicion, Table
from mtdata.tasks.kinds import Depth, Normals
from mtdata.tasks.normals_from_depth import normals_from_depth
from mtdata.tasks.sample import Camera, Sample

GRID = 4
"""Parts of an image along each side; of each the mean is kept."""
BY_DEPTH = "by depth"
SURE = 6.0
GAIN = 0.15
"""Mean cosine that other axes have to gain at least."""
OF_A_SPLIT = 0.2
"""The like, in the median over a split: then it is its convention, and no fault of one image."""


def _all_axes() -> NDArray[np.float64]:
    """All 48 ways to exchange axes and turn them round, as matrices; the first changes nothing."""
    signs = np.array(list(product((1.0, -1.0), repeat=3)))
    found = [s[:, None] * np.eye(3)[list(order)] for order in permutations(range(3)) for s in signs]
    return np.array(found)


AXES = _all_axes()


class Axes(Check):
    """Tries all ways to exchange axes, against normals from depth or else those usual there."""

    name: ClassVar[str] = "axes"
    summary: ClassVar[str] = "normals with axes that are exchanged or have the wrong sign"

    def measure(self, sample: Sample) -> Mapping[str, NDArray[Any]]:
        """The mean normal of each part; and with depth, the products of axes of both normals."""
        found = {}
        depths = [n for n in sample.labels if isinstance(self.tasks[n].kind, Depth)]
        for name, label in sample.labels.items():
            if not isinstance(self.tasks[name].kind, Normals):
                continue
            found[name] = _means(label, sample.valid[name])
            for depth in depths[:1]:
                kind = self.tasks[depth].kind
                assert isinstance(kind, Depth)
                of = _products(sample, name, depth, inverse=kind.inverse)
                if of is not None:
                    found[f"{name} {BY_DEPTH}"] = of
        return found

    def judge(self, images: Images, found: Mapping[str, Table]) -> Iterator[Suspicion]:
        """By depth where it may be seen, else by the other normals of the store."""
        for task in [name for name in found if name in self.tasks]:
            rows, means = found[task]
            parts = means.reshape(len(means), -1, 3).astype(np.float64)
            usual = np.nanmedian(parts, 0)
            usual /= np.maximum(np.linalg.norm(usual, axis=-1, keepdims=True), 1e-6)
            known = np.isfinite(parts).all(-1).sum(1)
            likely = np.einsum("npi,pj->nij", np.nan_to_num(parts), usual)
            likely /= np.maximum(known, 1)[:, None, None]
            by_depth = found.get(f"{task} {BY_DEPTH}")
            told = set()
            if by_depth is not None:
                told = set(by_depth.rows.tolist())
                products = by_depth.values.reshape(-1, 3, 3).astype(np.float64)
                prior = likely[np.searchsorted(rows, by_depth.rows)]
                yield from _judge(images, task, by_depth.rows, products, prior)
            rest = np.array([int(row) not in told for row in rows])
            yield from _judge(images, task, rows[rest], likely[rest], None)


def _judge(
    images: Images, task: str, rows: NDArray[np.int64], products: NDArray[np.float64],
    prior: NDArray[np.float64] | None,
) -> Iterator[Suspicion]:  # fmt: skip
    """Suspicions by the products [n, 3, 3] of axes of labels (i) with those they should have (j)."""
    if not len(rows):
        return
    cosines = np.einsum("kji,nij->nk", AXES, products)
    best = cosines[:, 1:].argmax(1) + 1
    gain = np.take_along_axis(cosines, best[:, None], 1)[:, 0] - cosines[:, 0]
    spread = Spread.of(gain, least=0.02)
    if prior is not None:
        # Where depth itself is wrong, what is usual speaks for the normals as they are.
        usual = np.einsum("kji,nij->nk", AXES, prior)
        against = np.take_along_axis(usual, best[:, None], 1)[:, 0] < usual[:, 0]
    else:
        against = np.zeros(len(rows), np.bool_)
    source = "those from depth" if prior is not None else "what is usual there"
    split = images.split(rows)
    for number in np.unique(split):
        of = split == number
        middle = float(np.median(gain[of]))
        if prior is not None and middle > OF_A_SPLIT:
            axes = np.bincount(best[of]).argmax()
            what = f"{_says(axes)}: the mean cosine with {source} rises by {middle:.2f}"
            score = middle / 0.02
            yield Suspicion(Place(images.splits[number]), task, "axes of normals", what, score)
            continue
        for i in np.flatnonzero(of & (gain > GAIN) & ~against):
            score = float(spread.score(gain[i])) if spread else None
            if score is not None and score >= SURE:
                now, then = cosines[i, 0], cosines[i, best[i]]
                what = (
                    f"{_says(best[i])}: the mean cosine with {source} is {now:.2f}, then {then:.2f}"
                )
                place = images.place(int(rows[i]))
                yield Suspicion(place, task, "axes of normals", what, score)


def _says(number: int) -> str:
    """From what is stored to what fits."""
    parts = []
    for row in AXES[number]:
        axis = int(np.abs(row).argmax())
        parts.append(f"{'-' if row[axis] < 0 else ''}{'xyz'[axis]}")
    return f"fits with ({', '.join(parts)}) in place of (x, y, z)"


def _means(normals: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    found = np.full((GRID, GRID, 3), np.nan, np.float32)
    for y, rows in enumerate(np.array_split(np.arange(valid.shape[0]), GRID)):
        for x, columns in enumerate(np.array_split(np.arange(valid.shape[1]), GRID)):
            part = np.ix_(rows, columns)
            seen = normals[part][valid[part]]
            if len(seen):
                found[y, x] = seen.mean(0)
    return found.ravel()


def _products(
    sample: Sample, name: str, depth: str, *, inverse: bool
) -> NDArray[np.float32] | None:
    values, valid = sample.labels[depth], sample.valid[depth] & (sample.labels[depth] > 0)
    if inverse:
        values = np.divide(1.0, values, out=np.ones_like(values), where=valid)
    height, width = valid.shape
    # Any lens tells axes: half as wide or twice turns no normal into another axis.
    camera = sample.camera or Camera(width, width, width / 2, height / 2)
    computed, seen = normals_from_depth(values, valid, camera)
    both = seen & sample.valid[name]
    if not both.any():
        return None
    label = sample.labels[name][both].astype(np.float64)
    return (label.T @ computed[both] / len(label)).astype(np.float32).ravel()
