"""Passes over the pixels of an image that numba compiles, for large splits; the extra `fast`.

They do at once, a few kilobytes at a time, what torch does in some forty passes over whole maps,
and tell by the way whether a prediction is finite. Counts are the same numbers; sums and angles
differ by the rounding of single precision. What torch computes stays the reference, and is what
scores where numba is not installed.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from inspect import unwrap
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from mtmodels.metrics.tally import NotFiniteError

BLOCK = 2048
"""Pixels at a time: what is made of them fits into the nearest cache of a core."""
ONE, NONE = np.float32(1), np.float32(0)
RIGHT, STRAIGHT, DEGREES = np.float32(np.pi / 2), np.float32(np.pi), np.float32(180 / np.pi)
LEAST = np.finfo(np.float32).tiny
# The arc tangent of 0 to 1, to 1e-7, by odd powers: C. Hastings, Approximations for
# digital computers, 1955.
T3, T5, T7, T9 = map(np.float32, (0.9999993329, -0.3332985605, 0.1994653599, -0.1390853351))
T11, T13, T15, T17 = map(np.float32, (0.0964200441, -0.0559098861, 0.0218612288, -0.004054058))
SHORT, LONG = 1e-6, 1e6
"""Squares of lengths, a mean, between which products neither vanish nor overflow."""

Kernel = Callable[..., None]


def _compiled(kernel: Kernel) -> Kernel:
    """Compile when it is first called, and keep that on the disk where there is a place for it."""
    kernel = unwrap(kernel)  # tests check the types of all that is called

    def made(*, cache: bool) -> Kernel:
        # The order of a sum is free, so that vectors take it; NaN and infinity keep their sense.
        # No product is fused with a sum: the cross product of equal vectors would not be 0.
        free = {"nsz", "arcp", "reassoc"}
        return njit(cache=cache, nogil=True, error_model="numpy", fastmath=free)(kernel)

    try:
        return made(cache=True)
    except RuntimeError:  # a place neither beside this file nor in the home of the user
        return made(cache=False)


@_compiled
def _confusion(
    logits: NDArray[Any],
    label: NDArray[Any],
    valid: NDArray[Any],
    counts: NDArray[Any],
    finite: NDArray[Any],
) -> None:
    classes, pixels = logits.shape
    cells = np.int32(classes * classes)
    left_out, no_class = cells, cells + np.int32(1)
    best, cell = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.int32)
    # Neighbours are often of one cell, and a processor waits for its last sum: there are two.
    found = np.zeros((2, cells + 2), np.int32)
    sums = NONE
    for start in range(0, pixels, BLOCK):
        stop = min(start + BLOCK, pixels)
        n = stop - start
        first = logits[0, start:stop]
        for i in range(n):
            best[i], cell[i] = first[i], 0
            sums += first[i]
        at = 1
        while at + 3 < classes:  # four at a time: `best` is read and written a quarter as often
            a, b, c, d = (
                logits[at, start:stop],
                logits[at + 1, start:stop],
                logits[at + 2, start:stop],
                logits[at + 3, start:stop],
            )
            one, two, three, four = (
                np.int32(at),
                np.int32(at + 1),
                np.int32(at + 2),
                np.int32(at + 3),
            )
            for i in range(n):
                most, of = best[i], cell[i]
                most, of = (a[i], one) if a[i] > most else (most, of)
                most, of = (b[i], two) if b[i] > most else (most, of)
                most, of = (c[i], three) if c[i] > most else (most, of)
                most, of = (d[i], four) if d[i] > most else (most, of)
                best[i], cell[i] = most, of
                sums += (a[i] + b[i]) + (c[i] + d[i])
            at += 4
        for last in range(at, classes):
            a, one = logits[last, start:stop], np.int32(last)
            for i in range(n):
                higher = a[i] > best[i]
                best[i] = a[i] if higher else best[i]
                cell[i] = one if higher else cell[i]
                sums += a[i]
        true, counted = label[start:stop], valid[start:stop]
        for i in range(n):
            of = cell[i] + np.int32(classes) * np.int32(true[i])
            # Nothing here looks whether an index is within its array: memory would be overwritten.
            of = of if 0 <= of < cells else no_class
            cell[i] = of if counted[i] else left_out
        for i in range(n):
            found[i % 2, cell[i]] += 1
    for of in range(cells + 2):
        counts[of] = found[0, of] + found[1, of]
    finite[0] = np.isfinite(sums)


@_compiled
def _errors(
    prediction: NDArray[Any],
    label: NDArray[Any],
    valid: NDArray[Any],
    lowest: NDArray[Any],
    sums: NDArray[Any],
    finite: NDArray[Any],
) -> None:
    seen, least = NONE, lowest[0]
    for start in range(0, len(prediction), BLOCK):
        stop = min(start + BLOCK, len(prediction))
        said, true, counted = prediction[start:stop], label[start:stop], valid[start:stop]
        absolute, relative, square, count = NONE, NONE, NONE, NONE
        for i in range(stop - start):
            weight = ONE if counted[i] and true[i] > 0 else NONE
            truth = true[i] if weight > 0 else ONE
            raised = said[i] if said[i] > least else least  # noqa: FURB136
            error = abs(raised - truth) if weight > 0 else NONE
            absolute += error
            relative += error / truth
            square += error * error
            count += weight
            seen += said[i]
        sums[0] += absolute
        sums[1] += relative
        sums[2] += square
        sums[3] += count
    finite[0] = np.isfinite(seen)


@_compiled
def _angles(
    prediction: NDArray[Any],
    label: NDArray[Any],
    valid: NDArray[Any],
    counts: NDArray[Any],
    sums: NDArray[Any],
    finite: NDArray[Any],
) -> None:
    pixels, bins = prediction.shape[1], np.int32(len(counts) - 1)
    per_degree = np.float32(bins / 180)
    cell = np.empty(BLOCK, np.int32)
    seen = NONE
    for start in range(0, pixels, BLOCK):
        stop = min(start + BLOCK, pixels)
        x, y, z = prediction[0, start:stop], prediction[1, start:stop], prediction[2, start:stop]
        u, v, w = label[0, start:stop], label[1, start:stop], label[2, start:stop]
        counted = valid[start:stop]
        total, square, said, true = NONE, NONE, NONE, NONE
        for i in range(stop - start):
            cosine = x[i] * u[i] + y[i] * v[i] + z[i] * w[i]
            a = y[i] * w[i] - z[i] * v[i]
            b = z[i] * u[i] - x[i] * w[i]
            c = x[i] * v[i] - y[i] * u[i]
            sine = a * a + b * b + c * c
            # Without a direction it is 90 degrees. (A maximum would not be compiled to vectors.)
            sine = np.sqrt(sine if sine > LEAST else LEAST)  # noqa: FURB136
            along = abs(cosine)
            steep = sine > along
            ratio = (along if steep else sine) / (sine if steep else along)
            power = ratio * ratio
            high = ((T17 * power + T15) * power + T13) * power + T11
            arc = (((high * power + T9) * power + T7) * power + T5) * power + T3
            arc = RIGHT - arc * ratio if steep else arc * ratio
            arc = DEGREES * (STRAIGHT - arc if cosine < 0 else arc)
            arc = arc if counted[i] else NONE
            total += arc
            square += arc * arc
            at = np.int32(arc * per_degree)
            at = at if at < bins else bins - np.int32(1)
            at = at if at >= 0 else np.int32(0)  # NaN, of what is not finite: see `_confusion`
            cell[i] = at if counted[i] else bins
            seen += x[i] + y[i] + z[i]
            said += x[i] * x[i] + y[i] * y[i] + z[i] * z[i]
            true += u[i] * u[i] + v[i] * v[i] + w[i] * w[i]
        sums[0] += total
        sums[1] += square
        sums[2] += said
        sums[3] += true
        for i in range(stop - start):
            counts[cell[i]] += 1
    finite[0] = np.isfinite(seen)


@_compiled
def _add(counts: NDArray[Any], into: NDArray[Any], parts: NDArray[Any]) -> None:
    """Add the bins of images up, and those of each image in larger parts."""
    width = len(into) // parts.shape[1]
    for part in range(parts.shape[1]):
        for image in range(len(counts)):
            here = np.int32(0)
            for bin_ in range(part * width, (part + 1) * width):
                here += counts[image, bin_]
                into[bin_] += counts[image, bin_]
            parts[image, part] = here


class Compiled:
    """The passes over the images of a batch on a processor, by threads.

    Args:
        threads: How many.
    """

    looks: int = 0
    """How many passes have looked for NaN."""

    def __init__(self, threads: int) -> None:
        self._count, self._threads = threads, ThreadPoolExecutor(threads)

    def close(self) -> None:
        """End its threads."""
        self._threads.shutdown()

    def confusion(
        self,
        logits: Float[Tensor, "n c h w"],
        label: Integer[Tensor, "n h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> Int[Tensor, "n c c"]:
        """`confusion` of the class of the highest logit, the first of several.

        Raises:
            NotFiniteError: where a logit is not.
            ValueError: where the label of a valid pixel is no class.
        """
        n, classes = logits.shape[:2]
        counts = np.empty((n, classes * classes + 2), np.int64)
        self._each(_confusion, logits.flatten(2), label.flatten(1), valid.flatten(1), counts)
        if counts[:, -1].any():
            raise ValueError(f"labels should be classes below {classes}; found others.")
        return torch.from_numpy(counts[:, :-2]).reshape(n, classes, classes)

    def error_sums(
        self,
        prediction: Float[Tensor, "n 1 h w"],
        label: Float[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
        *,
        lowest: float | None,
    ) -> Float[Tensor, "n 4"]:
        """As `depth.error_sums`; predictions below the lowest are raised to it.

        Raises:
            NotFiniteError: where a prediction is not.
        """
        n = len(prediction)
        sums = np.zeros((n, 4))
        least = np.full((n, 1), -np.inf if lowest is None else lowest, np.float32)
        given = prediction.flatten(1), label.flatten(1), valid.flatten(1)
        self._each(_errors, *given, least, sums)
        return torch.from_numpy(sums)

    def angles(
        self,
        prediction: Float[Tensor, "n 3 h w"],
        label: Float[Tensor, "n 3 h w"],
        valid: Bool[Tensor, "n h w"],
        *,
        into: Int[Tensor, " bins"],
        parts: int,
    ) -> tuple[Int[Tensor, "n {parts}"], Float[Tensor, "n 2"]] | None:
        """Count angles from 0 to 180 degrees.

        Args:
            prediction: Vectors.
            label: Vectors.
            valid: Which pixels count.
            into: Bins for all images together, which are added to.
            parts: How many bins, a divisor of those of `into`, each image has of its own.

        Returns:
            The bins of each image, the sums of its angles and of their squares. None, and nothing
            added, where vectors are so long or short that their products may overflow or vanish.

        Raises:
            NotFiniteError: where a prediction is not.
        """
        n = len(prediction)
        counts, sums = np.zeros((n, len(into) + 1), np.int32), np.zeros((n, 4))
        given = prediction.flatten(2), label.flatten(2), valid.flatten(1)
        self._each(_angles, *given, counts, sums)
        squares = sums[:, 2:] / max(1, valid[0].numel()) if n else sums[:, 2:]
        if not ((squares > SHORT) & (squares < LONG)).all():
            return None
        own = np.empty((n, parts), np.int64)
        _add(counts, into.numpy(), own)
        return torch.from_numpy(own), torch.from_numpy(sums[:, :2])

    def _each(self, kernel: Kernel, prediction: Tensor, *parts: Any) -> None:
        """Share the images among the threads, one at a time.

        Raises:
            NotFiniteError: where one of the predictions is not.
        """
        self.looks += 1
        finite = np.ones((len(prediction), 1), np.bool_)
        arrays = [
            one.contiguous().numpy() if isinstance(one, Tensor) else one
            for one in (prediction, *parts, finite)
        ]

        def some(first: int) -> None:
            for image in range(first, len(prediction), self._count):
                kernel(*(one[image] for one in arrays))

        list(self._threads.map(some, range(self._count)))
        # A sum is finite only where all are; it may overflow too.
        if not finite.all() and not prediction.isfinite().all():
            raise NotFiniteError


@contextmanager
def compiled() -> Iterator[Compiled]:
    """The passes, with as many threads as torch has."""
    passes = Compiled(torch.get_num_threads())
    try:
        yield passes
    finally:
        passes.close()
