"""The examples of README and documentation run."""

import re
import shlex
import shutil
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run
from mtmodels.training.config import Config
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.precision import fabric_on
from mtmodels.training.loop.schedules import Position
from tests.paths import ROOT
from tests.processes.forked import start
from tests.runs.batches import SIX, random_batch
from tests.runs.small_run import as_arguments, small_layer, small_store

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
OURS = {"mtdata": mtdata, "mtmodels": mtmodels, "mttrain": mttrain}
COMMAND = re.compile(rf"^\$ ({'|'.join(OURS)}) (.*)", re.MULTILINE)
ALIKE = ("contrastive", "discriminator", "direct-map", "perceptual-map", "align", "jtr", "kd")
"""Pages of methods whose examples do what those of their kin do; each takes its seconds."""
EXAMPLES = [
    pytest.param(
        code,
        id=f"{page.relative_to(ROOT)}:{number}",
        marks=[pytest.mark.slow] if page.stem in ALIKE else [],
    )
    for page in PAGES
    if "_build" not in page.parts
    for number, code in enumerate(EXAMPLE.findall(page.read_text()))
]


@pytest.fixture(scope="session")
def run_and_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user who reads on has: a run `runs/a`, and two images in `photos`."""
    folder = tmp_path_factory.mktemp("user")
    store = small_store(folder)
    arguments = [*as_arguments(small_layer(store) | {"epochs": 1}), "--out", str(folder / "runs/a")]
    assert run(mttrain, arguments) == 0
    (folder / "photos").mkdir()
    for seed in range(2):
        pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{seed}.jpg")
    return folder


@pytest.mark.parametrize("code", EXAMPLES)
def test_python_example_runs(code: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if "runs/a" in code:
        given = request.getfixturevalue("run_and_photos")
        for name in ("runs", "photos"):
            shutil.copytree(given / name, tmp_path / name)
    told = tmp_path / "told.txt"
    exit_code, said = start(example, [code], folder=tmp_path, told=told).wait()
    assert exit_code == 0, said


def example(code: str) -> None:
    """Run an example as a script of a user would run."""
    exec(compile(code, "example", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(
    ("method", "weighting"), [("xtc", "uncertainty"), ("mtpsl", "pcgrad"), ("ssl", "gradnorm")]
)
def test_the_module_of_lightning_learns_what_the_engine_does(method: str, weighting: str) -> None:
    """Also of a batch that lacks a task, whose consistency term has the factor of the task."""
    page = (ROOT / "docs" / "python.md").read_text()
    (code,) = (code for code in EXAMPLE.findall(page) if "LightningModule" in code)
    there: dict[str, Any] = {"__name__": "read"}
    exec(compile(code, "example", "exec"), there)
    torch.manual_seed(0)
    module = there["MultiTask"](SIX[:2], method, weighting)
    for parameter in module.weighting.parameters():
        parameter.data.fill_(0.5)
    other, config = deepcopy(module), Config(precision="32", device="cpu", compile="off")
    batch = random_batch(SIX[:2], 2, (32, 64), rows={"semantic": [0, 1]})
    at = {"epoch": 0, "step": 0, "steps": 8}
    total = module.learn(batch, module.configure_optimizers(), torch.Tensor.backward, **at)
    engine = Engine(
        config,
        method=other.method,
        weighting=other.weighting,
        fabric=fabric_on(torch.device("cpu"), "32-true"),
    )
    engine.train()
    assert float(total) == engine.step([batch], Position(0, 8, 1)).loss


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


def test_no_example_hides_behind_a_condition() -> None:
    """What runs only where a file happens to be proves nothing."""
    for example in EXAMPLES:
        (code,) = example.values
        assert ".is_dir()" not in str(code)
        assert ".exists()" not in str(code)


def test_the_version_is_one() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    changes = (ROOT / "docs/changelog.md").read_text()
    assert re.findall(r"^## (\d[\d.]+)", changes, re.MULTILINE)[0] == version


def unknown_options(command: click.Command, words: list[str]) -> list[str]:
    """The options, and the names of commands, that a command line has and the command does not."""
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return words[:1]
        command, words = found, words[1:]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    asked = [word.partition("=")[0] for word in words if word.startswith("--")]
    return [name for name in asked if name not in known | {"--help", "--version"}]


def test_commands_of_the_pages_have_the_options_that_they_show() -> None:
    shown, wrong = 0, []
    for page in PAGES:
        if "_build" in page.parts or page.stem == "changelog":  # which tells what there was
            continue
        for block in CONSOLE.findall(page.read_text()):
            for name, rest in COMMAND.findall(re.sub(r"\\\n>? *", " ", block)):
                shown += 1
                words = shlex.split(rest, comments=True)
                unknown = unknown_options(OURS[name], words)
                wrong += [(page.relative_to(ROOT), name, option) for option in unknown]
    assert not wrong
    assert shown > 150
    assert unknown_options(mtdata, ["show", "a.h5", "--rnadom", "3"]) == ["--rnadom"]
    assert unknown_options(mtdata, ["sohw", "a.h5"]) == ["sohw"]


def test_each_picture_is_shown_by_a_page() -> None:
    pages = "\n".join(page.read_text() for page in PAGES if "_build" not in page.parts)
    pictures = [path.name for path in (ROOT / "docs/images").iterdir()]
    assert pictures
    assert [name for name in pictures if name not in pages] == []
