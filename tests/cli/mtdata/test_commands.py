"""Every command of `mtdata` on made-up frames: what it prints where, and what it ends with."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.mtdata import COMMANDS, mtdata
from cli.shared.common import run
from mtdata.sources import SOURCES
from mtdata.store import open_store
from tests.paths import ROOT
from tests.trees.cityscapes import FOLDERS, pack, write_cityscapes
from tests.trees.nyu import nyu_store, write_nyu

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nyu_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(original: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "nyu.h5"
    copy.write_bytes(original.read_bytes())
    return copy


def _json(arguments: list[str], capsys: Captured, code: int = 0) -> Any:
    assert run(mtdata, [*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def _fields(command: str) -> set[str]:
    """What the page says is in the JSON of a command."""
    text = (ROOT / "docs" / "commands" / "mtdata.md").read_text(encoding="utf-8")
    found = re.search(rf"^`{command} --json`.*\n((?:[: ].*\n)+)", text, re.MULTILINE)
    assert found is not None, command
    return set(re.findall(r"`(\w+)`", found[1]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "{}"],
        ["stats", "{}", "--limit", "2"],
        ["keys", "{}"],
        ["verify", "{}"],
        ["regime", "list", "{}"],
        ["regime", "show", "{}", "full"],
        ["regime", "default", "{}", "full"],
        ["regime", "export", "{}", "full", "-o", "{}.csv"],
        ["derive", "{}", "--task", "normals", "--from", "depth"],
        ["diff", "{}", "{}"],
        ["show", "{}", "--first", "1", "-o", "{}.png"],
        ["report", "{}", "-o", "{}.html"],
        ["datasets", "nyu"],
    ],
    ids=lambda words: " ".join(words[: 1 + (words[0] == "regime")]),
)
def test_the_page_names_every_field(store: Path, capsys: Captured, arguments: list[str]) -> None:
    found = _json([word.format(store) for word in arguments], capsys)
    words = " ".join(arguments[: 1 + (arguments[0] == "regime")])
    assert set(found) <= _fields(f"mtdata {words}")


def test_the_page_names_every_field_of_all_data_sets(capsys: Captured) -> None:
    for about in _json(["datasets"], capsys).values():
        assert set(about) <= _fields("mtdata datasets")


def test_build_then_info(tmp_path: Path, capsys: Captured) -> None:
    root, out = write_nyu(tmp_path / "raw"), tmp_path / "new" / "nyu.h5"
    arguments = ["build", "--dataset", "nyu", "--source", str(root), "--out", str(out)]
    arguments += ["--size", "native", "--jobs", "1", "--regime", "one", "--regime", "random"]
    built = _json(arguments, capsys)
    assert built["splits"]["train"]["images"] == 5
    assert built["default_regime"] == "one"
    with open_store(out) as opened:
        assert opened.default_regime == "one"
        assert opened.split("train").size == (40, 56)
    info = _json(["info", str(out)], capsys)
    assert info["content_digest"] == built["content_digest"]
    assert list(info["splits"]["train"]["regimes"]) == ["full", "one", "random"]


def test_the_summary_of_a_build(tmp_path: Path, capsys: Captured) -> None:
    root, out = write_nyu(tmp_path / "raw"), tmp_path / "nyu.h5"
    (root / "semantic40" / "0001.png").unlink()
    arguments = ["build", "--dataset", "nyu", "--source", str(root), "--out", str(out)]
    arguments += ["--classes", "40", "--tasks", "semantic,depth", "--size", "20x28", "--jobs", "1"]
    assert run(mtdata, [*arguments, "--dry-run"]) == 0
    assert not out.exists()
    assert "Nothing was written" in capsys.readouterr().err
    assert run(mtdata, arguments) == 0
    told = capsys.readouterr()
    assert "partly labelled" in told.out
    assert "images/s" in told.err
    assert f"mtdata info {out}" in told.err
    with open_store(out) as opened:
        assert opened.split("train").size == (20, 28)
        assert [task.name for task in opened.tasks] == ["semantic", "depth"]
        assert opened.task("semantic").channels == 40
    assert run(mtdata, arguments) == 2
    assert "--resume" in capsys.readouterr().err
    assert run(mtdata, [*arguments, "--resume"]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert run(mtdata, [*arguments, "--overwrite"]) == 0


def test_build_cityscapes_from_zip_files(tmp_path: Path, capsys: Captured) -> None:
    root, out = pack(write_cityscapes(tmp_path / "raw"), *FOLDERS), tmp_path / "cityscapes.h5"
    arguments = ["build", "--dataset", "cityscapes", "--source", str(root), "--out", str(out)]
    arguments += ["--classes", "19", "--depth", "m", "--size", "native", "--jobs", "1"]
    built = _json([*arguments, "--regime", "one"], capsys)
    assert built["splits"]["train"]["labels"] == {"semantic": 2, "depth": 2}
    info = _json(["info", str(out)], capsys)
    assert info["tasks"]["semantic"]["channels"] == 19
    assert info["tasks"]["depth"]["units"] == "metres"
    assert run(mtdata, ["verify", str(out)]) == 0


def test_build_rooms_at_a_size(tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "rooms.h5"
    arguments = ["build", "--dataset", "rooms", "--images", "2,1", "--size", "32x48"]
    built = _json([*arguments, "--out", str(out), "--jobs", "1", "--seed", "5"], capsys)
    assert built["splits"]["test"]["images"] == 1
    with open_store(out) as opened:
        assert opened.options["source"]["seed"] == 5
        assert opened.split("train").size == (32, 48)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--dataset", "nyy"], 2, "Did you mean `nyu`"),
        (["--dataset", "nyu", "--classes", "12"], 2, "13 or 40"),
        (["--dataset", "nyu", "--images", "1,2"], 2, "`images` is no option"),
        (["--dataset", "cityscapes"], 3, "leftImg8bit_trainvaltest.zip"),
        (["--dataset", "cityscapes", "--classes", "13"], 2, "7 or 19"),
        (["--dataset", "cityscapes", "--depth", "feet"], 2, "disparity, px or m"),
        (["--dataset", "rooms", "--classes", "13"], 2, "`classes` is no option"),
        (["--dataset", "nyu", "--resume", "--overwrite"], 2, "give one of them"),
        (["--dataset", "nyu", "--source", "nowhere"], 3, "cs.nyu.edu"),
        (["--dataset", "nyu"], 3, "data/raw/nyu"),
        (["--dataset", "rooms", "--regime", "two", "--images", "1,1"], 2, "no regime `two`"),
        (["--dataset", "rooms", "--tasks", "colour", "--images", "1,1"], 2, "no task `colour`"),
        (["--dataset", "rooms", "--size", "12"], 2, "288x384 or native"),
        (["--dataset", "rooms", "--size", "0x12"], 2, "288x384 or native"),
        (["--dataset", "rooms", "--tasks", ","], 2, "found none"),
        (["--dataset", "rooms", "--images", "3"], 2, "two numbers such as 400,100"),
        (["--dataset", "rooms", "--images", "0,0"], 2, "training and of test images"),
        (["--dataset", "rooms", "--images", "a,b"], 2, "two numbers"),
        (["--dataset", "rooms", "--compression", "zip"], 2, "'zip' is not one of"),
        (["--dataset", "rooms", "--limit", "0"], 2, "x>=1"),
        (["--datasets", "rooms"], 2, "--dataset"),
        ([], 2, "--dataset"),
    ],
)
def test_what_build_refuses(
    arguments: list[str],
    code: int,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MTDATA_SOURCES", raising=False)
    assert run(mtdata, ["build", "--jobs", "1", *arguments]) == code
    told = capsys.readouterr()
    assert text in " ".join(told.err.split())
    assert not told.out
    assert "Traceback" not in told.err
    assert not list(tmp_path.rglob("*.h5"))


def test_a_copy_that_lacks_frames_is_noted(tmp_path: Path, capsys: Captured) -> None:
    root = write_nyu(tmp_path / "raw")
    for path in root.glob("*/0001.*"):
        path.unlink()
    arguments = ["build", "--dataset", "nyu", "--source", str(root), "--dry-run", "--jobs", "1"]
    assert run(mtdata, [*arguments, "--out", str(tmp_path / "a.h5")]) == 0
    assert "Note: 1 of the 5 official frames of train" in capsys.readouterr().err


def test_info_for_people(store: Path, capsys: Captured) -> None:
    assert run(mtdata, ["info", str(store)]) == 0
    told = capsys.readouterr()
    assert "default regime one" in told.out
    assert "unit vector, camera frame" in told.out
    assert "40x56" in told.out


def test_stats(store: Path, tmp_path: Path, capsys: Captured) -> None:
    found = _json(["stats", str(store), "--regime", "one"], capsys)
    assert found["splits"]["train"]["pairs"]["semantic+depth"] == 0
    plot = tmp_path / "stats.png"
    assert run(mtdata, ["stats", str(store), "--plot", str(plot)]) == 0
    assert plot.stat().st_size > 10_000
    told = capsys.readouterr()
    assert "normals z" in told.out
    assert "images that show both" in told.out
    assert run(mtdata, ["stats", str(store), "--plot", "stats.xyz"]) == 2


def test_show(store: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "sheet.png"
    shown = ["show", str(store), "0001", "0003", "--regime", "one", "-o", str(out)]
    assert run(mtdata, shown) == 0
    assert out.stat().st_size > 10_000
    assert run(mtdata, ["show", str(store), "0001", "--split", "test", "-o", str(out)]) == 2
    assert "no image `0001`" in capsys.readouterr().err


def test_verify(store: Path, capsys: Captured) -> None:
    found = _json(["verify", str(store)], capsys)
    assert found == {"ok": True, "problems": [], "samples": 8, "shared": []}
    assert run(mtdata, ["verify", str(store)]) == 0
    assert "no problem found" in capsys.readouterr().out
    with open_store(store) as opened:
        place = opened.split("test").dataset(None).id.get_chunk_info(0).byte_offset
    content = bytearray(store.read_bytes())
    content[place + 40] ^= 0xFF
    store.write_bytes(bytes(content))
    found = _json(["verify", str(store)], capsys, code=3)
    assert not found["ok"]
    assert found["problems"][0].keys() == {"where", "what"}
    assert "test/0003" in found["problems"][0]["where"]
    assert run(mtdata, ["verify", str(store)]) == 3
    assert "Copy or build it again" in capsys.readouterr().err


def test_regimes(store: Path, capsys: Captured) -> None:
    added = _json(
        ["regime", "add", str(store), "--kind", "one", "--seed", "3", "--name", "other"], capsys
    )
    assert sum(added["labels"].values()) == 5
    assert added["images_with"] == {"1": 5}
    listed = _json(["regime", "list", str(store)], capsys)
    assert listed["default"] == "one"
    assert list(listed["splits"]["train"]) == ["full", "one", "other", "random"]
    assert run(mtdata, ["regime", "list", str(store)]) == 0
    assert "one (default)" in capsys.readouterr().out
    assert run(mtdata, ["regime", "add", str(store), "--kind", "random"]) == 2
    assert run(mtdata, ["regime", "add", str(store), "--kind", "imbalance"]) == 2
    assert run(mtdata, ["regime", "add", str(store), "--kind", "one", "--name", "a/b"]) == 2
    assert run(mtdata, ["regime", "add", str(store), "--kind", "random", "--name", "again"]) == 0
    assert "--regime again" in capsys.readouterr().err


def test_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("MTDATA_SOURCES", str(tmp_path))
    write_nyu(tmp_path / "nyu")
    found = _json(["datasets"], capsys)
    assert set(found) == set(SOURCES)
    assert found["nyu"]["found_at"] == str(tmp_path / "nyu")
    assert found["rooms"]["made_here"]
    assert run(mtdata, ["datasets"]) == 0
    out = capsys.readouterr().out
    assert "licence" in out
    assert "made here" in out


@pytest.mark.parametrize("command", ["info", "stats", "verify", "regime list"])
def test_what_is_no_store(command: str, tmp_path: Path, capsys: Captured) -> None:
    text = tmp_path / "text.h5"
    text.write_text("hello")
    for path, said in ((text, "no HDF5"), (tmp_path / "none.h5", "no such file")):
        assert run(mtdata, [*command.split(), str(path)]) == 3
        told = capsys.readouterr()
        assert said in " ".join(told.err.split())
        assert not told.out


@pytest.mark.parametrize("command", [*COMMANDS, "regime add", "regime list"])
def test_help_has_an_example(command: str, capsys: Captured) -> None:
    assert run(mtdata, [*command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert f"  mtdata {command}" in out.split("Examples:")[1]


def test_unknown_command(capsys: Captured) -> None:
    assert run(mtdata, ["buidl"]) == 2
    assert "Did you mean `build`" in capsys.readouterr().err


def test_an_interrupted_build_ends_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mtdata.building.build.build", interrupt)
    arguments = ["build", "--dataset", "rooms", "--images", "1,1"]
    assert run(mtdata, [*arguments, "--out", str(tmp_path / "a.h5")]) == 130
    assert "--resume" in capsys.readouterr().err


def test_show_first_and_random(store: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "sheet.png"
    base = ["show", str(store), "-o", str(out)]
    with open_store(store) as opened:
        train, test = opened.split("train").keys, opened.split("test").keys
    assert _json([*base, "--first", "2"], capsys)["keys"] == list(train[:2])
    assert _json([*base, "--first", "99", "--split", "test"], capsys)["keys"] == list(test)
    drawn = [
        tuple(_json([*base, "--random", "2", "--seed", str(seed)], capsys)["keys"])
        for seed in (*range(4), 0)
    ]
    assert drawn[0] == drawn[-1]
    assert len(set(drawn)) > 1
    for keys in drawn:
        assert len(set(keys)) == 2
        assert set(keys) <= set(train)
    assert out.stat().st_size > 0


@pytest.mark.parametrize("given", [[], ["0001", "--first", "1"], ["--first", "1", "--random", "1"]])
def test_show_one_way_of_naming(
    store: Path, tmp_path: Path, given: list[str], capsys: Captured
) -> None:
    out = tmp_path / "sheet.png"
    assert run(mtdata, ["show", str(store), *given, "-o", str(out)]) == 2
    assert "--random N" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("stats STORE --all", "--all should go with --plot"),
        ("stats STORE --seed 0", "--seed should go with --plot"),
        ("stats STORE --plot x.gif", "should end in a format that can be drawn: .png, .pdf, .svg"),
        ("show STORE --first 1 -o x.png --seed 4", "--seed should go with --random N"),
        ("show STORE --first 1 -o x.png --device cpu", "--device should go with --predictions"),
        ("report STORE -o x.txt", "--out should name a page that ends in .html; found x.txt"),
        ("build --dataset rooms --source . -o x.h5", "`rooms` should be given no folder"),
        ("regime add STORE --from x.csv --seed 4", "`seed` is no option of the regime `import`"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    command: str, told: str, store: Path, tmp_path: Path, capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    before = {*tmp_path.iterdir()}
    (tmp_path / "x.csv").write_text("key,task\n")
    arguments = [str(store) if word == "STORE" else word for word in command.split()]
    assert run(mtdata, arguments) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert {*tmp_path.iterdir()} - before == {tmp_path / "x.csv"}


def test_regimes_tell_json(store: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "one.csv"
    told = _json(["regime", "export", str(store), "one", "-o", str(out)], capsys)
    assert sum(told["labels"].values()) == len(out.read_text().splitlines()) - 1
    assert _json(["regime", "remove", str(store), "one"], capsys)["removed"] == "one"


def test_keys_one_a_line(store: Path, capsys: Captured) -> None:
    arguments = ["keys", str(store), "--regime", "one", "--task", "depth"]
    assert run(mtdata, arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == _json(arguments, capsys)["splits"]["train"]
    assert lines
    assert run(mtdata, ["keys", str(store)]) == 0
    with open_store(store) as opened:
        expected = [key for split in opened.splits.values() for key in split.keys]
    assert capsys.readouterr().out.splitlines() == expected


def test_stats_of_a_part(store: Path, capsys: Captured) -> None:
    found = _json(["stats", str(store), "--split", "train", "--limit", "2", "-j", "2"], capsys)
    assert list(found["splits"]) == ["train"]
    assert found["splits"]["train"]["images"] == 2
