"""What a shell completes, through click's own protocol, and how little that imports."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from tests.trees.nyu import nyu_store

PROGRAMS: dict[str, click.Command] = {"mtdata": mtdata, "mttrain": mttrain, "mtmodels": mtmodels}
HEAVY = ("torch", "numpy", "h5py", "cv2", "matplotlib", "rich", "scipy", "pydantic")


def _completed(line: str) -> list[str]:
    """What stands for the last word of a line."""
    name, *words = line.split(" ")
    complete = BashComplete(PROGRAMS[name], {}, name, f"_{name.upper()}_COMPLETE")
    return [item.value for item in complete.get_completions(words[:-1], words[-1])]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mtdata re", ["report", "regime"]),
        ("mtdata regime re", ["remove"]),
        ("mtdata build --dataset ci", ["cityscapes"]),
        ("mtdata build --regime im", ["imbalanced"]),
        ("mtdata build --compression ", ["blosc", "gzip", "none"]),
        ("mtdata build --normals ", ["computed", "given"]),
        ("mtdata build --classes 1", ["13", "19"]),
        ("mtdata datasets n", ["nyu"]),
        ("mtdata regime add x.h5 --kind i", ["imbalanced", "import"]),
        ("mtdata export x.h5 --to ", ["folder", "npy", "croissant", "fiftyone"]),
        ("mtdata merge a.h5 --prefer ", ["first", "last"]),
        ("mttrain --method x", ["xtc"]),
        ("mttrain --network seg", ["segnet"]),
        ("mttrain --weighting un", ["uncertainty"]),
        ("mttrain --recipe rooms-", ["rooms-demo"]),
        ("mtmodels export a --format ", ["onnx", "torch"]),
        ("mtmodels list met", ["methods", "metrics"]),
        ("mtmodels list methods xt", ["xtc"]),
        ("mtmodels list recipes rooms-", ["rooms-demo"]),
        ("mtmodels eval run --protocol x", ["xtasc"]),
        ("mtdata info --no", ["--no-progress"]),
    ],
)
def test_names_are_completed(line: str, expected: list[str]) -> None:
    found = _completed(line)
    assert found[: len(expected)] == expected


@pytest.mark.parametrize(
    "line", ["mtdata info ", "mtdata build --source ", "mttrain --data ", "mttrain --out "]
)
def test_files_are_left_to_the_shell(line: str) -> None:
    name, *words = line.split(" ")
    complete = BashComplete(PROGRAMS[name], {}, name, f"_{name.upper()}_COMPLETE")
    assert [item.type for item in complete.get_completions(words[:-1], words[-1])] == ["file"]


def test_names_of_a_store(tmp_path: Path) -> None:
    store = nyu_store(tmp_path)
    assert _completed(f"mtdata stats {store} --split ") == ["train", "test"]
    assert _completed(f"mtdata show {store} --regime o") == ["one"]
    assert _completed(f"mtdata keys {store} --task d") == ["depth"]
    assert _completed(f"mtdata regime remove {store} r") == ["random"]
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"no store")
    for path in (tmp_path / "none.h5", broken):
        assert _completed(f"mtdata stats {path} --split ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_each_shell_gets_its_script(name: str, shell: str) -> None:
    code = (
        f"import os; os.environ['_{name.upper()}_COMPLETE'] = '{shell}_source'\n"
        f"import sys; sys.argv = ['{name}']\nfrom cli.{name} import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"_{name.upper()}_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("mtdata", "mtdata build --dataset ro", "plain,rooms"),
        ("mttrain", "mttrain --method xt", "plain,xtc"),
        (
            "mtmodels",
            "mtmodels list networks deep",
            "plain,deeplab\nplain,deeplab-multi-scale\nplain,deeplab-resnet18",
        ),
    ],
)
def test_completion_imports_nothing_heavy(name: str, words: str, expected: str) -> None:
    code = (
        f"import os; os.environ.update(_{name.upper()}_COMPLETE='bash_complete', "
        f"COMP_WORDS={words!r}, COMP_CWORD='{len(words.split()) - 1}')\n"
        f"import sys; sys.argv = ['{name}']\nfrom cli.{name} import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('imported:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [*expected.splitlines(), "imported: []"]


def test_names_of_a_store_need_its_tables_alone(tmp_path: Path) -> None:
    store = nyu_store(tmp_path)
    code = (
        "import os; os.environ.update(_MTDATA_COMPLETE='bash_complete', "
        f"COMP_WORDS='mtdata keys {store} --task d', COMP_CWORD='4')\n"
        "import sys; sys.argv = ['mtdata']\nfrom cli.mtdata import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = ('torch', 'cv2', 'hdf5plugin', 'importlib.metadata', 'rich', 'scipy')\n"
        "print('imported:', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["plain,depth", "imported: []"]
