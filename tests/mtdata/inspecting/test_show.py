"""Sheets of a store: what a regime hides is marked, and not read."""

from pathlib import Path
from typing import Any

import pytest

from mtdata.errors import UnknownNameError, UsageError
from mtdata.inspecting.show import show
from mtdata.store import Store, open_store
from tests.asserts import labels_of_training, note_reads, shown_labels
from tests.trees.nyu import nyu_store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nyu_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(path: Path) -> Store:
    return open_store(path)


def _notes(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_row_for_each_key(store: Store) -> None:
    figure = show(store, ["0001", "0003"])
    titles = [axes.get_title().split("  ")[0] for axes in figure.axes if axes.get_title()]
    assert titles == [
        "0001",
        "semantic",
        "depth",
        "normals",
        "0003",
        "semantic",
        "depth",
        "normals",
    ]
    assert _notes(figure) == []
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["floor", "wall", "void"]


def test_hidden_and_missing_are_told_apart(store: Store) -> None:
    split = store.split("train")
    index = split.index("0002")
    shown = int(split.visible("one")[index].sum())
    notes = _notes(show(store, ["0002"], "one"))
    assert notes.count("no label") == 1
    (legend,) = show(store, ["0002"], "one").legends
    told = [text.get_text() for text in legend.get_texts()]
    assert told[-2:] == ["hidden by the regime", "no label in the store"]
    assert notes.count("hidden") == 2 - shown


def test_a_split_without_the_regime_shows_all(store: Store) -> None:
    assert _notes(show(store, ["0003"], "one")) == []


def test_hidden_labels_are_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read = note_reads(monkeypatch)
    show(store, store.split("train").keys, "one")
    assert labels_of_training(read) == shown_labels(store, "one")


def test_unknown_names(store: Store) -> None:
    with pytest.raises(UnknownNameError, match=r"no image `0009`. Did you mean `000"):
        show(store, ["0009"])
    with pytest.raises(UnknownNameError, match="no regime `all`"):
        show(store, ["0001"], "all")
    with pytest.raises(UsageError, match="one image at least"):
        show(store, [])
