"""`mtmodels demo` through its entry point: the address, how it ends, and what it refuses."""

import importlib.util
import io
import json
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image

from cli.mtmodels import mtmodels
from cli.shared.common import run
from cli.shared.serving import PARTS
from tests.paths import ROOT
from tests.runs.small_run import small_run

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return small_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.full((30, 50, 3), 90, np.uint8)).save(folder / "one.jpg")
    return folder


def start(*arguments: str) -> subprocess.Popen[str]:
    code = (
        f"import sys; sys.argv = {['mtmodels', 'demo', *arguments]!r};"
        "from cli.mtmodels import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def ask(address: str, method: str, where: str, content: bytes = b"") -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=120)
    connection.request(method, where, content)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_it_serves_until_it_is_interrupted(trained: Path, photos: Path) -> None:
    process = start(
        str(trained), "--examples", str(photos), "--no-open", "--port", "0", "--device", "cpu",
        "--json",
    )  # fmt: skip
    assert process.stdout is not None
    address = json.loads(process.stdout.readline())["address"]
    assert urlsplit(address).hostname == "127.0.0.1"
    status, page = ask(address, "GET", "/")
    assert status == 200
    assert b"/static/demo.js" in page
    assert json.loads(ask(address, "GET", "/api/run")[1])["examples"] == ["one.jpg"]
    content = (photos / "one.jpg").read_bytes()
    status, told = ask(address, "POST", "/predict?name=one.jpg", content)
    assert status == 200
    of = json.loads(told)["of"]
    found = np.load(io.BytesIO(ask(address, "GET", f"/file?of={of}&what=depth&form=npy")[1]))
    assert found.shape == (30, 50)
    # The socket is of this machine alone.
    local = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
    listening = [line.split()[1] for line in local if line.split()[3] == "0A"]
    assert f"0100007F:{urlsplit(address).port:04X}" in listening
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "Ended." in said
    assert "Traceback" not in said


def test_exit_codes(trained: Path, photos: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "empty").mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, words in (
            ([str(tmp_path / "none")], "should be a run folder"),
            ([str(tmp_path / "empty")], "should be a run folder"),
            ([str(photos / "one.jpg")], "should be a run folder"),
            ([str(trained), "--port", port], f"--port should be free; {port} is not"),
            ([str(trained), "--port", "65536"], "65536 is not in the range"),
            ([str(trained), "--examples", str(tmp_path / "none")], "cannot be listed"),
            ([str(trained), "--examples", str(tmp_path / "empty")], "has none."),
            ([str(trained), "--examples", str(photos / "one.jpg")], "cannot be listed"),
            ([], "Missing argument"),
        ):
            assert run(mtmodels, ["demo", *arguments, "--no-open"]) == 2, arguments
            told = capsys.readouterr()
            assert words in " ".join(told.err.split()), told.err
            assert "Traceback" not in told.err
            assert told.out == ""


def test_a_damaged_checkpoint(tmp_path: Path, trained: Path, capsys: Captured) -> None:
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    for weights in copy.rglob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:100])
    assert run(mtmodels, ["demo", str(copy), "--no-open"]) == 3
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert told.out == ""


@pytest.mark.parametrize("name", PARTS)
def test_an_extra_that_is_missing(
    trained: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    original = importlib.util.find_spec

    def find(wanted: str, *rest: Any) -> Any:
        return None if wanted == name else original(wanted, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    assert run(mtmodels, ["demo", str(trained), "--no-open"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"there is no package `{name}` here. Run: pip install 'mtpartial[browse]'" in told


def test_help_imports_no_torch() -> None:
    code = (
        "import sys\nfrom cli.shared.common import run\nfrom cli.mtmodels import mtmodels\n"
        "assert run(mtmodels, ['demo', '--help']) == 0\n"
        "print('imported:', [n for n in ('torch', 'numpy', 'starlette') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"
