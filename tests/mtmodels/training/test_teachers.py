"""Runs that teach other runs: what they may have seen, and that a killed pupil goes on."""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mtdata import open_store
from mtdata.building.build import build
from mtdata.errors import UsageError
from mtdata.merging.update import update
from mtdata.reading.shown import shows
from mtdata.store.regime_add import draw_regime
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Sample
from mtmodels.errors import RunFolderError
from mtmodels.predicting.fill import fill, foretell
from mtmodels.training.loop.trainer import Trainer
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.run import prepare, train
from mtmodels.training.setup.loading import labels_seen, open_run, seen_by
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_hooks import KillIn
from tests.mtmodels.training.test_resume import Killed
from tests.runs.small_run import scored
from tests.stores.fakes import FakeSource

Changes = dict[str, Any]
HIDDEN = "may learn what is hidden"
SHORT: Changes = {
    "holdout": 0.0,
    "epochs": 1,
    "batch": 6,
    "regime": "one",
    "checkpoint_every": 1,
    "weighting": {"name": "equal"},
}


class Heard(Watcher):
    """Keeps what a run says."""

    text = ""

    def say(self, text: str) -> None:
        self.text += text + "\n"


def sl(**more: Any) -> Changes:
    return SHORT | {"method": {"name": "sl"}} | more


def pupil(*teachers: Path, **more: Any) -> Changes:
    options = {"teachers": [str(teacher) for teacher in teachers]}
    return SHORT | {"method": {"name": "self-training", "options": options}} | more


def distilled(teacher: Callable[..., Path], regime: str) -> Changes:
    tasks = {task: str(teacher(regime, task)) for task in ("semantic", "depth")}
    return SHORT | {"method": {"name": "kd", "options": {"teachers": tasks}}}


@pytest.fixture(scope="session")
def run(run: Train) -> Train:
    """Train with some keys changed, as one that came to its end."""

    def start(out: Path, **changes: Any) -> Trainer:
        trainer = run(out, **changes)
        scored(out)
        return trainer

    return start


@pytest.fixture(scope="session")
def teacher(run: Train, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A trained run, by the regime that it saw and its tasks."""
    made: dict[tuple[str, ...], Path] = {}

    def find(regime: str, *tasks: str) -> Path:
        if (regime, *tasks) not in made:
            out = tmp_path_factory.mktemp("teacher") / regime
            run(out, **sl(regime=regime), **({"tasks": list(tasks)} if tasks else {}))
            made[regime, *tasks] = out
        return made[regime, *tasks]

    return find


def test_a_killed_pupil_ends_with_the_same_bits(
    run: Train, teacher: Callable[..., Path], tmp_path: Path
) -> None:
    changes = pupil(teacher("one"), epochs=2)
    run(tmp_path / "whole", **changes)
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillIn("", 3), **changes)
    run(tmp_path / "run", mode="resume", **changes)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("name", ["self-training", "kd"])
def test_a_teacher_that_saw_what_is_hidden_is_refused(
    run: Train, teacher: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    wrong, right = (
        pupil(teacher(regime)) if name == "self-training" else distilled(teacher, regime)
        for regime in ("full", "one")
    )
    with pytest.raises(UsageError, match=f"regime `full` of fake\\), .*{HIDDEN}"):
        run(tmp_path / "run", **wrong)
    with pytest.raises(UsageError, match=HIDDEN):  # its scores would not say so
        run(tmp_path / "run", **wrong, select="paper")
    assert not (tmp_path / "run").exists()
    run(tmp_path / "run", **wrong, filled_anyway=True)
    assert labels_seen(open_run(tmp_path / "run")) == ""
    run(tmp_path / "right", **right)
    assert labels_seen(open_run(tmp_path / "right")) == labels_seen(open_run(teacher("one")))


def test_one_that_saw_less_teaches_where_nothing_is_hidden(
    run: Train, teacher: Callable[..., Path], store: Path, tmp_path: Path
) -> None:
    run(tmp_path / "run", **pupil(teacher("one"), regime="full"))
    copy = Path(shutil.copy(store, tmp_path / "copy.h5"))
    draw_regime(copy, "one", name="other", seed=1)
    with pytest.raises(UsageError, match="--filled-anyway") as refused:
        run(tmp_path / "more", **pupil(teacher("one"), data=str(copy), regime="other"))
    assert str(teacher("one")) in str(refused.value)


class Growing(FakeSource):
    """The source of the small store with one image more, of which some labels are known."""

    more: ClassVar[tuple[str, ...]] = ()
    tested: ClassVar[str] = ""

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        train, test = super().splits().values()
        kept = tuple(key for key in train if key != self.tested)
        return {"train": (*kept, "z"), "test": (*test, self.tested) if self.tested else test}

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        wanted = [task for task in tasks if key != "z" or task in self.more]
        return super().read("train" if key == self.tested else split, key, wanted)


@pytest.mark.parametrize("more", [("normals",), ("normals", "depth")], ids=["bare", "labelled"])
@pytest.mark.parametrize("regime", ["one", "full"])
def test_an_update_leaves_teachers_as_they_are(
    run: Train, teacher: Callable[..., Path], store: Path, tmp_path: Path, regime: str,
    more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(Growing, "more", more)
    copy = Path(shutil.copy(store, tmp_path / "copy.h5"))
    assert update(copy, Growing(images=(14, 3), missing=0)).images == 1
    run(tmp_path / "run", **pupil(teacher(regime), data=str(copy), regime=regime))
    with pytest.raises(UsageError, match=HIDDEN):
        run(tmp_path / "other", **pupil(teacher("full"), data=str(copy), regime="one"))


class Swapped(FakeSource):
    """The source of the small store, two images of which have each other's names."""

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        other = {"0001": "0002", "0002": "0001"}.get(key, key)
        return replace(super().read(split, other, tasks), key=key)

    def fingerprint(self, split: str, key: str) -> bytes:
        return super().fingerprint(split, f"another {key}")


def test_that_names_alone_say_what_a_teacher_saw_is_told(
    run: Train, teacher: Callable[..., Path], store: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Under the same names it may have seen labels that are hidden here."""
    monkeypatch.setattr(Growing, "more", ("normals",))
    copy, grown, told = Path(shutil.copy(store, tmp_path / "copy.h5")), tmp_path / "grown.h5", {}
    shutil.copy(store, grown)
    assert update(copy, Swapped(images=(14, 3), missing=0), on_change="follow").altered
    assert update(grown, Growing(images=(14, 3), missing=0)).images
    for data in (store, grown, copy):
        watcher = Heard()
        run(tmp_path / data.stem, watcher=watcher, **pupil(teacher("one"), data=str(data)))
        told[data] = watcher.text, foretell(teacher("one"), data)
    for text in told[copy]:
        assert "was trained on other data" in text
    for text in (*told[store], *told[grown]):
        assert "other data" not in text


def test_an_image_that_is_tested_now_may_not_have_taught(
    run: Train, teacher: Callable[..., Path], store: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(Growing, "more", ("normals",))
    monkeypatch.setattr(Growing, "tested", "0001")
    copy = Path(shutil.copy(store, tmp_path / "copy.h5"))
    assert update(copy, Growing(images=(14, 3), missing=0), on_change="follow").gone
    with pytest.raises(UsageError, match=HIDDEN):
        run(tmp_path / "run", **pupil(teacher("full"), data=str(copy), regime="full"))


class Other(FakeSource):
    """The source of the small store, whose splits are for something else."""

    def roles(self) -> Mapping[str, Role]:
        found: Mapping[str, Role] = self.options["roles"]
        return found


def with_roles(path: Path, **roles: Role) -> Path:
    """A store of the images and labels of the small one."""
    build(Other(images=(14, 3), missing=0, roles=roles), path, size=(32, 64))
    return path


@pytest.mark.parametrize("name", ["self-training", "kd"])
def test_a_teacher_that_learnt_from_the_test_split_is_refused(
    run: Train, store: Path, tmp_path: Path, name: str
) -> None:
    swapped = with_roles(tmp_path / "swapped.h5", train="test", test="train")

    def tested(regime: str, *tasks: str) -> Path:
        out = tmp_path / "-".join((regime, *tasks))
        named = {"tasks": list(tasks)} if tasks else {}
        run(out, **sl(data=str(swapped), regime=regime, batch=3, **named))
        return out

    taught = pupil(tested("full")) if name == "self-training" else distilled(tested, "full")
    with pytest.raises(UsageError, match=HIDDEN):
        run(tmp_path / "run", **taught | {"regime": "full"})
    with open_store(store) as opened:
        some = next(path for path in tmp_path.iterdir() if path.is_dir())
        assert not shows(opened, "full", seen_by(open_run(some), opened))


def test_a_teacher_whose_epoch_this_test_split_chose_is_refused(
    run: Train, layer: Changes, store: Path, tmp_path: Path
) -> None:
    """In its store the split had the role val; a pupil of it is another such teacher."""
    valued = str(with_roles(tmp_path / "valued.h5", train="train", test="val"))
    for name, changes in (
        ("chosen", sl(data=valued, regime="full")),
        ("taught", pupil(tmp_path / "chosen", data=valued, regime="full", select="last")),
    ):
        train(prepare([layer, changes], out=tmp_path / name, mode="new"), mode="new")
        with pytest.raises(UsageError, match=r"without the test split, .*; test, which is tested"):
            run(tmp_path / "run", **pupil(tmp_path / name, regime="full"))
        with open_store(store) as opened, open_store(Path(valued)) as own:
            seen = seen_by(open_run(tmp_path / name), opened)
            assert not shows(opened, "full", seen)  # nor may it fill labels
            assert shows(own, "full", seen)
    run(tmp_path / "marked", **pupil(tmp_path / "chosen", regime="full"), select="paper")
    run(tmp_path / "anyway", **pupil(tmp_path / "chosen", regime="full"), filled_anyway=True)


def test_a_pupil_of_filled_labels_knows_what_their_run_did(
    layer: Changes, store: Path, tmp_path: Path
) -> None:
    valued = with_roles(tmp_path / "valued.h5", train="train", test="val")
    changes = sl(data=str(valued), regime="full")
    train(prepare([layer, changes], out=tmp_path / "chosen", mode="new"), mode="new")
    draw_regime(valued, "one")
    fill(tmp_path / "chosen", valued, hidden_by="one")
    changes = sl(data=str(valued), regime="full+filled", select="last")
    train(prepare([layer, changes], out=tmp_path / "taught", mode="new"), mode="new")
    with open_store(store) as opened:
        assert "test" in seen_by(open_run(tmp_path / "taught"), opened)["knows"]


def test_a_pupil_teaches_as_far_as_its_teachers_may(
    run: Train, teacher: Callable[..., Path], tmp_path: Path
) -> None:
    run(tmp_path / "first", **pupil(teacher("one")))
    run(tmp_path / "second", **pupil(tmp_path / "first", teacher("one")))
    run(tmp_path / "wrong", **pupil(teacher("full")), filled_anyway=True)
    with pytest.raises(UsageError, match=HIDDEN):
        run(tmp_path / "third", **pupil(tmp_path / "wrong"))
    manifest = tmp_path / "second" / "manifest.json"
    facts = json.loads(manifest.read_text())
    for one in facts["runs"].values():  # as programs of before wrote it, which checked nothing
        del one["labels"]
    manifest.write_text(json.dumps(facts))
    with pytest.raises(UsageError, match=HIDDEN):
        run(tmp_path / "third", **pupil(tmp_path / "second"))


def test_what_a_pupil_fills_is_trusted_as_its_teachers_are(
    run: Train, teacher: Callable[..., Path], store: Path, tmp_path: Path
) -> None:
    run(tmp_path / "right", **pupil(teacher("one")))
    run(tmp_path / "wrong", **pupil(teacher("full")), filled_anyway=True)
    with open_store(store) as opened:
        right, wrong = (
            seen_by(open_run(tmp_path / name), opened)["labels"] for name in ("right", "wrong")
        )
    assert right == open_run(teacher("one")).facts["shown"]
    assert wrong == ""


def test_a_teacher_that_the_test_split_chose_is_refused(
    run: Train, store: Path, tmp_path: Path
) -> None:
    """What it knows of the test split would come into scores that do not say so."""
    run(tmp_path / "chosen", **sl(select="paper"))
    with pytest.raises(UsageError, match=r"without the test split, .* `select: paper`"):
        run(tmp_path / "run", **pupil(tmp_path / "chosen"))
    assert labels_seen(open_run(tmp_path / "chosen")) == ""
    with open_store(store) as opened:
        assert seen_by(open_run(tmp_path / "chosen"), opened)["labels"] == ""
    run(tmp_path / "marked", **pupil(tmp_path / "chosen"), select="paper")  # its scores say so
    run(tmp_path / "anyway", **pupil(tmp_path / "chosen"), filled_anyway=True)


@pytest.mark.parametrize("name", ["self-training", "kd"])
def test_of_a_teacher_that_the_test_split_chose_is_asked_what_it_saw(
    run: Train, tmp_path: Path, name: str
) -> None:
    def chosen(regime: str, *tasks: str) -> Path:
        out = tmp_path / "-".join((regime, *tasks))
        if not out.exists():
            named = {"tasks": list(tasks)} if tasks else {}
            run(out, **sl(regime=regime, select="paper"), **named)
        return out

    for regime in ("one", "full"):
        taught = pupil(chosen(regime)) if name == "self-training" else distilled(chosen, regime)
        with pytest.raises(UsageError, match="without the test split"):
            run(tmp_path / "run", **taught)
        if regime == "one":
            run(tmp_path / "marked", **taught, select="paper")
    with pytest.raises(UsageError, match=HIDDEN):
        run(tmp_path / "run", **taught, select="paper")


def test_a_teacher_whose_own_were_not_asked_is_refused(
    run: Train, teacher: Callable[..., Path], tmp_path: Path
) -> None:
    """Programs of before asked no teacher where the test split chose the epoch."""
    run(tmp_path / "first", **pupil(teacher("one")), select="paper")
    with pytest.raises(UsageError, match=HIDDEN):
        run(tmp_path / "second", **pupil(tmp_path / "first"), select="paper")


def test_a_teacher_needs_its_store_no_more(run: Train, store: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(store, tmp_path / "copy.h5"))
    run(tmp_path / "first", **sl(data=str(copy)))
    copy.unlink()
    run(tmp_path / "second", **pupil(tmp_path / "first"))


@pytest.mark.parametrize("name", ["self-training", "kd"])
def test_a_teacher_that_is_not_done_is_refused(
    run: Train, teacher: Callable[..., Path], tmp_path: Path, name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    begun = tmp_path / "be gun"
    with pytest.raises(Killed):
        run(begun, watcher=KillIn("", 2), **sl(epochs=2))

    def of(regime: str, *tasks: str) -> Path:
        return begun if "depth" in tasks else teacher(regime, *tasks)

    taught = pupil(teacher("one"), begun) if name == "self-training" else distilled(of, "one")
    why = rf"done before .* at step [12], of 2 epochs\. .*: mttrain --out '{begun}' --resume"
    with pytest.raises(RunFolderError, match=why):
        run(tmp_path / "run", **taught)
    with RunFolder(begun).held():
        monkeypatch.setattr(RunFolder, "is_held", lambda folder: True)  # here is one process alone
        with pytest.raises(RunFolderError, match="Another mttrain trains it: wait for it"):
            run(tmp_path / "run", **taught)
    assert not (tmp_path / "run").exists()


def test_a_hold_out_that_taught_a_teacher_is_said(
    run: Train, teacher: Callable[..., Path], tmp_path: Path
) -> None:
    run(tmp_path / "own", **sl(holdout=0.3))
    told = {}
    for name, one, seed in (
        ("own", tmp_path / "own", 0),
        ("all", teacher("one"), 0),
        ("other", tmp_path / "own", 1),
    ):
        watcher = Heard()
        run(tmp_path / f"by {name}", watcher=watcher, **pupil(one, holdout=0.3, seed=seed))
        told[name] = watcher.text
    # A run of before, whose test split chose in place of its hold-out.
    run(tmp_path / "all seen", **sl(select="paper"))
    stored = tmp_path / "all seen" / "config.yaml"
    stored.write_text(stored.read_text().replace("holdout: 0.0", "holdout: 0.3"))
    watcher = Heard()
    seen = pupil(tmp_path / "all seen", holdout=0.3, filled_anyway=True)
    run(tmp_path / "by all seen", watcher=watcher, **seen)
    assert "4 of the held-out images taught" in watcher.text
    assert "held-out images taught" not in told["own"]
    assert f"4 of the held-out images taught the run {teacher('one')}" in told["all"]
    assert re.search(r"[1-4] of the held-out images taught", told["other"])
