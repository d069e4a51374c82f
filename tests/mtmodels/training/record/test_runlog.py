"""The log of a run, read again: what is cut off is left out, what is of no log is said."""

from pathlib import Path

import pytest

from mtdata.errors import DataError
from mtmodels.training.record.runlog import read_rows

WHOLE = '{"kind": "step", "step": 1}\n{"kind": "epoch", "step": 2}\n'


def test_rows_by_kind_up_to_one_that_was_cut_off(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    for cut in ("", '{"kind": "ste', "9" * 5000, "[" * 100_000):
        log.write_text(WHOLE + cut)
        assert [row["step"] for row in read_rows(log)] == [1, 2]
        assert [row["step"] for row in read_rows(log, "epoch")] == [2]


@pytest.mark.parametrize("row", ["3", "[]", "null", '{"step": 3}', '{"kind": 3}', '{"kind": []}'])
def test_what_is_no_row_is_named_by_its_line(row: str, tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text(f"{WHOLE}{row}\n")
    with pytest.raises(DataError, match="line 3 should be an object with a `kind`"):
        read_rows(log)


def test_a_byte_that_is_no_text_is_named(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_bytes(WHOLE.encode() + b"\xff")
    with pytest.raises(DataError, match=f"byte {len(WHOLE)} is of none"):
        read_rows(log)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('"step": "3"', "`step` should be a whole number"),
        ('"step": null', "`step` should be a whole number"),
        ('"epoch": 1.5', "`epoch` should be a whole number"),
        ('"lr": [1]', "`lr` should be a number"),
        ('"loss": {"a": 1}', "`loss` should be a number"),
        ('"tasks": 3', "`tasks` should be numbers by their names"),
        ('"tasks": {"depth": [1]}', "`tasks` should be numbers by their names"),
        ('"scores": {"depth": 3}', "`scores` should be scores by task"),
        ('"scores": {"depth": {"rmse": "3"}}', "`scores` should be scores by task"),
        ('"scores": {"a": {"iou": [1, {}]}}', "`scores` should be scores by task"),
        ('"time": {"seconds": "a"}', "`time` should be numbers by their names"),
    ],
)
def test_what_is_no_number_is_named_with_its_line(value: str, words: str, tmp_path: Path) -> None:
    """Who draws or prints it would fail at it in words of Python."""
    log = tmp_path / "metrics.jsonl"
    log.write_text(f'{WHOLE}{{"kind": "step", {value}}}\n')
    with pytest.raises(DataError, match=f"line 3: {words}"):
        read_rows(log)


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text(
        WHOLE + '{"kind": "step", "lr": null, "tasks": {"a": null}, "kept": {"b": true}}'
    )
    assert read_rows(log)[2]["tasks"] == {"a": None}
