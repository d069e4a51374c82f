"""Statistics of a store against numpy on all labels at once."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtdata.errors import UnknownNameError, UsageError
from mtdata.inspecting.distribution import CELLS, Directions
from mtdata.inspecting.stats import stats
from mtdata.store import Store, open_store
from mtdata.store.regime_summary import summarise
from tests.asserts import note_reads, shown_labels
from tests.stores.added import added_store
from tests.trees.nyu import nyu_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(nyu_store(tmp_path_factory.mktemp("store")))


def _all(store: Store, split: str, task: str, regime: str) -> tuple[np.ndarray, int, int]:
    """Valid values of a task, images, pixels."""
    found = store.split(split)
    column = [t.name for t in store.tasks].index(task)
    images = np.flatnonzero(found.visible(regime)[:, column])
    samples = [found.read(int(i), [task]) for i in images]
    values = [s.labels[task][s.valid[task]] for s in samples]
    return np.concatenate(values), len(samples), sum(s.valid[task].size for s in samples)


@pytest.mark.parametrize("regime", ["full", "one", "random"])
def test_equals_numpy(store: Store, regime: str) -> None:
    found = stats(store, regime).to_json()["splits"]["train"]
    assert found["regime"] == regime
    for task in ("semantic", "depth", "normals"):
        values, images, pixels = _all(store, "train", task, regime)
        one = found["tasks"][task]
        assert one["images"] == images
        assert one["valid_fraction"] == pytest.approx(len(values) / pixels)
        if task == "semantic":
            assert list(one["pixels"].values()) == np.bincount(values, minlength=13).tolist()
            continue
        assert one["min"] == pytest.approx(values.min(0))
        assert one["max"] == pytest.approx(values.max(0))
        assert one["mean"] == pytest.approx(values.mean(0, dtype=np.float64), abs=1e-9)
        for name, q in (("median", 0.5), ("p1", 0.01), ("p99", 0.99)):
            expected = np.quantile(values, q, axis=0, method="inverted_cdf")
            assert one[name] == pytest.approx(expected, rel=1e-3)


def test_pairs(store: Store) -> None:
    found = stats(store).to_json()["splits"]
    assert found["train"]["pairs"] == {
        "semantic+depth": 4, "semantic+normals": 4, "depth+normals": 5,
    }  # fmt: skip
    one = stats(store, "one").to_json()["splits"]
    assert set(one["train"]["pairs"].values()) == {0}
    # A test split has no regime: all of it counts.
    assert one["test"]["regime"] == "full"


def test_hidden_labels_are_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read = note_reads(monkeypatch)
    stats(store, "one")
    assert {cell for cell in read if cell[0] == "train"} == shown_labels(store, "one")


def test_progress_ends_at_the_total(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    def report(done: int, total: int, what: str) -> None:
        seen.append((done, total))

    monkeypatch.setattr("mtdata.inspecting.stats.PART", 2)
    stats(store, None, report)
    assert seen[-1] == (21, 21)
    steps = np.diff([0, *(done for done, _ in seen)])
    assert set(steps.tolist()) <= {1, 2}
    assert min(steps) > 0


def test_jobs_change_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtdata.inspecting.stats.PART", 2)
    alone = stats(store, "one").to_json()
    assert stats(store, "one", jobs=2).to_json() == alone
    monkeypatch.setattr("mtdata.inspecting.stats.PART", 100)
    whole = stats(store, "one").to_json()["splits"]["train"]["tasks"]
    for task, one in alone["splits"]["train"]["tasks"].items():
        for name, value in one.items():
            if name != "pixels" and value is not None:
                assert value == pytest.approx(whole[task][name])


def test_split_and_limit(store: Store) -> None:
    found = stats(store, split="test").to_json()["splits"]
    assert list(found) == ["test"]
    assert found["test"] == stats(store).to_json()["splits"]["test"]
    few = stats(store, limit=2).to_json()["splits"]
    assert few["train"]["images"] == 2
    shown = store.split("train").visible()[:2]
    names = [task.name for task in store.tasks]
    assert [few["train"]["tasks"][name]["images"] for name in names] == shown.sum(0).tolist()
    assert few["train"]["pairs"]["depth+normals"] == int(shown[:, 1:].all(1).sum())
    assert stats(store, limit=99).to_json() == stats(store).to_json()
    with pytest.raises(UnknownNameError, match="no split `val`"):
        stats(store, split="val")
    for wrong in ({"limit": 0}, {"jobs": 0}):
        with pytest.raises(UsageError, match="1 or more"):
            stats(store, **wrong)  # type: ignore[arg-type]


def test_unknown_regime(store: Store) -> None:
    with pytest.raises(UnknownNameError, match=r"no regime `ones`. Did you mean `one`"):
        stats(store, "ones")


@pytest.mark.parametrize("regime", [None, "one"])
def test_counts_equal_a_slow_count(store: Store, regime: str | None) -> None:
    found = stats(store, regime, limit=1).splits["train"]
    rows = [[bool(yes) for yes in row] for row in store.split("train").visible(regime or "full")]
    tasks = range(len(store.tasks))
    assert found.images_with.tolist() == [
        sum(sum(row) == number for row in rows) for number in range(len(store.tasks) + 1)
    ]
    assert found.together.tolist() == [
        [sum(row[a] and row[b] for row in rows) for b in tasks] for a in tasks
    ]


def test_directions_equal_a_slow_count() -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ends = [[0, 0, 1], [0, 0, -1], [1, 0, 0], [0, 1, 0], [0, -1, 0], [-1, 0, 0]]
    unit: NDArray[np.float32] = np.concatenate([vectors, ends]).astype(np.float32)
    cells = np.zeros((CELLS, CELLS), int)
    for x, y, z in unit.tolist():
        far, turn = 2 * math.sin(math.acos(max(-1.0, min(1.0, z))) / 2), math.atan2(y, x)
        place = (far * math.sin(turn), far * math.cos(turn))
        row, column = (min(int((v + 2) / 4 * CELLS), CELLS - 1) for v in place)
        cells[row, column] += 1
    found, half = Directions(), Directions()
    found.add(unit[:100])
    half.add(unit[100:])
    found.merge(half)
    # A vector on the border of two cells may fall into either.
    assert np.abs(found.cells - cells).sum() <= 4
    assert found.cells.sum() == len(unit)


def test_an_even_spread_has_a_density_of_one() -> None:
    vectors = np.random.default_rng(0).normal(size=(200_000, 3))
    found = Directions()
    found.add((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
    middle = found.density()[CELLS // 4 : -CELLS // 4, CELLS // 4 : -CELLS // 4]
    assert middle.mean() == pytest.approx(1, abs=0.02)


def test_a_sample_is_drawn_by_its_seed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read = note_reads(monkeypatch)
    found = [stats(store, "one", sample=2, seed=seed).splits["train"] for seed in (0, 0, 1, 2, 3)]
    assert found[0].to_json() == found[1].to_json()
    assert len({tuple(one.rows.tolist()) for one in found}) > 1
    assert {(one.images, one.to_json()["of"]) for one in found} == {(2, 5)}
    drawn = {row for one in found for row in one.rows.tolist()}
    expected = {cell for cell in shown_labels(store, "one") if cell[1] in drawn}
    assert {cell for cell in read if cell[0] == "train"} == expected
    whole = stats(store, "one", sample=99).to_json()
    assert whole == stats(store, "one").to_json()
    with pytest.raises(UsageError, match="`sample` should be 1 or more"):
        stats(store, sample=0)


def test_added_labels_are_those_that_the_regime_shows(tmp_path: Path) -> None:
    with open_store(added_store(tmp_path, images=(8, 1))) as store:
        assert set(stats(store).to_json()["splits"]["train"]["added"]) == {"filled", "derived"}
        plain = stats(store, "one").to_json()["splits"]["train"]
        assert plain["added"] == {}
        for regime in ("one+derived", "one+filled:0.6"):
            found = stats(store, regime).to_json()["splits"]["train"]
            assert (found["regime"], found["tasks"]) == (regime, plain["tasks"])
            data = store.dataset("train", regime=regime)
            assert data.added is not None
            wanted = {one["task"]: one["images"] for one in data.added.labels}
            (added,) = found["added"].values()
            assert {task: one["images"] for task, one in added.items()} == wanted
            both = data.labelled.astype(int).T @ data.labelled
            names = [task.name for task in data.tasks]
            assert found["pairs"] == {
                f"{a}+{b}": both[i, j]
                for i, a in enumerate(names)
                for j, b in enumerate(names[i + 1 :], start=i + 1)
            }
            assert found["unlabelled"] == (~data.labelled.any(1)).sum()
        assert 0.3 < added["depth"]["valid_fraction"] < 0.5
        with pytest.raises(UsageError, match="`regime` should be one without labels that were"):
            summarise(store, "one+derived")
        with pytest.raises(UnknownNameError):
            stats(store, "two+derived")
