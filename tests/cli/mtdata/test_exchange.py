"""The commands diff, merge and export: what they print where, and what they end with."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.building.build import RegimeSpec
from mtdata.store import open_store
from tests.stores.changed import changed_store, relabel, repaint
from tests.trees.nyu import nyu_store

Captured = pytest.CaptureFixture[str]
AT = (slice(2, 4), slice(5, 8))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "a.h5"
    return changed_store(path, regimes=[RegimeSpec("one")], missing=0)


def _json(arguments: list[str], capsys: Captured, code: int = 0) -> Any:
    assert run(mtdata, [*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_diff_of_the_same(store: Path, tmp_path: Path, capsys: Captured) -> None:
    other = tmp_path / "b.h5"
    changed_store(other, regimes=[RegimeSpec("one")], missing=0, compression="none")
    assert _json(["diff", str(store), str(other)], capsys)["same"]
    assert run(mtdata, ["diff", str(store), str(other)]) == 0
    told = capsys.readouterr()
    assert "same data and the same regimes" in told.out
    assert "options" in told.err


def test_diff_of_others(store: Path, tmp_path: Path, capsys: Captured) -> None:
    def change(split: str, sample: Any) -> Any:
        return relabel("0001", "normals", AT, (0.0, 0.6, 0.8))(
            split, repaint("0001")(split, sample)
        )

    keys = {"train": ("0001", "0002", "0003"), "test": ("té0", "té1")}
    other = changed_store(
        tmp_path / "b.h5", change, keys=keys, tasks=["depth", "normals"], missing=0
    )
    arguments = ["diff", str(store), str(other)]
    assert run(mtdata, arguments) == 1
    out = capsys.readouterr().out
    assert "default_regime: one in A, full in B" in out
    assert "3 tasks only in A: semantic, saliency, disparity" in out
    assert "train: 3 images only in A: 0004, 0005, 0006" in out
    assert "train: 1 regime only in A: one" in out
    assert "train/0001/image: 1 of 768 pixels differ, by up to 3 of 255 (mean 3)" in out
    assert "degrees" in out
    found = _json([*arguments, "--brief"], capsys, code=1)
    assert {cell["pixels"] for cell in found["splits"]["changed"]["train"]["cells"]} == {None}
    assert run(mtdata, [*arguments, "--brief"]) == 1
    assert "train/0001/image: differs" in capsys.readouterr().out


def test_diff_lists_only_some_cells(store: Path, tmp_path: Path, capsys: Captured) -> None:
    other = changed_store(tmp_path / "b.h5", salt="other")
    assert run(mtdata, ["diff", str(store), str(other)]) == 1
    assert "more; --json lists all" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["none", "damaged", "folder", "unforeseen"])
def test_diff_ends_with_two_where_there_is_trouble(
    store: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """1 means that the stores differ: no error may end so."""
    other = tmp_path / what
    if what == "damaged":
        other.write_bytes(store.read_bytes()[:5000])
    elif what == "folder":
        other.mkdir()
    elif what == "unforeseen":

        def fails(*_: object, **__: object) -> None:
            raise RuntimeError("unforeseen")

        monkeypatch.setattr("mtdata.inspecting.diff.diff", fails)
    assert run(mtdata, ["diff", str(store), str(other)]) == 2
    assert capsys.readouterr().err.startswith("Error: ")


def test_merge(store: Path, tmp_path: Path, capsys: Captured) -> None:
    parts = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for path, tasks, seed in zip(
        parts, (["depth", "semantic"], ["depth", "normals"]), (0, 1), strict=True
    ):
        changed_store(path, tasks=tasks, regimes=[RegimeSpec("one")], seed=seed)
    out = tmp_path / "out.h5"
    found = _json(["merge", *map(str, parts), "-o", str(out)], capsys)
    assert found["tasks"] == ["semantic", "depth", "normals"]
    assert found["dropped"] == ["one"]
    with open_store(out) as opened:
        assert opened.content_digest == found["content_digest"]
    assert run(mtdata, ["merge", *map(str, parts), "-o", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(mtdata, ["merge", *map(str, parts), "-o", str(out), "--overwrite"]) == 0
    told = capsys.readouterr()
    assert "partly labelled" in told.out
    assert "Regimes left out" in told.err
    said = " ".join(told.err.split())
    assert "Training shows the labels of the regime `full` unless told otherwise, what" in said
    assert "hid (one) too: give --regime" in said
    assert f"mttrain --method xtc --data {out}" in told.err


def test_merge_that_contradicts(store: Path, tmp_path: Path, capsys: Captured) -> None:
    other = changed_store(tmp_path / "b.h5", relabel("0002", "depth", AT, 1.5), missing=0)
    arguments = ["merge", str(store), str(other), "-o", str(tmp_path / "out.h5")]
    assert run(mtdata, arguments) == 3
    assert "train/0002/depth" in capsys.readouterr().err
    assert run(mtdata, [*arguments, "--prefer", "last"]) == 0
    told = capsys.readouterr().err
    assert "--prefer says: 1." in told
    assert "Regimes kept" in told


def test_export(store: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    arguments = ["export", str(store), "-o", str(out)]
    found = _json([*arguments, "--to", "folder", "--tasks", "depth,semantic"], capsys)
    assert set(found["splits"]["train"]["labels"]) == {"depth", "semantic"}
    assert run(mtdata, [*arguments, "--to", "npy"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(mtdata, [*arguments, "--to", "npy", "--regime", "one", "--overwrite"]) == 0
    told = capsys.readouterr()
    assert "Note: train_one.npy" in told.err
    assert "partly labelled" in told.out
    assert run(mtdata, [*arguments, "--to", "tar", "--overwrite"]) == 2
    assert "'folder', 'npy', 'croissant', 'fiftyone'" in capsys.readouterr().err


def test_export_tells_the_licence(tmp_path: Path, capsys: Captured) -> None:
    path = nyu_store(tmp_path)
    out = tmp_path / "out"
    arguments = ["export", str(path), "--to", "npy", "-o", str(out), "--json"]
    assert run(mtdata, arguments) == 0
    told = capsys.readouterr()
    assert "Licence of nyu" in told.err
    assert json.loads(told.out)["licences"].keys() == {"nyu"}
