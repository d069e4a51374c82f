"""`mttrain` as a user meets it: help, JSON, exit codes, what it says and where."""

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cli.mttrain import default_store, mttrain
from cli.mttrain.flags import key_of, layer_of
from cli.shared.common import run
from mtdata import sources
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.store import open_store
from mtdata.tasks.sample import Sample
from mtmodels.training.setup.resolve import resolve
from tests.paths import ROOT
from tests.runs.small_run import as_arguments, small_layer, small_store
from tests.stores.fakes import FakeSource

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def arguments(store: Path) -> list[str]:
    return as_arguments(small_layer(store) | {"epochs": 1})


@pytest.mark.parametrize("command", ["mttrain", "mtmodels"])
def test_help_imports_nothing_heavy(command: str) -> None:
    heavy = ("torch", "numpy", "h5py", "pydantic", "yaml", "matplotlib", "rich")
    code = (
        f"import sys\nfrom cli.shared.common import run\nfrom cli.{command} import {command} as c\n"
        "assert run(c, ['--help']) == 0\n"
        f"print('imported:', [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"


def test_training_starts_without_what_takes_seconds(arguments: list[str], tmp_path: Path) -> None:
    """The first line comes before torch is imported; the compiler and scipy never are."""
    code = (
        "import sys\nimport cli.mttrain.preparing as preparing\n"
        "from cli.mttrain import mttrain\nfrom cli.shared.common import run\n"
        "say, early = preparing.say, []\n"
        "def note(text):\n    early.append((text, 'torch' in sys.modules))\n    say(text)\n"
        "preparing.say = note\n"
        f"assert run(mttrain, {[*arguments, '--out', str(tmp_path / 'run')]}) == 0\n"
        "assert early[0][0].startswith('Store: '), early\n"
        "late = ('torch._dynamo', 'torchmetrics', 'scipy')\n"
        "print('early:', early[0][1], [name for name in late if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "early: False []"


def test_help_has_headings_and_choices(capsys: Captured) -> None:
    assert run(mttrain, ["--help"]) == 0
    text = capsys.readouterr().out
    for word in ("Data:", "Model:", "Training:", "Machine:", "Run:", "Examples:", "sl|ssl|teacher"):
        assert word in text
    # What images of one's own get is another encoder.
    for default in ("resnet18; tf_efficientnet_lite0 for images", "none; package for images"):
        assert default in " ".join(text.split())


def test_every_flag_sets_a_key_that_there_is() -> None:
    given: dict[str, Any] = {
        "tasks": ("a",), "epochs": 2, "batch": 2, "width": 2.0, "lr": 0.1, "seed": 1, "devices": 2,
        "holdout": 0.1, "keep_unlabelled": True, "labelled_share": 0.5, "filled_anyway": True,
        "paper_geometry": True, "schedule": "cosine",
        "precision": "32", "workers": 1, "checkpoint_every": 5, "gradient_clip": 1.0,
        "select": "last", "cache": "memory", "compile": "auto", "views": 2, "device": "cpu",
        "size": (32, 64), "accumulate": 1, "nodes": 1, "sync_norm": True,
        "teachers": {"depth": "runs/depth"},
        "train_on": ("a",), "select_on": ("b",), "score_on": ("c",), "log": ("csv",),
    }  # fmt: skip
    assert mttrain.callback is not None
    others = {*inspect.signature(mttrain.callback).parameters, "steps"}
    names = [each.name for each in mttrain.params if each.expose_value and each.name]
    flags = {name: given.get(name, "x") for name in names if name not in others}
    config = resolve(layer_of(flags)).to_dict()
    assert resolve(layer_of({"steps": 3})).steps == 3  # not beside epochs
    for flag, wanted in flags.items():
        value: Any = config
        for part in key_of(flag).split("."):
            value = value[part]
        assert value == (list(wanted) if isinstance(wanted, tuple) else wanted), flag


def test_trains_and_tells(arguments: list[str], tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "run"
    assert run(mttrain, [*arguments, "--out", str(out), "--json"]) == 0
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert summary["run"] == str(out)
    assert summary["steps"] == 3
    lines = told.err.splitlines()
    assert lines[0].endswith("(fake), regime `one`, its default.")
    assert "Precision: 32-true" in told.err or "bf16" in told.err
    assert "\x1b" not in told.err
    for name in ("scores", "curves", "predictions", "report"):
        assert any(line.startswith(name) and str(out) in line for line in lines[-4:])

    assert run(mttrain, [*arguments, "--out", str(out)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert run(mttrain, ["--out", str(out), "--resume", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["scores"] == summary["scores"]
    assert run(mttrain, ["--out", str(out), "--resume", "--lr", "0.5"]) == 2
    assert "`lr` is 0.001 there and 0.5 here" in capsys.readouterr().err.replace("\n", " ")


def test_a_plan_writes_nothing(
    arguments: list[str], tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(mttrain, [*arguments, "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["steps"] == 3
    assert planned["parameters_inference"] > 0
    page = (ROOT / "docs" / "commands" / "mttrain.md").read_text(encoding="utf-8")
    described = page.partition("`mttrain --dry-run --json`")[2].partition("\n\n")[0]
    assert set(planned) <= set(re.findall(r"`(\w+)`", described))
    assert run(mttrain, [*arguments, "--dry-run"]) == 0
    assert "s each" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    # What is in the folder does not matter to a plan.
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "other").touch()
    assert run(mttrain, [*arguments, "--dry-run", "--out", str(tmp_path / "run")]) == 0
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["other"]


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        (["--method", "xtcc"], 2, "no method `xtcc`. Did you mean `xtc`?"),
        (["--set", "epoch=3"], 2, "There is no key `epoch`. Did you mean `epochs`?"),
        (["--set", "method.options.lamda=1"], 2, "no option `lamda` of method `xtc`"),
        (["--set", "method.options.lambda=two"], 2, "method `xtc`: `lambda` should be in [0, 1]"),
        (["--set", "network.options.feature_stride=true"], 2, "a whole number; found True"),
        (["--set", "weighting.name=fixed"], 2, "`values` should be a mapping, each value a number"),
        (["--set", "schedule.options={evry: 3}"], 2, "no option `evry` of schedule `cosine`"),
        (
            ["--set", "schedule.options={final: low}"],
            2,
            "`cosine`: `final` should be in [",
        ),
        (["--set", "views.scales=[]"], 2, "`views.scales` should hold 1 value or more; found []"),
        (["--recipe", "nyu-compac"], 2, "Did you mean `nyu-compact`?"),
        (["--resume", "--overwrite"], 2, "give one of them"),
        (["--regime", "two"], 2, "`two`"),
        (["--tasks", "dept,semantic"], 2, "Did you mean `depth`?"),
        (["--batch", "100"], 2, "`batch` should be at most"),
        (
            ["--set", "method={name: kd}", "--teachers", "a"],
            2,
            "should be TASK=RUN,... for the method `kd`; f",
        ),
        (
            ["--set", "method={name: self-training}", "--teachers", "depth=a"],
            2,
            "should be RUN,... for t",
        ),
        (["--anyway"], 2, "a recipe was not made for and should come with --recipe; found none."),
        (["--sync-norm"], 2, "should come with --devices or --nodes above 1; found one process."),
        (["--set", "recipe.scale=0.5"], 2, "`recipe` should be left to mttrain"),
        (["--epochs", "0"], 2, "`epochs` should be 1 or more; found 0."),
        (["--data", "missing.h5"], 3, "missing.h5"),
        (["--no-condition"], 2, "`--no-condition` should go with one of the methods contrastive,"),
        (["--no-regulariser"], 2, "`--no-regulariser` should go with one of the methods mtpsl; f"),
        (["--mapping-width", "0.5"], 2, "x-task; found `xtc`. Leave it out, or give an"),
        (["--mapping-norm", "pass"], 2, "`--mapping-norm` should go with"),
        (["--checkpoint-mapping"], 2, "`--checkpoint-mapping` should go with"),
        (["--with-ssl"], 2, "`--with-ssl` should go with"),
        (["--helpful-pairs"], 2, "should go with one of the methods contrastive, discriminator,"),
        (
            ["--set", "method={name: mtpsl}", "--set", "holdout=0", "--helpful-pairs"],
            2,
            "Keep some away (--holdout 0.1)",
        ),
        (
            ["--encoder", "resnet34"],
            2,
            "`--encoder` should go with one of the networks deeplab, deeplab-multi-scale, "
            "unet; found `unet-resnet18`",
        ),
        (
            ["--set", "network.name=unet", "--encoder", "resnet81"],
            2,
            "no encoder `resnet81`. Did you mean `resnet",
        ),
        (
            ["--with-geometry"],
            2,
            "`--with-geometry` should go with one of the methods contrastive,",
        ),
        (
            ["--set", "method={name: geometry}"],
            2,
            "method `geometry`: the tasks should have a relation that is known: depth in any unit,",
        ),
        (
            ["--set", "network.name=deeplab-resnet18", "--set", "batch=1"],
            2,
            "network `deeplab-resnet18`: a training step should hold 2 images or more",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_paragraph_and_a_code(
    arguments: list[str], tmp_path: Path, capsys: Captured, wrong: list[str], code: int, words: str
) -> None:
    given = arguments
    if wrong[0] in ("--batch", "--epochs", "--data", "--tasks"):
        # A --set stands above the flags.
        key = wrong[0].removeprefix("--")
        at = next(i for i, a in enumerate(arguments) if a.startswith(f"{key}="))
        given = arguments[: at - 1] + arguments[at + 1 :]
    assert run(mttrain, [*given, *wrong, "--out", str(tmp_path / "run")]) == code
    told = capsys.readouterr()
    assert words in told.err.replace("\n", " ")
    assert "Traceback" not in told.err
    assert told.out == ""
    assert not (tmp_path / "run").exists()


def test_flags_of_a_method_go_with_it(store: Path, tmp_path: Path, capsys: Captured) -> None:
    layer = small_layer(store) | {"epochs": 1, "method": {"name": "mtpsl"}}
    small = ["--no-condition", "--mapping-width", "0.0625"]
    out = ["--out", str(tmp_path / "run"), "--json"]
    assert run(mttrain, [*as_arguments(layer), *small, *out]) == 0
    # The method is the one of the run, though no flag names it.
    assert run(mttrain, [*small, *out, "--resume", "--dry-run"]) == 0
    assert run(mttrain, ["--with-ssl", *out, "--resume"]) == 2
    assert "should be resumed as it was begun" in capsys.readouterr().err.replace("\n", " ")


def test_teachers_are_given_as_runs(store: Path, tmp_path: Path, capsys: Captured) -> None:
    tasks = ("semantic", "depth")
    layer = small_layer(store) | {"epochs": 1, "weighting": {"name": "equal"}}
    del layer["method"]
    for task in tasks:
        alone = as_arguments(layer | {"tasks": [task]})
        assert run(mttrain, [*alone, "--out", str(tmp_path / task)]) == 0
    shared = [*as_arguments(layer), "--method", "kd"]
    folders = {task: str(tmp_path / task) for task in tasks}
    out = ["--out", str(tmp_path / "taught")]
    flag = ["--teachers", ",".join(f"{task}={folder}" for task, folder in folders.items())]
    assert run(mttrain, [*shared, *flag, *out]) == 0
    manifest = json.loads((tmp_path / "taught" / "manifest.json").read_text())
    assert {task: teacher["folder"] for task, teacher in manifest["runs"].items()} == folders
    one_by_one = [f"method.options.teachers.{task}={folder}" for task, folder in folders.items()]
    assignments = [part for one in one_by_one for part in ("--set", one)]
    assert run(mttrain, [*shared, *assignments, *out, "--resume", "--dry-run"]) == 0  # the same
    capsys.readouterr()
    out = ["--out", str(tmp_path / "none")]
    for wrong, words in (
        ([], "`teachers` should be a mapping, each value text; found nothing. It is: The run"),
        (["--teachers", "depth"], "should be TASK=RUN,... for the method `kd`; found depth."),
        (["--teachers", "depth=a,b"], "should be a run for each task, such as semantic=runs/a,"),
        (["--teachers", "a,,b"], "or runs alone, such as runs/a,runs/b; found 'a,,b'"),
        (["--teachers", "depth=a,depth=b"], "should be a run for each task, such as semantic="),
        (["--teachers", f"depth={folders['depth']}"], "found none for semantic. Train one with"),
        (["--method", "sl", "--teachers", "depth=a"], "`--teachers` should go with one of the met"),
    ):
        assert run(mttrain, [*shared, *wrong, *out]) == 2
        assert words in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "none").exists()


class Blind(FakeSource):
    """Images of which no camera is known."""

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        return replace(super().read(split, key, tasks), camera=None)


@pytest.mark.parametrize(
    "method", [["--method", "geometry"], ["--method", "teacher", "--with-geometry"]], ids=str
)
def test_relations_with_and_without_a_camera(
    store: Path, tmp_path: Path, capsys: Captured, method: list[str]
) -> None:
    blind = tmp_path / "blind.h5"
    build(Blind(images=(8, 2), missing=0), blind, size=(32, 64), regimes=[RegimeSpec("one")])
    layer = small_layer(store) | {"epochs": 1, "tasks": ["depth", "normals"]}
    del layer["method"], layer["data"]
    given = [*as_arguments(layer), *method, "--out", str(tmp_path / "run")]
    assert run(mttrain, [*given, "--data", str(blind)]) == 2
    told = capsys.readouterr().err.replace("\n", " ")
    assert (
        f"method `{method[1]}`: images should have a camera, which `normals-of-depth` and "
        "`depth-along-normals` need; fake has none in train. No relation of these tasks holds "
        "without one: go without relations (another --method, or no --with-geometry)." in told
    )
    assert "Traceback" not in told
    assert not (tmp_path / "run").exists()
    assert run(mttrain, [*given, "--data", str(store)]) == 0
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert any("normals/normals-of-depth" in json.loads(row).get("parts", {}) for row in rows)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("detach_features=maybe", "`detach_features` should be true or false; found 'maybe'."),
        ("film_schedule=step", "`film_schedule` should be a mapping or null; found 'step'."),
        (
            "film_schedule={naem: step}",
            "no option `naem` of `film_schedule`. Did you mean",
        ),
        ("film_schedule={}", "`film_schedule.name` should be text; found nothing."),
        ("film_schedule={name: step, options: 3}", "`film_schedule.options` should be a mapping"),
        ("film_schedule={name: setp}", "no schedule `setp`. Did you mean `step`?"),
        ("film_schedule={name: step, options: {evry: 3}}", "no option `evry` of schedule `step`."),
        ("film_schedule={name: step, options: {every: x}}", "`every` should be a whole number"),
    ],
)
def test_an_option_of_a_method_that_cannot_be(
    store: Path, tmp_path: Path, capsys: Captured, assignment: str, words: str
) -> None:
    layer = small_layer(store) | {"method": {"name": "mtpsl", "options": {"mapping_width": 0.0625}}}
    arguments = [*as_arguments(layer), "--set", f"method.options.{assignment}"]
    assert run(mttrain, [*arguments, "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err.replace("\n", " ")
    assert words in told
    assert "Traceback" not in told
    assert not (tmp_path / "run").exists()


class TinyRooms(FakeSource):
    name = "rooms"
    default_size = (32, 64)

    def __init__(self, root: Path | None = None, **options: Any) -> None:
        super().__init__(root, images=(10, 2), missing=0)


def test_without_a_store_rooms_are_built(
    arguments: list[str], tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sources.SOURCES._members, "rooms", TinyRooms)
    at = next(i for i, a in enumerate(arguments) if a.startswith("data="))
    without = arguments[: at - 1] + arguments[at + 1 :]
    assert run(mttrain, [*without, "--dry-run"]) == 2
    assert "`mtdata build --dataset rooms" in capsys.readouterr().err.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []
    default_store.find_store()
    told = capsys.readouterr().err
    assert told.startswith("No store in data/: building made-up rooms into data/rooms.h5")
    with open_store(default_store.ROOMS) as store:
        assert store.default_regime == "one"
        assert set(store.regimes) == {"full", "one", "random"}
    assert run(mttrain, [*without, "--dry-run"]) == 0
    assert capsys.readouterr().err.startswith("Store: data/rooms.h5 (rooms)")
    (tmp_path / "data" / "other.h5").write_bytes(default_store.ROOMS.read_bytes())
    assert run(mttrain, [*without, "--dry-run"]) == 2
    assert "other.h5, rooms.h5" in capsys.readouterr().err


def test_the_run_folder_is_named_after_what_is_run(
    arguments: list[str], tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(mttrain, [*arguments, "--seed", "3", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["run"] == "runs/fake-xtc-unet-resnet18-one-s3"
    # It goes on by that name, without --out; but for its processes, which --out alone starts.
    config = Path(summary["run"]) / "config.yaml"
    assert run(mttrain, [*arguments, "--seed", "3", "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == summary["run"]
    config.write_text(config.read_text().replace("devices: 1", "devices: 3"))
    assert run(mttrain, [*arguments, "--seed", "3", "--resume"]) == 2
    told = capsys.readouterr().err.replace("\n", " ")
    assert "`--devices 3` and `--nodes 1`, as it was begun" in told
    assert f"Give `--out {summary['run']} --resume`" in told


@pytest.mark.parametrize(
    ("network", "encoder", "label"),
    [
        ("unet", [], "unet-resnet18"),
        ("deeplab", ["--encoder", "resnet34"], "deeplab-resnet34"),
    ],
)
def test_the_encoder_is_part_of_the_name_of_a_run(
    store: Path, network: str, encoder: list[str], label: str, capsys: Captured
) -> None:
    layer = small_layer(store) | {"network": {"name": network, "width": 0.0625}}
    given = [*as_arguments(layer), *encoder, "--dry-run", "--json"]
    assert run(mttrain, given) == 0
    assert json.loads(capsys.readouterr().out)["network"] == label
