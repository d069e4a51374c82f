"""Names and colours of classes."""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from mtdata.inspecting.pictures import HATCH
from mtdata.tasks.facts import CITYSCAPES7, CITYSCAPES19, PARTS7, SEMANTIC13, SEMANTIC40
from mtdata.tasks.kinds import Classes


@pytest.mark.parametrize(("kind", "count"), [(SEMANTIC13, 13), (SEMANTIC40, 40), (PARTS7, 7)])
def test_colours_can_be_told_apart(kind: Classes, count: int) -> None:
    assert kind.channels == len(set(kind.names)) == len(set(kind.palette)) == count
    colours = np.array([*kind.palette, *HATCH], np.float32)[None] / 255
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[0]
    pairs = combinations(range(count), 2)
    assert min(float(np.linalg.norm(lab[a] - lab[b])) for a, b in pairs) > 18


@pytest.mark.parametrize(("kind", "count"), [(CITYSCAPES19, 19), (CITYSCAPES7, 7)])
def test_official_colours_differ(kind: Classes, count: int) -> None:
    assert kind.channels == len(set(kind.names)) == len(set(kind.palette)) == count


def test_a_category_has_the_colour_of_a_class() -> None:
    assert set(CITYSCAPES7.palette) <= set(CITYSCAPES19.palette)
    colours = dict(zip(CITYSCAPES19.names, CITYSCAPES19.palette, strict=True))
    assert colours["sky"] == dict(zip(CITYSCAPES7.names, CITYSCAPES7.palette, strict=True))["sky"]


def test_the_two_sets_agree_where_they_mean_the_same() -> None:
    thirteen = dict(zip(SEMANTIC13.names, SEMANTIC13.palette, strict=True))
    forty = dict(zip(SEMANTIC40.names, SEMANTIC40.palette, strict=True))
    for name in thirteen.keys() & forty.keys():
        assert thirteen[name] == forty[name]


@pytest.mark.real
def test_published_order(shared: Path) -> None:
    root = shared / "data" / "nyuv2"
    names = [str(x[0]) for x in loadmat(root / "classMapping40.mat")["className"][0]]
    names[names.index("refridgerator")] = "refrigerator"  # misspelt in the file
    assert [name.replace(" ", "-") for name in names] == list(SEMANTIC40.names)
    mapping = loadmat(root / "class13Mapping.mat")["classMapping13"][0, 0]["labels13"].ravel()[:40]
    for forty, thirteen in (("wall", "wall"), ("lamp", "objects"), ("desk", "table")):
        assert SEMANTIC13.names[mapping[SEMANTIC40.names.index(forty)] - 1] == thirteen
