"""Plans: what trainings follow from them, and what is refused."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtdata.errors import UsageError
from mtmodels.sweeping import Plan, read_plan
from tests.trust.trial import foreign

GRID: Mapping[str, Any] = {
    "method": {"sl": {"method": "sl"}, "two": {"method": "ssl", "set": {"views.flip": 0.5}}},
    "regime": ["one", "random"],
    "seed": [0, 1],
}
PLAN: Mapping[str, Any] = {
    "out": "runs",
    "always": {"data": "a.h5", "set": {"lr": 0.1, "views.flip": 0}},
    "grid": GRID,
}


def plan(folder: Path, **changes: object) -> Plan:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump({**PLAN, **changes}, sort_keys=False))
    return read_plan(path)


def test_all_combinations_one_seed_before_the_next(tmp_path: Path) -> None:
    found = plan(tmp_path)
    assert found.out == tmp_path / "runs"
    names = ["sl-one", "sl-random", "two-one", "two-random"]
    assert [cell.name for cell in found.cells] == [f"{n}-s{seed}" for seed in (0, 1) for n in names]
    assert found.cells[7].labels == {"method": "two", "regime": "random", "seed": "1"}


def test_options_are_those_of_all_and_of_each_value(tmp_path: Path) -> None:
    first, *_, last = plan(tmp_path).cells
    shared = {"data": "a.h5", "seed": 0, "regime": "one", "method": "sl"}
    assert first.options == {**shared, "set": {"lr": 0.1, "views.flip": 0}}
    assert last.options["set"] == {"lr": 0.1, "views.flip": 0.5}
    assert last.options["method"] == "ssl"


def test_an_option_in_another_spelling_is_the_same(tmp_path: Path) -> None:
    always = {"encoder_weights": "imagenet", "sync-norm": True}
    grid = {"how": {"a": {"encoder-weights": None}}, "gradient-clip": [1, 2]}
    first, _ = plan(tmp_path, always=always, grid=grid, baseline={"gradient_clip": 1}).cells
    assert first.options == {"encoder_weights": None, "sync_norm": True, "gradient_clip": 1}
    assert first.labels == {"how": "a", "gradient_clip": "1"}


def test_what_is_left_out(tmp_path: Path) -> None:
    found = plan(tmp_path, without=[{"method": "two", "regime": "random"}, {"seed": 1}])
    assert [cell.name for cell in found.cells] == ["sl-one-s0", "sl-random-s0", "two-one-s0"]


def test_each_table_has_its_baseline(tmp_path: Path) -> None:
    of_each = list(plan(tmp_path, baseline={"method": "sl"}).tables())
    assert [title for title, _, _ in of_each] == ["regime one", "regime random"]
    for title, cells, against in of_each:
        regime = title.removeprefix("regime ")
        assert {c.labels["regime"] for c in cells} == {regime}
        assert [c.name for c in against] == [f"sl-{regime}-s0", f"sl-{regime}-s1"]
    ((title, cells, against),) = plan(tmp_path, baseline={"method": "sl", "regime": "one"}).tables()
    assert (title, len(cells), len(against)) == ("", 8, 2)
    ((title, cells, against),) = plan(tmp_path).tables()
    assert (title, len(cells), against) == ("", 8, [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grid": {}}, "`grid` should have axes"),
        ({"grid": {"seed": []}}, "`grid` should have axes"),
        ({"grid": {"seed": list(range(200)), "lr": list(range(200))}}, "at most 10,000"),
        ({"grid": {"data": ["a/b.h5", "a?b.h5"]}}, "two of the name a_b.h5"),
        ({"without": [{}]}, "leave something to train"),
        ({"without": [{"method": "three"}]}, r"values of axes \(sl, two\); found method: three"),
        ({"baseline": {"metod": "sl"}}, r"\(the axes method, regime, seed\); found metod: sl"),
        ({"baseline": {"seed": 1}, "without": [{"seed": 1}]}, "leaves none of it"),
        ({"always": {"set": ["lr=0.01"]}}, r"`set` should be a mapping.*found \['lr=0.01'\]"),
        ({"grid": {"a": {"b": {"set": ["lr=1"]}}}}, "`set` should be a mapping"),
        ({"always": {"encoder-weights": 1, "encoder_weights": 2}}, "`encoder-weights` and"),
        ({"grid": {"a-b": [1], "a_b": [2]}}, "found `a-b` and `a_b`"),
        ({"ouut": "a"}, "`ouut` should be left out"),
        ({"out": 3}, "`out` should be text; found 3"),
        ({"grid": {"seed": {"a": 3}}}, "`grid.seed"),
    ],
)
def test_what_is_refused(tmp_path: Path, changes: Mapping[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(tmp_path, **changes)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe", b"- 1", b"", b"out: 2024-13-01"])
def test_a_file_that_is_no_plan(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"plan\.yaml"):
        read_plan(path)
    os.mkfifo(tmp_path / "pipe")  # who opens it waits
    for name, said in (("other.yaml", "No such file"), ("pipe", "a named pipe"), (".", "a folder")):
        with pytest.raises(UsageError, match=said) as caught:
            read_plan(tmp_path / name)
        assert not foreign(str(caught.value))
