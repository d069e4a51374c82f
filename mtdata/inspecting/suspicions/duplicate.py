"""The same image twice, as it is or mirrored; across splits, what is scored was learnt from."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.suspicions.base import IMAGE, Check, Images, Spread, Suspicion, Table
from mtdata.tasks.sample import Sample

SMALL = 16
"""Side of the grey picture that is kept of each image."""
BAND = 16
"""Bits of a hash, of its 64: images are compared that share such a part of it."""
CROWD = 64
"""With how many that share a part an image is compared: those whose hashes are nearest."""
APART = 0.2
"""Distance of two pictures of mean 0 and length 1: of unrelated images 1.4, and among a million
pairs 0.4 at least."""
PLAIN = 4.0
"""Grey levels that the pixels of a picture deviate by where it shows anything."""
SURE = 5.0
Pictures = NDArray[np.uint8]


class Duplicate(Check):
    """Compares small grey pictures of images whose perceptual hashes share a part.

    A bit of a hash is the sign of one of the lowest 8 x 8 frequencies of the picture.
    """

    name: ClassVar[str] = "duplicate"
    summary: ClassVar[str] = "images that are there twice, in a split or across, or mirrored"

    def measure(self, sample: Sample) -> Mapping[str, NDArray[Any]]:
        """A grey picture of 16 x 16."""
        import cv2

        grey = cv2.cvtColor(sample.image, cv2.COLOR_RGB2GRAY)
        return {IMAGE: cv2.resize(grey, (SMALL, SMALL), interpolation=cv2.INTER_AREA).ravel()}

    def judge(self, images: Images, found: Mapping[str, Table]) -> Iterator[Suspicion]:
        """Each image that is another one again, beside the first that it is like."""
        shows = found[IMAGE].values.std(1) >= PLAIN
        rows, small = found[IMAGE].rows[shows], found[IMAGE].values[shows]
        split = images.split(rows)
        usual = _usual(small)
        pairs = [(split[a] == split[b], *pair) for pair in _alike(small) for a, b in [pair[1:3]]]
        told: set[int] = set()
        # Across splits first: an image that is there three times is told where that is worst.
        for within, away, first, again, mirrored in sorted(pairs):
            score = float(usual.score(-np.log(max(away, 1e-3)))) if usual else None
            if again in told or (score is not None and score < SURE):
                continue
            told.add(again)
            there = images.place(rows[first])
            what = f"is {there}{' mirrored' if mirrored else ''}: the distance is {away:.3f}" + (
                f", of any two images usually {np.exp(-usual.middle):.2f}" if usual else ""
            )
            kind = f"duplicate {'within a split' if within else 'across splits'}"
            yield Suspicion(images.place(rows[again]), IMAGE, kind, what, score, there)


def _unit(small: Pictures) -> NDArray[np.float32]:
    """Mean 0 and length 1, so that exposure does not count."""
    flat = small - small.mean(1, keepdims=True, dtype=np.float32)
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True))


def _mirrored(small: Pictures) -> Pictures:
    return small.reshape(-1, SMALL, SMALL)[:, :, ::-1].reshape(len(small), -1)


def _usual(small: Pictures) -> Spread | None:
    """How far apart any two images are, by -log: each, and the one half the way on."""
    away = np.linalg.norm(_unit(small) - _unit(np.roll(small, len(small) // 2, 0)), axis=1)
    return Spread.of(-np.log(np.maximum(away, 1e-3)), least=0.05)


def _alike(small: Pictures) -> Iterator[tuple[float, int, int, bool]]:
    """Pairs of images that are alike: how far apart, which two, and whether one is mirrored."""
    n = len(small)
    both = np.concatenate([small, _mirrored(small)])
    found: dict[tuple[int, int], tuple[float, bool]] = {}
    hashes = _hash(both)
    for turn in range(0, 64, BAND):
        # The part comes first, and the rest behind it: those that differ least are neighbours.
        turned = hashes << np.uint64(turn) | hashes >> np.uint64((64 - turn) % 64)
        order = np.argsort(turned, kind="stable")
        part = turned[order] >> np.uint64(64 - BAND)
        for step in range(1, min(CROWD, len(order))):
            at = np.flatnonzero(part[step:] == part[:-step])
            if not at.size:
                break
            one, other = order[at], order[at + step]
            # One of them as it is, and an image not with itself.
            sense = (np.minimum(one, other) < n) & (one % n != other % n)
            one, other = one[sense], other[sense]
            away = np.linalg.norm(_unit(both[one]) - _unit(both[other]), axis=1)
            for k in np.flatnonzero(away <= APART):
                first, again = sorted((int(one[k] % n), int(other[k] % n)))
                now = (float(away[k]), bool((one[k] < n) != (other[k] < n)))
                found[first, again] = min(found.get((first, again), now), now)
    for (first, again), (apart, mirrored) in found.items():
        yield apart, first, again, mirrored


def _hash(small: Pictures) -> NDArray[np.uint64]:
    place = (np.arange(SMALL) + 0.5) * np.pi / SMALL
    waves = np.cos(np.outer(np.arange(1, 9), place))
    bits = waves @ small.reshape(-1, SMALL, SMALL) @ waves.T > 0
    return np.packbits(bits.reshape(-1, 64), axis=1).view(">u8")[:, 0].astype(np.uint64)
