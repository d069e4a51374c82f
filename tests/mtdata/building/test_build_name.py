"""Own data has a name of its own; published data keeps that under which it is known."""

from pathlib import Path

import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata import open_store
from mtdata.building.build import build
from mtdata.errors import UsageError
from mtdata.sources.folder.source import Folder
from mtdata.sources.nyu.source import Nyu
from tests.trees.folder import write_folder
from tests.trees.nyu import write_nyu


def test_a_name_is_kept_and_compared(tmp_path: Path) -> None:
    source, out = Folder(write_folder(tmp_path / "mine")), tmp_path / "a.h5"
    assert build(source, out, name="kitchens-2").dataset == "kitchens-2"
    assert build(source, out, name="kitchens-2", mode="resume").complete
    with pytest.raises(UsageError, match='dataset is "kitchens-2" there and "folder" now'):
        build(source, out, mode="resume")


@pytest.mark.parametrize("name", ["nyu", "", "a/b", "../x", ".a", "a+b"])
def test_names_that_cannot_be(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`name` should be letters"):
        build(Folder(write_folder(tmp_path / "mine")), tmp_path / "a.h5", name=name)


def test_published_data_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nyu keeps its name"):
        build(Nyu(write_nyu(tmp_path / "raw")), tmp_path / "a.h5", name="mine")


def test_the_command_names_the_store_and_its_regimes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_folder(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    options = ["--name", "shop", "--regime", "one:first", "--regime", "one:second", "-j", "1"]
    assert run(mtdata, ["build", "--dataset", "folder", "--source", str(root), *options]) == 0
    with open_store(tmp_path / "data" / "shop.h5") as store:
        assert store.dataset_name == "shop"
        assert store.default_regime == "first"
        assert set(store.regimes) == {"full", "first", "second"}
        assert {r.kind for r in store.splits["train"].regimes.values()} == {"full", "one"}
