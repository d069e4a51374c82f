"""`mtdata browse` through its entry point: the address, how it ends, and what it refuses."""

import importlib.util
import json
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from cli.shared.predicted import names_of
from cli.shared.serving import PARTS
from tests.paths import ROOT
from tests.stores.fakes import fake_store

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_store(tmp_path_factory.mktemp("store"))


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    code = (
        f"import sys; sys.argv = {['mtdata', 'browse', *arguments]!r};"
        "from cli.mtdata import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def get(address: str, where: str) -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", where)
    answer = connection.getresponse()
    content = answer.status, answer.read()
    connection.close()
    return content


def test_it_serves_until_it_is_interrupted(store: Path) -> None:
    before = store.read_bytes()
    process, address = start(str(store), "--no-open", "--port", "0")
    found = urlsplit(address)
    assert found.hostname == "127.0.0.1"
    status, page = get(address, "/")
    assert status == 200
    assert b"fake.h5" in page
    for where in ("/api/store", "/api/images", "/static/main.js", "/static/browse.css"):
        assert get(address, where)[0] == 200
    assert get(address, "/picture?split=train&key=0001&what=photo")[1].startswith(b"\x89PNG")
    process.send_signal(signal.SIGINT)
    told, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert told.split() == ["False"]
    assert "Traceback" not in said
    assert store.read_bytes() == before


def test_no_other_machine_can_ask(store: Path) -> None:
    process, told = start(str(store), "--no-open", "--port", "0", "--json")
    try:
        port = urlsplit(json.loads(told)["address"]).port
        assert port
        local = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
        listening = [line.split()[1] for line in local if line.split()[3] == "0A"]
        assert f"0100007F:{port:04X}" in listening
        assert f"00000000:{port:04X}" not in listening
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_port_that_is_taken(store: Path, capsys: Captured) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(mtdata, ["browse", str(store), "--no-open", "--port", str(port)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"--port should be free; {port} is not" in told


def test_a_store_that_is_none(tmp_path: Path, capsys: Captured) -> None:
    assert run(mtdata, ["browse", str(tmp_path / "none.h5"), "--no-open"]) == 3
    assert "there is no such file" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", PARTS)
def test_an_extra_that_is_missing(
    store: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    original = importlib.util.find_spec

    def find(wanted: str, *rest: Any) -> Any:
        return None if wanted == name else original(wanted, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    assert run(mtdata, ["browse", str(store), "--no-open"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"there is no package `{name}` here. Run: pip install 'mtpartial[browse]'" in told


def test_a_run_that_is_none(store: Path, tmp_path: Path, capsys: Captured) -> None:
    arguments = ["browse", str(store), "--no-open", "--predictions", str(tmp_path)]
    assert run(mtdata, arguments) == 2
    assert "--predictions should be the folder of a run" in capsys.readouterr().err


def test_a_run_of_other_classes_is_refused_first(
    store: Path, tmp_path: Path, capsys: Captured
) -> None:
    """Its ids would get the names of these classes."""
    colours = [[0, 0, 0], [9, 9, 9]]
    task = {"name": "semantic", "kind": "classes", "names": ["a", "b"], "palette": colours}
    (tmp_path / "manifest.json").write_text(json.dumps({"store": {"tasks": [task]}}))
    (tmp_path / "config.yaml").write_text("tasks: [semantic]\n")
    arguments = ["browse", str(store), "--no-open", "--predictions", str(tmp_path)]
    assert run(mtdata, arguments) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "should be a run that means by semantic what the store does" in told
    assert "2 classes (a, b)" in told


def test_runs_are_called_by_what_tells_them_apart(store: Path, capsys: Captured) -> None:
    """Folders of one name are two runs; one folder in two words is one."""
    runs = [Path("/runs/a"), Path("/old/runs/a"), Path("/runs/b"), Path("/other/a")]
    assert names_of(runs) == ["/runs/a", "old/runs/a", "b", "other/a"]
    given = ["--predictions", "runs/a", "--predictions", "./runs/a"]
    assert run(mtdata, ["browse", str(store), "--no-open", *given]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "--predictions should name each run once; found runs/a twice." in told
