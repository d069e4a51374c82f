"""Two classes that are exchanged in one image: each looks as the other usually does."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.suspicions.base import Check, Images, Spread, Suspicion, Table, medians
from mtdata.tasks.kinds import Classes, Depth, Normals
from mtdata.tasks.sample import Sample

SHARE = 0.01
"""Of the pixels of a label, what a class should cover to look like anything."""
LEAST = np.array([4, 2, 2, 3, 0.03, 0.02, 0.1, 0.02, 0.05, 0.1, 0.05, 0.05, 0.05, 0.05])
"""The smallest spread of each number of a class: what no class is told by."""
SEEN = 30
"""Images in which a class has to be for its looks to be known."""
FREEDOM = 4
"""Of the t distribution: how surprising far values may be at most."""
SURE = 10.0
GAIN = 10.0
"""Logarithm of how many times likelier the exchanged classes should be, at least."""


class Swap(Check):
    """Describes each class of an image by colour, place, depth and direction of its pixels."""

    name: ClassVar[str] = "swap"
    summary: ClassVar[str] = "two classes that are exchanged in an image"

    def measure(self, sample: Sample) -> Mapping[str, NDArray[Any]]:
        """Fourteen numbers of each class, NaN where it is not there or too small."""
        around = None
        found = {}
        for name, label in sample.labels.items():
            kind = self.tasks[name].kind
            if isinstance(kind, Classes):
                around = self._around(sample) if around is None else around
                ids = np.where(sample.valid[name], label, 255).ravel()
                found[name] = _classes(ids, around, len(kind.names)).astype(np.float16).ravel()
        return found

    def _around(self, sample: Sample) -> NDArray[np.float32]:
        """What is known of each pixel beside its class, [pixels, 10]; NaN where it is not."""
        import cv2

        height, width = sample.image.shape[:2]
        around = np.full((10, height, width), np.nan, np.float32)
        lab = cv2.cvtColor(sample.image, cv2.COLOR_RGB2LAB).astype(np.float32)
        around[:3] = np.moveaxis(lab, -1, 0)
        around[3] = np.abs(lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), 2))
        around[4] = ((np.arange(height) + 0.5) / height)[:, None]
        for name, label in sample.labels.items():
            kind, valid = self.tasks[name].kind, sample.valid[name]
            if (
                isinstance(kind, Depth)
                and np.isnan(around[5]).all()
                and (valid & (label > 0)).any()
            ):
                valid = valid & (label > 0)
                around[5][valid] = np.log(label[valid])
                around[5] *= -1 if kind.inverse else 1
                around[5] -= np.median(around[5][valid])
                if sample.camera is not None and not kind.inverse:
                    rise = (sample.camera.cy - np.arange(height) - 0.5) / sample.camera.fy
                    high = np.where(valid, rise[:, None] * label, np.nan)
                    around[6] = high - np.quantile(high[valid], 0.02)
            elif isinstance(kind, Normals) and np.isnan(around[7]).all():
                for number, is_so in enumerate(
                    (label[..., 1] > 0.8, label[..., 1] < -0.8, np.abs(label[..., 1]) < 0.3)
                ):
                    around[7 + number][valid] = is_so[valid]
        return around.reshape(10, -1)

    def judge(self, images: Images, found: Mapping[str, Table]) -> Iterator[Suspicion]:
        """Of each image the two classes that gain most by an exchange."""
        for task, (rows, values) in found.items():
            kind = self.tasks[task].kind
            assert isinstance(kind, Classes)
            numbers = values.reshape(len(rows), len(kind.names), -1).astype(np.float64)
            likely = _likely(numbers)
            best = [_best(each) for each in likely]
            gains = np.array([gain for gain, _, _ in best])
            spread = Spread.of(gains, least=1.0)
            if spread is None:
                continue
            for i in np.flatnonzero((gains >= GAIN) & (spread.score(gains) >= SURE)):
                gain, one, other = best[i]
                score = float(spread.score(gain))
                what = (
                    f"{kind.names[one]} looks like {kind.names[other]} and the other way: "
                    f"exchanged, colour, place, depth and direction are likelier by e^{gain:.0f}, "
                    f"usually by e^{spread.middle:.0f}"
                )
                yield Suspicion(images.place(rows[i]), task, "classes swapped", what, score)


def _classes(ids: NDArray[Any], around: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Numbers of each class, [classes, 14]."""
    found = np.full((count, len(LEAST)), np.nan)
    for number in np.unique(ids[ids < count]):
        mine = ids == number
        share = mine.mean()
        if share < SHARE:
            continue
        pixels = around[:, mine]
        for row, column in ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 8), (6, 9)):
            seen = pixels[row][np.isfinite(pixels[row])]
            if seen.size:
                found[number, column] = np.median(seen)
        found[number, 5] = pixels[4].std()
        found[number, 6] = np.log10(share)
        found[number, 7] = np.log1p(pixels[0].std()) / 4
        for row, column in ((7, 10), (8, 11), (9, 12)):
            seen = pixels[row][np.isfinite(pixels[row])]
            if seen.size:
                found[number, column] = seen.mean()
        seen = pixels[5][np.isfinite(pixels[5])]
        if seen.size:
            found[number, 13] = seen.std()
    return found


def _likely(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log-likelihood of each class (i) of an image as each class (j), [n, i, j]."""
    count = numbers.shape[1]
    likely = np.full((len(numbers), count, count), np.nan)
    for j in range(count):
        of = numbers[:, j]
        there = np.isfinite(of).any(1)
        if there.sum() < SEEN:
            continue
        middle = medians(of[there])
        scale = np.fmax(1.4826 * medians(np.abs(of[there] - middle)), LEAST)
        far = (numbers - middle) / scale
        each = -(FREEDOM + 1) / 2 * np.log1p(far**2 / FREEDOM) - np.log(scale)
        # What is not known of an image says nothing about its classes.
        each[~np.isfinite(each)] = 0
        likely[:, :, j] = each.sum(-1)
    likely[~np.isfinite(numbers).any(-1)] = np.nan
    return likely


def _best(likely: NDArray[np.float64]) -> tuple[float, int, int]:
    """The two classes of an image that gain most by an exchange; both have to gain."""
    own = np.diagonal(likely)
    there = np.flatnonzero(np.isfinite(own))
    best = (np.nan, 0, 0)
    for i, j in combinations(map(int, there), 2):
        one, other = likely[i, j] - own[i], likely[j, i] - own[j]
        gain = one + other if min(one, other) > 0 else min(one, other)
        if not gain <= best[0]:
            best = (float(gain), i, j)
    return best
