"""Importing libraries without modules that they hardly need."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mtmodels.late import imported

WITHOUT = {"heavy": {"known": 1}, "heavy.part": {"also": 2}}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a library that begins with some lines; the heavy module has all that it wants."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    heavy = tmp_path / "heavy"
    heavy.mkdir()
    (heavy / "__init__.py").write_text("known, other = -1, -3")
    (heavy / "part.py").write_text("also = -2")
    (heavy / "more.py").write_text("value = -4")

    def load(text: str) -> dict[str, Any]:
        (tmp_path / "light.py").write_text(text)
        with imported("light", without=WITHOUT):
            light = import_module("light")
        return vars(light)

    yield load
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_what_is_known_is_not_imported(library: Any) -> None:
    found = library("from heavy import known\nimport heavy.part\nfrom heavy.part import also")
    assert (found["known"], found["also"]) == (1, 2)
    assert not {"heavy", "heavy.part"} & sys.modules.keys()
    assert import_module("heavy").known == -1  # for who asks later
    assert import_module("heavy.part").also == -2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("from heavy import other as value", -3),
        ("import heavy\nvalue = heavy.other", -3),
        ("from heavy.more import value", -4),
        ("import heavy.more\nvalue = heavy.more.value", -4),
        ("from heavy.part import also\nfrom heavy.more import value", -4),
    ],
)
def test_who_wants_more_gets_the_module(library: Any, text: str, value: int) -> None:
    assert library(text)["value"] == value
    assert import_module("heavy").known == -1


def test_later_questions_go_to_the_module(library: Any) -> None:
    found = library("import heavy\ndef ask():\n    return heavy.other")
    assert "heavy" not in sys.modules
    assert found["ask"]() == -3


def test_what_is_imported_stays(library: Any) -> None:
    heavy = import_module("heavy")
    assert library("from heavy import known")["known"] == -1
    assert sys.modules["heavy"] is heavy


def test_a_library_that_is_missing_is_missed(library: Any) -> None:
    with pytest.raises(ModuleNotFoundError, match="absent"):
        library("import absent")
