"""Predictions below labels, and what a training sees: against what they are made of."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.errors import UsageError
from mtdata.inspecting.pictures import HIDDEN, MISSING, absent_panel, error_picture, render
from mtdata.inspecting.show import Predicted, pick, show
from mtdata.store import Store, open_store
from mtdata.tasks.kinds import Classes, Depth
from mtdata.tasks.task import Task
from mtmodels.inspecting.seen import Training
from tests.asserts import labels_of_training, note_reads, shown_labels
from tests.stores.fakes import fake_store

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(path: Path) -> Store:
    return open_store(path)


def _predicted(store: Store) -> Predicted:
    """A run that knows two of the tasks, and says one thing everywhere."""
    tasks = tuple(store.task(name) for name in ("semantic", "depth"))

    def predict(image: Any) -> dict[str, Any]:
        size = image.shape[:2]
        return {"semantic": np.ones(size, np.uint8), "depth": np.full(size, 2.0, np.float32)}

    return Predicted("a-run", tasks, predict)


def _pictures(figure: Figure, rows: int) -> list[list[Any]]:
    """What each panel shows; bars have no title, and no panel is as flat."""
    shown = [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images]
    panels = [each for each in shown if each.shape[-1] == 3 and each.ndim == 3]
    wide = len(panels) // rows
    return [panels[start : start + wide] for start in range(0, len(panels), wide)]


def test_predictions_and_errors_stand_below_the_labels(store: Store) -> None:
    split = store.split("test")
    index = next(i for i in range(len(split)) if split.labelled[i].all())
    figure = show(store, [split.keys[index]], predicted=[_predicted(store)])
    labels, given, errors = _pictures(figure, 3)
    sample = split.read(index, ["semantic", "depth"])
    for column, name in ((1, "semantic"), (2, "depth")):
        task, label, valid = store.task(name), sample.labels[name], sample.valid[name]
        said = _predicted(store).predict(sample.image)[name]
        assert (labels[column] == render(task, label, valid)).all()
        error = task.kind.distance(said, label)
        assert (errors[column] == error_picture(task, label, valid, error)).all()
        if name == "semantic":
            assert (given[column] == render(task, said)).all()
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert words.count("not predicted") == 3
    apart = np.abs(sample.labels["depth"] - 2.0)[sample.valid["depth"]].mean()
    titles = [ax.get_title() for ax in figure.axes]
    assert f"depth, off by {apart:.3g} metres" in titles


def test_several_runs_stand_one_below_the_other(store: Store) -> None:
    key = store.split("test").keys[0]
    one = _predicted(store)
    two = Predicted("b-run", (store.task("semantic"),), lambda image: {
        "semantic": np.zeros(image.shape[:2], np.uint8)
    })  # fmt: skip
    labels, *first = _pictures(show(store, [key], predicted=[one]), 3)
    assert np.array_equal(
        _pictures(show(store, [key], predicted=[one, two]), 5)[:3], [labels, *first]
    )
    figure = show(store, [key], predicted=[two, one])
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert [word for word in words if word.startswith("predicted by")] == [
        "predicted by\nb-run",
        "predicted by\na-run",
    ]


def test_without_a_label_there_is_no_row_of_errors(store: Store) -> None:
    split = store.split("train")
    one = Predicted("a-run", (store.task("semantic"),), _predicted(store).predict)
    column = [task.name for task in store.tasks].index("semantic")
    for shown in (True, False):
        key = split.keys[int(np.flatnonzero(split.labelled[:, column] == shown)[0])]
        figure = show(store, [key], predicted=[one])
        words = [text.get_text() for ax in figure.axes for text in ax.texts]
        assert words.count("error") == shown
        assert "predicted by\na-run" in words


def test_hidden_and_missing_have_their_own_stripes(store: Store) -> None:
    split, visible = store.split("train"), store.split("train").visible("one")
    (rows,) = [_pictures(show(store, split.keys, "one"), len(split))]
    height, width = rows[0][0].shape[:2]
    hidden, missing = (absent_panel("", height, width, why).picture for why in (HIDDEN, MISSING))
    found = np.array(
        [[1 if (p == hidden).all() else 2 if (p == missing).all() else 0 for p in row[1:]]
         for row in rows]
    )  # fmt: skip
    expected = np.where(visible, 0, np.where(split.labelled, 1, 2))
    assert (found == expected).all()
    assert set(expected.ravel().tolist()) == {0, 1, 2}


def test_predictions_read_no_hidden_label(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read = note_reads(monkeypatch)
    show(store, store.split("train").keys, "one", predicted=[_predicted(store)])
    assert labels_of_training(read) == shown_labels(store, "one")


def test_a_run_for_other_labels_is_refused(store: Store) -> None:
    three = Classes(("a", "b", "c"), ((0, 0, 0), (0, 0, 1), (0, 0, 2)))
    for task, match in (
        (Task("edges", Depth()), "for a task of this store"),
        (Task("semantic", three), r"5 classes \(bed.*; other predicts 3 classes \(a"),
        (Task("depth", Depth(unit="1/m")), "predicts depth in"),
    ):
        with pytest.raises(UsageError, match=match):
            show(store, ["0001"], predicted=[Predicted("other", (task,), lambda image: {})])


def test_what_a_training_sees_is_what_its_loader_gives(path: Path) -> None:
    training = Training(path, regime="one")
    train = training.data.train
    figure = training.draw(train.keys[:1], 3)
    rows = _pictures(figure, 4)
    for epoch, row in enumerate(rows[1:]):
        sample = train.read(0, epoch, seed=training.config.seed)
        assert (row[0] == sample.image).all()
        (name,) = sample.labels
        task = next(t for t in train.tasks if t.name == name)
        column = 1 + train.tasks.index(task)
        drawn = render(task, sample.labels[name], sample.valid[name])
        assert (row[column] == drawn).all()
    with pytest.raises(UsageError, match="an image that is trained on; té0"):
        training.draw(["té0"], 1)


def test_no_more_are_drawn_than_there_are(store: Store) -> None:
    assert len(pick(store, "test", random=3)[1]) == 3
    with pytest.raises(UsageError, match=r"images of test, 3; found 4"):
        pick(store, "test", random=4)


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["--random", "99"], 2, "at most the number"),
        (["--random", "1", "--like", "a"], 2, "--augment N"),
        (["--random", "1", "--augment", "1", "--predictions", "a"], 2, "without --predictions"),
        (["--random", "1", "--augment", "1", "--split", "test"], 2, "without --split"),
        (["--random", "99", "--augment", "1"], 2, "at most the number"),
        (["té0", "--augment", "1"], 2, "an image that is trained on"),
        (["0001", "--augment", "1", "--like", "nowhere"], None, "run folder"),
        (["0001", "--predictions", "nowhere"], None, "run folder"),
        (["0001", "--predictions", "a", "--predictions", "./a"], 2, "name each run once"),
        (["0001", "--augment", "1"], 0, "Drew 1 image"),
    ],
)
def test_the_command(
    path: Path, tmp_path: Path, given: list[str], code: int | None, said: str, capsys: Captured
) -> None:
    out = tmp_path / "a.png"
    ended = run(mtdata, ["show", str(path), *given, "-o", str(out)])
    told = capsys.readouterr().err
    assert ended == code if code is not None else ended in {1, 2, 3}
    assert said in " ".join(told.split())
    assert out.exists() == (code == 0)
