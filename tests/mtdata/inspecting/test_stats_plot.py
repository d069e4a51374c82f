"""The picture of `mtdata stats`: its numbers, its words, and any store that there can be."""

import json
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.inspecting.figures import save
from mtdata.inspecting.stats import Stats, TaskStats, stats
from mtdata.inspecting.stats_plot import class_shares, plot, read_of
from mtdata.store import Store, open_store
from mtdata.tasks.kinds import KINDS, Binary, Classes, Depth, Kind, Normals
from mtdata.tasks.task import Task
from tests.stores.fakes import FakeSource, fake_store

FORTY = Classes(
    tuple(f"a piece of furniture {i}" for i in range(40)), tuple((i, 2 * i, 255 - i)
    for i in range(40)),
)  # fmt: skip


@dataclass(frozen=True)
class Marks(Kind):
    """A kind of which the picture knows nothing."""

    name = "marks"

    def encode(self, label: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        return np.where(valid, label, 255).astype(np.uint8)

    def decode(self, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        return np.where(stored == 255, 0, stored), stored != 255

    def storage(self) -> dict[str, Any]:
        return {"dtype": "uint8", "void": 255}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.name}


STORES: dict[str, tuple[Task, ...]] = {
    "classes alone": (Task("semantic", FORTY),),
    "depth alone": (Task("depth", Depth()),),
    "as pascal": (
        Task("edges", Binary()), Task("saliency", Binary()), Task("parts", FORTY),
        Task("normals", Normals()), Task("semantic", FORTY), Task("human_keypoint_map", Marks()),
    ),
}  # fmt: skip


def _store(folder: Path, tasks: tuple[Task, ...], monkeypatch: Any, **options: Any) -> Store:
    monkeypatch.setattr("tests.stores.fakes.TASKS", tasks)
    monkeypatch.setitem(KINDS, "marks", Marks)
    build(FakeSource(missing=0, **options), folder / "a.h5", size=(12, 16))
    return open_store(folder / "a.h5")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Stats:
    path = fake_store(tmp_path_factory.mktemp("store"), regimes=("one", "random"))
    return stats(open_store(path), "one")


def _words(figure: Figure) -> list[Text]:
    FigureCanvasAgg(figure).draw()
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    inside = figure.bbox
    return [t for t in texts if inside.overlaps(t.get_window_extent())]


def _drawn(figure: Figure, title: str) -> Any:
    return next(ax for ax in figure.axes if ax.get_title(loc="left").startswith(title))


@pytest.mark.parametrize("name", STORES)
def test_no_words_lie_on_others(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _store(tmp_path, STORES[name], monkeypatch, images=(3, 2)) as store:
        figure = plot(stats(store))
    words = _words(figure)
    told = {text.get_text() for text in words}
    assert {task.name for task in STORES[name]} <= told
    for kind in (task.kind for task in STORES[name]):
        assert not isinstance(kind, Classes) or set(kind.names) <= told
    # Ticks beyond the ends of an axis are not drawn, though they have a place.
    ticks = {id(label) for ax in figure.axes for label in ax.get_xticklabels(which="both")}
    # Nor are those of axes that are off.
    bars = [ax for ax in figure.axes if ax.get_label() == "<colorbar>" or not ax.axison]
    ticks |= {id(label) for ax in bars for label in ax.get_yticklabels(which="both")}
    boxes = [(t.get_text(), t.get_window_extent()) for t in words if id(t) not in ticks]
    for (a, one), (b, other) in combinations(boxes, 2):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        tall = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(wide, tall) < 1.5, (a, b)


def test_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _store(tmp_path, STORES["depth alone"], monkeypatch, images=(2, 1)) as store:
        figure = plot(stats(store))
    for suffix, start in {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}.items():
        save(figure, tmp_path / f"a.{suffix}")
        assert (tmp_path / f"a.{suffix}").read_bytes().startswith(start)


def test_nothing_to_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A split without an image, in a store without a regime."""
    tasks = (Task("depth", Depth()), Task("semantic", FORTY), Task("normals", Normals()))
    with _store(tmp_path, tasks, monkeypatch, images=(1, 2)) as store:
        found = stats(store)
        empty = replace(
            found.splits["train"], images=0, rows=np.arange(0), shown=np.zeros((0, 3), np.bool_),
            tasks={task.name: TaskStats(task) for task in tasks},
        )  # fmt: skip
        found = replace(found, splits={**found.splits, "train": empty})
        figure = plot(found)
    json.dumps(found.to_json(), allow_nan=False)
    assert "no label" in [text.get_text() for text in _words(figure)]
    assert not any("regime" in ax.get_title(loc="left") for ax in figure.axes)


def test_the_numbers_that_are_drawn(found: Stats) -> None:
    """Every bar and dot, against a count by hand of what the regime shows."""
    figure = plot(found)
    split, names = found.store.split("train"), [task.name for task in found.store.tasks]
    visible = split.visible("one")
    bars = {
        title: [bar.get_width() for bar in _drawn(figure, title).patches]
        for title in ("labels that are shown", "labels that an image shows", "pixels that have")
    }
    t = len(names)
    assert bars["labels that are shown"][:t] == split.visible("full").sum(0).tolist()
    assert bars["labels that are shown"][t : 2 * t] == visible.sum(0).tolist()
    shares = [100 * float((visible.sum(1) == n).mean()) for n in range(t + 1)]
    assert bars["labels that an image shows"][: t + 1] == pytest.approx(shares)
    for column, name in enumerate(names):
        samples = [split.read(int(i), [name]) for i in np.flatnonzero(visible[:, column])]
        valid = np.concatenate([s.valid[name].ravel() for s in samples])
        assert bars["pixels that have"][column] == pytest.approx(100 * valid.mean())
        values = np.concatenate([s.labels[name][s.valid[name]] for s in samples])
        if name == "semantic":
            expected = [100 * float((values == i).mean()) for i in range(5)]
            assert class_shares(found.splits["train"], name) == pytest.approx(expected)
            dots = _drawn(figure, "semantic: how frequent").lines[0].get_xdata()
            assert sorted(dots) == pytest.approx(sorted(s for s in expected if s))
        if name == "saliency":
            ones = _drawn(figure, "pixels that are 1").patches[0].get_width()
            assert ones == pytest.approx(100 * values.mean())


def test_a_colour_means_one_thing(found: Stats) -> None:
    """Splits have the colours, told in one legend; tasks have none."""
    figure = plot(found)
    (legend,) = [each for sub in figure.subfigs for each in sub.legends]
    assert [text.get_text() for text in legend.get_texts()] == [
        "train (regime one)",
        "test (regime full)",
    ]
    assert all(ax.get_legend() is None for ax in figure.axes)
    table = _drawn(figure, "labels of each regime")
    labels = found.store.split("train").regimes["one"].counts["depth"]
    shown = f"{labels:,}  ({100 * labels / 6:.0f} %)"
    assert shown in [text.get_text() for text in table.texts]


def test_a_sample_is_said(found: Stats) -> None:
    assert read_of(found) == ""
    some = stats(found.store, sample=4)
    assert read_of(some) == "Values are those of 4 of 6 images of train; counts are of all."
    assert read_of(some) in [text.get_text() for text in plot(some).findobj(Text)]


def test_many_regimes_and_splits_have_room(tmp_path: Path) -> None:
    specs = [RegimeSpec("one", name=f"one-{i}") for i in range(30)]
    build(FakeSource(missing=0), tmp_path / "a.h5", regimes=specs)
    with open_store(tmp_path / "a.h5") as store:
        table = _drawn(plot(stats(store)), "labels of each regime")
    assert "8 more" in table.get_title(loc="left")
    assert len(table.get_yticklabels()) == 24
