"""`mtmodels report`: what the page says is what the run folder holds."""

import json
import math
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.shared.common import run
from mtdata.merging.update import update
from mtdata.store import open_store
from mtmodels.scoring.samples import Samples
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.texts import estimate
from mtmodels.training.reporting.report import make_report
from tests.asserts import labels_of_training, note_reads, shown_labels
from tests.runs.small_run import small_store
from tests.stores.fakes import FakeSource

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    """A copy of the run whose store is where it was."""
    shutil.copytree(done, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture(scope="module")
def text(done: Path) -> str:
    """What the training wrote."""
    return (done / "report.html").read_text()


class Grown(FakeSource):
    """The source of the small store, with an image more in each split."""

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        return {name: (*keys, "zz") for name, keys in super().splits().items()}


def moved(copy: Path, to: Path | str = "gone.h5") -> None:
    """Let the store of a run be nowhere, or somewhere else."""
    config = yaml.safe_load((copy / "config.yaml").read_text())
    (copy / "config.yaml").write_text(yaml.safe_dump({**config, "data": str(to)}))
    facts = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**facts, "store_at": {}}))


def test_training_and_the_command_write_the_same(text: str, done: Path) -> None:
    assert make_report(done, device="cpu") == text


def test_scores_have_the_intervals_of_compare_and_card(text: str, done: Path) -> None:
    from mtmodels.inspecting.card import card

    written = card(done).markdown()
    for row in card(done).to_json()["scores"][:1]:
        for task, scores in row["scores"].items():
            for name, one in scores.items():
                if not isinstance(one, list):
                    value, low, high = estimate(one["value"], one["low"], one["high"])
                    bounds = f"{low} to {high}" if low else ""
                    assert (f"| {value} [{low}, {high}] |" if low else f"| {value} |") in written
                    assert re.search(
                        rf">{task}</td><td>{re.escape(name)} .*?>{value}</td>"
                        rf'<td class="n">{bounds}</td>', text,
                    ), (task, name)  # fmt: skip


def test_the_confusion_matrix_is_what_the_images_add_up_to(text: str, done: Path) -> None:
    counts = Samples.read(done / "scores" / "test-mtpsl.npz").states["semantic"]["matrix"]
    shares = [
        float(one[row, column].sum() / one[row].sum())
        for one in [sum(image.astype(int) for image in counts)]
        for row in range(5)
        for column in range(5)
    ]
    drawn = re.findall(r'class="cell"[^>]*fill-opacity="([^"]*)"', text)
    assert [float(one) for one in drawn] == pytest.approx(shares, abs=5e-4)


def test_it_is_offline_and_has_all_that_is_promised(text: str) -> None:
    assert not re.search(r'(src|href)="(?!data:)|url\(|@import|https?://', text)
    assert all('alt="' in tag for tag in re.findall("<img[^>]*>", text))
    assert text.count("data:image/") >= 4 * 2 * 2
    for word in ("Overlap of predicted", "protocol xtasc", "expected calibration error",
                 "learning rate", "weights of the terms", "of what selects", "peak memory",
                 "mttrain --recipe", "fewer than 10 images says little", "void: no value there",
                 "prefers-color-scheme: dark", "@media print"):  # fmt: skip
        assert word in text, word
    assert "This run is not done" not in text


def test_the_ends_have_units(text: str) -> None:
    for task, unit in (("semantic", "%"), ("depth", "metres")):
        _, ends = text.split(f"<h3>{task}, by ", 1)
        assert re.search(rf"<p>best: [^<]*, [\d.]+ {unit}</p>", ends.split("<h3>")[0])


def test_the_classes_of_the_pictures_have_a_key(text: str) -> None:
    _, ends = text.split("<h3>semantic, by ", 1)
    assert "swatch" in ends.split("<h3>")[0]
    _, ends = text.split("<h3>depth, by ", 1)
    assert 'swatch" style' not in ends.split("<h3>")[0].split("void")[0]


def test_without_a_store_it_says_so(copy: Path) -> None:
    moved(copy)
    text = make_report(copy)
    assert "No pictures: the store of the run should be at gone.h5" in text
    assert "data:image/" not in text
    assert "expected calibration error" not in text.partition("<body>")[2]
    assert 'class="cell"' in text
    assert "best: " in text


def test_a_store_that_was_added_to_since_has_the_same_pictures(
    copy: Path, done: Path, tmp_path: Path
) -> None:
    store = Path(shutil.copy(done.parents[1] / "fake.h5", tmp_path / "grown.h5"))
    assert update(store, Grown(images=(14, 3), missing=0)).images == 2
    pictures = re.findall(r'data:image/[^"]*', make_report(done, device="cpu"))
    assert re.findall(r'data:image/[^"]*', make_report(copy, data=store, device="cpu")) == pictures
    moved(copy, store)
    text = make_report(copy, device="cpu")
    assert re.findall(r'data:image/[^"]*', text) == pictures
    assert "Pixels of 3 images, evenly spread over test" in " ".join(text.split())


def test_a_store_that_holds_something_else_is_told_with_a_way_to_pictures(
    copy: Path, tmp_path: Path, capsys: Captured
) -> None:
    other, page = small_store(tmp_path, salt="other"), tmp_path / "page.html"
    moved(copy, other)
    assert run(mtmodels, ["report", str(copy), "-o", str(page)]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "No pictures: " in told
    show = f"`mtdata show {other} --random 4 --predictions {copy}` draws predictions"
    assert show in told
    assert run(mtmodels, ["report", str(copy), "-o", str(page / "b"), "--data", str(other)]) == 2
    assert run(mtdata, [*shlex.split(show.split("`")[1])[1:], "-o", str(tmp_path / "a.png")]) == 0


def test_a_run_that_is_not_done_or_has_no_scores_says_so(halfway: Path) -> None:
    shutil.rmtree(halfway / "scores")
    text = make_report(halfway)
    assert "This run is not done" in text
    assert f"<code>mttrain --out {halfway} --resume</code> goes on" in text
    assert f"<pre>mttrain --out {halfway} --resume\n" in text
    assert "None yet: they are made at the end" in text
    assert "mtmodels eval</code>" not in text
    (halfway / "metrics.jsonl").unlink()
    assert "No step was logged" in make_report(halfway)


def test_a_run_that_goes_is_not_to_be_resumed(
    halfway: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunFolder, "is_held", lambda self: True)
    text = make_report(halfway)
    assert "It was going then." in text
    assert "--resume" not in text


def test_a_run_of_before_has_no_intervals(copy: Path) -> None:
    for file in (copy / "scores").glob("*.npz"):
        file.unlink()
    text = make_report(copy)
    assert "No intervals: what each image adds" in text
    assert "was not kept" in text


def test_names_are_escaped(copy: Path) -> None:
    moved(copy)
    facts = json.loads((copy / "manifest.json").read_text())
    for task in facts["store"]["tasks"]:
        if "names" in task:
            task["names"][0] = "<script>"
    (copy / "manifest.json").write_text(json.dumps(facts))
    text = make_report(copy)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_labels_that_the_regime_hides_are_not_read(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run that is scored on its hold-out, whose images are of the training split."""
    for file in (copy / "scores").iterdir():
        if file.suffix == ".json":
            kept = json.loads(file.read_text()) | {"split": "holdout", "role": "val"}
            file.write_text(json.dumps(kept))
    read = note_reads(monkeypatch)
    text = make_report(copy)
    assert "evenly spread over holdout" in text
    with open_store(yaml.safe_load((copy / "config.yaml").read_text())["data"]) as store:
        shown = shown_labels(store, "one")
    labels = labels_of_training(read)
    assert labels
    assert labels <= shown


def test_digits_are_those_that_the_interval_leaves() -> None:
    assert estimate(31.6902, 30.48, 32.91) == ("31.7", "30.5", "32.9")
    assert estimate(0.60684, 0.5823, 0.6311) == ("0.607", "0.582", "0.631")
    assert estimate(0.25, None, None) == ("0.25", "", "")
    assert estimate(31.6902, None, None) == ("31.69", "", "")
    assert estimate(None, None, None) == estimate(math.nan, None, None) == ("n/a", "", "")


def test_the_command(copy: Path, tmp_path: Path, capsys: Captured) -> None:
    assert run(mtmodels, ["report", str(copy)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(mtmodels, ["report", str(copy), "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(copy / "report.html")
    other = tmp_path / "other.html"
    assert run(mtmodels, ["report", str(copy), "-o", str(other)]) == 0
    assert "Scores" in other.read_text()
    assert run(mtmodels, ["report", str(tmp_path / "no"), "-o", str(tmp_path / "a.html")]) == 2
    assert not (tmp_path / "a.html").exists()
