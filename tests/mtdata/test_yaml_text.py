"""YAML of anybody is read within limits, or refused with its line, at once."""

import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cli.mtdata import mtdata
from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata.yaml_text import DEPTH, YamlError, load_yaml
from tests.trees.folder import write_folder

LAUGHS = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
)
WRONG = {
    "aliases": (LAUGHS, "aliases stand for more"),
    "a date": ("x: 1\ny: 2001-99-99\n", "line 2: `2001-99-99` should be a value of the kind time"),
    "an integer": ("x: " + "9" * 5000, "line 1: `9999.*of the kind int"),
    "a float": ("x: !!float x", "`x` should be a value of the kind float"),
    "deep": ("[" * 100_000, "levels"),
    "deep and whole": ("[" * (DEPTH + 2) + "]" * (DEPTH + 2), "at most 50 levels"),
    "itself": ("x: &x [*x]", "should not name what it stands in"),
    "twice": ("a: 1\nb: 2\na: 3\n", "line 3: `a` should be given once; it is in line 1 already"),
    "a key of many": ("? [1, 2]\n: 3\n", "a key should be a single value"),
    "an object": ("x: !!python/object/apply:os.system [ls]", "should be YAML"),
    "no end": ("{", "line 1: should be YAML; a value should be here; found the end"),
    "no YAML": ("a: b: c", "line 1: should be YAML"),
    "a control character": ("a: \x00", "should be YAML"),
    "long": ("#" * 2**23, "characters"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_one_sentence_with_its_line(name: str) -> None:
    text, said = WRONG[name]
    started = time.perf_counter()
    with pytest.raises(YamlError) as caught:
        load_yaml(text)
    assert time.perf_counter() - started < 5
    assert re.search(said, caught.value.at("tasks.yaml"))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(PLAIN)
def test_what_yaml_writes_is_read_as_it_was(value: object) -> None:
    assert load_yaml(yaml.safe_dump(value)) == value


def test_aliases_and_merges_in_bounds_are_fine() -> None:
    text = "base: &b {lr: 1, batch: 2}\nrun: {<<: *b, lr: 3}\nlist: [*b, *b]\n"
    assert load_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize("name", ["aliases", "a date", "an integer", "a float", "deep"])
def test_tasks_files_and_recipes_end_with_one_paragraph(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_folder(tmp_path / "mine")
    (root / "tasks.yaml").write_text(WRONG[name][0])
    assert run(mtdata, ["build", "--dataset", "folder", "--source", str(root)]) == 3
    assert "tasks.yaml" in capsys.readouterr().err
    assert run(mttrain, ["--recipe", str(root / "tasks.yaml")]) == 2
    told = capsys.readouterr().err
    assert "tasks.yaml" in told
    assert "Traceback" not in told
    assert "Add --debug" not in told
