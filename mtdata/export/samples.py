"""`samples.csv`: one line an image, with its files and what no file of it says."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from mtdata.export.view import View

FILE = "samples.csv"
BOX = ("source_height", "source_width", "crop_top", "crop_left", "crop_height", "crop_width")
CAMERA = ("fx", "fy", "cx", "cy")


def write_samples(view: View, suffixes: Mapping[str, str], folder: Path) -> None:
    """Write split, key, files (empty where there is no label), box in the source, camera."""
    with (folder / FILE).open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["split", "key", "image", *suffixes, *BOX, *CAMERA])
        for part in view.parts:
            split = part.split
            for index, key in enumerate(split.keys):
                place = f"{split.name}/{key}"
                labels = [
                    f"{name}/{place}{suffix}" if part.shown[index, column] else ""
                    for column, (name, suffix) in enumerate(suffixes.items())
                ]
                box = [*map(int, split.source_sizes[index]), *map(int, split.crops[index])]
                camera = [
                    "" if math.isnan(value) else repr(float(value))
                    for value in split.cameras[index]
                ]
                out.writerow([split.name, key, f"images/{place}.png", *labels, *box, *camera])
