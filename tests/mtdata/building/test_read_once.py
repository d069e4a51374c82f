"""A build opens each file of its source once, whatever is asked of it."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mtdata.building.build import build
from mtdata.sources.base import Source
from mtdata.sources.cityscapes.source import Cityscapes
from mtdata.sources.folder.source import Folder
from mtdata.sources.nyu.source import Nyu
from mtdata.sources.pascal.source import Pascal
from tests.trees.cityscapes import write_cityscapes
from tests.trees.folder import write_folder
from tests.trees.mtan import write_nyu_mtan
from tests.trees.nyu import write_nyu
from tests.trees.pascal import write_pascal

SOURCES: dict[str, Callable[[Path], Source]] = {
    "folder": lambda root: Folder(write_folder(root)),
    "nyu": lambda root: Nyu(write_nyu(root)),
    "mtan": lambda root: Nyu(write_nyu_mtan(root)),
    "cityscapes": lambda root: Cityscapes(write_cityscapes(root)),
    "pascal": lambda root: Pascal(write_pascal(root)),
}
LISTS = {"tasks.yaml", "splits.mat", "train.txt", "val.txt"}


@pytest.mark.parametrize("name", SOURCES)
def test_every_file_is_opened_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "raw"
    source = SOURCES[name](root)
    opened: Counter[str] = Counter()
    real = os.open

    def counting(path: str | Path, *arguments: int, **named: int) -> int:
        if Path(path).is_relative_to(root) and Path(path).name not in LISTS:
            opened[str(path)] += 1
        return real(path, *arguments, **named)

    source.splits()
    monkeypatch.setattr(os, "open", counting)
    build(source, tmp_path / "a.h5")
    assert opened
    assert set(opened.values()) == {1}
