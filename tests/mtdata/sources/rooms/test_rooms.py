"""The source of made-up rooms: the same everywhere, whatever was asked before.

After a change of scenes on purpose (which raises `VERSION`), `python -m
tests.mtdata.sources.rooms.test_rooms` from the root of the repository writes the reference anew and
prints the digests.
"""

import pickle
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mtdata import TASK_ORDER, open_store
from mtdata.building.build import build
from mtdata.errors import UsageError
from mtdata.sources import SOURCES
from mtdata.sources.rooms.source import Rooms
from mtdata.tasks.sample import Sample
from tests.paths import ROOT

REFERENCE = ROOT / "tests" / "data" / "rooms.npz"
PINNED = ("000000", "000003", "000006", "000017")
DIGESTS = {
    "000000": "8a335d5a22d6fb8ae9f4039ffb830f526734f67802384a318effb76bf066171c",
    "000003": "9d48f445ca1feef2c2ce44a43e05aa2f8065cd85e966636fd1cd2f3d118d4231",
    "000006": "a22ec9af16e00f512430113ce27e0721d336d672ad3cbe7558d3605fb19afd65",
    "000017": "e6de195bf1c93ae4731f6d32f9182fbe6490e4bd1b4c7244345fc73f9371e84f",
}
SMALL = (24, 32)


def assert_same(first: Sample, second: Sample) -> None:
    assert first.key == second.key
    assert first.camera == second.camera
    np.testing.assert_array_equal(first.image, second.image)
    assert first.labels.keys() == second.labels.keys()
    for task, label in first.labels.items():
        np.testing.assert_array_equal(label, second.labels[task])


def test_is_registered() -> None:
    assert SOURCES["rooms"] is Rooms
    assert not Rooms.needs_root
    assert tuple(task.name for task in Rooms.tasks()) == TASK_ORDER


def test_splits_and_roles() -> None:
    source = Rooms(images=(3, 2))
    assert source.splits() == {
        "train": ("000000", "000001", "000002"),
        "test": ("000000", "000001"),
    }
    assert source.roles() == {"train": "train", "test": "test"}
    assert Rooms(images=(3, 0)).roles() == {"train": "train"}
    assert {split: len(keys) for split, keys in Rooms().splits().items()} == {
        "train": 400,
        "test": 100,
    }


@pytest.mark.parametrize("key", PINNED)
def test_parameters_are_pinned_bit_for_bit(key: str) -> None:
    assert Rooms().scene("train", key).digest() == DIGESTS[key]


@pytest.mark.parametrize("key", PINNED)
def test_labels_are_those_of_the_reference(key: str) -> None:
    """At least 99.99 % of the pixels are the same on every machine."""
    source = Rooms()
    sample = source.read("train", key, TASK_ORDER)
    with np.load(REFERENCE) as reference:
        known = {name.partition("/")[2]: reference[name] for name in reference if name[:6] == key}
    found = stored(sample)
    assert found.keys() == known.keys()
    for task, label in found.items():
        # A millimetre may round either way.
        near = np.abs(label.astype(int) - known[task].astype(int)) <= (task == "depth")
        assert near.mean() >= 0.9999, task


def stored(sample: Sample) -> dict[str, NDArray[Any]]:
    """Labels as the store holds them; without normals, which follow from the depth."""
    kinds = {task.name: task.kind for task in Rooms.tasks()}
    return {
        task: kinds[task].encode(label, sample.valid[task])
        for task, label in sample.labels.items()
        if task != "normals"
    }


def test_order_does_not_matter() -> None:
    source, again = Rooms(size=SMALL), Rooms(size=SMALL)
    keys = ("000004", "000000", "000002")
    first = {key: source.read("train", key, TASK_ORDER) for key in keys}
    for key in reversed(keys):
        assert_same(again.read("train", key, TASK_ORDER), first[key])


def test_another_process_makes_the_same() -> None:
    source = Rooms(size=SMALL)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(source.read, "test", "000001", TASK_ORDER).result()
    assert_same(there, source.read("test", "000001", TASK_ORDER))


def test_counts_do_not_matter() -> None:
    few, many = Rooms(images=(2, 1), size=SMALL), Rooms(images=(5000, 900), size=SMALL)
    assert_same(few.read("train", "000001", TASK_ORDER), many.read("train", "000001", TASK_ORDER))
    assert few.fingerprint("train", "000001") == many.fingerprint("train", "000001")


def test_splits_keys_and_seeds_are_all_different_rooms() -> None:
    scenes = {
        (seed, split, key): Rooms(seed=seed).scene(split, key).digest()
        for seed in (0, 1)
        for split in ("train", "test")
        for key in ("000000", "000001")
    }
    assert len(set(scenes.values())) == 8


def test_the_room_does_not_depend_on_the_size() -> None:
    assert Rooms(size=SMALL).scene("train", "000000") == Rooms().scene("train", "000000")
    assert Rooms(size=(33, 47)).read("train", "000000", ("depth",)).image.shape == (33, 47, 3)


def test_fingerprints_tell_apart_what_differs() -> None:
    sources = (Rooms(), Rooms(seed=1), Rooms(size=SMALL))
    prints = {s.fingerprint(split, "000000") for s in sources for split in ("train", "test")}
    prints.add(sources[0].fingerprint("train", "000001"))
    assert len(prints) == 7
    assert all(len(one) == 32 for one in prints)


def test_a_sample_has_what_was_asked_for() -> None:
    source = Rooms(size=SMALL)
    sample = source.read("train", "000000", ("normals", "semantic"))
    assert set(sample.labels) == {"normals", "semantic"}
    assert all(valid.all() for valid in sample.valid.values())
    assert sample.camera is not None
    assert sample.camera.fx == sample.camera.fy
    assert (sample.camera.cx, sample.camera.cy) == (16.0, 12.0)


def test_parts_only_where_there_are_people() -> None:
    source = Rooms(size=SMALL)
    samples = [source.read("train", f"{i:06d}", ("parts",)) for i in range(30)]
    shown = [bool(sample.labels["parts"].any()) for sample in samples if "parts" in sample.labels]
    assert all(shown)
    assert 5 < len(shown) < 25


def test_labels_survive_the_store() -> None:
    sample = Rooms(size=SMALL).read("train", "000006", TASK_ORDER)
    for task in Rooms.tasks():
        label = sample.labels[task.name]
        decoded, valid = task.kind.decode(task.kind.encode(label, sample.valid[task.name]))
        assert valid.all()
        np.testing.assert_allclose(decoded, label, atol=6e-4)


def test_is_picklable() -> None:
    source = pickle.loads(pickle.dumps(Rooms(seed=3, size=SMALL)))
    assert source.fingerprint("train", "000000") == Rooms(seed=3, size=SMALL).fingerprint(
        "train", "000000"
    )


@pytest.mark.parametrize(
    "options",
    [{"images": (0, 0)}, {"images": (-1, 5)}, {"images": (2_000_000, 1)}, {"images": (5,)},
     {"size": (4, 64)}],
)  # fmt: skip
def test_impossible_options_are_refused(options: Mapping[str, Any]) -> None:
    (name,) = options
    with pytest.raises(UsageError, match=f"`{name}` should be"):
        Rooms(**options)


def test_a_store_has_the_size_that_rooms_are_rendered_at(tmp_path: Path) -> None:
    source = SOURCES["rooms"](None, images=(2, 1), size=(32, 48))
    build(source, tmp_path / "rooms.h5")
    with open_store(tmp_path / "rooms.h5") as store:
        assert store.split("train").size == (32, 48)


def write_reference() -> None:
    """Write the reference and print the digests."""
    arrays = {}
    for key in PINNED:
        print(f'    "{key}": "{Rooms().scene("train", key).digest()}",')  # noqa: T201
        for task, label in stored(Rooms().read("train", key, TASK_ORDER)).items():
            arrays[f"{key}/{task}"] = label
    np.savez_compressed(REFERENCE, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    write_reference()
