"""Regimes that went through a spreadsheet, that are empty, or that end the interpreter."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from mtdata.errors import DataError
from mtdata.regimes.importing import import_table
from mtdata.regimes.table import RegimeTable, read_table

KEYS, TASKS = ("0001", "0002", "0010"), ("semantic", "depth")
WHOLE = "key,task\n0001,semantic\n0002,depth\n0010,semantic\n"


def load(path: Path, *, skip: bool = False) -> RegimeTable:
    return import_table(path, KEYS, TASKS, np.ones((3, 2), bool), skip=skip).table


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "a.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        WHOLE.replace(",", ";"),
        WHOLE.replace(",", "\t"),
        WHOLE.replace("\n", "\r\n"),
        WHOLE + ",\n,\n\n",
        WHOLE.replace("0002", " 0002 "),
        WHOLE.replace("0002", '"0002"'),
        "\ufeff" + WHOLE,
        WHOLE.replace("\n0002", "\n,\n0002"),
        WHOLE.replace("\n", ",,\n"),
        WHOLE.replace("key,task", "Key,Task"),
        "sep=;\n" + WHOLE.replace(",", ";"),
    ],
    ids=[
        *("plain", "semicolons", "tabs", "Windows", "rows", "spaces", "quotes", "mark", "middle"),
        *("columns", "capitals", "sep"),
    ],
)
def test_what_a_spreadsheet_writes_is_read(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    wanted = [[True, False], [False, True], [True, False]]
    assert load(path).labels.tolist() == wanted
    assert read_table(path, KEYS, TASKS).labels.tolist() == wanted


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("0001,depth", "found `0001,depth`. Add it."),
        ("key,tasks", "found `key,tasks`. Correct it."),
    ],
)
def test_a_first_line_that_is_no_header(tmp_path: Path, first: str, told: str) -> None:
    path = write(tmp_path, WHOLE.replace("key,task", first))
    with pytest.raises(DataError, match=told):
        load(path)


def test_lost_zeros_are_told(tmp_path: Path) -> None:
    """Leaving such images out, as --missing skip does, would hide them."""
    path = write(tmp_path, "key,task\n2,depth\n")
    for read in (lambda: load(path), lambda: read_table(path, KEYS, TASKS)):
        with pytest.raises(DataError, match=r"line 2.*`0002`: zeros at its start") as caught:
            read()
        assert "skip" not in str(caught.value)


@pytest.mark.parametrize("text", ["key,task\n", "key;task\n;\n", "key,task\n,\n,\n"])
def test_a_header_alone_is_no_regime(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    for read in (lambda: load(path), lambda: read_table(path, KEYS, TASKS)):
        with pytest.raises(DataError, match="none below its header"):
            read()


@pytest.mark.parametrize("text", ["", "\n", "0001,semantic\n"])
def test_files_without_a_header(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="first line should be `key,task`"):
        load(write(tmp_path, text))


def test_nothing_is_left_when_all_is_skipped(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="shows no label that the split has"):
        load(write(tmp_path, "key,task\nx,depth\n"), skip=True)


def test_a_table_of_zeros_and_ones_is_told_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.eye(3, 2, dtype=np.int64))
    with pytest.raises(DataError, match=r"found an array of int64.*\.pth.*CSV"):
        load(path)
    np.save(path, np.array({"depth": np.eye(3)}, object), allow_pickle=True)
    with pytest.raises(DataError, match="found something else for `depth`"):
        load(path)


@pytest.mark.parametrize(
    "body",
    [
        b"}(" + b")" + b"\x85" * 2_000_000 + b"K\x01u.",
        b"}(" + b")" + b"K\x01\x86" * 500_000 + b"K\x01u.",
        b")" + b"\x85" * 2_000_000 + b".",
        b"]" + b"K\x010" * 2_000_000 + b".",
    ],
    ids=["a key", "a key of pairs", "alone", "long"],
)
def test_pickles_that_nest_without_end(tmp_path: Path, body: bytes) -> None:
    """To hash or drop what is nested so deeply ends the interpreter."""
    file = BytesIO()
    form = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(file, form)
    path = tmp_path / "a.npy"
    path.write_bytes(file.getvalue() + b"\x80" + struct.pack("B", 2) + body)
    with pytest.raises(DataError, match="longer or deeper than any list of labels"):
        load(path)


def test_rows_of_a_split_that_lacks_images_in_its_middle_are_refused(tmp_path: Path) -> None:
    """The first three rows of five would be taken for images that are others."""
    path = tmp_path / "one.pth"
    torch.save({"labels_weights": torch.eye(2)[[0, 1, 1, 0, 1]]}, path)
    given = (path, KEYS, TASKS, np.ones((3, 2), bool))
    with pytest.raises(DataError, match=r"should name its images, .* may lack some"):
        import_table(*given, skip=True, holes=True)
    assert import_table(*given, skip=True).table.labels.tolist()[0] == [True, False]
