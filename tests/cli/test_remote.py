"""Commands on stores at URLs: those that read say what they say of a file, the others refuse."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata.merging.shard import shard
from mtdata.store.opening import remote
from tests.processes.served import Served, serving
from tests.runs.small_run import as_arguments, small_layer, small_store

Captured = pytest.CaptureFixture[str]
SECRET = "s3cret"
USER = f"anna:{SECRET}"
NAMES = ("fake.h5", "fake/fake.h5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("stores")
    shard(small_store(folder), images=6)
    return folder


@pytest.fixture
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(remote, "WAITS", (0.0,))
    with serving(folder, user=USER) as found:
        yield found


READING: tuple[tuple[str, ...], ...] = (
    ("info", "{}", "--json"),
    ("stats", "{}", "--json"),
    ("keys", "{}", "--split", "test"),
    ("verify", "{}", "--json"),
    ("verify", "{}", "--jobs", "2", "--json"),
    ("show", "{}", "--first", "2", "-o", "{out}/sheet.png", "--json"),
    ("show", "{}", "--augment", "1", "--first", "1", "-o", "{out}/seen.png", "--json"),
    ("regime", "list", "{}", "--json"),
    ("regime", "show", "{}", "one", "--json"),
    ("regime", "export", "{}", "one", "-o", "{out}/one.csv", "--json"),
    ("diff", "{}", "{}", "--json"),
    ("report", "{}", "-o", "{out}/page.html"),
    ("export", "{}", "--to", "npy", "-o", "{out}/npy"),
)


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_what_reads(
    arguments: tuple[str, ...], served: Served, folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    name = NAMES[READING.index(arguments) % 2]
    said = []
    for number, place in enumerate((str(folder / name), served.url(name, user=USER))):
        out = tmp_path / str(number)
        out.mkdir()
        given = [word.format(place, out=out) for word in arguments]
        assert run(mtdata, given) == 0, capsys.readouterr().err
        told = capsys.readouterr()
        assert SECRET not in told.out + told.err
        text = told.out.replace(str(out), "OUT").replace(served.url(name), str(folder / name))
        said.append((text, {p.name: p.read_bytes() for p in out.iterdir() if p.suffix == ".png"}))
    if arguments[-1] == "--json" or "keys" in arguments:
        assert said[0] == said[1]
    assert served.gets() > 0


CHANGING: tuple[tuple[str, ...], ...] = (
    ("regime", "add", "{}", "--kind", "random"),
    ("regime", "remove", "{}", "one"),
    ("regime", "default", "{}", "full"),
    ("derive", "{}", "--task", "edges", "--from", "semantic"),
    ("update", "{}"),
    ("shard", "{}", "--images", "2"),
    ("shard", "a.h5", "--images", "2", "-o", "{}"),
    ("merge", "a.h5", "b.h5", "-o", "{}"),
    ("build", "--dataset", "rooms", "-o", "{}"),
    ("build", "--dataset", "folder", "--source", "{}"),
)


@pytest.mark.parametrize("arguments", CHANGING, ids=" ".join)
def test_what_writes(arguments: tuple[str, ...], served: Served, capsys: Captured) -> None:
    url = served.url("fake.h5", user=USER)
    assert run(mtdata, [word.format(url) for word in arguments]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"Error: {served.url('fake.h5')} should be a file of this machine" in told
    assert SECRET not in told
    assert not served.asked


def test_a_store_that_is_gathered_from_a_url(
    served: Served, folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "one.h5"
    assert run(mtdata, ["merge", served.url(NAMES[1], user=USER), "-o", str(out)]) == 0
    assert run(mtdata, ["diff", str(folder / NAMES[0]), str(out), "--json"]) == 0
    again = tmp_path / "shards"
    url = served.url(NAMES[0], user=USER)
    assert run(mtdata, ["shard", url, "--images", "9", "-o", str(again)]) == 0
    assert run(mtdata, ["diff", str(folder / NAMES[0]), str(again / NAMES[0])]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ({"status": 404}, 3, "there is no such file"),
        ({"status": 403}, 3, "its server refuses it (403)"),
        ({"status": 500}, 3, "cannot be read at present"),
        ({"user": "nobody:x"}, 3, "its server refuses it (401)"),
    ],
)
def test_what_it_ends_with(
    fault: dict[str, Any], code: int, words: str, served: Served, capsys: Captured
) -> None:
    for name, value in fault.items():
        setattr(served, name, value)
    assert run(mtdata, ["info", served.url("fake.h5", user=USER) + f"?sig={SECRET}"]) == code
    told = " ".join(capsys.readouterr().err.split())
    assert words in told
    assert told.startswith("Error: ")
    assert told.count("Error: ") == 1
    assert SECRET not in told


def test_training(served: Served, folder: Path, tmp_path: Path, capsys: Captured) -> None:
    """The losses are those of the file; nothing that is kept has the password."""
    losses, out, name = [], tmp_path, NAMES[1]
    for number, place in enumerate((str(folder / name), served.url(name, user=USER))):
        out = tmp_path / str(number)
        layer = small_layer(Path()) | {"steps": 2, "workers": 2 * number}
        given = as_arguments({key: layer[key] for key in layer if key not in ("epochs", "data")})
        assert run(mttrain, [*given, "--data", place, "-o", str(out)]) == 0, capsys.readouterr().err
        rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        losses.append([row["loss"] for row in rows if row["kind"] == "step"])
    assert losses[0] == losses[1]
    assert len(losses[0]) == 2
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    kept = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert SECRET.encode() not in kept
    assert served.url(name).encode() in kept
    # What comes later finds the store by what is kept, in a process that knows the rest.
    assert run(mttrain, ["-o", str(out), "--resume"]) == 0, capsys.readouterr().err
    assert run(mtmodels, ["eval", str(out), "--json"]) == 0, capsys.readouterr().err
    assert run(mtmodels, ["fill", str(out), served.url(name)]) == 2
    assert SECRET not in (out / "manifest.json").read_text()


def test_a_training_that_lost_its_server_goes_on(
    served: Served,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.setattr(remote, "BLOCK", 2**11)
    monkeypatch.setattr(remote, "BLOCKS", 4)  # so that the server is asked to the end
    layer = small_layer(Path()) | {"checkpoint_every": 1, "epochs": 2}
    given = as_arguments({key: layer[key] for key in layer if key != "data"})
    whole, stopped, url = tmp_path / "whole", tmp_path / "stopped", served.url(NAMES[1], user=USER)
    assert run(mttrain, [*given, "--data", url, "-o", str(whole)]) == 0, capsys.readouterr().err
    asked = len(served.asked)

    served.asked.clear()
    served.until = asked * 2 // 3
    assert run(mttrain, [*given, "--data", url, "-o", str(stopped)]) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "cannot be read at present" in told
    assert SECRET not in told
    assert 0 < len(_losses(stopped)) < len(_losses(whole))

    served.until = 0
    assert run(mttrain, ["-o", str(stopped), "--resume"]) == 0, capsys.readouterr().err
    assert _losses(stopped) == _losses(whole)


def _losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if row["kind"] == "step"]
