"""Plug-ins: what is added, what is refused and where, and what a worker process finds."""

import importlib
import inspect
import multiprocessing
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from mtdata import REGIMES, SOURCES, load_plugin, open_store
from mtdata.errors import DataError, PluginError, UnknownNameError
from mtdata.inspecting.suspicions.looking import suspect
from mtdata.plugins import installed, load_installed, loaded, loaded_plugins, unload_plugin
from mtdata.plugins.checking import _misled, _unmade
from mtdata.plugins.families import FAMILIES
from tests.runs import plugin_files
from tests.runs.plugin_files import NETWORK, REST, SOURCE, write
from tests.runs.small_run import small_store

CHECK = """
import numpy as np
from mtdata import Check, Suspicion


class Mine(Check):
    name = "mine"
    summary = "all images"

    def measure(self, sample):
        return {"image": np.ones(1)}

    def judge(self, images, found):
        for row in found["image"].rows:
            yield Suspicion(images.place(row), "image", "mine", "is one", None)


CHECKS = {"mine": Mine}
"""


def test_its_members_are_those_of_the_families(tmp_path: Path) -> None:
    plugin = load_plugin(write(tmp_path, SOURCE))
    assert plugin.members == {"SOURCES": ("mine",), "REGIMES": ("first",)}
    assert SOURCES["mine"].summary == "Noise with labels."
    assert SOURCES.origins == {"mine": f"the plug-in {tmp_path / 'mine.py'}"}
    assert "class Mine(Source)" in inspect.getsource(SOURCES["mine"])
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.py"]  # no __pycache__
    unload_plugin(plugin)
    assert "mine" not in SOURCES
    assert "first" not in REGIMES
    assert plugin.module not in sys.modules


def test_one_that_is_loaded_is_not_run_again(tmp_path: Path) -> None:
    path = write(tmp_path, SOURCE)
    again = write(tmp_path, SOURCE, name="copy.py")
    plugin = load_plugin(path)
    assert load_plugin(str(path)) is plugin
    assert load_plugin(again) is plugin
    assert loaded_plugins() == (plugin,)


def test_every_family_of_models_takes_members(tmp_path: Path) -> None:
    load_plugin(write(tmp_path))
    load_plugin(write(tmp_path, REST, name="rest.py"))
    added = {name: dict(family.registry.origins) for name, family in FAMILIES.items()}
    assert {name: list(origins) for name, origins in added.items()} == {
        "SOURCES": [],
        "REGIMES": [],
        "NETWORKS": ["tiny"],
        "ENCODERS": [],
        "METHODS": ["plain"],
        "RELATIONS": ["equal"],
        "WEIGHTINGS": ["same"],
        "METRICS": ["mine"],
        "SCHEDULES": ["part"],
        "OPTIMISERS": ["again"],
        "CHECKS": [],
    }


START = "from mtdata import Regime, SOURCES\n"
WHOLE = SOURCE[: SOURCE.index("SOURCES = ")]
LAST = WHOLE.count("\n") + 1
OWN = "from mtmodels import Options\nfrom mtmodels.methods.sl import SL\nclass Own(SL):\n"
ADDED = "METHODS = {'own': Own}\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\nb = (\n", 2, "no Python: '(' was never closed"),
        ("a = 1\n\0", None, "no Python: source code string cannot contain null bytes"),
        ("# coding: nothing\n", None, "no Python: "),
        ("\ncompile('(', 'x', 'exec')\n", 2, "while it was run: SyntaxError: "),
        ("a = 1\nimport nothing_of_the_kind\n", 2, "ModuleNotFoundError: No module named"),
        ("def f():\n    raise KeyError\n\nf()\n", 2, "while it was run: KeyError."),
        ("import json\njson.loads('')\n", 2, "JSONDecodeError"),
        ("import sys\n\nsys.exit(3)\n", 3, "SystemExit: 3"),
        ("SOURCE = {}\n", None, "found none. Should its `SOURCE` be `SOURCES`?"),
        ("x = 1\n", None, "one or more of the dicts SOURCES, REGIMES, NETWORKS,"),
        (START, None, "`SOURCES` in it is the registry of this package"),
        (START + "REGIMES = [Regime]\n", 2, "`REGIMES` should be a dict of name to class; found"),
        (START + "\nREGIMES = {\n    'a': 1,\n}\n", 4, "derives from mtdata.regimes.base.Regime; "),
        (START + "REGIMES = {}\nREGIMES['a'] = int\n", 3, "found the class `int`"),
        (START + "REGIMES = dict(a=int)\n", 2, "found the class `int`"),
        (START + "class A(Regime):\n    name = 'a'\n\nREGIMES = {'a': A}\n", 2,
         "regime `a` should have all methods of its base; it lacks `choose`"),
        (SOURCE.replace('    summary = "Noise', '    other = "Noise'), 18, "it lacks `summary`"),
        (WHOLE + "SOURCES = {'rooms': Mine}\n", LAST, "`rooms` is taken by what is built in"),
        (WHOLE + "SOURCES = {'yours': Mine}\n", 18, "should have that name in its class, too"),
        (WHOLE + "SOURCES = {'a/b': Mine}\n", LAST, "digits and -, _, + or .; found 'a/b'"),
        (WHOLE + "SOURCES = {3: Mine}\n", LAST, "found 3"),
        ("from mtmodels import Method\nMETRICS = {'a': Method}\n", 2, "should be an object of"),
        (SOURCE.replace('"Noise with labels."', "None"), 18, "text as its `summary`; found None"),
        (OWN + "    options: dict\n" + ADDED, 3, "from mtmodels.methods.parts.supervision."),
        (OWN + "    options: Options\n" + ADDED, 3, "from mtmodels.methods.parts.supervision."),
        (OWN + "    def __init__(self, network): pass\n" + ADDED, 3, "be made of (network, "),
        (OWN + "    options: 'Missing'\n" + ADDED, 3, "found name 'Missing' is not defined."),
        ("from mtmodels.metrics.protocols import Protocol\nMETRICS = {'a': Protocol('', {})}\n"
         "METRICS['a'].summary = None\n", 2, "text as its `summary`; found None"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_line(
    text: str, line: int | None, words: str, tmp_path: Path
) -> None:
    before = set(sys.modules)
    path = write(tmp_path, text)
    with pytest.raises(PluginError) as caught:
        load_plugin(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}, line {line}: " if line else f"{path}: ")
    assert caught.value.line == line
    assert caught.value.exit_code == 2
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert loaded_plugins() == ()
    assert not SOURCES.origins
    assert not REGIMES.origins
    assert not [name for name in set(sys.modules) - before if loaded.__name__ in name]


def test_nothing_of_one_that_fails_is_added(tmp_path: Path) -> None:
    load_plugin(write(tmp_path, SOURCE))
    other = SOURCE.replace('"mine"', '"other"')
    with pytest.raises(PluginError, match=r"regime `first` is taken by the plug-in .*mine\.py"):
        load_plugin(write(tmp_path, other, name="other.py"))
    assert list(SOURCES.origins) == ["mine"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("mine2.py", r"^mine2\.py: there is no such plug-in file\. Did you mean mine\.py\?$"),
        ("nowhere/mine.py", "there is no such plug-in file"),
        (".", "not|name of a module"),
        ("folder/", "found a folder"),
        ("nothing_of_the_kind", "no module of this name"),
        ("nothing_of_the_kind.inner", "no module of this name"),
        ("mine", r"Did you mean mine\.py\?"),
        ("no module", "ends in .py, or the name of a module"),
        ("json", "found none"),
    ],
)
def test_what_is_not_there_is_refused(
    given: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, SOURCE)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PluginError, match=words):
        load_plugin(given)


def test_one_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, SOURCE)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(PluginError, match="cannot be read: Permission denied"):
        load_plugin(path)


def as_text(value: object) -> str:
    """What a worker does with what it is sent."""
    return repr(value)


@pytest.mark.parametrize("start", ["spawn", "forkserver", "fork"])
def test_what_is_in_it_travels_to_processes(start: str, tmp_path: Path) -> None:
    plugin = load_plugin(write(tmp_path, SOURCE))
    context = multiprocessing.get_context(start)
    with ProcessPoolExecutor(1, context) as pool:
        sent = sys.modules[plugin.module].Noise(7)
        assert pool.submit(as_text, sent).result() == "Noise(level=7)"


def test_a_worker_runs_no_other_code(tmp_path: Path) -> None:
    path = write(tmp_path, SOURCE)
    plugin = load_plugin(path)
    finder = next(f for f in sys.meta_path if isinstance(f, loaded.Finder))
    found = finder.find_spec(plugin.module)
    assert found is not None
    assert found.origin == str(path)
    assert finder.find_spec(f"{loaded.__name__}.other") is None
    path.write_text("1")
    with pytest.raises(ImportError, match="has changed"):
        finder.find_spec(plugin.module)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that things are installed in."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    importlib.invalidate_caches()
    for name in ("their_plugin", "their_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    installed.look_again()
    return tmp_path


def test_a_module_is_imported_by_its_name(site: Path) -> None:
    write(site, SOURCE, name="their_plugin.py")
    plugin = load_plugin("their_plugin")
    assert (plugin.path, plugin.digest) == (None, None)
    assert load_plugin("their_plugin") is plugin
    assert SOURCES["mine"].__module__ == "their_plugin"


def test_a_module_that_fails_is_refused_with_its_line(site: Path) -> None:
    write(site, "a = 1\nb = a / 0\n", name="their_broken.py")
    with pytest.raises(PluginError, match=r"^their_broken, line 2: .*ZeroDivisionError"):
        load_plugin("their_broken")


def test_what_is_installed_is_found_by_its_names(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site, SOURCE, name="their_plugin.py")
    write(site, "raise ValueError('two\\nlines')", name="their_broken.py")
    plugin_files.install(site, {"theirs": "their_plugin", "broken": "their_broken"})
    assert "rooms" in SOURCES
    assert list(SOURCES.origins) == []  # nobody had to look
    assert SOURCES["mine"].summary == "Noise with labels."
    assert SOURCES.origins["mine"] == "the plug-in `their_plugin` of their-plugins 1.2"
    told = capsys.readouterr().err
    assert told.startswith("Warning: their-plugins 1.2: their_broken, line 1: ")
    assert told.count("\n") == 1
    with pytest.raises(UnknownNameError, match="mine"):
        SOURCES["min"]
    load_installed()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ("bad = my-package.plugin", "its `bad = my-package.plugin` cannot be loaded: "),
        ("bad my_package.plugin", "their-plugins: its entry points cannot be read: TypeError"),
    ],
)
def test_an_entry_point_that_makes_no_sense_is_left_out(
    points: str, told: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin_files.install(site, {})
    about = site / "their_plugins-1.2.dist-info" / "entry_points.txt"
    about.write_text(f"[mtpartial.plugins]\n{points}\n")
    with pytest.raises(UnknownNameError, match="mine"):
        SOURCES["mine"]
    found = capsys.readouterr().err
    assert told in found
    assert found.count("\n") == 1


def test_members_that_are_built_in_hold_what_is_asked_of_others() -> None:
    for family in FAMILIES.values():
        registry = family.registry
        for name in registry if family.classes else ():
            assert _misled(name, registry[name]) is None
            assert _unmade(name, registry[name], registry.base) is None


def test_all_checks_of_suspicions_are_those_of_installed_plug_ins_too(
    site: Path, tmp_path: Path
) -> None:
    write(site, CHECK, name="their_plugin.py")
    plugin_files.install(site, {"theirs": "their_plugin"})
    with open_store(small_store(tmp_path)) as store:
        assert suspect(store, limit=1).kinds["mine"] == 2


@pytest.mark.parametrize("given", ["None", "{'image': 1.0}", "{'image': [1.0]}"])
def test_a_check_that_measures_no_arrays_is_named(given: str, tmp_path: Path) -> None:
    load_plugin(write(tmp_path, CHECK.replace('{"image": np.ones(1)}', given)))
    told = "check `mine` should give a dict of name to array"
    with open_store(small_store(tmp_path)) as store, pytest.raises(DataError, match=told):
        suspect(store, limit=1, checks=["mine"])


def test_the_network_is_one(tmp_path: Path) -> None:
    from mtmodels import NETWORKS, Network

    load_plugin(write(tmp_path, NETWORK))
    assert issubclass(NETWORKS["tiny"], Network)
