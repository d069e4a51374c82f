"""The tutorial works as it stands, on a folder such as it describes."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtmodels.networks.encoders.weights import has_package
from tests.paths import ROOT
from tests.processes.forked import command, start

COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)
SHORT = {"--recipe own-small": "--recipe own-small --steps 3 --batch 2 --workers 0"}
"""What is shortened here: how long it trains."""


def make_folder(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("photos", "semantic", "depth"):
        (folder / "mine" / name).mkdir(parents=True)
    (folder / "new").mkdir()
    for i in range(24):
        blocks = rng.integers(0, 3, (8, 8))
        ids = np.kron(blocks, np.ones((8, 8))).astype(np.uint8)
        near = np.linspace(800, 4200, 64)[:, None] + 20.0 * ids
        photo = Image.fromarray((ids[..., None] * (60, 40, 20) + 50).astype(np.uint8))
        photo.save(folder / f"mine/photos/a{i:02}.jpg")
        photo.resize((90, 70)).save(folder / f"new/n{i:02}.jpg")
        if i % 2:
            Image.fromarray(ids).save(folder / f"mine/semantic/a{i:02}.png")
        if i % 3:
            Image.fromarray(near.astype(np.uint16)).save(folder / f"mine/depth/a{i:02}.png")
    (folder / "mine/classes.txt").write_text("floor\nwall\nthing\n")


@pytest.mark.skipif(not has_package(), reason="needs the extra `weights`")
def test_every_command_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    make_folder(tmp_path)
    commands = COMMAND.findall((ROOT / "docs/tutorial.md").read_text("utf8"))
    assert len(commands) >= 9
    for line in commands:
        for long, short in SHORT.items():
            line = line.replace(long, short)  # noqa: PLW2901
        program, *arguments = shlex.split(line)
        told = tmp_path / "told.txt"
        exit_code, said = start(command, [program, arguments], folder=tmp_path, told=told).wait()
        assert exit_code == 0, f"{line}\n{said}"
    description = (tmp_path / "mine/tasks.yaml").read_text("utf8")
    assert "thing" in description
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert len(list((tmp_path / "predicted/semantic").iterdir())) == 24
    depth = np.asarray(Image.open(next((tmp_path / "predicted/depth").glob("*.png"))))
    assert depth.shape == (70, 90)
