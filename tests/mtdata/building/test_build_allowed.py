"""Links out of a folder and very large images can be allowed; each worker does as its parent."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata import open_store
from mtdata.building.build import build
from mtdata.errors import SampleError
from mtdata.sources.files.allowed import PIXELS, allowed, allowing
from mtdata.sources.folder.source import Folder
from tests.trees.folder import write_folder


def linked(folder: Path) -> Path:
    """A folder whose depth lies elsewhere: one file by a link, as DVC does it."""
    root = write_folder(folder / "mine")
    elsewhere = folder / "cache"
    elsewhere.mkdir()
    path = root / "depth" / "0001.png"
    target = shutil.move(path, elsewhere / "ab12")
    path.symlink_to(target)
    return root


@pytest.mark.parametrize("jobs", [1, 2])
def test_links_out_are_followed_where_that_is_allowed(jobs: int, tmp_path: Path) -> None:
    whole = build(Folder(write_folder(tmp_path / "whole")), tmp_path / "a.h5").content_digest
    root = linked(tmp_path)
    with pytest.raises(SampleError, match="allow such links with --follow-links"):
        Folder(root).splits()
    with allowing(links=True):
        assert build(Folder(root), tmp_path / "b.h5", jobs=jobs).content_digest == whole
    assert not allowed().links


def test_large_images_are_read_where_that_is_allowed(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine")
    for path in root.rglob("0001.*"):
        path.unlink()
    # A pixel more than the limit that is set here, which is far below the default.
    cv2.imwrite(str(root / "rgb" / "0001.png"), np.zeros((65, 100, 3), np.uint8))
    cv2.imwrite(str(root / "mask" / "0001.png"), np.zeros((65, 100), np.uint8))
    with allowing(pixels=6499), pytest.raises(SampleError, match="at most 6499 pixels; it says"):
        build(Folder(root), tmp_path / "a.h5", size=(24, 36))
    with allowing(pixels=6500):
        build(Folder(root), tmp_path / "b.h5", size=(24, 36))
    assert allowed().pixels == PIXELS


def test_the_command_allows_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = linked(tmp_path), tmp_path / "a.h5"
    build_it = ["build", "--dataset", "folder", "--source", str(root), "--jobs", "1", "--out"]
    assert run(mtdata, [*build_it, str(out)]) == 3
    assert "--follow-links" in capsys.readouterr().err
    assert run(mtdata, [*build_it, str(out), "--follow-links", "--max-megapixels", "0.0001"]) == 3
    assert "at most 100 pixels" in capsys.readouterr().err
    assert run(mtdata, [*build_it, str(out), "--follow-links", "--overwrite"]) == 0
    with open_store(out) as store:
        assert len(store.splits["train"]) == 10
