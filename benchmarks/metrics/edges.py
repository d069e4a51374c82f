"""How fast edges are scored: thinning and one-to-one matching of images of 321x481.

Rooms rendered at that size; a prediction is the blurred boundary of the classes with the gradient
of the image, so that low thresholds show much and high ones little. Seconds are of processor time,
as the machine may be busy; with --jobs they are of the clock.

    python -m benchmarks.metrics.edges [--thresholds 25] [--jobs N] [--matchers] [--smoke]
"""

import argparse
import time
from fractions import Fraction

import cv2
import numpy as np
from scipy.sparse.csgraph import maximum_bipartite_matching

from benchmarks.machine import describe
from mtdata.parallel import Pool
from mtdata.sources.locate import open_source
from mtdata.sources.pascal.labels import edge_boundaries
from mtdata.sources.thinning import thin
from mtmodels.metrics.levels import lowest_at
from mtmodels.metrics.matching import TOLERANCE, EdgeImage, Partners, edge_counts

SIZE = (321, 481)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--thresholds", type=int, default=25)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--matchers", action="store_true", help="Against scipy's own matching.")
    parser.add_argument("--smoke", action="store_true", help="Two small images: does it run?")
    given = parser.parse_args()
    size = (60, 90) if given.smoke else SIZE
    images = made(2 if given.smoke else given.images, size, given.thresholds)
    print(describe())
    if given.matchers:
        matchers(images)
        return
    clock = time.process_time if given.jobs == 1 else time.perf_counter
    with Pool(given.jobs) as pool:
        list(pool.map(edge_counts, images[:1] * given.jobs))  # the processes are there
        started = clock()
        counts = np.sum(list(pool.map(edge_counts, images)), axis=0)
        taken = clock() - started
    matched, predicted, true = counts
    print(
        f"{size[0]}x{size[1]}, {given.thresholds} thresholds, {given.jobs} jobs: "
        f"{len(images) / taken:.1f} images/s; {true[0] / len(images):.0f} boundary pixels, "
        f"{predicted.min() / len(images):.0f} to {predicted.max() / len(images):.0f} predicted, "
        f"best F {(2 * matched / (predicted + true)).max():.3f}"
    )


def made(number: int, size: tuple[int, int], thresholds: int) -> list[EdgeImage]:
    """Images to score."""
    lowest = lowest_at(Fraction(k, thresholds + 1) for k in range(1, thresholds + 1))
    rooms = open_source("rooms", size=size, images=(number, 1))
    images = []
    for key in rooms.splits()["train"]:
        sample = rooms.read("train", key, ["semantic"])
        boundary = edge_boundaries(sample.labels["semantic"].astype(np.uint16))[0] > 0
        grey = cv2.GaussianBlur(sample.image.astype(np.float32).mean(-1), (0, 0), 1.5)
        gradient = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
        blurred = cv2.GaussianBlur(boundary.astype(np.float32), (0, 0), 2)
        strength = 5 * blurred / blurred.max() + 2 * gradient / np.percentile(gradient, 99)
        levels = (255 / (1 + np.exp(3 - np.minimum(strength, 8)))).astype(np.uint8)
        images.append(EdgeImage(levels, boundary, np.array(lowest)))
    return images


def matchers(images: list[EdgeImage]) -> None:
    """Time the two ways to the size of a maximum matching, which have to agree."""
    ours = theirs = worst = 0.0
    for image in images:
        boundary = thin(image.boundary)
        partners = Partners(boundary, TOLERANCE * float(np.hypot(*boundary.shape)))
        for lowest in image.lowest:
            edges = thin(image.levels >= lowest)
            started = time.process_time()
            found = partners.match(edges)
            between = time.process_time()
            pairs = partners.pairs(edges)
            other = (maximum_bipartite_matching(pairs, perm_type="column") >= 0).sum()
            taken = time.process_time() - between
            assert found == other, (found, other)
            ours, theirs, worst = ours + between - started, theirs + taken, max(worst, taken)
    n = len(images)
    print(
        f"a flow {1e3 * ours / n:.0f} ms an image, maximum_bipartite_matching "
        f"{1e3 * theirs / n:.0f} ms, of which one threshold took up to {1e3 * worst:.0f} ms"
    )


if __name__ == "__main__":
    main()
