"""A run says what becomes of images that show no label."""

from pathlib import Path

import pytest

from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import fit, prepare
from tests.fakes import FakeSource
from tests.small_run import small_layer


class Heard(Watcher):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.text = ""

    def say(self, text: str) -> None:
        self.text += text + "\n"


@pytest.mark.parametrize(
    ("method", "kept", "told"),
    [
        ("ssl", True, "; 3 of them without a visible label"),
        ("ssl", False, "could learn from these 3 images as well: --keep-unlabelled"),
        ("sl", False, "; 3 without a visible label of these tasks left the epoch."),
        ("sl", True, "learns little or nothing from images without a label"),
    ],
)
def test_training_says_what_becomes_of_them(
    method: str, kept: bool, told: str, tmp_path: Path
) -> None:
    source = FakeSource(images=(14, 3), missing=0)
    spec = RegimeSpec("fraction", options={"share": 11 / 14})
    build(source, tmp_path / "a.h5", size=(32, 64), regimes=[spec])
    layer = small_layer(tmp_path / "a.h5")
    layer |= {"method": {"name": method}, "keep_unlabelled": kept, "holdout": 0.0, "epochs": 1}
    layer |= {"weighting": {"name": "equal"}}
    watcher = Heard()
    fit(
        prepare([layer], out=tmp_path / "run", mode="new"),
        mode="new",
        arguments=(),
        watcher=watcher,
    )
    assert told in watcher.text
    assert ("could learn" in watcher.text) == (method == "ssl" and not kept)
