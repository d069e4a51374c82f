"""Files that take their name at the end, and what is there by then."""

import errno
import os
from pathlib import Path

import pytest

from mtdata.atomic import check_new, replacing
from mtdata.errors import MtdataError, UsageError


@pytest.mark.parametrize("links", [True, False])
def test_what_should_be_new_replaces_nothing_that_has_appeared(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    def write_late(path: Path) -> None:
        with replacing(path, new=True) as temporary:
            temporary.write_text("mine")
            path.write_text("theirs")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    new, taken = tmp_path / "a.h5", tmp_path / "b.h5"
    with replacing(new, new=True) as temporary:
        temporary.write_text("mine")
    assert new.read_text() == "mine"
    with pytest.raises(UsageError, match="is there now: it stays"):
        write_late(taken)
    assert taken.read_text() == "theirs"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_what_is_taken_is_refused(tmp_path: Path) -> None:
    taken, later = tmp_path / "a.h5", tmp_path / "no" / "a.h5"
    taken.touch()
    with pytest.raises(UsageError, match=r"is there already\. Replace it with --overwrite"):
        check_new(taken, overwrite=False)
    check_new(taken, overwrite=True)
    with pytest.raises(UsageError, match="is a folder"):
        check_new(tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="found no"):
        check_new(later, overwrite=False)
    check_new(later, overwrite=False, folder=False)
    with pytest.raises(MtdataError, match="name too long"):
        check_new(tmp_path / ("a" * 300), overwrite=False)
