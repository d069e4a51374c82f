"""A run says what becomes of images that show no label."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata import Sample, open_store
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import UsageError
from mtdata.merging.derive import derive
from mtdata.reading.holdout import holdout
from mtdata.tasks.role import Role
from mtmodels.inspecting.card import card
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import fit, prepare, train
from mtmodels.training.setup.setup import assemble
from mtmodels.training.telling import planned, tell
from tests.runs.small_run import small_layer, small_store
from tests.stores.fakes import FakeSource


class Heard(Watcher):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.text = ""

    def say(self, text: str) -> None:
        self.text += text + "\n"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "(semantic 1, depth 1; fewer than 5 say little): a larger --holdout"),
        ({"select": "last"}, ""),
        ({"holdout": 0.4, "regime": "full"}, ""),
    ],
)
def test_few_held_out_labels_to_select_by_are_told(
    changed: dict[str, Any], told: str, tmp_path: Path
) -> None:
    layer = small_layer(small_store(tmp_path)) | {"epochs": 1, **changed}
    job, watcher = prepare([layer], out=None, mode=None), Heard()
    parts = assemble(job.config, job.data)
    tell(job.data, parts, job.folder, notes=(), watcher=watcher)
    assert ("Few held-out labels" in watcher.text) == bool(told)
    assert told in watcher.text
    assert told in "".join(planned(job.data, parts, notes=()))


@pytest.mark.parametrize("behind", ["", "+derived"])
def test_labels_of_a_regime_file_that_the_store_lacks_are_told(tmp_path: Path, behind: str) -> None:
    store = tmp_path / "a.h5"
    build(FakeSource(images=(14, 3), missing=5), store, size=(32, 64))
    derive(store, "disparity", "depth")
    with open_store(store) as opened:
        split = opened.split("train")
        lacks = dict(zip(("semantic", "depth"), (~split.labelled).sum(0).tolist(), strict=False))
    assert all(lacks.values())
    lines = [f"{key},{task.name}" for key in split.keys for task in split.tasks]
    (tmp_path / "all.csv").write_text("\n".join(["key,task", *lines]))
    told = "does not have: {}. They are left out"
    for regime, wanted in (
        ("all.csv", told.format(", ".join(f"{task} {n}" for task, n in lacks.items()))),
        ("full", ""),
    ):
        path = str(tmp_path / regime) if wanted else regime
        layer = small_layer(store) | {"epochs": 1, "holdout": 0.0, "regime": path + behind}
        job, watcher = prepare([layer], out=None, mode=None), Heard()
        parts = assemble(job.config, job.data)
        tell(job.data, parts, job.folder, notes=(), watcher=watcher)
        plan = "".join(planned(job.data, parts, notes=()))
        for text in (watcher.text, plan):
            assert wanted in text
            assert bool(wanted) == ("does not have: " in text)


@pytest.mark.parametrize(
    ("method", "kept", "share", "told"),
    [
        ("ssl", True, None, "; 3 of them without a visible label"),
        ("ssl", False, 0.5, "; 3 of them without a visible label"),
        ("ssl", False, None, "show no label as well (3 of 14): --keep-unlabelled"),
        ("sl", False, None, "; 3 without a visible label of these tasks left the epoch."),
        ("sl", True, None, "(ssl, teacher, self-training, "),
    ],
)
def test_training_says_what_becomes_of_them(
    method: str, kept: bool, share: float | None, told: str, tmp_path: Path
) -> None:
    source = FakeSource(images=(14, 3), missing=0)
    spec = RegimeSpec("fraction", options={"share": 11 / 14})
    build(source, tmp_path / "a.h5", size=(32, 64), regimes=[spec])
    layer = small_layer(tmp_path / "a.h5")
    layer |= {"method": {"name": method}, "keep_unlabelled": kept, "holdout": 0.0, "epochs": 1}
    layer |= {"weighting": {"name": "equal"}, "labelled_share": share}
    watcher = Heard()
    parts, _ = fit(
        prepare([layer], out=tmp_path / "run", mode="new"),
        mode="new",
        arguments=(),
        watcher=watcher,
    )
    assert told in watcher.text
    assert ("could learn" in watcher.text) == (method == "ssl" and not kept and not share)
    if share:
        batches = list(parts.loader.epoch(0))
        assert batches
        assert [(len(b), sorted(b.rows["depth"].tolist())) for b in batches] == [
            (3, [0, 2]) for _ in batches
        ]


@pytest.mark.parametrize(
    ("options", "changed", "told"),
    [
        ({}, {"keep_unlabelled": True}, "leave --keep-unlabelled out"),
        ({}, {"labelled_share": 0.5}, "leave --labelled-share out"),
        ({}, {}, ""),
        ({"with_ssl": True}, {"keep_unlabelled": True}, ""),
        ({"with_ssl": True}, {}, "could learn from images that show no label as well"),
        ({}, {"views": {"count": 3}}, "learns from 2 views of an image, and 3 cost the time"),
        ({"supervise": "all"}, {"views": {"count": 3}}, ""),
        ({"with_ssl": True}, {"views": {"count": 3}, "keep_unlabelled": True}, ""),
    ],
)
def test_what_does_not_fit_a_method_is_told_by_what_it_does(
    options: dict[str, Any], changed: dict[str, Any], told: str, tmp_path: Path
) -> None:
    source = FakeSource(images=(14, 3), missing=0)
    spec = RegimeSpec("fraction", options={"share": 11 / 14})
    build(source, tmp_path / "a.h5", size=(32, 64), regimes=[spec])
    layer = small_layer(tmp_path / "a.h5") | {"holdout": 0.0, "epochs": 1}
    layer |= {"keep_unlabelled": False, "weighting": {"name": "equal"}, **changed}
    layer |= {"method": {"name": "mtpsl", "options": options}}
    job = prepare([layer], out=None, mode=None)
    notes = [
        note
        for note in planned(job.data, assemble(job.config, job.data), notes=())
        if "The method" in note
    ]
    assert [told in note for note in notes] == ([True] if told else [])


def joint(**options: Any) -> dict[str, Any]:
    method = {"name": "mtpsl", "options": options}
    return {"method": method, "regime": "one", "keep_unlabelled": False}


def weighed(name: str, rate: float | None = None, **changed: Any) -> dict[str, Any]:
    options = {} if rate is None else {"rate": rate}
    return {"weighting": {"name": name, "options": options}, **changed}


def encoded(**options: Any) -> dict[str, Any]:
    options = {"encoder": "resnet18", **options}
    return {"network": {"name": "unet", "width": 0.125, "options": options}}


WHOLE: dict[str, Any] = {"scales": [1.0], "flip": 0.0}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"method": {"name": "ssl"}}, "method `ssl` learns from tasks that an image does not show"),
        ({"method": {"name": "ssl"}, "regime": "one"}, ""),
        ({"method": {"name": "teacher"}}, "it adds nothing to the labels"),
        ({"method": {"name": "jtr"}}, "it adds nothing to the labels"),
        ({"method": {"name": "mtpsl"}}, ""),
        ({"method": {"name": "mtpsl", "options": {"pairs": "unlabelled"}}}, "adds nothing"),
        ({"schedule": {"name": "step"}}, "In `schedule`, `step` never lowers the rate"),
        ({"schedule": {"name": "step"}}, "first step is after epoch 60 of 3. Give `every: 1`, say"),
        ({"schedule": {"name": "step"}, "epochs": 1}, "60 of 1. Give another schedule"),
        ({"schedule": {"name": "step", "options": {"every": 2}}}, ""),
        ({"schedule": {"name": "poly"}, "epochs": 1}, "with each epoch, and the run has one"),
        ({"schedule": {"name": "poly"}, "epochs": 2}, ""),
        ({"schedule": {"name": "poly", "options": {"per": "step"}}, "epochs": 1}, ""),
        (joint(film_schedule={"name": "step"}), "In `method.options.film_schedule`, `step` never"),
        (joint(film_schedule={"name": "step", "options": {"every": 2}}), ""),
        (weighed("dwa", epochs=2), "between two epochs, and the run has 2"),
        (weighed("dwa"), ""),
        (weighed("adaptive-variance", 0.1), "10 steps or more; found 3 epochs of 3 steps"),
        (weighed("adaptive-variance", 0.1, batch=1, epochs=2), "found 2 epochs of 14 steps"),
        (weighed("adaptive-variance", 0.1, batch=1), ""),
        (weighed("adaptive-variance", batch=1), "no further than 0.042 in 42 steps"),
        (weighed("gradnorm"), "no further than 0.0009 in 9 steps, and the tasks weigh"),
        (weighed("gradnorm"), "Give a larger `rate` (`weighting.options`), or train longer"),
        (weighed("gradnorm", 0.1), ""),
        (weighed("gradnorm", optimizer={"name": "sgd"}), ""),
        (weighed("uncertainty"), "no further than 0.009 in 9 steps"),
        (weighed("uncertainty", lr=0.1), ""),
        ({"method": {"name": "ssl"}, "regime": "one", "views": WHOLE}, "views are the first again"),
        ({"method": {"name": "ssl"}, "regime": "one", "views": WHOLE | {"flip": 0.5}}, ""),
        (joint(with_ssl=True) | {"views": WHOLE}, "views are the first again"),
        (joint() | {"views": WHOLE}, ""),
        (encoded(freeze_norm=True), "of a random encoder are 0 and 1"),
        (encoded(freeze_norm=True, encoder="test_vit"), "the encoder has no batch norm"),
        ({"start": "mean"}, ""),
        ({"start": "mean", "network": {"name": "adamt-net", "width": 0.125}}, "of depth do not"),
        (encoded(freeze_encoder=9), "random and never learns: `freeze_encoder` is 9"),
        (encoded(freeze_encoder=8), ""),
    ],
    ids=str,
)
def test_what_does_nothing_is_told(
    changed: dict[str, Any], told: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = small_store(tmp_path_factory.mktemp("idle"))
    layer = small_layer(store) | {"method": {"name": "sl"}, "weighting": {"name": "equal"}}
    layer |= {"regime": "full", "batch": 4, "holdout": 0.0, **changed}
    job = prepare([layer], out=None, mode=None)
    notes = planned(job.data, assemble(job.config, job.data), notes=())
    others = ("This training is short", "Scores:", "Selection:", "The method could learn")
    idle = [note for note in notes if not note.startswith(others)]
    assert [told in note for note in idle] == ([True] if told else [])


def test_a_share_is_of_the_whole_batch(tmp_path: Path) -> None:
    spec = RegimeSpec("fraction", options={"share": 0.5})
    build(FakeSource(images=(14, 3), missing=0), tmp_path / "a.h5", size=(32, 64), regimes=[spec])
    layer = small_layer(tmp_path / "a.h5")
    layer |= {"batch": 8, "labelled_share": 0.4, "holdout": 0.0, "weighting": {"name": "equal"}}
    steps = {}
    for parts in (1, 2, 4):
        job = prepare([layer, {"accumulate": parts}], out=None, mode=None)
        steps[parts] = list(assemble(job.config, job.data).loader.steps(0))
    ((whole,),) = steps[1]
    assert len(whole.rows["depth"]) == 3
    for parts in (2, 4):
        (step,) = steps[parts]
        assert [key for batch in step for key in batch.keys] == list(whole.keys)


def test_a_share_is_refused_where_every_image_shows_a_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(FakeSource(images=(14, 3), missing=0), tmp_path / "a.h5", size=(32, 64))
    words = ["--data", str(tmp_path / "a.h5"), "--method", "teacher"]
    for share, said in (("0.5", "all 14 show a label"), ("1.5", "below 1")):
        given = [*words, "--labelled-share", share, "--out", str(tmp_path / "run")]
        assert run(mttrain, given) == 2
        assert said in " ".join(capsys.readouterr().err.split())
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("roles", "given", "told"),
    [
        ({}, {"holdout": 0.3}, "none among 4 images held out.*larger --holdout, or --select last"),
        ({}, {"select": "holdout"}, "larger --holdout, or --select last"),
        ({"test": "val"}, {"holdout": 0.0}, r"none among 3 images of test\. Give --select last"),
        ({}, {"holdout": 0.0, "select": "paper"}, "none among 3 images of test"),
    ],
)
def test_an_epoch_is_not_chosen_without_a_label(
    roles: dict[str, Role], given: dict[str, Any], told: str, tmp_path: Path
) -> None:
    recipe = _bare_layers(tmp_path, roles)
    with pytest.raises(UsageError, match=told):
        prepare([recipe, given], out=tmp_path / "run", mode="new")
    assert not (tmp_path / "run").exists()
    job = prepare([recipe, given, {"select": "last"}], out=tmp_path / "run", mode="new")
    assert job.config.select == "last"


def test_the_last_epoch_counts_where_the_holdout_of_a_recipe_shows_no_label(tmp_path: Path) -> None:
    recipe, out = _bare_layers(tmp_path, {}), tmp_path / "run"
    job, heard = prepare([recipe], out=out, mode="new"), Heard()
    assert (job.config.select, job.config.holdout, len(job.data.held or ())) == ("last", 0.3, 4)
    train(job, mode="new", watcher=heard)
    assert "Selection: last, as there is no label to choose an epoch by among 4" in heard.text
    assert yaml.safe_load((out / "config.yaml").read_text())["select"] == "last"
    text = card(out).markdown()
    assert "What chose the checkpoint: nothing: the last epoch counts." in text
    prepare([recipe], out=out, mode="resume")


def _bare_layers(folder: Path, roles: dict[str, Role]) -> dict[str, Any]:
    """As of a recipe: what is held out, and what is for testing, shows no label."""

    class Bare(FakeSource):
        def roles(self) -> Mapping[str, Role]:
            return {**super().roles(), **roles}

        def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
            keys = self.splits()["train"]
            held = {keys[int(at)] for at in np.flatnonzero(holdout(keys, 0.3, seed=0))}
            away = split == "test" or key in held
            return super().read(split, key, ["normals"] if away else tasks)

    build(Bare(images=(14, 3), missing=0), folder / "a.h5", size=(32, 64))
    layer = small_layer(folder / "a.h5") | {"epochs": 1, "method": {"name": "sl"}}
    return layer | {"recipe": {"name": "theirs"}, "keep_unlabelled": False}
