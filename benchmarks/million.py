"""A store of a million images whose pixels are a few chunks: opening, listing, sampling.

What a reader keeps in memory and the time of one read are told beside those of a store of a
thousandth of the images. The tables are whole; of the images the first hundred have pixels.

    python -m benchmarks.million [--images 1000000] [--smoke]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from benchmarks.machine import describe
from mtdata.store import format as layout
from mtdata.store import writer
from mtdata.store.codec import encode, filters
from mtdata.store.digest import ABSENT, seal
from mtdata.store.opening import Header
from mtdata.store.regime import RegimeInfo, write_regime
from mtdata.store.tables import write_table
from mtdata.tasks.kinds import Binary, Depth
from mtdata.tasks.task import Task

TASKS = (Task("depth", Depth()), Task("saliency", Binary()), Task("edges", Binary()))
SIZE, FILLED = (64, 64), 100

PROBE = """
import json, resource, sys, time
import numpy as np
import mtdata.reading.augment, mtdata.reading.dataset
from mtdata import open_store

def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize()

warm = open_store(sys.argv[2])
warm.dataset("train", ["depth"])[0]
before, start = resident(), time.perf_counter()
store = open_store(sys.argv[1])
opened = time.perf_counter()
data = store.dataset("train", ["depth"])
listed = sum(1 for name in store.splits for _ in store.splits[name].regimes), len(data)
first = data.read(0)
done = time.perf_counter()
times = []
for _ in range(5):
    since = time.perf_counter()
    for index in range(50):
        data.read(index)
    times.append((time.perf_counter() - since) / 50)
from mtdata.inspecting.info import info
since = time.perf_counter()
info(store)
print(json.dumps({
    "open": opened - start, "sample": done - start, "read": min(times),
    "info": time.perf_counter() - since, "bytes": resident() - before, "images": len(data),
}))
"""


def write(path: Path, images: int, *, filled: int = FILLED) -> None:
    """Write a store whose tables are whole and whose pixels are not.

    Args:
        path: The file.
        images: How many it has.
        filled: How many have pixels; beyond the first hundred, those of one of these.
    """
    rng = np.random.default_rng(0)
    header = Header(
        dataset="made-up", created="", tool=layout.tool(), options={}, tasks=TASKS,
        default_regime="one", source_digest="0" * 64, content_digest="",
    )  # fmt: skip
    with h5py.File(path, "w", libver=layout.LIBRARY) as file:
        group = file.create_group("train")
        layout.put(group.attrs, {"role": "train"})
        form = writer.SplitRows("train", "train", ("k",) * images, SIZE, False, ())
        arrays = [writer._image_array(group, form, "blosc")]
        arrays += [writer._label_array(group, form, task, "blosc") for task in TASKS]
        for array in arrays:
            dtype, shape = array.dtype, array.shape[1:]
            options = filters("blosc", dtype, image=array is arrays[0])
            chunks: list[bytes] = []
            for index in range(min(filled, images)):
                if index < FILLED:
                    cell = rng.integers(1, 2 if dtype == np.uint8 else 9, shape).astype(dtype)
                    chunks.append(encode(cell, options).data)
                data = chunks[index % FILLED]
                array.id.write_direct_chunk((index,) + (0,) * len(shape), data)
        digits = np.char.zfill(np.arange(images).astype("S7"), 7)
        write_table(group, layout.KEY, digits.astype(h5py.string_dtype("utf-8", 7)))
        tables = writer._empty_tables(images, len(TASKS), padded=False)
        tables[layout.SOURCE_SIZE][:] = SIZE
        tables[layout.CROP][:] = (0, 0, *SIZE)
        tables[layout.CAMERA][:] = (50.0, 50.0, 32.0, 32.0)
        tables[layout.VALID_PIXELS][:] = SIZE[0] * SIZE[1]
        tables[layout.DIGEST][:] = np.frombuffer(ABSENT, np.uint8)
        for name, table in tables.items():
            write_table(group, name, table)
        labels = np.zeros((images, len(TASKS)), bool)
        labels[np.arange(images), rng.integers(0, len(TASKS), images)] = True
        labels[:FILLED, 0] = True
        names = tuple(task.name for task in TASKS)
        write_regime(group, RegimeInfo("one", "one", {}, 0, "drawn", names, labels))
        default = layout.texts(["one"], layout.NAME_BYTES)
        file.attrs.create(layout.DEFAULT_REGIME, default[0], dtype=default.dtype)
        writer._write_header(file, header, "0" * 64)
        layout.put(file.attrs, {layout.SEAL: seal(file)})


def probe(path: Path, small: Path) -> dict[str, float]:
    """Open and read it in a new process, which has opened a small one before."""
    command = [sys.executable, "-c", PROBE, str(path), str(small)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(images: int, folder: Path) -> Iterator[str]:
    """Lines of the table."""
    small, large = folder / "small.h5", folder / "large.h5"
    write(small, max(FILLED, images // 1000))
    write(large, images)
    for path in (small, large):
        found = probe(path, small)
        yield (
            f"{int(found['images']):9,} images: opened in {1e3 * found['open']:6.1f} ms, first "
            f"sample after {1e3 * found['sample']:6.1f} ms, a read {1e6 * found['read']:5.0f} us, "
            f"info {1e3 * found['info']:6.1f} ms, {found['bytes'] / found['images']:6.1f} bytes an "
            "image"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--smoke", action="store_true", help="ten thousand images")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(describe())
        for line in compare(10_000 if arguments.smoke else arguments.images, Path(folder)):
            print(line)


if __name__ == "__main__":
    main()
