"""`mtdata regime` and the regimes of `mtdata build`: what is printed, and what it ends with."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.mtdata.regime import COMMANDS
from cli.shared.common import run
from mtdata.store import open_store
from tests.stores.changed import changed_store
from tests.trees.folder import mask, picture, save, write_folder
from tests.trees.nyu import nyu_store

Captured = pytest.CaptureFixture[str]
RATIO = "semantic=0.6,depth=0.2,normals=0.2"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nyu_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(original: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "nyu.h5"
    copy.write_bytes(original.read_bytes())
    return copy


def _regime(command: str, *arguments: object) -> int:
    return run(mtdata, ["regime", command, *map(str, arguments)])


def _json(capsys: Captured, command: str, *arguments: object) -> Any:
    assert _regime(command, *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_imbalanced_and_fraction(store: Path, capsys: Captured) -> None:
    drawn = _json(capsys, "add", store, "--kind", "imbalanced", "--ratio", RATIO)
    assert drawn["labels"] == {"semantic": 3, "depth": 1, "normals": 1}
    assert drawn["parameters"]["ratio"] == {"semantic": 0.6, "depth": 0.2, "normals": 0.2}
    drawn = _json(
        capsys, "add", store, "--kind", "fraction", "--share", 0.4, "--stable", "--name", "few"
    )
    assert drawn["parameters"] == {"share": 0.4, "stable": True}
    assert drawn["images_with"].keys() <= {"0", "2", "3"}  # frame 0002 has no classes
    shown = _json(capsys, "show", store, "few")
    assert (shown["kind"], shown["seed"], shown["origin"]) == ("fraction", 0, "drawn")
    assert shown["available"] == {"semantic": 4, "depth": 5, "normals": 5}


def test_show(store: Path, tmp_path: Path, capsys: Captured) -> None:
    shown = _json(capsys, "show", store, "one")
    assert shown["default"]
    assert shown["split"] == "train"
    assert shown["images"] == sum(shown["labels"].values()) == 5
    assert shown["images_with"] == {"0": 0, "1": 5, "2": 0, "3": 0}
    assert set(shown["pairs"].values()) == {0}
    assert sum(shown["sets"].values()) == 5
    plot = tmp_path / "new" / "regime.png"
    assert _regime("show", store, "random", "--plot", plot) == 0
    told = capsys.readouterr()
    assert "semantic+depth" in told.out
    assert "images that show exactly these" in told.out
    assert f"Drew {plot}." in told.err
    assert plot.stat().st_size > 10_000
    assert _regime("show", store, "random", "--plot", "regime.xyz") == 2
    assert _regime("show", store, "full") == 0
    assert "options none" in capsys.readouterr().out
    assert _regime("show", store, "two") == 2
    assert "Known: full, one, random" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_export_then_import_then_remove(
    store: Path, tmp_path: Path, capsys: Captured, suffix: str
) -> None:
    path = tmp_path / f"mine.{suffix}"
    assert _regime("export", store, "random", "-o", path) == 0
    assert f"images to {path}" in capsys.readouterr().err
    found = _json(capsys, "add", store, "--kind", "import", "--from", path)
    assert (found["name"], found["seed"], found["notes"]) == ("mine", None, [])
    with open_store(store) as opened:
        split = opened.split("train")
        np.testing.assert_array_equal(split.visible("mine"), split.visible("random"))
        assert f"mine.{suffix}, sha256" in split.regimes["mine"].origin
    assert _regime("remove", store, "mine") == 0
    assert "Removed the regime `mine`" in capsys.readouterr().err
    assert list(_json(capsys, "list", store)["splits"]["train"]) == ["full", "one", "random"]


def test_removing_the_default_is_told(store: Path, capsys: Captured) -> None:
    assert _regime("remove", store, "one") == 0
    assert "It was the default" in capsys.readouterr().err
    assert _json(capsys, "list", store)["default"] == "full"
    assert _regime("remove", store, "full") == 2
    assert _regime("remove", store, "one") == 2


def test_import_of_rows_says_what_is_not_known(
    store: Path, tmp_path: Path, capsys: Captured
) -> None:
    import torch

    weights = torch.eye(3).repeat(2, 1)[:5]
    torch.save({"labels_weights": weights}, tmp_path / "onelabel.pth")
    assert _regime("add", store, "--from", tmp_path / "onelabel.pth") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "the order of trainNdxs" in told
    assert "the images need not be" in told
    # Frame 0002 is the second row; that row shows depth, which it has.
    with open_store(store) as opened:
        assert opened.split("train").visible("onelabel")[1].tolist() == [False, True, False]


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", ["npy", "pth"])
def test_a_file_with_code_ends_with_3_and_runs_nothing(
    store: Path, tmp_path: Path, capsys: Captured, suffix: str
) -> None:
    made, path = tmp_path / "made", tmp_path / f"evil.{suffix}"
    if suffix == "npy":
        np.save(path, {"semseg": [Evil(made)]}, allow_pickle=True)  # type: ignore[arg-type]
    else:
        path.write_bytes(pickle.dumps(Evil(made), 2))
    before = store.read_bytes()
    assert _regime("add", store, "--kind", "import", "--from", path) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "found `posix.mkdir`, which would run code. Nothing of it was run." in told
    assert not made.exists()
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("--kind imbalance --ratio a=1", 2, "Did you mean `imbalanced`"),
        ("--kind improt --from a.csv", 2, "Did you mean `import`"),
        ("--kind imbalanced", 2, "give each task a share"),
        ("--kind imbalanced --ratio semantic=0.5,depth=0.5", 2, "name every task once"),
        ("--kind imbalanced --ratio semantic", 2, "a share for each task, such as"),
        ("--kind imbalanced --ratio depth=0.5,depth=0.5", 2, "each name once"),
        ("--kind imbalanced --ratio depth=1e-e", 2, "a share for each task, such as"),
        ("--kind fraction", 2, "`share` should be above 0"),
        ("--kind one --share 0.5 --name b", 2, "`share` is no option of the regime `one`"),
        ("--kind full --stable --name b", 2, "`stable` is no option of the regime `full`"),
        ("--kind import", 2, "or --from PATH to read"),
        ("--kind one --from a.csv --name b", 2, "give one of the two"),
        ("--missing skip", 2, "says how to read --from"),
        ("--kind import --from a.csv --stable", 2, "no option of the regime `import`"),
        ("--kind import --from a.csv", 2, "there is no file a.csv"),
        ("--kind import --from a.mat", 2, "ends in .csv, .json, .npy"),
        ("--kind one", 2, "has a regime `one` already"),
    ],
)
def test_what_add_refuses(
    store: Path, capsys: Captured, arguments: str, code: int, said: str
) -> None:
    assert _regime("add", store, *arguments.split()) == code
    told = capsys.readouterr()
    assert said in " ".join(told.err.split())
    assert not told.out


def test_what_export_refuses(store: Path, tmp_path: Path, capsys: Captured) -> None:
    assert _regime("export", store, "one", "-o", tmp_path / "a.txt") == 2
    assert ".csv or .json" in capsys.readouterr().err
    assert _regime("export", store, "two", "-o", tmp_path / "a.csv") == 2
    assert _regime("export", store, "one", "-o", tmp_path / "no" / "a.csv") == 2
    assert "in a folder that is there" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.glob("a.*"))
    (tmp_path / "notes.csv").write_text("mine")
    assert _regime("export", store, "one", "-o", tmp_path / "notes.csv") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "notes.csv").read_text() == "mine"
    assert _regime("export", store, "one", "-o", tmp_path / "notes.csv", "--overwrite") == 0


BUILD = ("build", "--dataset", "rooms", "--images", "6,1", "--size", "32x48", "--jobs", "1")


def test_build_with_regimes_that_have_options(tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "rooms.h5"
    regimes = "--regime imbalanced --ratio semantic=0.7,depth=0.3 --regime fraction --share 0.5"
    arguments = [*BUILD, "--tasks", "semantic,depth", *regimes.split(), "--out", str(out)]
    assert run(mtdata, arguments) == 0
    with open_store(out) as opened:
        assert opened.default_regime == "imbalanced"
        found = opened.split("train").regimes
        assert found["imbalanced"].counts == {"semantic": 4, "depth": 2}
        assert found["fraction"].images_with == {0: 3, 1: 0, 2: 3}
    assert run(mtdata, [*arguments, "--resume"]) == 0
    assert run(mtdata, [*arguments, "--stable", "--resume"]) == 2
    assert 'and options {"ratio":' in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--regime one --ratio semantic=1", "--ratio is for --regime imbalanced"),
        ("--share 0.1", "--share is for --regime fraction"),
        ("--stable", "--stable is for --regime one or random or imbalanced or fraction"),
        ("--regime import", "mtdata regime add FILE --from"),
        ("--regime imbalanced", "give each task a share"),
        ("--regime imbalanced --ratio semantic=0.5,depth=0.5", "name every task once"),
        ("--regime one --regime one", "found 'one' twice"),
    ],
)
def test_what_build_refuses_of_regimes(
    tmp_path: Path, capsys: Captured, arguments: str, said: str
) -> None:
    out = tmp_path / "rooms.h5"
    assert run(mtdata, [*BUILD, *arguments.split(), "--out", str(out)]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str, capsys: Captured) -> None:
    assert _regime(command, "--help") == 0
    assert f"  mtdata regime {command}" in capsys.readouterr().out.split("Examples:")[1]


def test_of_two_tasks_random_is_told_to_be_as_one(tmp_path: Path, capsys: Captured) -> None:
    root = write_folder(tmp_path / "my photos")
    out = str(tmp_path / "my store.h5")
    build = ["build", "--dataset", "folder", "--source", str(root), "-o", out, "-j", "1"]
    assert run(mtdata, [*build, "--tasks", "depth,mask"]) == 0
    capsys.readouterr()
    assert _regime("add", out, "--kind", "random") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "Note: of two tasks, random shows one label of each image, as the kind one does." in said
    assert f"Next: mttrain --recipe own-small --data '{out}' --regime random" in said
    assert _regime("add", out, "--kind", "one") == 0
    assert "Note" not in capsys.readouterr().err


def test_images_of_several_sizes_are_told_by_the_largest(tmp_path: Path, capsys: Captured) -> None:
    root = write_folder(tmp_path / "mine")
    out = str(tmp_path / "a.h5")
    for folder in ("semantic", "depth", "normals"):
        (root / folder / "0000.png").unlink()
    save(root / "rgb/0000.jpg", picture(0, (30, 40)))
    save(root / "mask/0000.png", mask(0, (30, 40)))
    build = ["build", "--dataset", "folder", "--source", str(root), "-o", out, "-j", "1"]
    assert run(mtdata, build) == 0
    capsys.readouterr()
    assert run(mtdata, ["info", out]) == 0
    assert "up to 30x40" in capsys.readouterr().out


def test_two_splits_to_train_on(tmp_path: Path, capsys: Captured) -> None:
    """Each gets a draw, as in a build; a file of both is possible where keys tell them apart."""
    keys = {"train_a": ("a1", "a2", "a3"), "train_b": ("b1", "b2", "b3"), "test": ("t1",)}
    path = changed_store(tmp_path / "a.h5", keys=keys, tasks=["semantic", "depth"], missing=0)
    drawn = _json(capsys, "add", path, "--kind", "one")
    assert sum(drawn["labels"].values()) == 6
    shown = _json(capsys, "show", path, "one")
    assert (shown["split"], shown["images"], shown["labels"]) == (
        "train_a+train_b",
        6,
        drawn["labels"],
    )
    assert _json(capsys, "show", path, "one", "--split", "train_b")["images"] == 3
    assert _regime("export", path, "one", "-o", tmp_path / "one.csv") == 0
    assert len((tmp_path / "one.csv").read_text().splitlines()) == 7
    with open_store(path) as store:
        wanted = store.dataset(["train_a", "train_b"], regime="one").labelled
        read = store.dataset(["train_a", "train_b"], regime=str(tmp_path / "one.csv")).labelled
        assert np.array_equal(read, wanted)
    assert _regime("add", path, "--from", tmp_path / "one.csv", "--name", "again") == 2
    assert "--split" in capsys.readouterr().err
    only = [
        "--from",
        tmp_path / "one.csv",
        "--name",
        "again",
        "--missing",
        "skip",
        "--split",
        "train_a",
    ]
    assert sum(_json(capsys, "add", path, *only)["labels"].values()) == 3
    assert _json(capsys, "show", path, "again")["split"] == "train_a"
    assert _json(capsys, "add", path, "--kind", "random", "--split", "train_b")["images_with"]
    assert _regime("add", path, "--kind", "one", "--name", "c", "--split", "test") == 2


def test_rows_are_not_placed_in_a_store_that_may_lack_images(
    tmp_path: Path, capsys: Captured
) -> None:
    """Rows of a file count the images of the whole split, of which a folder may hold any."""
    torch = pytest.importorskip("torch")
    file = tmp_path / "rows.pth"
    torch.save({"labels_weights": torch.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]}, file)
    tasks = ["semantic", "depth", "normals"]
    for limit, code in ((None, 3), (3, 0)):
        keys = {"train": ("0001", "0004", "0007"), "test": ("t1",)}
        path = tmp_path / f"{limit}.h5"
        changed_store(path, keys=keys, tasks=tasks, missing=0, limit=limit)
        assert _regime("add", path, "--from", file, "--missing", "skip") == code
        assert ("may lack some" in " ".join(capsys.readouterr().err.split())) == bool(code)
