"""The fields of `mtdata info --json`."""

from pathlib import Path

import pytest

from mtdata.inspecting.info import info
from mtdata.store import open_store
from tests.trees.nyu import nyu_store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nyu_store(tmp_path_factory.mktemp("store"))


def test_fields(path: Path) -> None:
    with open_store(path) as store:
        found = info(store)
        assert found == {
            "path": str(path),
            "format_version": 1,
            "dataset": "nyu",
            "tasks": {
                "semantic": {"kind": "classes", "channels": 13, "units": "class id"},
                "depth": {"kind": "depth", "channels": 1, "units": "metres"},
                "normals": {
                    "kind": "normals", "channels": 3, "units": "unit vector, camera frame",
                },
            },
            "splits": found["splits"],
            "content_digest": store.content_digest,
            "bytes": path.stat().st_size,
        }  # fmt: skip
    train = found["splits"]["train"]
    assert train["role"] == "train"
    assert found["splits"]["test"]["role"] == "test"
    assert train["images"] == 5
    assert train["size"] == [40, 56]
    assert train["labels"] == {"semantic": 4, "depth": 5, "normals": 5}
    assert list(train["regimes"]) == ["full", "one", "random"]
    one = train["regimes"]["one"]
    assert one.keys() == {"kind", "seed", "labels", "images_with", "uncovered", "later"}
    assert one["images_with"] == {"0": 0, "1": 5, "2": 0, "3": 0}
    assert sum(one["labels"].values()) == 5
    test = found["splits"]["test"]
    assert test["labels"] == {"semantic": 3, "depth": 2, "normals": 2}
    assert list(test["regimes"]) == ["full"]
    assert test["regimes"]["full"]["images_with"] == {"0": 0, "1": 1, "2": 0, "3": 2}
