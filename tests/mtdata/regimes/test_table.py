"""Regimes as CSV."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mtdata.errors import DataError, UsageError
from mtdata.regimes.drawing import draw
from mtdata.regimes.importing import import_table
from mtdata.regimes.table import RegimeTable, read_table, write_table

KEYS, TASKS = ("0001", "0002", 'a,"b"', "ü"), ("semantic", "depth", "normals")


@given(labels=arrays(np.bool_, (4, 3)))
def test_round_trip(labels: NDArray[np.bool_], tmp_path_factory: pytest.TempPathFactory) -> None:
    assume(labels.any())  # a file without a label is none
    path = tmp_path_factory.mktemp("csv") / "regime.csv"
    write_table(RegimeTable("one", KEYS, TASKS, labels), path)
    again = read_table(path, KEYS, TASKS)
    np.testing.assert_array_equal(again.labels, labels)
    assert again.kind == "import"
    assert again.origin == "regime.csv"


def test_written_file_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    write_table(RegimeTable("one", KEYS, TASKS, np.eye(4, 3, dtype=np.bool_)), path)
    assert path.read_text() == 'key,task\n0001,semantic\n0002,depth\n"a,""b""",normals\n'


def test_keys_with_spaces_and_accents_come_back(tmp_path: Path) -> None:
    keys = [" a", "b ", "Zo\u00eb", "c"]
    table = RegimeTable("one", keys, ("depth",), np.ones((4, 1), bool))
    write_table(table, tmp_path / "a.csv")
    assert read_table(tmp_path / "a.csv", keys, ("depth",)).labels.all()
    assert import_table(tmp_path / "a.csv", keys, ("depth",), table.labels).table.labels.all()
    (tmp_path / "b.csv").write_text("key,task\nZoe\u0308, depth\n c , depth\n", encoding="utf-8")
    labels = read_table(tmp_path / "b.csv", keys, ("depth",)).labels
    assert labels[:, 0].tolist() == [False, False, True, True]


@given(rows=st.permutations(range(4)), columns=st.permutations(range(3)))
def test_aligned_to_another_order(rows: list[int], columns: list[int]) -> None:
    labels = np.random.default_rng(0).random((4, 3)) < 0.5
    table = RegimeTable("one", KEYS, TASKS, labels)
    seen = table.aligned([KEYS[i] for i in rows], [TASKS[t] for t in columns])
    np.testing.assert_array_equal(seen, labels[np.ix_(rows, columns)])


def test_aligned_to_unknown_images_and_tasks_shows_nothing() -> None:
    table = RegimeTable("full", KEYS, TASKS, np.ones((4, 3), np.bool_))
    assert table.aligned(["0001", "new"], ["edges", "depth"]).tolist() == [
        [False, True],
        [False, False],
    ]


def test_counts() -> None:
    table = draw("one", [f"{i}" for i in range(9)], TASKS, np.ones((9, 3), np.bool_))
    assert table.counts == dict.fromkeys(TASKS, 3)
    assert table.images_with == {1: 9}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line should be `key,task`; found `nothing`"),
        ("image,label\n0001,depth\n", "found `image,label`"),
        ("key,task\n0001,depth\n0009,depth\n", "line 3: should be a key of the split"),
        ("key,task\n0001,edges\n", "one of semantic, depth, normals; found `0001,edges`"),
        ("key,task\n0001\n", "line 2: should be"),
        ("key,task\n0001,depth\n0001,depth\n", "line 3: `0001,depth` is there twice"),
        ('key,task\n"0001,depth\n', "should be a CSV file"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "regime.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_table(path, KEYS, TASKS)


def test_binary_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "regime.csv"
    with pytest.raises(UsageError, match="there is no file"):
        read_table(path, KEYS, TASKS)
    path.write_bytes(b"\x89HDF\r\n\x1a\n\xff")
    with pytest.raises(DataError, match="should be a CSV file"):
        read_table(path, KEYS, TASKS)


def test_a_table_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`labels` should be \[4, 3\]; found \[3, 4\]"):
        RegimeTable("one", KEYS, TASKS, np.ones((3, 4), np.bool_))
