"""What `diff` finds, against stores that differ in a known way."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtdata.building.build import RegimeSpec
from mtdata.errors import StoreError
from mtdata.inspecting.diff import Difference, diff
from mtdata.store import open_store
from mtdata.tasks.sample import Camera, Sample
from tests.stores.changed import changed_store, drop, relabel, repaint
from tests.stores.fakes import TASKS

NAMES = [task.name for task in TASKS]
FULL: dict[str, Any] = {"missing": 0}
AT = (slice(2, 4), slice(5, 8))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "a.h5"
    return changed_store(path, regimes=[RegimeSpec("one")], **FULL)


def _found(plain: Path, folder: Path, *change: Any, **options: Any) -> Difference:
    settings = {"regimes": [RegimeSpec("one")], **FULL, **options}
    return diff(plain, changed_store(folder / "b.h5", *change, **settings))


def test_a_store_is_the_same_as_itself(plain: Path) -> None:
    found = diff(plain, plain)
    assert found.same
    assert found.same_content
    assert not found.about


def test_compression_makes_no_difference(plain: Path, tmp_path: Path) -> None:
    found = _found(plain, tmp_path, compression="gzip")
    assert found.same
    assert found.same_content
    assert "options" in found.about


def test_an_image(plain: Path, tmp_path: Path) -> None:
    found = _found(plain, tmp_path, repaint("0002"))
    (cell,) = found.changed_splits["train"].cells
    assert not found.same
    assert not found.same_content
    assert (cell.key, cell.what, cell.change) == ("0002", "image", "changed")
    assert (cell.pixels, cell.of, cell.largest, cell.mean) == (1, 24 * 32, 3.0, 3.0)


VALUES = {
    "semantic": 4,
    "depth": 1.5,
    "normals": (0.0, 0.6, 0.8),
    "saliency": 1,
    "disparity": 0.25,
}


@pytest.mark.parametrize("task", NAMES)
def test_a_label_of_each_kind(task: str, plain: Path, tmp_path: Path) -> None:
    found = _found(plain, tmp_path, relabel("0003", task, AT, VALUES[task]))
    (cell,) = found.changed_splits["train"].cells
    pixels, sizes = _slowly(plain, tmp_path / "b.h5", task)
    assert (cell.key, cell.what, cell.change, cell.pixels) == ("0003", task, "changed", pixels)
    if task in ("semantic", "saliency"):
        assert cell.largest is cell.mean is None
    else:
        assert cell.largest == pytest.approx(max(sizes), rel=1e-4)
        assert cell.mean == pytest.approx(sum(sizes) / len(sizes), rel=1e-4)
        assert cell.units == {"depth": "metres", "normals": "degrees"}.get(task, "1/metres")


def _slowly(a: Path, b: Path, task: str) -> tuple[int, list[float]]:
    """Pixels that differ, one by one, and by how much those do that both have."""
    with open_store(a) as left, open_store(b) as right:
        samples = [s.split("train").read(2, [task]) for s in (left, right)]
    pixels, sizes = 0, []
    for row in range(24):
        for column in range(32):
            valid = [bool(s.valid[task][row, column]) for s in samples]
            one, two = (np.asarray(s.labels[task][row, column], float) for s in samples)
            if valid[0] != valid[1]:
                pixels += 1
            elif valid[0] and (one != two).any():
                pixels += 1
                if one.ndim:
                    sizes.append(float(np.degrees(np.arccos(np.clip(one @ two, -1, 1)))))
                else:
                    sizes.append(abs(float(one - two)))
    return pixels, sizes


def test_a_label_that_one_has_not(plain: Path, tmp_path: Path) -> None:
    found = _found(plain, tmp_path, drop("0004", "depth"), regimes=[])
    (cell,) = found.changed_splits["train"].cells
    assert (cell.key, cell.what, cell.change, cell.pixels) == ("0004", "depth", "only_a", None)
    (other,) = diff(tmp_path / "b.h5", plain).changed_splits["train"].cells
    assert other.change == "only_b"


def test_images_tasks_and_splits(plain: Path, tmp_path: Path) -> None:
    keys = {"train": ("0001", "0002", "0007"), "more": ("0009",)}
    found = _found(plain, tmp_path, keys=keys, tasks=["semantic", "depth"], regimes=[])
    assert found.tasks.a == ("normals", "saliency", "disparity")
    assert (found.splits.a, found.splits.b) == (("test",), ("more",))
    train = found.changed_splits["train"]
    assert train.keys.a == ("0003", "0004", "0005", "0006")
    assert train.keys.b == ("0007",)
    assert not train.cells
    assert train.regimes.a == ("one",)


def test_order_and_role(plain: Path, tmp_path: Path) -> None:
    keys = {"train": ("0002", "0001", "0003"), "test": ("té0", "té1", "té2")}
    found = _found(plain, tmp_path, keys=keys, test="none", regimes=[])
    assert found.changed_splits["train"].reordered
    assert not found.changed_splits["train"].cells
    assert found.changed_splits["test"].attributes == {"role": ("test", "train")}


def test_cameras(plain: Path, tmp_path: Path) -> None:
    def change(split: str, sample: Sample) -> Sample:
        return (
            replace(sample, camera=Camera(1.0, 2.0, 3.0, 4.0)) if sample.key == "0001" else sample
        )

    found = _found(plain, tmp_path, change)
    assert found.changed_splits["train"].tables == {"camera": ("0001",)}
    assert found.same_content
    assert not found.same


def test_regimes(plain: Path, tmp_path: Path) -> None:
    found = _found(plain, tmp_path, seed=1)
    (change,) = found.changed_splits["train"].changed_regimes.values()
    with open_store(plain) as a, open_store(tmp_path / "b.h5") as b:
        shown = [s.split("train").visible("one") for s in (a, b)]
    assert change.labels == int((shown[0] != shown[1]).sum()) > 0
    assert change.about["seed"] == (0, 1)
    assert found.same_content
    assert not found.same


def test_the_size_of_an_image(plain: Path, tmp_path: Path) -> None:
    found = _found(plain, tmp_path, sizes=((20, 32),))
    cells = found.changed_splits["train"].cells
    assert {cell.pixels for cell in cells} == {None}
    assert set(found.changed_splits["train"].tables) == {"size", "source_size", "crop"} | (
        {"camera"} if "camera" in found.changed_splits["train"].tables else set()
    )


def test_json(plain: Path, tmp_path: Path) -> None:
    found = _found(plain, tmp_path, repaint("0002"), tasks=["depth"], regimes=[])
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["tasks"]["only_a"] == [name for name in NAMES if name != "depth"]
    assert told["splits"]["changed"]["train"]["cells"][0]["pixels"] == 1
    assert told["attributes"] == {"default_regime": ["one", "full"]}


def test_only_what_differs_is_read(plain: Path, tmp_path: Path) -> None:
    other = changed_store(tmp_path / "b.h5", repaint("0002"), **FULL)
    with open_store(other) as store:
        dataset = store.split("train").dataset(None)
        places = [dataset.id.get_chunk_info(row).byte_offset for row in (0, 1)]
    for place, broken in zip(places, (False, True), strict=True):
        content = bytearray(other.read_bytes())
        content[place + 20] ^= 0xFF
        other.write_bytes(bytes(content))
        assert not diff(plain, other, pixels=False).same
        if broken:
            with pytest.raises(StoreError, match="0002"):
                diff(plain, other)
        else:
            diff(plain, other)


def test_progress(plain: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    other = changed_store(tmp_path / "b.h5", repaint("0002"), **FULL)
    diff(plain, other, progress=lambda done, total, what: told.append((done, total)))
    assert told == [(1, 1)]
