"""The page on architecture names what there is, and its pictures are those of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.draw import levels, purpose, traced
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SPANS = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
STEPS = [span for span in SPANS if re.fullmatch(r"\w+/[\w/]+\.py(:[\w.]+)?", span)]
PLACES = [span for span in SPANS if re.match(r"(cli|mtdata|mtmodels|docs)/", span)]


def _is_there(step: str) -> bool:
    path, _, name = step.partition(":")
    try:
        purpose(step)
    except LookupError:  # neither a class nor a function: a constant
        return bool(re.search(rf"^{name}\b.* = ", (ROOT / path).read_text("utf-8"), re.MULTILINE))
    return True


def test_what_the_page_names_is_there() -> None:
    # Of `mtdata/sources/<name>/source.py`, what is before the name.
    paths = {place: ROOT / re.split("[<:]", place)[0] for place in PLACES}
    assert [place for place, path in paths.items() if not path.exists()] == []
    assert [step for step in STEPS if not _is_there(step)] == []
    assert len(STEPS) > 40


def test_the_page_has_every_folder_on_its_map() -> None:
    rooms = [Path(*name.split(".")) for level in levels() for name in level if "." in name]
    commands = [path for path in (ROOT / "cli").iterdir() if (path / "__init__.py").is_file()]
    folders = [room for room in rooms if (ROOT / room).is_dir()]
    files = [room.with_suffix(".py") for room in rooms if room not in folders]
    wanted = [*folders, *files, *(path.relative_to(ROOT) for path in commands)]
    assert [str(path) for path in wanted if str(path) not in SPANS] == []


def test_the_pictures_are_those_of_the_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docs.draw", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    drawn = sorted(tmp_path.iterdir())
    assert len(drawn) == 3
    for new in drawn:
        old = (ROOT / "docs" / "images" / new.name).read_text(encoding="utf-8")
        assert old == new.read_text(encoding="utf-8"), "draw them again: python -m docs.draw"
        assert f"](images/{new.name})" in PAGE


def test_a_step_that_is_called_no_more_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"called no more: mtdata/store/split.py:Split.read"):
        traced("mtdata datasets", ["cli/shared/common.py:run", "mtdata/store/split.py:Split.read"])


def test_a_command_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no data set"):
        traced("mtdata datasets nowhere", ["cli/shared/common.py:run"])


def test_steps_stand_below_their_callers() -> None:
    run, command = "cli/shared/common.py:run", "cli/mtdata/datasets.py:datasets"
    assert traced("mtdata datasets", [command, run]) == {run: None, command: run}


def test_a_function_that_is_gone_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"has no `Split.gone`"):
        purpose("mtdata/store/split.py:Split.gone")
