"""Statistics of a store against numpy on all labels at once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.errors import UnknownNameError, UsageError
from mtdata.inspecting.stats import stats
from mtdata.inspecting.stats_plot import plot
from mtdata.store import Store, open_store
from tests.fakes import FakeSource
from tests.nyu_tree import nyu_store


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
    read = []
    split = type(store.split("train"))
    original = split.read_stored

    def spy(self: Any, index: int, task: str | None) -> Any:
        read.append((self.name, index, task))
        return original(self, index, task)

    monkeypatch.setattr(split, "read_stored", spy)
    stats(store, "one")
    visible = store.split("train").visible("one")
    names = [task.name for task in store.tasks]
    expected = {("train", int(i), names[t]) for i, t in np.argwhere(visible)}
    assert {entry for entry in read if entry[0] == "train"} == expected


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


def test_every_kind_of_label_has_statistics_and_a_picture(tmp_path: Path) -> None:
    build(FakeSource(images=(4, 3), missing=0), tmp_path / "fake.h5")
    with open_store(tmp_path / "fake.h5") as opened:
        found = stats(opened)
        text = json.dumps(found.to_json(), allow_nan=False)
        assert json.loads(text)["splits"]["train"]["tasks"]["saliency"]["max"] == 1
        plot(found).savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_a_colour_of_the_picture_means_one_thing(store: Store) -> None:
    """Splits have the colours, told in one legend that lies on no panel; tasks have none."""
    figure = plot(stats(store, "one"))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "train (regime one)",
        "test (regime full)",
    ]
    colours = [patch.get_facecolor() for patch in legend.get_patches()]
    drawn = [bar for ax in figure.axes for bars in ax.containers for bar in list(bars)]
    assert {bar.get_facecolor() for bar in drawn} == set(colours)
    assert all(ax.get_legend() is None for ax in figure.axes)
    table = next(ax for ax in figure.axes if "regime" in ax.get_title())
    labels = store.split("train").regimes["one"].counts["depth"]
    assert f"{labels:,}\n{100 * labels / 5:.0f} %" in [text.get_text() for text in table.texts]
    box = legend.get_window_extent()
    assert not any(box.overlaps(ax.get_window_extent()) for ax in figure.axes)
