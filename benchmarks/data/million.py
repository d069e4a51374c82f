"""A store of a million images whose pixels are a few chunks: opening, listing, sampling.

What a reader keeps in memory and what a read takes of a processor are told beside those of a store
of a thousandth of the images, and of a store of as many in shards. The tables are whole; of the
images of each file the first hundred have pixels.

    python -m benchmarks.data.million [--images 1000000] [--shards 100] [--smoke]
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
from mtdata.store.index import IndexSplit, write_index
from mtdata.store.opening.file import Header
from mtdata.store.reader import Store
from mtdata.store.regime import RegimeInfo, write_regime
from mtdata.store.shards import Shard
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
before, start = resident(), time.process_time()
store = open_store(sys.argv[1])
opened = time.process_time()
data = store.dataset("train", ["depth"])
listed = sum(1 for name in store.splits for _ in store.splits[name].regimes), len(data)
first = data.read(0)
done = time.process_time()
times = []
for _ in range(5):
    since = time.process_time()
    for index in range(50):
        data.read(index)
    times.append((time.process_time() - since) / 50)
every = int(sys.argv[3])
rounds = []
for offset in range(4):
    since = time.process_time()
    for first in range(0, len(data), every):
        data.read(first + offset)
    rounds.append((time.process_time() - since) / len(range(0, len(data), every)))
keys = store.splits["train"].keys[len(data) // 2 : len(data) // 2 + 1000]
since = time.process_time()
store.dataset("train", ["depth"], keys=keys)
filtered = time.process_time() - since
from mtdata.inspecting.info import info
since = time.process_time()
info(store)
print(json.dumps({
    "open": opened - start, "sample": done - start, "read": min(times),
    "info": time.process_time() - since, "bytes": resident() - before, "images": len(data),
    "begun": rounds[0], "scattered": min(rounds[1:]), "filter": filtered,
}))
"""


def write(path: Path, images: int, *, filled: int = FILLED, start: int = 0) -> None:
    """Write a store whose tables are whole and whose pixels are not.

    Args:
        path: The file.
        images: How many it has.
        filled: How many have pixels; beyond the first hundred, those of one of these.
        start: The number that the first of its keys is.
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
        digits = np.char.zfill(np.arange(start, start + images).astype("S7"), 7)
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


def write_shards(folder: Path, whole: Path, shards: int) -> Path:
    """Write files of as many images together as `whole` has, and an index; returns its path."""
    with Store(whole) as store:
        split = store.splits["train"]
        step, parts = len(split) // shards, []
        for number in range(shards):
            path = folder / f"part-{number:05d}.h5"
            write(path, step, start=number * step)
            with Store(path) as part:
                assert part.seal is not None
                parts.append(Shard(path.name, step, path.stat().st_size, part.seal))
        tables = {
            name: split.keys.data if name == layout.KEY else split._table(name)
            for name in (layout.KEY, *layout.tables(len(TASKS)))
            if name != layout.SIZE
        }
        kept = {name: table[: step * shards] for name, table in tables.items()}
        header = Header(
            dataset="made-up", created="", tool=layout.tool(), options={}, tasks=TASKS,
            default_regime="one", source_digest="0" * 64, content_digest="",
        )  # fmt: skip
        regimes = list(split.stored.values()) if step * shards == len(split) else []
        form = IndexSplit("train", split.role, split.size, kept, parts, regimes)
        write_index(folder / "index.h5", header, [form])
    return folder / "index.h5"


def probe(path: Path, small: Path, every: int) -> dict[str, float]:
    """Open and read it in a new process, which has opened a small one before.

    Args:
        path: The store.
        small: The small one.
        every: At which distance some images have pixels.
    """
    command = [sys.executable, "-c", PROBE, str(path), str(small), str(every)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(images: int, shards: int, folder: Path) -> Iterator[str]:
    """Lines of the table."""
    small, large = folder / "small.h5", folder / "large.h5"
    write(small, max(FILLED, images // 1000))
    write(large, images)
    index = write_shards(folder, large, shards)
    yield f"index: {index.stat().st_size / images:.0f} bytes for each image"
    for path, every in ((small, images), (large, images), (index, images // shards)):
        found = probe(path, small, every)
        files = shards if path == index else 1
        yield (
            f"{int(found['images']):9,} images in {files:4} files: opened in "
            f"{1e3 * found['open']:6.1f} ms, first sample after {1e3 * found['sample']:6.1f} ms, "
            f"a read {1e6 * found['read']:5.0f} us, "
            f"from each file in turn {1e6 * found['scattered']:5.0f} us (at first "
            f"{1e3 * found['begun']:5.1f} ms), a thousand by key "
            f"{1e3 * found['filter']:6.1f} ms, info {1e3 * found['info']:6.1f} ms, "
            f"{found['bytes'] / found['images']:6.1f} bytes an image"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--smoke", action="store_true", help="ten thousand images")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(describe())
        images, shards = (10_000, 4) if arguments.smoke else (arguments.images, arguments.shards)
        for line in compare(images, shards, Path(folder)):
            print(line)


if __name__ == "__main__":
    main()
