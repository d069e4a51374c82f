"""The roles of splits decide what a run learns from, selects on and is scored on."""

from pathlib import Path
from typing import Any

import pytest

from mtdata import Store
from mtdata.errors import DataError, UnknownNameError, UsageError
from mtdata.store import Split
from mtmodels.training.config import Config
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.rescore import rescore, scores_of
from mtmodels.training.run import prepare, train
from mtmodels.training.setup.loading import open_run
from mtmodels.training.setup.resolve import resolve
from mtmodels.training.setup.splits import Chosen, choose_splits, held_out
from tests.runs.small_run import small_layer, small_run, small_store
from tests.stores.store_files import editing


def choose(roles: dict[str, str], **config: Any) -> Chosen:
    # The roles are all that is looked at, so there is no file.
    splits = {name: object.__new__(Split) for name in roles}
    for name, split in splits.items():
        vars(split).update(name=name, role=roles[name])
    store = object.__new__(Store)
    store.path, store.splits = Path("mine.h5"), splits
    return choose_splits(resolve(config) if config else Config(), store)


def test_a_val_split_selects_and_test_splits_are_scored() -> None:
    roles = {"a": "train", "b": "train", "val": "val", "test": "test", "night": "test"}
    chosen = choose(roles)
    assert (chosen.train, chosen.val, chosen.watched) == (("a", "b"), ("val",), "val")
    assert chosen.scored == ("test", "night")
    assert chosen.selected_on("val") == ("val",)
    assert chosen.selected_on("holdout") == ("holdout",)
    named = choose(roles, train_on=["b"], score_on=["night"])
    assert (named.train, named.scored) == (("b",), ("night",))


def test_the_official_val_of_role_test_selects_nothing() -> None:
    chosen = choose({"train": "train", "val": "test"})
    assert (chosen.watched, chosen.scored, chosen.selected_on("last")) == (None, ("val",), ())
    assert choose({"train": "train", "val": "test"}, select="paper").selected_on("paper") == (
        "val",
    )


def test_without_test_what_selected_is_scored_and_with_neither_it_is_refused() -> None:
    assert choose({"train": "train", "val": "val"}).scored == ("val",)
    with pytest.raises(DataError, match=r"role test or val; found train \(train\).*--holdout 0.1"):
        choose({"train": "train"})
    chosen = choose({"train": "train"}, holdout=0.1)
    assert (chosen.watched, chosen.scored) == ("holdout", ())


@pytest.mark.parametrize(
    ("config", "error", "told"),
    [
        ({"holdout": 0.1}, UsageError, "this one has val, of role val.*--select holdout"),
        ({"select": "paper", "score_on": []}, UsageError, "split of role test"),
        ({"select_on": ["test"]}, UsageError, "role val; found test, of role test. Those are val"),
        ({"train_on": ["trian"]}, UnknownNameError, "Did you mean `train`"),
    ],
)
def test_what_does_not_fit_is_refused(
    config: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        choose({"train": "train", "val": "val", "test": "test"}, **config)


def test_a_holdout_beside_a_test_split_that_chooses_is_refused(tmp_path: Path) -> None:
    layer = small_layer(small_store(tmp_path)) | {"epochs": 1, "select": "paper"}
    with pytest.raises(UsageError, match=r"--select paper.*without --holdout; found 0\.3"):
        prepare([layer], out=tmp_path / "run", mode="new")
    assert not (tmp_path / "run").exists()


def test_a_run_of_before_that_dropped_its_holdout_kept_nothing_away(tmp_path: Path) -> None:
    out = small_run(tmp_path, select="paper", holdout=0.0)
    stored = out / "config.yaml"
    stored.write_text(stored.read_text().replace("holdout: 0.0", "holdout: 0.3"))
    run = open_run(out)
    assert (run.config.holdout, run.config.held_share) == (0.3, 0.0)
    assert not held_out(run.config, [f"{i}" for i in range(10)]).any()
    with pytest.raises(UsageError, match=r"kept nothing away, as `select: paper`.*0\.3 out\."):
        rescore(out, split="holdout")
    assert "held_out" not in rescore(out, split="train")[0]
    assert prepare([], out=out, mode="resume").config.holdout == 0.3


def test_a_run_on_train_and_val_is_marked_as_chosen_on_what_it_is_scored_on(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    with editing(store) as file:
        file.move("test", "val")
        file["val"].attrs["role"] = "val"
    layer = small_layer(store) | {"holdout": 0.0, "epochs": 1}
    job = prepare([layer], out=tmp_path / "run", mode="new")
    assert job.config.select == "val"
    summary = train(job, mode="new").summary
    assert (summary["split"], summary["role"], summary["selected_on"]) == ("val", "val", "val")
    report = RunFolder(tmp_path / "run").report.read_text()
    assert "images that chose the checkpoint" in report
    assert "compare numbers of one protocol" in report
    again = rescore(tmp_path / "run")[0]
    assert (again["split"], again["selected_on"]) == ("val", "val")
    run = open_run(tmp_path / "run")
    assert scores_of(run) == []
    found = scores_of(run, split="val")[0]
    assert (found["note"], found["images"]) == ("chosen on the val split", 3)
