"""Pairs that held-out labels call helpful, over a run: asked in time, told, kept and resumed."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from mtdata.errors import UsageError
from mtdata.store import open_store
from mtmodels.training.loop.validation import HeldOut
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.run import plan, prepare, train
from mtmodels.training.setup.data import open_data
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.loop.test_trainer import spoil_hidden_labels
from tests.mtmodels.training.test_hooks import KillIn
from tests.mtmodels.training.test_resume import Killed, Said
from tests.quick import few
from tests.runs.small_run import small_store
from tests.stores.store_files import editing

Changes = dict[str, Any]


def mtpsl(**options: Any) -> Changes:
    """Nine steps of three images; held-out images are asked before every other of them."""
    chosen = {
        "mapping": "segnet", "mapping_width": 0.0625, "helpful_pairs": True, "helpful_every": 2,
        "helpful_batches": 1, **options,
    }  # fmt: skip
    return {"method": {"name": "mtpsl", "options": chosen}}


@pytest.fixture(scope="module")
def asked(run: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("asked") / "run"
    run(out, **mtpsl())
    return out


def test_each_look_is_written_down_and_told(
    run: Train, layer: Changes, asked: Path, tmp_path: Path
) -> None:
    said = Said()
    job = prepare([layer, mtpsl()], out=tmp_path / "run", mode="new")
    train(job, mode="new", watcher=said)
    assert_same_run(tmp_path / "run", asked)
    rows = read_rows(RunFolder(asked).metrics, "probe")
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    for row in rows:
        assert all(-1 <= value <= 1 for value in row["cosine"].values())
        kept = {name: value >= row["threshold"] for name, value in row["agreement"].items()}
        assert kept == row["kept"]
    lines = [text for text in said.said if text.startswith("After step")]
    assert len(lines) == 4
    last = rows[-1]["kept"]
    assert lines[-1].startswith(f"After step 8: {sum(last.values())} of {len(last)} pairs go on")
    assert all((name in lines[-1]) is not kept for name, kept in last.items())
    assert any("are asked every 2 steps" in text for text in said.said)
    page = RunFolder(tmp_path / "run").report.read_text()
    assert all(f">{name}</td>" in page for name in last)


def test_a_pair_that_rests_is_left_out_until_the_next_look(run: Train, tmp_path: Path) -> None:
    """Nothing agrees that much: every pair that was asked rests, and has no part any more."""
    run(tmp_path / "run", **mtpsl(helpful_threshold=1.0))
    rows, rests = read_rows(RunFolder(tmp_path / "run").metrics), set[str]()
    seen = 0
    for row in rows:
        if row["kind"] == "probe":
            rests = {f"consistency/{name}" for name, kept in row["kept"].items() if not kept}
        if row["kind"] == "step":
            assert not rests & row["parts"].keys()
            seen += len(rests)
    assert seen


@pytest.mark.parametrize(("step", "every"), few([(2, 2), (3, 1), (5, 2)], [(5, 2)]))
def test_killed_and_resumed(run: Train, asked: Path, tmp_path: Path, step: int, every: int) -> None:
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillIn("", step), checkpoint_every=every, **mtpsl())
    run(tmp_path / "run", mode="resume", checkpoint_every=every, **mtpsl())
    assert_same_run(tmp_path / "run", asked)


@pytest.mark.parametrize("changes", [{"accumulate": 3}, {"workers": 1, "cache": "memory"}], ids=str)
def test_parts_of_a_step_and_a_cache_are_asked_as_well(
    run: Train, asked: Path, tmp_path: Path, changes: Changes
) -> None:
    options = {"weighting": {"name": "equal"}} if "accumulate" in changes else {}
    run(tmp_path / "run", **mtpsl(), **changes, **options)
    assert len(read_rows(RunFolder(tmp_path / "run").metrics, "probe")) == 4
    if "cache" in changes:
        assert_same_run(tmp_path / "run", asked)


def test_hidden_labels_have_no_say(run: Train, asked: Path, store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "garbage.h5"
    shutil.copy(store, copy)
    assert spoil_hidden_labels(copy) > 20
    run(tmp_path / "run", data=str(copy), **mtpsl())
    assert_same_run(tmp_path / "run", asked)


def test_the_hold_out_shows_what_the_regime_shows(layer: Changes, tmp_path: Path) -> None:
    job = prepare([layer, mtpsl()], out=tmp_path / "run", mode="new")
    data = open_data(job.config)
    assert data.held is not None
    trained, seen = set(data.train.keys), set[str]()
    with open_store(Path(layer["data"])) as store:
        split = store.splits["train"]
        shown = dict(zip(split.keys, split.visible("one"), strict=True))
        names = [task.name for task in store.tasks]
    held = HeldOut(data.held, job.config)
    for look in range(4):
        for batch in held.draw(look, 3):
            assert not trained & set(batch.keys)
            for task, rows in batch.rows.items():
                assert all(shown[batch.keys[i]][names.index(task)] for i in rows.tolist())
            seen |= set(batch.keys)
    assert len(seen) > 1


def test_a_plan_counts_the_looks(layer: Changes) -> None:
    found = plan(prepare([layer, mtpsl()], out=None, mode=None))
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"holdout": 0.0},
            r"kept away from training.*found none\. Keep some away \(--holdout 0\.1",
        ),
        ({"epochs": 1, "batch": 6}, r"asked once at least; found 1 step in all, and 2"),
    ],
    ids=["no hold-out", "too short"],
)
def test_what_cannot_be_asked_is_refused(
    run: Train, tmp_path: Path, changes: Changes, why: str
) -> None:
    with pytest.raises(UsageError, match=f"method `mtpsl`: .*{why}"):
        run(tmp_path / "run", **{**mtpsl(), **changes})
    assert not (tmp_path / "run").exists()


def test_a_split_to_select_on_is_not_asked(run: Train, tmp_path: Path) -> None:
    """It shows all of its labels; a part of the training images does not."""
    path = small_store(tmp_path)
    with editing(path) as file:
        file.move("test", "val")
        file["val"].attrs["role"] = "val"
    with pytest.raises(UsageError, match=r"of role val, with labels that no regime hides"):
        run(tmp_path / "run", data=str(path), **{**mtpsl(), "holdout": 0.0})
    run(tmp_path / "run", data=str(path), select="holdout", **mtpsl())
    assert read_rows(RunFolder(tmp_path / "run").metrics, "probe")
