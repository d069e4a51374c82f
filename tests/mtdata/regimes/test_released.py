"""Our regimes beside the assignments released with MTPSL: same counts, same distributions.

Each comparison is Pearson's chi-square test. What we draw without `stable` has exact counts, so the
released counts are tested against our shares; what `stable` draws is a sample, so the two samples
are tested against each other. A test that is passed by chance alone in 999 of 1000 cases is passed
once for all here, because files and seeds are fixed.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, chisquare

from mtdata.regimes.counting import count_sets
from mtdata.regimes.drawing import draw
from mtdata.regimes.importing import import_table
from mtdata.regimes.table import RegimeTable

pytestmark = pytest.mark.real

NYU = ("semantic", "depth", "normals")
PASCAL = ("semantic", "parts", "normals", "saliency", "edges")
PEOPLE, IMAGES = 1713, 4998
"""Training images of PASCAL with people, and all: only the former have parts."""
LEVEL = 0.001


@pytest.fixture(scope="module")
def released(shared: Path) -> Path:
    return shared / "data" / "regimes" / "mtpsl"


def _read(path: Path, images: int, tasks: tuple[str, ...]) -> RegimeTable:
    keys = [f"{i:04d}" for i in range(images)]
    return import_table(path, keys, tasks, np.ones((images, len(tasks)), np.bool_)).table


def _read_pascal(path: Path, keys: tuple[str, ...]) -> RegimeTable:
    return import_table(path, keys, PASCAL, np.ones((len(keys), 5), np.bool_)).table


def _draw(
    kind: str, available: NDArray[np.bool_], tasks: tuple[str, ...], *, stable: bool
) -> RegimeTable:
    options = {"stable": True} if stable else {}
    return draw(kind, [f"{i:04d}" for i in range(len(available))], tasks, available, **options)


def _pascal() -> NDArray[np.bool_]:
    available = np.ones((IMAGES, 5), np.bool_)
    available[PEOPLE:, PASCAL.index("parts")] = False
    return available


def _alike(theirs: dict[str, int], ours: dict[str, int], *, stable: bool) -> bool:
    """Whether two tables of counts may be of one distribution."""
    names = sorted({*theirs, *ours})
    one, other = ([counts.get(name, 0) for name in names] for counts in (theirs, ours))
    if stable:
        return bool(chi2_contingency([one, other]).pvalue > LEVEL)
    return bool(chisquare(one, np.array(other) * sum(one) / sum(other)).pvalue > LEVEL)


def _numbers(table: RegimeTable) -> dict[str, int]:
    return {str(k): n for k, n in table.images_with.items()}


def _sets(table: RegimeTable) -> dict[str, int]:
    return count_sets(table.tasks, table.labels)


def test_released_nyu_and_cityscapes_are_read_as_published(released: Path) -> None:
    one = _read(released / "nyuv2_onelabel.pth", 795, NYU)
    assert one.counts == dict.fromkeys(NYU, 265)
    assert one.labels[:10].argmax(1).tolist() == [0, 2, 2, 2, 2, 1, 2, 1, 0, 1]
    random = _read(released / "nyuv2_randomlabels.pth", 795, NYU)
    assert random.counts == {"semantic": 392, "depth": 408, "normals": 385}
    assert random.images_with == {1: 405, 2: 390}
    assert _sets(random) == {
        "semantic+depth": 148, "normals": 143, "depth": 133, "semantic": 129, "depth+normals": 127,
        "semantic+normals": 115,
    }  # fmt: skip
    cityscapes = _read(released / "cityscapes_onelabel.pth", 2975, NYU[:2])
    assert cityscapes.counts == {"semantic": 1487, "depth": 1488}
    assert cityscapes.labels[:10].argmax(1).tolist() == [1, 0, 1, 0, 0, 0, 0, 1, 0, 0]


@pytest.fixture(scope="module")
def pascal(released: Path) -> dict[str, RegimeTable]:
    # Every image has one label in the first file, so that names all keys.
    from mtdata.regimes.importing.npy import read_npy

    keys = read_npy(released / "pascal_onelabel.npy").keys
    assert keys is not None
    return {
        name: _read_pascal(released / f"pascal_{name}.npy", tuple(sorted(keys)))
        for name in ("onelabel", "randomlabels")
    }


def test_released_pascal_is_read_as_published(pascal: dict[str, RegimeTable]) -> None:
    assert pascal["onelabel"].counts == {
        "semantic": 1000,
        "parts": 999,
        "normals": 1000,
        "saliency": 1000,
        "edges": 999,
    }
    assert pascal["onelabel"].images_with == {1: IMAGES}
    random = pascal["randomlabels"]
    assert random.counts == {
        "semantic": 2450,
        "parts": 847,
        "normals": 2480,
        "saliency": 2445,
        "edges": 2557,
    }
    assert random.images_with == {1: 1538, 2: 1529, 3: 1541, 4: 390}
    assert all(len(key) == 11 for key in random.keys)


def test_one_has_the_released_counts(released: Path, pascal: dict[str, RegimeTable]) -> None:
    for path, images, tasks in (("nyuv2", 795, NYU), ("cityscapes", 2975, NYU[:2])):
        theirs = _read(released / f"{path}_onelabel.pth", images, tasks)
        ours = _draw("one", np.ones((images, len(tasks)), np.bool_), tasks, stable=False)
        assert sorted(ours.counts.values()) == sorted(theirs.counts.values())
    ours = _draw("one", _pascal(), PASCAL, stable=False)
    assert sorted(ours.counts.values()) == sorted(pascal["onelabel"].counts.values())


@pytest.mark.parametrize("stable", [False, True])
def test_random_is_distributed_as_released_for_nyu(released: Path, stable: bool) -> None:
    theirs = _read(released / "nyuv2_randomlabels.pth", 795, NYU)
    ours = _draw("random", np.ones((795, 3), np.bool_), NYU, stable=stable)
    assert _alike(_numbers(theirs), _numbers(ours), stable=stable)
    assert _alike(_sets(theirs), _sets(ours), stable=stable)


@pytest.mark.parametrize("stable", [False, True])
def test_random_is_distributed_as_released_for_pascal(
    pascal: dict[str, RegimeTable], stable: bool
) -> None:
    theirs, ours = pascal["randomlabels"], _draw("random", _pascal(), PASCAL, stable=stable)
    assert _alike(_numbers(theirs), _numbers(ours), stable=stable)
    assert _alike(_sets(theirs), _sets(ours), stable=stable)


def test_one_is_distributed_as_released_when_stable(released: Path) -> None:
    theirs = _read(released / "nyuv2_onelabel.pth", 795, NYU)
    ours = _draw("one", np.ones((795, 3), np.bool_), NYU, stable=True)
    assert _alike(theirs.counts, ours.counts, stable=True)


def test_one_without_regard_to_people_would_be_told_apart(
    pascal: dict[str, RegimeTable],
) -> None:
    """The tests can fail: parts drawn like the other tasks, and one label more often than two."""
    theirs = pascal["randomlabels"]
    everywhere = _draw("random", np.ones((IMAGES, 5), np.bool_), PASCAL, stable=False)
    assert not _alike(_numbers(theirs), _numbers(everywhere), stable=False)
    assert not _alike({"1": 450, "2": 345}, {"1": 398, "2": 397}, stable=False)
    assert Counter(theirs.labels.sum(1).tolist())[5] == 0
