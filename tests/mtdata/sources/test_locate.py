"""Where a data set is looked for, and names of sources."""

from pathlib import Path

import pytest

from mtdata.errors import SourceNotFoundError, UnknownNameError
from mtdata.sources import SOURCES
from mtdata.sources.locate import locate
from mtdata.sources.nyu.source import Nyu
from mtdata.tasks.task import TASK_ORDER
from tests.stores.fakes import FakeSource


def test_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MTDATA_SOURCES", raising=False)
    with pytest.raises(SourceNotFoundError, match="MTDATA_SOURCES is not set") as caught:
        locate(Nyu)
    assert "cs.nyu.edu" in str(caught.value)
    (tmp_path / "data/raw/nyu").mkdir(parents=True)
    assert locate(Nyu) == Path("data/raw/nyu")
    monkeypatch.setenv("MTDATA_SOURCES", str(tmp_path / "all"))
    assert locate(Nyu) == Path("data/raw/nyu")
    (tmp_path / "all" / "nyu").mkdir(parents=True)
    assert locate(Nyu) == tmp_path / "all" / "nyu"
    assert locate(Nyu, tmp_path) == tmp_path


def test_what_is_made_here_needs_no_folder() -> None:
    assert locate(FakeSource) is None


def test_unknown_source() -> None:
    assert SOURCES["nyu"] is Nyu
    with pytest.raises(UnknownNameError, match=r"There is no data set `nyy`. Did you mean `nyu`"):
        SOURCES["nyy"]


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_introduces_itself(name: str) -> None:
    source = SOURCES[name]
    assert source.name == name
    for text in (source.summary, source.download, source.licence):
        assert text.strip().endswith(".")
    names = [task.name for task in source.tasks()]
    assert names == sorted(names, key=TASK_ORDER.index)
