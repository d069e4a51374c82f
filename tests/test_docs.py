"""The examples of README and documentation run."""

import re
import shutil
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

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
