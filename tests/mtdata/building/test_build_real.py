"""Building from real frames."""

from pathlib import Path

import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.inspecting.verify import verify
from mtdata.sources import SOURCES
from mtdata.store import open_store


@pytest.mark.real
def test_nyu_frames_are_small_and_whole(shared: Path, tmp_path: Path) -> None:
    source = SOURCES["nyu"](shared / "data" / "nyuv2")
    summary = build(source, tmp_path / "nyu.h5", limit=4)
    store = open_store(summary.path)
    assert [task.name for task in store.tasks] == ["semantic", "depth", "normals"]
    assert summary.splits["train"].labels == {"semantic": 4, "depth": 4, "normals": 4}
    height, width = store.split("train").size
    as_float32 = 8 * (3 + 1 + 1 + 3) * 4 * height * width
    assert summary.bytes <= 0.22 * as_float32
    for split in store.splits.values():
        for index, key in enumerate(split.keys):
            wanted = source.read(split.name, key, ["semantic", "depth", "normals"])
            found = split.read(index, ["semantic", "depth", "normals"])
            np.testing.assert_array_equal(found.image, wanted.image)
            for name in ("semantic", "depth"):
                np.testing.assert_array_equal(found.labels[name], wanted.labels[name])
                np.testing.assert_array_equal(found.valid[name], wanted.valid[name])
            chord = np.linalg.norm(
                found.labels["normals"].astype(np.float64) - wanted.labels["normals"], axis=-1
            )
            assert np.rad2deg(chord[wanted.valid["normals"]]).max() <= 0.01
    assert verify(summary.path).ok
