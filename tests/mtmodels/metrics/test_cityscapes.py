"""The scores of Cityscapes are those of its own evaluator, to the last digit."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from mtdata import Classes, Task
from mtdata.errors import UsageError
from mtdata.sources.cityscapes.frame import decode_semantic
from mtdata.tasks.facts import CITYSCAPES7, CITYSCAPES19
from mtmodels.metrics.cityscapes import CityscapesClasses

IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The official id of each of the 19 classes."""
CATEGORY = (1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 6, 7, 7, 7, 7, 7, 7)
VOID = sorted(set(range(34)) - set(IDS))


def written(folder: Path, *, seed: int, absent: int) -> list[tuple[Path, Path]]:
    """Label ids and predicted ids of three images as PNG files; one class occurs nowhere."""
    rng = np.random.default_rng(seed)
    pairs = []
    for number in range(3):
        truth = rng.integers(0, 34, (30, 50)).astype(np.uint8)
        guess = rng.choice(IDS, (30, 50)).astype(np.uint8)
        same = rng.random((30, 50)) < 0.6
        guess[same & np.isin(truth, IDS)] = truth[same & np.isin(truth, IDS)]
        truth[truth == absent], guess[guess == absent] = 0, IDS[1]
        name = f"city_{number:06d}_000019"
        paths = folder / f"{name}_gtFine_labelIds.png", folder / f"{name}_pred.png"
        for path, ids in zip(paths, (truth, guess), strict=True):
            assert cv2.imwrite(str(path), ids)
        pairs.append(paths)
    return pairs


def scores(pairs: list[tuple[Path, Path]], batch: int = 1) -> dict[str, Any]:
    """Ours, from the same files, read as a store reads them."""
    metric = CityscapesClasses(Task("semantic", CITYSCAPES19))
    images = []
    for truth, guess in pairs:
        label, valid = decode_semantic(truth.read_bytes(), truth, 19)
        predicted, _ = decode_semantic(guess.read_bytes(), guess, 19)
        hot = torch.nn.functional.one_hot(torch.from_numpy(predicted).long(), 19)
        images.append((hot.movedim(-1, 0).float(), torch.from_numpy(label)[None], valid))
    for first in range(0, len(images), batch):
        some = images[first : first + batch]
        metric.update(
            torch.stack([image[0] for image in some]),
            torch.stack([image[1] for image in some]),
            torch.from_numpy(np.stack([image[2] for image in some])),
        )
    return metric.compute()


def slow(pairs: list[tuple[Path, Path]]) -> dict[str, Any]:
    """From the description of the evaluator: pixels whose true id is void count nowhere."""
    truth, guess = (
        np.concatenate([np.asarray(Image.open(pair[k])).ravel() for pair in pairs]) for k in (0, 1)
    )
    counted = ~np.isin(truth, VOID)
    truth, guess = truth[counted], guess[counted]

    def ious(a: NDArray[Any], b: NDArray[Any], names: list[int]) -> list[float]:
        found = []
        for name in names:
            both, one = ((a == name) & (b == name)).sum(), ((a == name) | (b == name)).sum()
            found.append(float(both) / int(one) if one else float("nan"))
        return found

    groups = np.zeros(34, int)
    groups[list(IDS)] = CATEGORY
    classes = ious(truth, guess, list(IDS))
    categories = ious(groups[truth], groups[guess], list(range(1, 8)))
    return {"classes": classes, "categories": categories}


def mean(values: list[float]) -> float:
    known = [value for value in values if value == value]
    return sum(known) / len(known)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("absent", [IDS[4], IDS[17]])
def test_equals_a_slow_reference(tmp_path: Path, seed: int, absent: int) -> None:
    pairs = written(tmp_path, seed=seed, absent=absent)
    found, expected = scores(pairs), slow(pairs)
    assert found["miou"] == 100 * mean(expected["classes"])
    assert found["category_miou"] == 100 * mean(expected["categories"])
    ours = np.array([found["iou"], found["category_iou"]], object)
    for got, wanted in zip(ours, expected.values(), strict=True):
        np.testing.assert_array_equal(got, [100 * value for value in wanted])
    assert str(scores(pairs, batch=3)) == str(found)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("absent", [IDS[4], IDS[17]])
def test_equals_the_official_evaluator(tmp_path: Path, absent: int) -> None:
    official = pytest.importorskip(
        "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling",
        reason="the extra mtpartial[cityscapes] is not installed",
        exc_type=ImportError,
    )
    pairs = written(tmp_path, seed=2, absent=absent)
    settings = SimpleNamespace(**vars(official.args))
    settings.evalInstLevelScore, settings.quiet, settings.JSONOutput = False, True, False
    settings.predictionPath = settings.predictionWalk = None
    truths, guesses = ([str(pair[k]) for pair in pairs] for k in (0, 1))
    told = official.evaluateImgLists(guesses, truths, settings)
    found = scores(pairs)
    assert found["miou"] == 100 * told["averageScoreClasses"]
    assert found["category_miou"] == 100 * told["averageScoreCategories"]
    classes = [told["classScores"][name] for name in CITYSCAPES19.names]
    categories = [told["categoryScores"][name] for name in CITYSCAPES7.names]
    np.testing.assert_array_equal(found["iou"], [100 * value for value in classes])
    np.testing.assert_array_equal(found["category_iou"], [100 * value for value in categories])


def test_seven_classes_are_the_categories() -> None:
    metric = CityscapesClasses(Task("semantic", CITYSCAPES7))
    label = torch.arange(7).repeat(2).reshape(1, 1, 2, 7).byte()
    metric.update(
        torch.nn.functional.one_hot(label[:, 0].long().roll(1, 1).clamp(max=6), 7)
        .movedim(-1, 1)
        .float(),
        label,
        torch.ones(1, 2, 7, dtype=torch.bool),
    )
    found = metric.compute()
    assert found["iou"] == found["category_iou"]
    assert found["miou"] == found["category_miou"]


def test_other_classes_are_refused() -> None:
    others = Task("semantic", Classes(tuple("abc"), ((0, 0, 0),) * 3))
    with pytest.raises(UsageError, match="should have the 19 or 7 classes of Cityscapes"):
        CityscapesClasses(others)
