"""Why thinning is ours: its time against `skimage.morphology.thin` on the same pictures.

Edges of made-up rooms, as rendered and four times as large, in turn; the figures are medians.

    python -m benchmarks.metrics.thinning [--smoke]
"""

import argparse
import statistics
import time

import cv2
import numpy as np
from skimage.morphology import thin as theirs

from mtdata.sources.locate import open_source
from mtdata.sources.thinning import thin as ours


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="Two pictures: does it run?")
    images = 2 if parser.parse_args().smoke else 20
    rooms = open_source("rooms")
    keys = rooms.splits()["train"][:images]
    maps = [np.asarray(rooms.read("train", key, ["semantic"]).labels["semantic"]) for key in keys]
    for scale in (1, 4):
        times: dict[str, list[float]] = {"ours": [], "scikit-image": []}
        for label in maps:
            large = np.kron(label.squeeze(), np.ones((scale, scale), np.uint8))
            edges = cv2.Laplacian(large.astype(np.float64), cv2.CV_64F) != 0
            for name, thin in (("ours", ours), ("scikit-image", theirs)):
                started = time.perf_counter()
                thin(edges)
                times[name].append(time.perf_counter() - started)
        told = ", ".join(f"{n} {1e3 * statistics.median(t):.2f} ms" for n, t in times.items())
        print(f"{large.shape[0]}x{large.shape[1]}: {told}")


if __name__ == "__main__":
    main()
