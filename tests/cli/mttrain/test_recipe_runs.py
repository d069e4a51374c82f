"""Recipes through the command: what is checked, what is said, what is kept apart."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata import Sample
from mtdata.building.build import build
from mtdata.tasks.role import Role
from mtmodels.networks.encoders.weights import has_package
from tests.quick import few
from tests.stores.fakes import FakeSource
from tests.stores.paper_stores import paper_store

Captured = pytest.CaptureFixture[str]
NARROW = ["--width", "0.0625", "--steps", "2", "--batch", "2", "--workers", "0"]


@pytest.fixture(scope="module")
def nyu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return paper_store(tmp_path_factory.mktemp("nyu"), "nyu", classes=13)


def told(capsys: Captured) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_a_store_that_does_not_fit_is_refused_before_anything_is_written(
    nyu: Path, tmp_path: Path, capsys: Captured
) -> None:
    arguments = [
        "--recipe",
        "mtpsl/table2/one/sl",
        "--data",
        str(nyu),
        "--out",
        str(tmp_path / "r"),
    ]
    assert run(mttrain, [*arguments, *NARROW]) == 2
    message = told(capsys)
    for part in (
        "images 8 in place of 795",
        "size 32x64 in place of 288x384",
        "regime `one` (drawn) in place of nyuv2_onelabel.pth",
        "mtdata regime add STORE --from nyuv2_onelabel.pth --name one",
        "--anyway",
    ):
        assert part in message
    assert not (tmp_path / "r").exists()


def test_a_run_that_was_let_through_is_kept_apart_everywhere(
    nyu: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "r"
    arguments = ["--recipe", "mtpsl/table2/one/sl", "--data", str(nyu), "--out", str(out)]
    assert run(mttrain, [*arguments, *NARROW, "--anyway", "--json"]) == 0
    printed = capsys.readouterr()
    reason = "regime `one` (drawn) in place of nyuv2_onelabel.pth"
    first = " ".join(printed.err.split())
    assert "Apart from `mtpsl/table2/one/sl`" in first
    assert first.index("Apart from") < first.index("Images: 8")
    summary = json.loads(printed.out)
    assert reason in summary["apart"]
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["recipe"]["name"] == "mtpsl/table2/one/sl"
    assert reason in config["recipe"]["misfits"]
    assert reason in json.loads((out / "scores" / "val-mtpsl.json").read_text())["apart"]
    assert "Scores apart from those of" in (out / "report.html").read_text()
    assert run(mtmodels, ["eval", str(out)]) == 0
    assert "no scores of the recipe `mtpsl/table2/one/sl`" in told(capsys)
    assert run(mtmodels, ["compare", str(out), "--protocol", "mtpsl", "--published", "--json"]) == 0
    table, *others = json.loads(capsys.readouterr().out)["tables"]
    assert [entry["published"] for entry in table["entries"]] == [False]
    assert reason in table["entries"][0]["note"]
    assert all(entry["published"] for other in others for entry in other["entries"])
    # It goes on as it is, without the word and with it.
    assert run(mttrain, [*arguments, *NARROW, "--resume"]) == 0
    assert run(mttrain, ["--out", str(out), "--resume"]) == 0


SCALED = ["xtasc/table3/xtasc-net", "mtpsl/table6/random/ours"]


@pytest.mark.parametrize("recipe", few(SCALED, SCALED[1:]))
def test_scale_shrinks_all_together_and_says_so(
    nyu: Path, tmp_path: Path, recipe: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r"
    arguments = ["--recipe", recipe, "--scale", "0.0625", "--data", str(nyu), "--out", str(out)]
    short = ["--epochs", "1", "--workers", "0", "--anyway"]
    assert run(mttrain, [*arguments, *short]) == 0
    first = told(capsys)
    assert "--scale 0.0625 of the recipe" in first
    assert "images of 32x32" in first
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["size"] == [32, 32]
    assert config["network"]["width"] == 0.0625
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["size"] == [32, 32]
    assert manifest["store"]["image_size"] == [32, 32]
    score: dict[str, Any] = json.loads(next((out / "scores").glob("*.json")).read_text())
    assert "--scale 0.0625 of the recipe" in score["apart"]
    assert run(mtmodels, ["eval", str(out), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (
        again["scores"]
        == json.loads((out / "scores" / f"val-{again['protocol']}.json").read_text())["scores"]
    )
    assert run(mtmodels, ["compare", str(out)]) == 0
    assert "--scale 0.0625 of the recipe" in " ".join(capsys.readouterr().out.split())
    assert run(mttrain, [*arguments, *short, "--resume"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scale", "0.5", "--method", "sl"], "--scale shrinks a recipe"),
        (["--recipe", "nyu-compact", "--scale", "1.5"], "1.5 is not in the range"),
        (["--recipe", "mtpsl/table2/one/our"], "Did you mean `mtpsl/table2/one/ours`?"),
        (["--size", "64x64"], "`size` should be at most that of the store, 32x64"),
        (["--size", "32x32", "--cache", "memory"], "build a smaller store in place of --size"),
        (["--recipe", "xtasc/table4/kd4mtl", "--anyway"], "`teachers` should"),
    ],
)
def test_what_cannot_be_is_one_paragraph(
    nyu: Path, tmp_path: Path, arguments: list[str], words: str, capsys: Captured
) -> None:
    out = ["--data", str(nyu), "--out", str(tmp_path / "r"), "--workers", "0"]
    assert run(mttrain, [*arguments, *out]) == 2
    assert words in told(capsys)
    assert not (tmp_path / "r").exists()


def test_recipes_are_listed_by_table_and_by_words(capsys: Captured) -> None:
    assert run(mtmodels, ["list", "recipes", "mtpsl/table6"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("mtpsl/table6\n  mtpsl/table6/one/sl")
    assert "(as mtpsl/table2/one/ours)" in text
    assert run(mtmodels, ["list", "recipes", "mtpsl-nyu-one-mtpsl"]) == 0
    text = capsys.readouterr().out
    assert "mtpsl/table6/one/ours" in text
    assert "30.36" in text
    assert run(mtmodels, ["list", "recipes", "gradnorm nyu", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {
        "mtpsl/table5/gradnorm",
        "xtasc/table8/xtasc-net/gradnorm",
    }
    assert run(mtmodels, ["list", "recipes", "no-such-thing"]) == 2


def test_published_rows_are_told_whole(capsys: Captured) -> None:
    assert run(mtmodels, ["list", "published", "xtasc-net/IV/*"]) == 0
    text = capsys.readouterr().out
    for part in (
        "xtasc-net/IV: nyu, regime full, 654 images of 288x384, 13 classes, protocol xtasc",
        "epoch: lowest loss on the split that is scored",
        "marks of MTAN, KD4MTL: star, unclear, as the caption explains it twice",
        "marks of PCGrad: dagger, uncertainty weights; unclear, as table II",
    ):
        assert part in text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["Cross-Stitch"] == ["17.01", "53.99", "0.6095", "0.2671"]
    assert run(mtmodels, ["list", "published", "mtpsl/1/*"]) == 0
    rows = {line[:19].strip(): line.split()[-3:] for line in capsys.readouterr().out.splitlines()}
    assert rows["one Perceptual-Map"] == ["one", "72.82", "0.0169"]


class Turned(FakeSource):
    """Photos that stand and that lie to train on, one form to test on."""

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        stands = split == "train" and int(key) % 2 == 0
        self.sizes = ((134, 100),) if stands else ((100, 134),)
        return super().read(split, key, tasks)


@pytest.mark.skipif(not has_package(), reason="needs the extra `weights`")
def test_photos_of_any_size_are_trained_on(tmp_path: Path, capsys: Captured) -> None:
    store, out = str(tmp_path / "odd.h5"), str(tmp_path / "r")
    build(FakeSource(images=(12, 4), missing=0), store, size=(70, 101))
    arguments = ["--recipe", "own-small", "--data", store, "--out", out, "--json"]
    short = ["--steps", "2", "--batch", "2", "--workers", "0"]
    assert run(mttrain, [*arguments, *short]) == 0
    assert "Images are read at 64x96, the store has 70x101; --size takes another." in told(capsys)
    assert yaml.safe_load((tmp_path / "r/config.yaml").read_text())["size"] == [64, 96]
    assert run(mttrain, [*arguments, *short, "--resume"]) == 0
    capsys.readouterr()
    plan = ["--recipe", "own-small", "--data", store, *short, "--dry-run"]
    assert run(mttrain, [*plan, "--size", "32x64"]) == 0
    assert "Images are read" not in told(capsys)
    assert run(mttrain, ["--data", store, "--network", "unet", *short, "--dry-run"]) != 0
    assert "divisible by 32; found 70x101. Give --size 64x96." in told(capsys)


@pytest.mark.skipif(not has_package(), reason="needs the extra `weights`")
def test_photos_are_read_in_the_shape_of_those_that_are_trained_on(
    tmp_path: Path, capsys: Captured
) -> None:
    """Photos that stand among photos that lie are padded to a square, and are not to lie then."""
    store = str(tmp_path / "odd.h5")
    build(Turned(images=(12, 2), missing=0), store, size=None)
    arguments = ["--recipe", "own-small", "--data", store, "--out", str(tmp_path / "r")]
    assert run(mttrain, [*arguments, "--workers", "0", "--dry-run"]) == 0
    said = told(capsys)
    assert "Images are read at 96x96, the store has 134x134" in said
    assert "images of 100x134 are stretched to 96x96" in said


@pytest.mark.skipif(not has_package(), reason="needs the extra `weights`")
def test_a_size_that_fits_is_left_alone(tmp_path: Path, capsys: Captured) -> None:
    build(FakeSource(images=(12, 4), missing=0), tmp_path / "a.h5", size=(32, 64))
    plan = ["--recipe", "own-small", "--data", str(tmp_path / "a.h5"), "--steps", "2"]
    assert run(mttrain, [*plan, "--batch", "2", "--workers", "0", "--dry-run"]) == 0
    assert "Images are read" not in told(capsys)


@pytest.mark.skipif(not has_package(), reason="needs the extra `weights`")
def test_a_recipe_holds_nothing_out_where_the_test_split_chooses(
    tmp_path: Path, capsys: Captured
) -> None:
    store, out = str(tmp_path / "a.h5"), str(tmp_path / "r")
    build(FakeSource(images=(12, 4), missing=0), store, size=(32, 64))
    short = ["--steps", "2", "--batch", "2", "--workers", "0", "--select", "paper", "--out", out]
    arguments = ["--recipe", "own-small", "--data", store, *short]
    assert run(mttrain, [*arguments, "--holdout", "0.2"]) == 2
    assert "should come without --holdout; found 0.2" in told(capsys)
    assert run(mttrain, arguments) == 0
    said = told(capsys)
    assert "Hold-out: none, as --select paper chooses by the test split" in said
    assert "Images: 12 to train on" in said
    assert yaml.safe_load((tmp_path / "r/config.yaml").read_text())["holdout"] == 0
    assert run(mttrain, [*arguments, "--resume"]) == 0


class WithVal(FakeSource):
    """What was for testing is to select on."""

    def roles(self) -> dict[str, Role]:
        return {"train": "train", "test": "val"}


def test_a_recipe_holds_nothing_out_beside_a_split_to_select_on(
    tmp_path: Path, capsys: Captured
) -> None:
    store, out, recipe = str(tmp_path / "a.h5"), str(tmp_path / "r"), tmp_path / "mine.yaml"
    build(WithVal(images=(12, 4), missing=0), store, size=(32, 64))
    recipe.write_text("holdout: 0.25\nnetwork: {name: unet-resnet18, width: 0.0625}\n")
    short = ["--steps", "2", "--batch", "2", "--workers", "0"]
    arguments = ["--recipe", str(recipe), "--data", store, *short]
    assert run(mttrain, [*arguments, "--holdout", "0.2"]) == 2
    assert "this one has test, of role val. Leave --holdout out, or give" in told(capsys)
    assert run(mttrain, [*arguments, "--select", "holdout", "--dry-run"]) == 0
    assert "Hold-out: none" not in told(capsys)
    assert run(mttrain, [*arguments, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["images"], plan["held_out"]) == (12, 0)
    assert run(mttrain, [*arguments, "--out", out]) == 0
    said = told(capsys)
    assert "Hold-out: none, as test, of role val, is there to select on; the 0.25 of" in said
    assert "Images: 12 to train on" in said
    config = yaml.safe_load((tmp_path / "r/config.yaml").read_text())
    assert (config["holdout"], config["select"]) == (0, "val")
    assert run(mttrain, [*arguments, "--out", out, "--resume"]) == 0
