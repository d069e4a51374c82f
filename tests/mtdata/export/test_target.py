"""The folder of an export is whole or absent, and replaces nothing else."""

import json
from pathlib import Path

import pytest

from mtdata.errors import MtdataError, UsageError
from mtdata.export import EXPORTS, export
from tests.stores.changed import changed_store
from tests.stores.fakes import Interrupted, stop_after


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return changed_store(tmp_path_factory.mktemp("store") / "a.h5")


@pytest.mark.parametrize("form", EXPORTS)
def test_every_form_tells_what_it_did(form: str, store: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    out = tmp_path / "new" / "out"
    summary = export(
        store, form, out, progress=lambda done, total, what: told.append((done, total))
    )
    files = [path for path in out.rglob("*") if path.is_file()]
    assert summary.files == len(files)
    assert summary.bytes == sum(path.stat().st_size for path in files)
    assert told[-1] == (9, 9)
    assert json.loads(json.dumps(summary.to_json()))["splits"]["train"]["images"] == 6
    mark = json.loads((out / "export.json").read_text(encoding="utf-8"))
    assert mark["form"] == form
    assert EXPORTS[form].name == form


@pytest.mark.parametrize("form", EXPORTS)
def test_the_same_store_makes_the_same_files(form: str, store: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(store, form, tmp_path / name)
    one, two = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file() and path.name != "export.json"
        }
        for name in ("a", "b")
    )
    assert one == two


def test_what_is_in_the_way(store: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    export(store, "npy", mine)  # empty: taken
    with pytest.raises(UsageError, match="--overwrite"):
        export(store, "folder", mine)
    export(store, "folder", mine, overwrite=True)
    assert (mine / "tasks.yaml").is_file()
    assert not (mine / "index.csv").exists()
    (mine / "export.json").unlink()
    with pytest.raises(UsageError, match=r"no export\.json"):
        export(store, "folder", mine, overwrite=True)
    assert (mine / "tasks.yaml").is_file()
    (tmp_path / "file").write_text("here")
    with pytest.raises(UsageError, match="is a file"):
        export(store, "folder", tmp_path / "file", overwrite=True)


@pytest.mark.parametrize("form", EXPORTS)
def test_an_interrupted_export_changes_nothing(form: str, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        export(store, form, out, progress=stop_after(4))
    assert not list(tmp_path.iterdir())
    export(store, "npy", out)
    before = sorted(out.rglob("*"))
    with pytest.raises(Interrupted):
        export(store, form, out, overwrite=True, progress=stop_after(4))
    assert sorted(out.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_export_left_is_removed(store: Path, tmp_path: Path) -> None:
    (tmp_path / ".out.exporting" / "images").mkdir(parents=True)
    export(store, "folder", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_made(store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(MtdataError, match="writable"):
        export(store, "folder", tmp_path / "file" / "out")
