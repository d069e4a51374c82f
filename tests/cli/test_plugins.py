"""Plug-ins as a user meets them: named, kept by the run, used again, and never run unasked."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run
from cli.shared.plugins import use_copies
from mtdata import Binary, Task, open_store
from mtdata.errors import PluginError
from mtdata.plugins import installed, loaded_plugins, unload_plugin
from mtdata.plugins.blame import place_of
from mtdata.plugins.modules import digest_of_code
from mtmodels import METHODS, NETWORKS
from mtmodels.errors import RunFolderError
from mtmodels.training.record import plugin_copies, trusted
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.rescore import kept_scores, rescore
from mtmodels.training.run import prepare
from mtmodels.training.setup.loading import open_run
from tests.runs import plugin_files
from tests.runs.plugin_files import NETWORK, REST, SOURCE, write
from tests.runs.small_run import as_arguments, small_layer, small_store

Captured = pytest.CaptureFixture[str]
OWN = {"network": {"name": "tiny"}, "method": {"name": "plain"}, "weighting": {"name": "same"},
       "schedule": {"name": "part", "options": {"share": 0.25}}, "optimizer": {"name": "again"},
       "protocol": "mine", "epochs": 1, "holdout": 0}  # fmt: skip


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    torch.set_num_threads(1)
    return small_layer(small_store(tmp_path_factory.mktemp("store"))) | OWN


@pytest.fixture(scope="module")
def trained(layer: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two plug-ins, whose files are gone since."""
    folder = tmp_path_factory.mktemp("trained")
    mine, rest = write(folder), write(folder, REST, name="rest.py")
    named = ["--plugin", str(mine), "--plugin", str(rest)]
    out = folder / "run"
    assert run(mttrain, [*named, *as_arguments(layer), "--out", str(out)]) == 0
    mine.unlink()
    rest.unlink()
    for plugin in loaded_plugins():
        unload_plugin(plugin)
    return out


@pytest.fixture
def elsewhere(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same run, as somebody on another machine has it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Path(shutil.copytree(trained, tmp_path / "theirs"))


def said(capsys: Captured) -> str:
    return capsys.readouterr().err.replace("\n", " ")


def test_the_run_keeps_what_it_was_made_with(trained: Path) -> None:
    manifest = json.loads((trained / "manifest.json").read_text())
    assert [entry["copy"] for entry in manifest["plugins"]] == [
        "plugins/mine.py",
        "plugins/rest.py",
    ]
    assert set(manifest["plugins"][0]) == {"name", "file", "copy", "sha256"}
    assert (trained / "plugins" / "mine.py").read_text() == NETWORK
    assert trusted.trusts(manifest["plugins"][0]["sha256"])
    config = yaml.safe_load((trained / "config.yaml").read_text())
    assert config["schedule"]["options"] == {"share": 0.25}
    rows = read_rows(trained / "metrics.jsonl", "step")
    assert [row["lr"] for row in rows] == [pytest.approx(0.25e-3)] * len(rows)
    assert [Path(name).name for name in config["plugins"]] == ["mine.py", "rest.py"]
    (first, *_) = kept_scores(open_run(trained))
    assert [name.split(" ")[0] for name in first["plugins"]] == ["mine", "rest"]
    assert all(len(name.split(" ")[1]) == 8 for name in first["plugins"])
    scores = json.loads((trained / "scores" / "test-mine.json").read_text())
    assert scores["scores"]["depth"]["novelty"] == 1.0


def test_its_copies_are_used_without_being_told(
    trained: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert run(mtmodels, ["eval", str(trained), "--protocol", "mine", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["scores"]["depth"]["novelty"] == 1.0
    assert f"Plug-in: {trained}/plugins/mine.py, the copy of this run." in told.err.replace(
        "\n", " "
    )
    picture = next((trained / "predictions").glob("*.png"))
    assert run(mtmodels, ["predict", str(trained), str(picture), "-o", str(tmp_path / "p")]) == 0
    assert (tmp_path / "p" / "depth").is_dir()


def test_a_run_goes_on_with_its_copies(trained: Path, tmp_path: Path, capsys: Captured) -> None:
    # It may lie in another folder by now, and under whatever name.
    moved = shutil.copytree(trained, tmp_path / "moved")
    copy = str(tmp_path / "moved" / "plugins" / "mine.py")
    (moved / "summary.json").unlink()
    shutil.rmtree(moved / "checkpoints")
    resume = ["--out", str(moved), "--resume"]
    assert run(mttrain, [*resume, "--network", "tinny"]) == 2
    assert "There is no network `tinny`. Did you mean `tiny`?" in said(capsys)
    assert run(mttrain, [*resume, "--schedule", "prat"]) == 2
    assert "There is no schedule `prat`. Did you mean `part`?" in said(capsys)
    named = ["--network", "tiny", "--schedule", "part", "--optimizer", "again"]
    assert run(mttrain, [*resume, *named, "--plugin", copy]) == 0
    assert (moved / "summary.json").is_file()


def test_other_code_is_refused_on_resume(trained: Path, tmp_path: Path, capsys: Captured) -> None:
    resume = ["--out", str(trained), "--resume", "--plugin"]
    edited = str(write(tmp_path, NETWORK + "# edited\n"))
    assert run(mttrain, [*resume, edited]) == 2
    told = said(capsys)
    assert f"{edited}: the run {trained} was begun with other code in this plug-in." in told
    assert "--overwrite" in told
    assert run(mtmodels, ["eval", str(trained), "--plugin", edited]) == 2
    assert "both cannot be loaded at once. Leave --plugin out." in said(capsys)
    assert run(mttrain, [*resume, str(write(tmp_path, SOURCE, name="source.py"))]) == 2
    assert "was begun without this plug-in" in said(capsys)


def test_the_configuration_of_a_run_is_a_recipe_with_its_copies(
    trained: Path, tmp_path: Path, capsys: Captured
) -> None:
    recipe = ["--recipe", str(trained / "config.yaml"), "--out", str(tmp_path / "run")]
    assert run(mttrain, [*recipe, "--dry-run"]) == 0
    assert "plugins/mine.py, the copy of this run" in said(capsys)


def test_runs_are_compared_without_their_code(elsewhere: Path, capsys: Captured) -> None:
    assert (
        run(mtmodels, ["compare", str(elsewhere), "--protocol", "mine", "--format", "markdown"])
        == 0
    )
    assert "| Depth novelty |" in capsys.readouterr().out
    assert loaded_plugins() == ()
    assert run(mtmodels, ["compare", str(elsewhere), "--protocol", "mien"]) == 2
    assert "There is no protocol `mien`. Did you mean `mine`? Known: cityscapes, common" in said(
        capsys
    )


def test_what_a_run_from_elsewhere_brings_is_run_where_it_is_trusted_alone(
    elsewhere: Path, tmp_path: Path, capsys: Captured
) -> None:
    picture = str(next((elsewhere / "predictions").glob("*.png")))
    for command, arguments in (
        (mtmodels, ["eval", str(elsewhere)]),
        (mtmodels, ["predict", str(elsewhere), picture, "-o", str(tmp_path / "p")]),
        (mttrain, ["--out", str(elsewhere), "--resume"]),
        (mttrain, ["--recipe", str(elsewhere / "config.yaml"), "--dry-run"]),
    ):
        assert run(command, arguments) == 2
        told = said(capsys)
        assert f"Error: {elsewhere}/plugins/mine.py: it is code that this run brings along" in told
        assert "--trust-plugins" in told
        assert loaded_plugins() == ()
    with pytest.raises(ValueError, match="--trust-plugins"):
        rescore(elsewhere)
    assert run(mtmodels, ["eval", str(elsewhere), "--trust-plugins"]) == 0
    assert trusted.trust_file().is_relative_to(tmp_path)
    assert run(mtmodels, ["eval", str(elsewhere)]) == 0


def test_a_file_that_the_user_names_is_trusted(
    elsewhere: Path, tmp_path: Path, capsys: Captured
) -> None:
    mine, rest = write(tmp_path), write(tmp_path, REST, name="rest.py")
    assert run(mtmodels, ["eval", str(elsewhere), "--plugin", str(mine)]) == 2
    assert f"{elsewhere}/plugins/rest.py: it is code" in said(capsys)
    named = ["--plugin", str(mine), "--plugin", str(rest)]
    assert run(mtmodels, ["eval", str(elsewhere), *named]) == 0
    assert "Plug-in: " not in said(capsys)


def test_a_copy_that_was_changed_is_refused(elsewhere: Path, capsys: Captured) -> None:
    assert run(mtmodels, ["eval", str(elsewhere), "--trust-plugins"]) == 0
    for plugin in loaded_plugins():
        unload_plugin(plugin)
    copy = elsewhere / "plugins" / "mine.py"
    copy.write_text(NETWORK + "# changed\n")
    assert run(mtmodels, ["eval", str(elsewhere)]) == 2
    assert f"{copy}: it is code, and no longer what this run was made with" in said(capsys)
    open_run(elsewhere, trust_plugins=True)
    for plugin in loaded_plugins():
        unload_plugin(plugin)
    open_run(elsewhere)
    copy.unlink()
    for plugin in loaded_plugins():
        unload_plugin(plugin)
    assert run(mtmodels, ["eval", str(elsewhere)]) == 2
    assert "there is no such plug-in file" in said(capsys)


@pytest.mark.parametrize(
    "entries",
    [
        3,
        [3],
        [{"name": "a", "copy": "../a.py", "file": "a.py", "sha256": "0"}],
        [{"name": "a", "copy": "plugins/a.py"}],
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(entries: Any, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"plugins": entries}))
    with pytest.raises(ValueError, match=r"manifest\.json: `plugins` should list"):
        plugin_copies.load_copies(RunFolder(tmp_path))


def test_what_cannot_be_noted_is_said(
    layer: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    out = str(tmp_path / "run")
    built_in = {"method": "sl", "weighting": "equal", "schedule": "cosine", "optimizer": "adam"}
    only = layer | {key: {"name": name} for key, name in built_in.items()} | {"protocol": "mtpsl"}
    named = ["--plugin", str(write(tmp_path))]
    assert run(mttrain, [*named, *as_arguments(only), "--out", out]) == 0
    assert "could not be noted" in said(capsys)
    for plugin in loaded_plugins():
        unload_plugin(plugin)
    assert run(mtmodels, ["eval", out]) == 2
    assert run(mtmodels, ["eval", out, "--trust-plugins"]) == 0


def test_what_is_noted_survives_what_others_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # the standard says to ignore it
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".local" / "state" / "mtpartial" / "trusted-plugins.jsonl"
    assert trusted.trust_file() == file
    assert not trusted.trusts("a")
    assert trusted.note("a", "mine")
    with file.open("a") as lines:
        lines.write('torn {\n3\n"a"\n')
    assert trusted.note("b", "other")
    assert trusted.note("b", "other")
    assert len(file.read_text().splitlines()) == 5
    assert trusted.trusts("a")
    assert trusted.trusts("b")
    assert file.stat().st_mode & 0o077 == 0


def test_a_configuration_names_plug_ins(
    layer: dict[str, Any], tmp_path: Path, capsys: Captured
) -> None:
    mine, rest = write(tmp_path), write(tmp_path, REST, name="rest.py")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({**layer, "plugins": str(rest)}))
    out = ["--out", str(tmp_path / "run")]
    assert run(mttrain, ["--recipe", str(recipe), "--plugin", str(mine), "--dry-run", *out]) == 0
    assert f"Plug-in: {rest}, named by the configuration." in said(capsys)
    for plugin in loaded_plugins():
        unload_plugin(plugin)
    job = prepare([layer, {"plugins": [str(mine), str(rest)]}], out=tmp_path / "run", mode="new")
    assert job.config.plugins == (str(mine), str(rest))
    assert run(mttrain, ["--set", "plugins=3", *out]) == 2
    assert "`plugins` should be a list; found 3." in said(capsys)


def test_a_plan_of_names_that_nobody_has_is_refused(
    layer: dict[str, Any], tmp_path: Path, capsys: Captured
) -> None:
    arguments = [*as_arguments(layer), "--network", "tiny", "--out", str(tmp_path / "run")]
    assert run(mttrain, arguments) == 2
    told = said(capsys)
    assert "Invalid value for '--network': There is no network `tiny`." in told
    assert run(mttrain, [*arguments, "--plugin", "mine.py"]) == 2
    assert said(capsys) == "Error: mine.py: there is no such plug-in file. "
    assert not (tmp_path / "run").exists()


def test_a_module_is_recorded_by_name_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "their_plugin", raising=False)
    write(tmp_path, NETWORK, name="their_plugin.py")
    plugin_files.install(tmp_path, {"theirs": "their_plugin"})
    (tmp_path / "their_plugins-1.2.dist-info" / "top_level.txt").write_text("their_plugin\n")
    folder = RunFolder(tmp_path / "run")
    folder.create()
    installed.look_again()
    NETWORKS["tiny"]
    assert plugin_copies.used({"network": {"name": "segnet"}}) == []
    other = {"network": {"name": "segnet"}, "regime": "tiny", "method": {"name": "tiny"}}
    assert plugin_copies.used(other) == []  # something else goes by a name of it
    plugins = plugin_copies.used({"network": {"name": "tiny"}})
    told = {"name": "their_plugin", "version": "1.2", "distribution": "their-plugins"}
    told["code"] = digest_of_code("their_plugin") or ""
    assert plugin_copies.entries(plugins) == [told]
    folder.manifest.write_text(json.dumps({"plugins": [told]}))
    assert plugin_copies.load_copies(folder) == []
    assert plugin_copies.names_of_copies(folder) == []
    unload_plugin(plugins[0])
    folder.manifest.write_text(json.dumps({"plugins": [{**told, "distribution": "no-such"}]}))
    with pytest.raises(ValueError, match=r"of no-such 1\.2, which is not installed"):
        plugin_copies.load_copies(folder)

    # One that was named is asked for by the folder alone: it has to be known.
    told = {"name": "their_plugin", "version": "1.2", "code": told["code"]}
    folder.manifest.write_text(json.dumps({"plugins": [told]}))
    with pytest.raises(ValueError, match=r"^their_plugin: .* asks for this module"):
        plugin_copies.load_copies(folder)
    plugins = plugin_copies.load_copies(folder, trust=True)
    assert plugin_copies.entries(plugins) == [told]
    assert plugin_copies.names_of_copies(folder) == ["their_plugin"]
    plugin_copies.check_named(folder, ["their_plugin"])
    assert not folder.plugins.exists()


def test_other_code_of_a_module_is_refused_on_resume_and_told_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    package = tmp_path / "their_package"
    package.mkdir()
    write(package, "", name="__init__.py")
    beside = write(package, "SHARE = 1\n", name="beside.py")
    write(package, NETWORK, name="plugin.py")
    plugin_files.install(tmp_path, {"theirs": "their_package.plugin"})
    installed.look_again()
    NETWORKS["tiny"]
    folder = RunFolder(tmp_path / "run")
    folder.create()
    entries = plugin_copies.entries(plugin_copies.used({"network": {"name": "tiny"}}))
    folder.manifest.write_text(json.dumps({"plugins": entries}))
    plugin_copies.check_named(folder, [])
    assert plugin_copies.notes(folder) == []
    beside.write_text("SHARE = 2\n")
    with pytest.raises(PluginError, match=r"begun with other code in this plug-in, of their-pl"):
        plugin_copies.check_named(folder, [])
    use_copies(folder.path, trust=False)
    assert "the run was made with other code in it, of their-plugins 1.2 with" in said(capsys)

    # Runs of before wrote down the version alone.
    del entries[0]["code"]
    folder.manifest.write_text(json.dumps({"plugins": entries}))
    plugin_copies.check_named(folder, [])
    folder.manifest.write_text(json.dumps({"plugins": [{**entries[0], "version": "1.0"}]}))
    with pytest.raises(PluginError, match=r"of their-plugins 1\.0; here is of their-plugins 1\.2"):
        plugin_copies.check_named(folder, [])
    sys.modules.pop("their_package.plugin")
    sys.modules.pop("their_package")


def test_an_error_in_a_package_says_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    package = tmp_path / "their_package"
    package.mkdir()
    write(package, "", name="__init__.py")
    write(package, NETWORK, name="nets.py")
    write(package, "from their_package.nets import Tiny\nNETWORKS = {'tiny': Tiny}\n", name="p.py")
    plugin_files.install(tmp_path, {"theirs": "their_package.p"})
    installed.look_again()
    network = NETWORKS["tiny"]([Task("semantic", Binary())])
    with pytest.raises(TypeError) as caught:
        network(None)
    assert place_of(caught.value).startswith("their_package/nets.py, line ")
    assert place_of(caught.value).endswith(" (network `tiny`): ")
    sys.modules.pop("their_package.nets")
    sys.modules.pop("their_package.p")
    sys.modules.pop("their_package")


def test_two_files_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    from mtdata import load_plugin

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    plugins = [
        load_plugin(write(tmp_path / "a")),
        load_plugin(write(tmp_path / "b", NETWORK.replace('"tiny"', '"small"'))),
    ]
    folder = RunFolder(tmp_path / "run")
    folder.create()
    plugin_copies.keep(folder, plugins)
    assert sorted(p.name for p in folder.plugins.iterdir()) == ["mine-2.py", "mine.py"]
    folder.clear()
    assert not folder.plugins.exists()


def test_members_are_listed_with_where_they_come_from(tmp_path: Path, capsys: Captured) -> None:
    rest = str(write(tmp_path, REST, name="rest.py"))
    for family, name in (("methods", "plain"), ("weightings", "same"), ("metrics", "mine")):
        assert run(mtmodels, ["list", family, "--plugin", rest]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if line.endswith(f" (the plug-in {rest})")] == lines[-1:]
        assert run(mtmodels, ["list", family, name, "--plugin", rest]) == 0
        assert f"origin: the plug-in {rest}" in capsys.readouterr().out
    assert run(mtmodels, ["list", "methods", "plain", "--json", "--plugin", rest]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["options"].keys() == {"losses", "task_weights", "reduction", "normalise"}
    assert told["origin"] == f"the plug-in {rest}"


def test_help_and_the_shell_know_its_names(tmp_path: Path) -> None:
    mine = write(tmp_path)
    found = CliRunner().invoke(mttrain, ["--plugin", str(mine), "--help"])
    assert "tiny" in found.output
    for plugin in loaded_plugins():
        unload_plugin(plugin)
    words = {"COMP_WORDS": f"mttrain --plugin {mine} --network ti", "COMP_CWORD": "4"}
    asked = words | {"_MTTRAIN_COMPLETE": "bash_complete"}
    found = CliRunner().invoke(mttrain, [], prog_name="mttrain", env=asked)
    assert found.output == "plain,tiny\n"
    words = {"COMP_WORDS": "mttrain --plugin none.py --network deep", "COMP_CWORD": "4"}
    asked = words | {"_MTTRAIN_COMPLETE": "bash_complete"}
    found = CliRunner().invoke(mttrain, [], prog_name="mttrain", env=asked)
    assert found.output == "plain,deeplab\nplain,deeplab-multi-scale\nplain,deeplab-resnet18\n"


def test_a_data_set_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    named = ["--plugin", str(write(tmp_path, SOURCE))]
    assert run(mtdata, ["build", "--dataset", "mine"]) == 2
    assert "There is no data set `mine`" in said(capsys)
    build = ["build", "--dataset", "mine", *named]
    assert run(mtdata, [*build, "--jobs", "2", "--regime", "first", "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["default_regime"] == "first"
    assert run(mtdata, ["datasets", *named, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mine"]["origin"] == f"the plug-in {named[1]}"
    assert run(mtdata, ["datasets", "mine", *named]) == 0
    assert f"from     the plug-in {named[1]}" in capsys.readouterr().out
    add = ["regime", "add", "data/mine.h5", "--kind", "first", "--name", "again", *named]
    assert run(mtdata, add) == 0
    for plugin in loaded_plugins():
        unload_plugin(plugin)
    assert run(mtdata, ["info", "data/mine.h5"]) == 0
    assert "again" in capsys.readouterr().out
    assert run(mtdata, ["update", "data/mine.h5"]) == 2
    assert "built from the data set `mine`, which a plug-in brings; it is neither" in said(capsys)


def test_a_folder_that_is_no_run_has_no_plug_ins(tmp_path: Path) -> None:
    assert plugin_copies.load_copies(RunFolder(tmp_path)) == []
    with pytest.raises(RunFolderError):
        open_run(tmp_path)
    assert "plain" not in METHODS


def test_options_of_a_data_set_and_a_regime_of_ones_own(tmp_path: Path, capsys: Captured) -> None:
    text = SOURCE.replace(
        "    needs_root = False", '    needs_root = False\n    takes = ("level",)'
    )
    text = text.replace("    takes = ()", '    takes = ("first",)')
    out, plugin = str(tmp_path / "own.h5"), ["--plugin", str(write(tmp_path, text))]
    build = ["build", "--dataset", "mine", "--regime", "first", "--out", out, *plugin, "-j", "1"]
    assert run(mtdata, [*build, "--set", "levle=3"]) == 2
    assert "`levle` is no option of the data set `mine`. It takes: level." in said(capsys)
    assert run(mtdata, [*build, "--set", "level"]) == 2
    assert "a name and a value such as level=3; found 'level'" in said(capsys)
    assert run(mtdata, [*build, "--set", "level=3", "--set", "first=[1, a]"]) == 0
    add = ["regime", "add", out, "--kind", "first", "--name", "again", *plugin]
    assert run(mtdata, [*add, "--set", "first=2", "--json"]) == 0
    with open_store(out) as store:
        assert store.options["source"] == {"level": 3}
        kept = store.splits["train"].regimes
        assert dict(kept["first"].parameters) == {"first": [1, "a"]}
        assert dict(kept["again"].parameters) == {"first": 2}
