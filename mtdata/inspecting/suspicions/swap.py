"""Two classes that are exchanged in one image: each looks as the other usually does."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.suspicions.base import (
    Check,
    Images,
    Spread,
    Suspicion,
    Table,
    coarse,
    medians,
)
from mtdata.tasks.kinds import Classes, Depth, Normals
from mtdata.tasks.kinds.classes import VOID
from mtdata.tasks.sample import Sample

SHARE = 0.01
"""Of the pixels of a label, what a class should cover to look like anything."""
SEEN = 30
"""Images in which a class has to be for its looks to be known."""
FREEDOM = 4
"""Of the t distribution: how surprising far values may be at most."""
SURE = 10.0
GAIN, TEN = 10.0, float(np.log(10))
"""Logarithm of how many times likelier the exchanged classes should be, at least."""
Pixels = dict[str, NDArray[np.float32]]
"""What is known of each pixel beside its class, NaN where it is not."""


class Look(NamedTuple):
    """One number of a class: of what of its pixels, how, and the smallest spread that tells."""

    of: str
    take: Callable[[NDArray[np.float32]], Any]
    least: float


def _contrast(values: NDArray[np.float32]) -> Any:
    return np.log1p(values.std())


LOOKS = (
    Look("lightness", np.median, 4),
    Look("red", np.median, 2),
    Look("yellow", np.median, 2),
    Look("texture", np.median, 3),
    Look("lightness", _contrast, 0.08),
    Look("row", np.median, 0.03),
    Look("row", np.std, 0.02),
    Look("depth", np.median, 0.05),
    Look("depth", np.std, 0.05),
    Look("height", np.median, 0.1),
    Look("up", np.mean, 0.05),
    Look("down", np.mean, 0.05),
    Look("upright", np.mean, 0.05),
)
LEAST = np.array([0.1, *(look.least for look in LOOKS)])
"""Of the share of the image too, as a power of ten, which comes first."""


class Swap(Check):
    """Describes each class of an image by colour, place, depth and direction of its pixels."""

    name: ClassVar[str] = "swap"
    summary: ClassVar[str] = "two classes that are exchanged in an image"

    def measure(self, sample: Sample) -> Mapping[str, NDArray[Any]]:
        """Fourteen numbers of each class, NaN where it is not there or too small."""
        sample = coarse(sample)
        kinds = {name: self.tasks[name].kind for name in sample.labels}
        counts = {name: len(k.names) for name, k in kinds.items() if isinstance(k, Classes)}
        if not counts:
            return {}
        pixels = _of_image(sample)
        for name, kind in kinds.items():
            if isinstance(kind, Depth):
                pixels = _of_depth(sample, name, kind) | pixels
            elif isinstance(kind, Normals):
                pixels = _of_normals(sample, name) | pixels
        return {
            name: _classes(np.where(sample.valid[name], sample.labels[name], VOID), pixels, count)
            for name, count in counts.items()
        }

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
                    f"exchanged, their colour, place, depth and direction are 10^{gain / TEN:.0f} "
                    f"times likelier, usually 10^{spread.middle / TEN:.0f} times"
                )
                yield Suspicion(images.place(rows[i]), task, "classes swapped", what, score)


def _of_image(sample: Sample) -> Pixels:
    import cv2

    height, width = sample.image.shape[:2]
    lab = cv2.cvtColor(sample.image, cv2.COLOR_RGB2LAB).astype(np.float32)
    light, red, yellow = cv2.split(lab)
    rows = np.repeat((np.arange(height, dtype=np.float32)[:, None] + 0.5) / height, width, 1)
    texture = np.abs(light - cv2.GaussianBlur(light, (0, 0), 2))
    return {"lightness": light, "red": red, "yellow": yellow, "texture": texture, "row": rows}


def _of_depth(sample: Sample, name: str, kind: Depth) -> Pixels:
    """Depth against that of the image, and with a camera the height over what is lowest."""
    label = sample.labels[name]
    valid = sample.valid[name] & (label > 0)
    if not valid.any():
        return {}
    away = np.log(label, out=np.full(label.shape, np.nan, np.float32), where=valid)
    found = {"depth": (away - np.median(away[valid])) * (-1 if kind.inverse else 1)}
    if sample.camera is not None and kind.unit == "m":
        rise = (sample.camera.cy - np.arange(len(label)) - 0.5) / sample.camera.fy
        high = np.where(valid, rise[:, None] * label, np.nan).astype(np.float32)
        found["height"] = high - np.quantile(high[valid], 0.02)
    return found


def _of_normals(sample: Sample, name: str) -> Pixels:
    up, valid = sample.labels[name][..., 1], sample.valid[name]
    are = {"up": up > 0.8, "down": up < -0.8, "upright": np.abs(up) < 0.3}
    return {way: np.where(valid, is_so, np.nan).astype(np.float32) for way, is_so in are.items()}


def _classes(ids: NDArray[Any], pixels: Pixels, count: int) -> NDArray[np.float16]:
    """The numbers of each class, one after the other."""
    found = np.full((count, len(LEAST)), np.nan, np.float16)
    for number in np.unique(ids[ids < count]):
        mine = ids == number
        share = mine.mean()
        if share < SHARE:
            continue
        known = {name: values[mine] for name, values in pixels.items()}
        known = {name: values[np.isfinite(values)] for name, values in known.items()}
        looks = [
            look.take(known[look.of]) if look.of in known and known[look.of].size else np.nan
            for look in LOOKS
        ]
        found[number] = [np.log10(share), *looks]
    return found.ravel()


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
