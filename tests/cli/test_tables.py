"""Tables for people fit a terminal: no number and no word in them is broken."""

import re
import sys
from collections.abc import Sequence

import pytest

from cli.shared.tables import put_splits, put_table
from mtdata.building.summary import SplitSummary

Captured = pytest.CaptureFixture[str]
TASKS = ("semantic", "depth", "normals", "parts", "saliency", "edges")


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")


def told(capsys: Captured) -> list[str]:
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_of_many_numbers_none_is_broken(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    header = ["split", "role", "regime", "task", "images", "valid", *"abcdef"]
    rows = [
        [split, role, "one", task, 12_345, "97.02 %", *(number + 0.571 for number in range(6))]
        for split, role in (("train", "train"), ("val", "test"))
        for task in TASKS
    ]
    put_table(header, rows, left=4, key=4)
    lines = told(capsys)
    assert lines[0] == "In all rows: regime one"
    text = "\n".join(lines)
    for word in ("12,345", "97.02 %", "0.571", "1.571", "2.571", "5.571"):
        assert text.count(word) == len(rows)
    for row in rows:  # which row a number is of is said in each table
        pattern = rf"{row[0]} +{row[1]} +{row[3]} "
        assert len(re.findall(pattern, text)) == text.count("split  role")
    assert not re.search(r"regime +task", text)


def test_a_path_is_broken_only_where_it_is_wider_than_the_terminal(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    header = ["run", "state", "network", "steps", "scores", "age"]
    where = ["runs/mine-taught2", "runs/" + "long" * 30]

    def rows(paths: Sequence[str]) -> list[list[str]]:
        return [
            [path, "done", "unet-tf_efficientnet_lite0", "60 of 60 (epoch 20 of 20)",
             "semantic miou 91.47  depth abs_err 0.5486  normals mean 21.25", "38 min"]
            for path in paths
        ]  # fmt: skip

    put_table(header, rows([where[0], "runs/sl"]), left=5)
    text = "\n".join(told(capsys))
    assert re.findall("runs/mine-.*?(?= )", text) == where[:1] * text.count("run  ")
    assert "unet-tf_efficientnet_lite0" in text
    put_table(header, rows(where), left=5)
    lines = told(capsys)
    assert "".join(line.split()[0] for line in lines if "long" in line) == where[1]


def test_of_six_tasks_of_a_build_no_word_is_broken(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    put_splits({"train": SplitSummary(12_345, dict.fromkeys(TASKS, 12_345), 10, 0)})
    text = "\n".join(told(capsys))
    assert text.count("12,345") == 1 + len(TASKS)
    assert set(text.split()) >= {*TASKS, "unlabelled", "labelled"}
