"""`mtdata report`: what the page says is what the store holds; hidden labels are never read."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.building.build import build
from mtdata.inspecting.report import _commands, report
from mtdata.sources.folder.source import Folder
from mtdata.sources.nyu.source import Nyu
from mtdata.sources.rooms.source import Rooms
from mtdata.store import open_store, set_default_regime
from mtdata.store.regime_add import draw_regime
from mtdata.tasks.kinds import Classes
from mtdata.tasks.task import Task
from tests.asserts import labels_of_training, note_reads, shown_labels
from tests.stores.added import added_store
from tests.stores.fakes import COLOURS, TASKS, FakeSource, fake_store
from tests.trees.folder import write_folder
from tests.trees.nyu import write_nyu

HOSTILE = '<script>"bed"'


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_store(tmp_path_factory.mktemp("store"), images=(14, 3))


def cells(text: str) -> list[list[str]]:
    """The rows of all tables."""
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]


def test_counts_are_those_of_the_tables(path: Path) -> None:
    with open_store(path) as store:
        text, split = report(store, "one"), store.splits["train"]
        counts = split.visible("one").sum(0)
        both = split.visible("full")
    rows = cells(text)
    told = [f"{n} ({100 * n / 14:.1f} %)" for n in counts]
    assert ["train", "one", *told] in rows
    assert ["semantic+depth", "0"] in rows
    with open_store(path) as store:
        whole = cells(report(store))
    assert ["semantic+depth", str((both[:, 0] & both[:, 1]).sum())] in whole


def test_a_regime_with_added_labels(tmp_path: Path) -> None:
    with open_store(added_store(tmp_path, images=(8, 1))) as store:
        whole = cells(report(store, "one+filled"))
        shown = store.dataset("train", regime="one+filled").labelled
    assert ["semantic+depth", str((shown[:, 0] & shown[:, 1]).sum())] in whole


def test_class_shares_by_hand(path: Path) -> None:
    with open_store(path) as store:
        text = report(store, "one", split="train")
        dataset = store.dataset("train", ["semantic"], "one")
        labels = [dataset.read(int(i)) for i in np.flatnonzero(dataset.labelled[:, 0])]
    ids = np.concatenate([s.labels["semantic"][s.valid["semantic"]] for s in labels])
    for number in range(5):
        assert f">{100 * (ids == number).mean():.1f} %</text>" in text


def test_a_hidden_label_is_never_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = note_reads(monkeypatch)
    with open_store(path) as store:
        text = report(store, "one")
        shown = shown_labels(store, "one")
    labels = labels_of_training(read)
    assert labels
    assert labels <= shown
    assert "hidden by the regime" in text


def test_the_page_is_offline_and_everything_is_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = (Task("semantic", Classes((HOSTILE, "b", "c", "d", "e"), COLOURS)), *TASKS[1:])
    monkeypatch.setattr(FakeSource, "tasks", classmethod(lambda cls, **options: tasks))
    with open_store(fake_store(tmp_path, images=(14, 3))) as store:
        text = report(store)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r'(src|href)="(?!data:)|url\(|@import|https?://', text)
    assert all('alt="' in tag for tag in re.findall("<img[^>]*>", text))


def test_void_has_a_key_where_some_is_shown(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = '<i class="swatch void"></i>void'
    with open_store(path) as store:
        assert key in report(store)
        bare = {"uri": "", "shape": 1.0, "title": "depth", "alt": "no label in the store"}
        monkeypatch.setattr("mtdata.inspecting.report._image", lambda *_: [bare])
        assert key not in report(store)


def test_the_command(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    call = ["report", str(path), "-o", str(out), "--limit", "3"]
    assert run(mtdata, [*call, "--json"]) == 0
    assert f'"path": "{out}"' in capsys.readouterr().out
    assert "3 drawn images of train" in out.read_text()
    before = out.read_bytes()
    assert run(mtdata, call) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert run(mtdata, [*call, "--overwrite"]) == 0
    assert run(mtdata, ["report", str(path), "-o", str(tmp_path / "a.html"), "--regime", "x"]) == 2
    assert run(mtdata, ["report", str(path), "-o", str(tmp_path / "no/a.html")]) == 2
    assert run(mtdata, ["report", str(tmp_path / "no.h5"), "-o", str(tmp_path / "a.html")]) != 0
    damaged = tmp_path / "damaged.h5"
    shutil.copy(path, damaged)
    with damaged.open("r+b") as file:
        file.truncate(damaged.stat().st_size // 2)
    assert run(mtdata, ["report", str(damaged), "-o", str(tmp_path / "a.html")]) == 3
    assert not (tmp_path / "a.html").exists()


def test_the_page_lies_beside_the_store_unless_told_otherwise(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "my.v2.h5"
    shutil.copy(path, store)
    assert run(mtdata, ["report", str(store)]) == 0
    assert (tmp_path / "my.v2.html").exists()
    capsys.readouterr()
    assert run(mtdata, ["report", str(store)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(mtdata, ["report", str(store), "--overwrite"]) == 0


def test_what_builds_it_again_has_every_option_of_its_source(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine")
    build(Folder(root, unlabelled="keep"), tmp_path / "a.h5", limit=2)
    nyu = write_nyu(tmp_path / "nyu")
    build(Nyu(nyu, classes=40, crop="none"), tmp_path / "b.h5", size=(12, 16), limit=1)
    build(Rooms(None, images=(2, 1), seed=5, size=(24, 32)), tmp_path / "c.h5", size=(24, 32))
    said = {}
    for name in "abc":
        with open_store(tmp_path / f"{name}.h5") as store:
            said[name] = _commands(store, None)[0]
    assert "--dataset folder --source FOLDER " in said["a"]
    assert "--unlabelled keep" in said["a"]
    assert "description" not in said["a"]
    assert "--source FOLDER" in said["b"]
    assert "--classes 40" in said["b"]
    assert "--crop none" in said["b"]
    assert "--unlabelled" not in said["b"]
    assert "--source" not in said["c"]
    assert "--images 2,1" in said["c"]
    assert "--seed 5" in said["c"]
    assert said["c"].count("--size") == 1


def test_what_builds_it_again_builds_the_same_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds and options are those of each regime, and not of the build alone."""
    third = dict.fromkeys(("semantic", "depth", "normals"), 1 / 3)
    regimes: dict[str, tuple[str, int, dict[str, Any]]] = {
        "one": ("one", 0, {}),
        "one-1": ("one", 1, {"stable": True}),
        "half": ("fraction", 5, {"share": 0.5}),
        "most": ("fraction", 5, {"share": 2 / 3}),
        "third": ("imbalanced", 0, {"ratio": third}),
    }
    folder = tmp_path / "again"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for seed, regime in ((0, "one-1"), (3, "one")):
        out = tmp_path / "a b.h5"
        source = Rooms(None, images=(24, 1), seed=seed, size=(24, 32))
        build(source, out, size=(24, 32), tasks=[*third], mode="overwrite")
        for name, (kind, start, options) in regimes.items():
            draw_regime(out, kind, name=name, seed=start, **options)
        set_default_regime(out, regime)
        with open_store(out) as store:
            commands = [one for one in _commands(store, None) if "build" in one or "regime" in one]
        for command in commands:
            arguments = shlex.split(command)[1:]
            more = ["--overwrite", "--jobs", "1"] if "build" in arguments else []
            assert run(mtdata, [*arguments, *more]) == 0
        with open_store(out) as one, open_store(folder / "a b.h5") as other:
            assert one.content_digest == other.content_digest
            assert one.default_regime == other.default_regime == regime
            assert one.regimes == other.regimes
        assert run(mtdata, ["diff", str(out), "a b.h5"]) == 0
