"""A build tells in one summary what is implausible, and a strict one refuses it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.building.build import build
from mtdata.errors import DataError
from mtdata.inspecting.verify import verify
from mtdata.sources.folder.source import Folder
from tests.trees.folder import depth, mask, picture, save, semantic, write_folder

DEPTH = "kind: depth\n    scale: 0.001"
CLASSES = "kind: classes\n    classes: [floor, wall, chair, lamp]"
NORMALS = "kind: normals\n    invalid: void"


def _folder(root: Path, kind: str, make: Callable[[int], NDArray[Any]], suffix: str) -> Folder:
    for number in range(4):
        save(root / "rgb" / f"{number}.jpg", picture(number))
        save(root / "it" / f"{number}{suffix}", make(number))
    text = f"images: rgb/{{stem}}.jpg\ntasks:\n  it:\n    {kind}\n    files: it/{{stem}}{suffix}\n"
    (root / "tasks.yaml").write_text(text)
    return Folder(root)


def _short(number: int) -> NDArray[np.float32]:
    vector = np.zeros((24, 36, 3), np.float32)
    vector[..., 2] = 1
    vector[:15] *= 0.4
    return vector


CASES: dict[str, tuple[str, Callable[[int], NDArray[Any]], str, str]] = {
    "255 of an object is void": (
        "kind: classes\n    classes: [background, object]", mask, ".png",
        "1 never occur: object",
    ),
    "a class is never there": (
        CLASSES, lambda n: np.minimum(semantic(n), 2), ".png", "1 never occur: lamp"),
    "most is void": (
        CLASSES, lambda n: np.where(np.arange(36) < 20, 255, semantic(n)).astype(np.uint8), ".png",
        r"5\d(\.\d)? % of the pixels of `it` are void"),
    "normals that are too short": (NORMALS, _short, ".npy", r"62.5 % of the pixels of `it` are"),
    "empty masks": (
        "kind: binary", lambda n: mask(n) * (n == 0), ".png", "3 of 4 masks of `it` are empty"),
    "depth too far": (
        "kind: depth\n    scale: 0.1", depth, ".png", r"reaches 70[01](\.\d)? m, beyond 100 m"),
    "depth too near": (
        "kind: depth\n    scale: 0.00001", depth, ".png", r"nowhere more than 0.07 m"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_implausible_is_told_and_refused(case: str, tmp_path: Path) -> None:
    kind, make, suffix, text = CASES[case]
    source = _folder(tmp_path / "mine", kind, make, suffix)
    found = build(source, tmp_path / "a.h5")
    assert re.search(text, "; ".join(found.implausible))
    assert found.to_json()["implausible"] == list(found.implausible)
    with pytest.raises(DataError, match=text):
        build(source, tmp_path / "b.h5", strict=True)
    assert not (tmp_path / "b.h5").exists()


def test_what_is_plausible_is_not_doubted(tmp_path: Path) -> None:
    found = build(Folder(write_folder(tmp_path / "mine")), tmp_path / "a.h5")
    assert found.implausible == ()
    assert set(found.void) == {"semantic", "depth"}
    assert found.void["semantic"] == pytest.approx(1 / 24)


def test_a_class_that_an_excerpt_lacks_is_a_note(tmp_path: Path) -> None:
    """In the whole it is implausible; everything else is so in an excerpt too."""
    kind, make, suffix, text = CASES["a class is never there"]
    source = _folder(tmp_path / "mine", kind, make, suffix)
    found = build(source, tmp_path / "a.h5", strict=True, limit=2)
    assert found.implausible == ()
    assert re.search(text, "; ".join(found.absent))
    source.official = {"train": 5}  # type: ignore[misc]
    assert build(source, tmp_path / "b.h5").absent == found.absent
    source.official = {"train": 1}  # type: ignore[misc]
    with pytest.raises(DataError, match=text):
        build(source, tmp_path / "c.h5", strict=True)
    kind, make, suffix, text = CASES["empty masks"]
    source = _folder(tmp_path / "masks", kind, make, suffix)
    with pytest.raises(DataError, match="masks of `it` are empty"):
        build(source, tmp_path / "d.h5", strict=True, limit=3)


def test_an_image_to_train_and_to_test_on_is_told_and_refused(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    for split, numbers in (("train", (0, 1, 2)), ("test", (2, 3))):
        for number in numbers:
            save(root / "rgb" / split / f"{split[0]}{number}.png", picture(number))
            save(root / "mask" / split / f"{split[0]}{number}.png", mask(number) > 0)
    (root / "tasks.yaml").write_text(
        "images: rgb/{split}/{stem}.png\nsplits: {folders: {train: train, test: test}}\n"
        "tasks: {it: {kind: binary, files: 'mask/{split}/{stem}.png'}}\n"
    )
    found = build(Folder(root), tmp_path / "a.h5")
    (said,) = found.implausible
    assert "1 image of one split in another" in said
    assert "test/t2 is train/t2" in said or "train/t2 is test/t2" in said
    with pytest.raises(DataError, match="tested on"):
        build(Folder(root), tmp_path / "b.h5", strict=True)
    report = verify(tmp_path / "a.h5")
    assert report.ok
    assert {problem.where for problem in report.shared} <= {"train/t2", "test/t2"}
    assert len(report.shared) == 1
    for strict, code in (([], 0), (["--strict"], 3)):
        assert run(mtdata, ["verify", str(tmp_path / "a.h5"), *strict]) == code
    # Two splits of one role may share an image: nothing of it is scored.
    text = (root / "tasks.yaml").read_text()
    roles = "test: test}, roles: {test: train}}"
    (root / "tasks.yaml").write_text(text.replace("test: test}}", roles))
    assert build(Folder(root), tmp_path / "c.h5").implausible == ()
    assert verify(tmp_path / "c.h5").shared == ()
