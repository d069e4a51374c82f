"""Normals whose axes are exchanged or point the other way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.suspicions.base import (
    Check,
    Images,
    Place,
    Spread,
    Suspicion,
    Table,
    coarse,
    medians,
)
from mtdata.tasks.kinds import Depth, Normals
from mtdata.tasks.normals_from_depth import normals_from_depth
from mtdata.tasks.sample import Camera, Sample

GRID = 4
"""Parts of an image along each side; of each the mean is kept."""
BY_DEPTH, KIND = "by depth", "axes of normals"
SURE, SURE_ALONE = 4.0, 5.0
"""With depth, and by what is usual alone: the own normals of an image say much more."""
GAIN, LEAST = 0.1, 0.02
"""Mean cosine that other axes have to gain at least; the smallest spread of it."""
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
        sample, found = coarse(sample), {}
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
            usual = _with_usual(means)
            alone = np.ones(len(rows), np.bool_)
            if f"{task} {BY_DEPTH}" in found:
                of, products = found[f"{task} {BY_DEPTH}"]
                at = np.searchsorted(rows, of)
                alone[at] = False
                fits = Fits.of(products.reshape(-1, 3, 3))
                told, whole = _of_splits(images, task, of, fits)
                yield from told
                # Where depth itself is wrong, what is usual speaks for the normals as they are.
                agreed = fits.agreed(usual[at]) & ~whole
                yield from _of_images(images, task, of, fits, agreed, "those from depth", SURE)
            fits, any_of = Fits.of(usual[alone]), np.ones(int(alone.sum()), np.bool_)
            yield from _of_images(
                images, task, rows[alone], fits, any_of, "what is usual there", SURE_ALONE
            )


@dataclass(frozen=True)
class Fits:
    """How well normals fit others, in the mean cosine: as they are, and with the best other axes.

    Args:
        now: As they are, of each image.
        best: Which of `AXES` fit best of the others.
        then: How well these fit.
    """

    now: NDArray[np.float64]
    best: NDArray[np.int64]
    then: NDArray[np.float64]

    @classmethod
    def of(cls, products: NDArray[Any]) -> "Fits":
        """By the mean products [n, 3, 3] of the axes of labels with those that they should fit."""
        cosines = _cosines(products)
        best = cosines[:, 1:].argmax(1) + 1
        return cls(cosines[:, 0], best, np.take_along_axis(cosines, best[:, None], 1)[:, 0])

    @property
    def gain(self) -> NDArray[np.float64]:
        """How much the other axes gain."""
        return self.then - self.now

    def agreed(self, products: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether by other products the same axes fit no worse."""
        cosines = _cosines(products)
        then = np.take_along_axis(cosines, self.best[:, None], 1)[:, 0]
        return np.asarray(then >= cosines[:, 0])


def _cosines(products: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.einsum("kji,nij->nk", AXES, products.astype(np.float64)))


def _of_splits(
    images: Images, task: str, rows: NDArray[np.int64], fits: Fits
) -> tuple[list[Suspicion], NDArray[np.bool_]]:
    """Splits whose normals all have other axes, and the images that are in one."""
    split = images.split(rows)
    whole = np.zeros(len(rows), np.bool_)
    told = []
    for number in np.unique(split):
        of = split == number
        middle = float(np.median(fits.gain[of]))
        if middle > OF_A_SPLIT:
            whole |= of
            axes = _says(int(np.bincount(fits.best[of]).argmax()))
            what = f"{axes}: the mean cosine with those from depth rises by {middle:.2f} (median)"
            place, example = Place(images.splits[number]), images.place(rows[of][0])
            told.append(Suspicion(place, task, KIND, what, middle / LEAST, example))
    return told, whole


def _of_images(
    images: Images,
    task: str,
    rows: NDArray[np.int64],
    fits: Fits,
    may_be: NDArray[np.bool_],
    source: str,
    sure: float,
) -> Iterator[Suspicion]:
    spread = Spread.of(fits.gain, least=LEAST)
    if spread is None:
        return
    scores = spread.score(fits.gain)
    for i in np.flatnonzero(may_be & (fits.gain > GAIN) & (scores >= sure)):
        what = (
            f"{_says(int(fits.best[i]))}: the mean cosine with {source} is {fits.now[i]:.2f}, then "
            f"{fits.then[i]:.2f}"
        )
        yield Suspicion(images.place(rows[i]), task, KIND, what, float(scores[i]))


def _with_usual(means: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean products of the axes of each label with those that are usual in each part."""
    parts = means.reshape(len(means), -1, 3).astype(np.float64)
    usual = medians(parts)
    usual /= np.maximum(np.linalg.norm(usual, axis=-1, keepdims=True), 1e-6)
    known = np.maximum(np.isfinite(parts).all(-1).sum(1), 1)
    products = np.einsum("npi,pj->nij", np.nan_to_num(parts), np.nan_to_num(usual))
    return np.asarray(products / known[:, None, None])


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
    camera = sample.camera or Camera(float(width), float(width), width / 2, height / 2)
    computed, seen = normals_from_depth(values, valid, camera)
    both = seen & sample.valid[name]
    if not both.any():
        return None
    label = sample.labels[name][both].astype(np.float64)
    return np.asarray(label.T @ computed[both] / len(label), np.float32).ravel()
