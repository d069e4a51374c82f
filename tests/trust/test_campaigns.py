"""Some trials of every campaign, and in `make slow` as many as the documentation counts."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.quick import SLOW
from tests.trust.stores import damaged, places, variants
from tests.trust.trial import REFUSED, counted, foreign

WHOLE = {
    "checkpoints": (300, 0),
    "stores": (1_000, 0),
    "texts": (150, 0),
    "hostile": (300, 0),
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


def test_what_is_damaged_differs(tmp_path: Path) -> None:
    """A campaign whose damage is none would find nothing."""
    import numpy as np

    path = variants(tmp_path)["blosc"]
    whole, chunks, rng = path.read_bytes(), places(path), np.random.default_rng(0)
    kinds = ("cut", "flip", "block", "chunk", "flip beside the chunks")
    assert sum(damaged(whole, chunks, kind, rng) != whole for kind in kinds * 4) >= 16


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
