"""Some trials of every campaign, and in `make slow` as many as the documentation counts."""

import os
import shutil
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from tests.quick import SLOW
from tests.stores.fakes import FakeSource
from tests.trust import kills
from tests.trust.hostile import COMMANDS
from tests.trust.stores import damaged, places, variants
from tests.trust.trial import EXACT, HANGING, REFUSED, attempt, counted, foreign, limit_time

WHOLE = {
    "checkpoints": (300, 0),
    "stores": (1_000, 0),
    "texts": (150, 0),
    "hostile": (800, 0),
    "lines": (10_000, 0),
}
"""Trials and seed of each campaign: `python -m tests.trust NAME --trials N --seed S` repeats it."""
QUICK = {"stores": 10, "texts": 6, "lines": 5}


@pytest.mark.parametrize(
    ("name", "trials", "seed"),
    [(name, trials, 1) for name, trials in QUICK.items()]
    + [pytest.param(name, *whole, marks=SLOW) for name, whole in WHOLE.items()],
)
def test_nothing_wrong_is_read(name: str, trials: int, seed: int, tmp_path: Path) -> None:
    counts, bad = counted(import_module(f"tests.trust.{name}").trials(tmp_path, trials, seed))
    assert bad == []
    assert counts.total() == trials
    assert counts[REFUSED] > trials / 4  # who damages nothing shows nothing


@SLOW
def test_kills_change_nothing(tmp_path: Path) -> None:
    """A hundred of them; a training that ends by itself before the last had fewer."""
    counts, bad = counted(kills.trials(tmp_path, 25, 0))
    assert bad == []
    assert counts == {EXACT: 25}


def test_commands_on_hostile_stores_take_a_good_one(tmp_path: Path) -> None:
    """A command that is refused for how it is typed would refuse every store."""
    good = tmp_path / "good.h5"
    build(FakeSource(images=(6, 2)), good, size=(32, 32), regimes=[RegimeSpec("one")])
    for number, (program, arguments) in enumerate(COMMANDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in ("good.h5", "bad.h5"):
            shutil.copy(good, folder / name)
        ended = attempt(program, arguments, folder=folder, seconds=60)
        assert ended.code == 0, ended.said


def test_what_is_damaged_differs(tmp_path: Path) -> None:
    """A campaign whose damage is none would find nothing."""
    import numpy as np

    path = variants(tmp_path)["blosc"]
    whole, chunks, rng = path.read_bytes(), places(path), np.random.default_rng(0)
    kinds = ("cut", "flip", "block", "chunk", "flip beside the chunks")
    assert sum(damaged(whole, chunks, kind, rng) != whole for kind in kinds * 4) >= 16


@pytest.mark.parametrize(
    "work",
    [lambda: sum(range(10**12)), lambda: time.sleep(1000)],
    ids=["computes", "waits"],
)
def test_what_computes_or_waits_for_ever_is_ended(work: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        limit_time(0.1)
        work()
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) in HANGING


@pytest.mark.parametrize(
    ("said", "is_foreign"),
    [
        ("Error: a.h5 is broken: it is no HDF5. Copy it again.", False),
        ("Traceback (most recent call last):", True),
        ("Error: OSError: [Errno 40] Too many levels. Add --debug for the traceback.", True),
        ("Error: 'utf-8' codec can't decode byte 0xc9", True),
        ("Error: it says JSONDecodeError", True),
    ],
)
def test_words_of_libraries_are_told_from_ours(said: str, is_foreign: bool) -> None:
    assert foreign(said) == is_foreign
