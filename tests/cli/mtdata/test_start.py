"""Starting `mtdata`: quick, without heavy imports, and honest about its namesake."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.shared.common import run

HEAVY = ("torch", "numpy", "h5py", "cv2", "matplotlib", "rich", "scipy")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["build", "--help"], ["regime", "add", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom cli.shared.common import run\nfrom cli.mtdata import mtdata\n"
        f"assert run(mtdata, {arguments}) == 0\n"
        f"print('imported:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"


def test_no_data_command_imports_torch(tmp_path: Path) -> None:
    out = tmp_path / "rooms.h5"
    build = ["build", "--dataset", "rooms", "--images", "1,1", "--size", "32x32", "--jobs", "1"]
    code = (
        "import sys\nfrom cli.shared.common import run\nfrom cli.mtdata import mtdata\n"
        f"assert run(mtdata, {[*build, '--out', str(out)]}) == 0\n"
        "for command in ('info', 'stats', 'verify'):\n"
        f"    assert run(mtdata, [command, {str(out)!r}]) == 0\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    # stderr is no terminal here: no bar, no control characters.
    assert "\x1b" not in done.stderr
    assert "━" not in done.stderr


def test_the_namesake_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "0.4.3" if name == "mtdata" else original(name)
    )
    assert run(mtdata, ["info", str(tmp_path / "none.h5")]) == 3
    told = capsys.readouterr().err
    assert told.startswith("Warning: the distribution mtdata 0.4.3 is installed too")
    assert run(mtdata, ["--version"]) == 0
    capsys.readouterr()
    # The package has the name too, so it matters to the other commands as well.
    assert run(mtmodels, ["compare", str(tmp_path / "none"), "--quiet"]) != 0
    assert capsys.readouterr().err.startswith("Warning: the distribution mtdata 0.4.3")


def test_without_the_namesake_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(mtdata, ["info", str(tmp_path / "none.h5")]) == 3
    assert capsys.readouterr().err.startswith("Error: ")


def test_the_reader_may_go_away(tmp_path: Path) -> None:
    script = f"{sys.executable} -c 'from cli.mtdata import main; main()' datasets | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_progress_bar_on_a_terminal() -> None:
    pty = pytest.importorskip("pty")
    controller, terminal = pty.openpty()
    code = (
        "from cli.shared.progress import progress_bar\n"
        "with progress_bar('images') as report:\n"
        "    for i in range(1, 51): report(i, 50, 'reading train')\n"
    )
    subprocess.run([sys.executable, "-c", code], stderr=terminal, stdout=terminal, check=True)
    os.close(terminal)
    text = os.read(controller, 65536).decode()
    os.close(controller)
    assert "reading train" in text
    assert "50/50" in text
