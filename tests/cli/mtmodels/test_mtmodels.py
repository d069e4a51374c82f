"""`mtmodels` as a user meets it."""

import json
import math
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from cli.mtmodels import COMMANDS, mtmodels
from cli.mtmodels.eval import of_them
from cli.mtmodels.list import FAMILIES
from cli.mttrain import mttrain
from cli.shared.common import run
from mtmodels.training.record.runfolder import RunFolder
from tests.runs.small_run import as_arguments, small_layer, small_store

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two seeds of one run."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    arguments = as_arguments(small_layer(small_store(folder)) | {"epochs": 1})
    outs = folder / "xtc-s0", folder / "xtc-s1"
    for seed, out in enumerate(outs):
        assert run(mttrain, [*arguments, "--seed", str(seed), "--out", str(out)]) == 0
    return outs


@pytest.mark.parametrize("family", FAMILIES)
def test_lists_a_family_and_explains_each_member(family: str, capsys: Captured) -> None:
    assert run(mtmodels, ["list", family, "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    if family == "published":  # rows, of which each has more than a sentence
        known = {row["key"]: row["dataset"] for row in known["rows"]}
    assert run(mtmodels, ["list", family]) == 0
    text = capsys.readouterr().out
    for name, summary in known.items():
        assert (name.split("/", 2)[-1] if family == "published" else name) in text
        assert summary in text
        assert run(mtmodels, ["list", family, name]) == 0
        assert name in capsys.readouterr().out
        assert run(mtmodels, ["list", family, name, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["rows"][0]["key"] if family == "published" else found["name"]) == name


@pytest.mark.parametrize("family", FAMILIES)
def test_a_list_fits_a_terminal_and_loses_nothing(
    family: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(mtmodels, ["list", family]) == 0
    whole = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(mtmodels, ["list", family]) == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    narrow, wide = (text.replace("\u2500", "").split() for text in (" ".join(lines), whole))
    assert narrow == wide


def test_lists_encoders_of_timm_by_a_pattern(capsys: Captured) -> None:
    assert run(mtmodels, ["list", "encoders", "mobilenetv3_small_0*", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["encoders"]
    assert found["mobilenetv3_small_050"] == 272_288
    assert all(name.startswith("mobilenetv3_small_0") for name in found)
    assert run(mtmodels, ["list", "encoders", "test_efficientnet_ln"]) == 0
    assert "test_efficientnet_ln" in capsys.readouterr().out
    assert run(mtmodels, ["list", "encoders", "vit"]) == 0
    many = capsys.readouterr().out
    assert "vit_tiny_patch16_224" in many
    assert "parameters" not in many
    assert run(mtmodels, ["list", "encoders", "resnet81"]) == 2
    assert "no encoder `resnet81`. Did you mean" in capsys.readouterr().err.replace("\n", " ")


def test_options_are_shown_with_their_defaults(capsys: Captured) -> None:
    assert run(mtmodels, ["list", "methods", "xtc", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["options"]["lambda"] == 1e-4
    assert found["tasks"] == ["semantic", "depth"]
    assert run(mtmodels, ["list", "recipes", "xtasc-nyu-xtc", "--json"]) == 0
    recipe = json.loads(capsys.readouterr().out)
    assert recipe["published_scores"]["semantic"]["miou"] == 30.31


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["list", "methods", "xtcc"], 2, "There is no method `xtcc`. Did you mean `xtc`?"),
        (["list", "losses"], 2, "'losses' is not one of"),
        (["evl", "x"], 2, "Did you mean `eval`?"),
        (["eval", "nothing-here"], 2, "should be a run folder"),
        (["compare", "nothing-here"], 2, "should be a run folder"),
    ],
)
def test_what_is_wrong_is_one_paragraph_and_a_code(
    arguments: list[str], code: int, words: str, capsys: Captured
) -> None:
    assert run(mtmodels, arguments) == code
    told = capsys.readouterr()
    assert words in told.err.replace("\n", " ")
    assert "Traceback" not in told.err


def test_scores_a_run(trained: tuple[Path, Path], tmp_path: Path, capsys: Captured) -> None:
    out = str(shutil.copytree(trained[0], tmp_path / "run"))  # its scores are kept there
    assert run(mtmodels, ["eval", out, "--protocol", "xtasc", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        *("run", "store", "split", "role", "selected_on", "protocol", "images", "labelled"),
        "scores",
    ]
    assert found["labelled"] == dict.fromkeys(found["scores"], 3)
    assert (found["split"], found["protocol"], found["images"]) == ("test", "xtasc", 3)
    assert {"miou", "pixel_accuracy", "iou"} <= found["scores"]["semantic"].keys()
    assert {"abs_err", "rel_err", "rmse"} <= found["scores"]["depth"].keys()
    assert run(mtmodels, ["eval", out]) == 0
    told = capsys.readouterr().out
    assert "3 images of test (role test), protocol mtpsl" in told
    assert "A score of fewer than 10 images says little: semantic" in told
    assert run(mtmodels, ["eval", out, "--split", "train"]) == 0
    told = "14 images of train (role train), of them 4 held out of training, protocol mtpsl"
    assert told in capsys.readouterr().out
    scores = Path(out) / "scores"
    shutil.rmtree(scores)
    scores.write_text("in the way")
    assert run(mtmodels, ["eval", out]) == 0
    unkept = capsys.readouterr()
    assert "3 images of test" in unkept.out
    assert "the scores are shown and not kept" in unkept.err
    scores.unlink()
    assert run(mtmodels, ["eval", out, "--split", "val"]) == 2
    assert "`val`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, ""),
        ({"unlabelled": 8}, ", of them 8 without a label"),
        (
            {"held_out": 7, "unlabelled": 8},
            ", of them 7 held out of training and 8 without a label",
        ),
    ],
)
def test_what_is_told_of_the_images_of_a_split(found: dict[str, int], words: str) -> None:
    assert of_them(found) == words


def test_a_store_that_moved_is_asked_for(
    trained: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    store = trained[0].parent / "fake.h5"
    moved = store.rename(tmp_path / "moved.h5")
    try:
        assert run(mtmodels, ["eval", str(trained[0])]) == 2
        assert "--data" in capsys.readouterr().err
        assert run(mtmodels, ["eval", str(trained[0]), "--data", str(moved)]) == 0
    finally:
        moved.rename(store)


def test_compares_runs(trained: tuple[Path, Path], capsys: Captured) -> None:
    first, second = map(str, trained)
    assert run(mtmodels, ["compare", first, second, "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert {table["protocol"] for table in tables} == {"mtpsl", "xtasc"}
    assert [entry["seeds"] for entry in tables[0]["entries"]] == [[0, 1]]
    assert run(mtmodels, ["compare", second, "--baseline", first, "--protocol", "mtpsl"]) == 0
    told = capsys.readouterr().out
    assert "Δ tasks, % ↑" in told
    assert "95 % intervals" in told
    assert run(mtmodels, ["compare", first, "--split", "train"]) == 2
    assert "mtmodels eval" in capsys.readouterr().err
    assert run(mtmodels, ["compare", first, "--baseline", "mtpsl/2/one SLL"]) == 2
    assert "no published row `mtpsl/2/one SLL`" in " ".join(capsys.readouterr().err.split())
    assert run(mtmodels, ["compare", first, "--baseline", "runs/no-run"]) == 2
    assert "a run folder, or a published row" in " ".join(capsys.readouterr().err.split())
    assert run(mtmodels, ["compare", first, "--baseline", "a/b/c", "--baseline", "d/e/f"]) == 2


def test_a_run_that_is_not_done_is_told_so(
    trained: tuple[Path, Path],
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = shutil.copytree(trained[0], tmp_path / "run")
    (out / "summary.json").unlink()
    shutil.rmtree(out / "scores")
    how = f"mttrain --out {out} --resume"
    assert run(mtmodels, ["compare", str(trained[1]), str(out)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "each run should be done; found 1 that is not" in told
    assert how in told
    held = shutil.copytree(out, tmp_path / "held")
    monkeypatch.setattr(RunFolder, "is_held", lambda folder: folder.path == held)
    assert run(mtmodels, ["compare", *map(str, (trained[1], out, held))]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "found 2 that are not" in told
    assert f"wait: {held}." in told
    assert how in told
    assert f"--out {held}" not in told
    assert run(mtmodels, ["eval", str(out), "--json"]) == 0
    assert how in " ".join(capsys.readouterr().err.split())
    assert run(mtmodels, ["card", str(out)]) == 0
    assert how in " ".join(capsys.readouterr().err.split())
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 32)).save(photo)
    for path, says in ((out, True), (trained[1], False)):
        words = ["predict", str(path), str(photo), "-o", str(tmp_path / f"of {path.name}")]
        assert run(mtmodels, [*words, "--no-pictures"]) == 0
        assert (how in " ".join(capsys.readouterr().err.split())) == says
    store = trained[0].parent / "fake.h5"
    before = store.read_bytes()
    assert run(mtmodels, ["fill", str(out), str(store), "--hidden-by", "one"]) == 2
    assert how in " ".join(capsys.readouterr().err.split())
    assert store.read_bytes() == before
    assert run(mtmodels, ["eval", str(trained[1]), "--json"]) == 0
    assert "--resume" not in capsys.readouterr().err


def test_a_run_that_is_given_twice_is_one(trained: tuple[Path, Path], capsys: Captured) -> None:
    first = trained[0]
    again = str(first.parent / "." / first.name / ".." / first.name)
    asked = [str(first), f"{first}/", again, "--baseline", str(first), "--baseline", again]
    assert run(mtmodels, ["compare", *asked, "--protocol", "mtpsl", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert [entry["name"] for entry in table["entries"]] == [first.name]


@pytest.mark.parametrize("form", ["markdown", "latex", "csv", "json", "text"])
def test_compares_in_every_format(form: str, trained: tuple[Path, Path], capsys: Captured) -> None:
    begins = {
        "markdown": "**fake, test split (role test), 3 images",
        "latex": "% in the preamble",
        "csv": "dataset,split,images,protocol",
        "json": '{"tables"',
        "text": "fake, test split (role test), 3 images of 32x64, protocol mtpsl. The run:",
    }
    asked = ["compare", *map(str, trained), "--protocol", "mtpsl", "--intervals"]
    assert run(mtmodels, [*asked, "--format", form]) == 0
    told = capsys.readouterr().out
    assert told.startswith(begins[form])
    # The last column of a table that is far wider than a terminal of 80.
    assert {"markdown": "Rel. Err. ↓", "latex": "Rel. Err.", "text": "Rel. Err. ↓"}.get(
        form, "rel_err"
    ) in told


def test_draws_a_comparison(trained: tuple[Path, Path], tmp_path: Path, capsys: Captured) -> None:
    first, second = map(str, trained)
    out = tmp_path / "new" / "both.png"
    asked = ["compare", second, "--baseline", first, "--plot"]
    assert run(mtmodels, [*asked, str(out)]) == 0
    assert "Drawn: " in capsys.readouterr().err
    for path in (out, out.with_name("both-xtasc.png")):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert run(mtmodels, [*asked, "both.doc"]) == 2
    assert ".png, .pdf, .svg" in capsys.readouterr().err


def test_a_class_without_a_score_is_not_drawn_as_0() -> None:
    from matplotlib.figure import Figure

    from mtmodels.scoring.score_table import Entry
    from mtmodels.training.record.comparison import Look, _bars

    entry = Entry("a", {}, (0,), {"semantic": {"iou": [math.nan, 0.0, 50.0]}}, {})
    figure = Figure()
    place = figure.add_subfigure(figure.add_gridspec(1, 1)[0])
    _bars(place, named=[("a", Look("#1b6ca8"), entry)], task="semantic", names=["x", "y", "z"])
    (axis,) = place.axes
    (said,) = axis.texts
    assert (said.get_text(), said.get_position()[0]) == ("n/a", 0.0)


def test_tests_two_runs(trained: tuple[Path, Path], capsys: Captured) -> None:
    """Seeds of one run are one line; scored again by another network they would be two."""
    asked = ["compare", *map(str, trained), "--protocol", "mtpsl", "--paired"]
    assert run(mtmodels, asked) == 2
    assert "--paired should be given two runs" in capsys.readouterr().err.replace("\n", " ")
    asked = ["compare", str(trained[0]), "--baseline", str(trained[1]), "--paired"]
    assert run(mtmodels, asked) == 2
    assert "runs of the same seed" in capsys.readouterr().err.replace("\n", " ")


def test_published_takes_tables(trained: tuple[Path, Path], capsys: Captured) -> None:
    first, second = map(str, trained)
    assert run(mtmodels, ["compare", first, "--published", second]) == 2
    assert "Give the runs before it" in capsys.readouterr().err.replace("\n", " ")
    assert run(mtmodels, ["compare", first, "--published", "mtpsl/99"]) == 2
    assert "published table `mtpsl/99`" in capsys.readouterr().err
    assert run(mtmodels, ["compare", first, "--published", "mtpsl/2", "--published"]) == 0
    assert "No published row is of fake" in capsys.readouterr().out


def test_older_runs_have_no_draws_and_say_so(
    trained: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    import shutil

    old = tmp_path / "old"
    shutil.copytree(trained[0], old)
    for file in (old / "scores").glob("*.npz"):
        file.unlink()
    assert run(mtmodels, ["compare", str(old), "--protocol", "mtpsl"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Intervals of old know of seeds alone, not of images" in told
    assert "`mtmodels eval` keeps it" in told


def test_help_of_every_command(capsys: Captured) -> None:
    for name in COMMANDS:
        assert run(mtmodels, [name, "--help"]) == 0
        assert "Examples:" in capsys.readouterr().out
