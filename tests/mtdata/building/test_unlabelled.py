"""Images without any label are images: stored, counted, and left alone by regimes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata import open_store
from mtdata.building.build import RegimeSpec, build, plan
from mtdata.errors import DataError, SampleError, UsageError
from mtdata.inspecting.info import info
from mtdata.inspecting.stats import stats
from mtdata.inspecting.verify import verify
from mtdata.sources.base import Source
from mtdata.sources.folder.source import Folder
from mtdata.sources.nyu.source import Nyu
from tests.trees.folder import FILE, picture, save, write_folder
from tests.trees.nyu import write_nyu

BARE = ("x0", "x1", "x2")


def photos(root: Path, *lines: str) -> Path:
    """Ten images with labels, three without."""
    write_folder(root, file="\n".join([*lines, FILE]))
    for number, key in enumerate(BARE):
        save(root / "rgb" / f"{key}.jpg", picture(50 + number))
    return root


def test_they_are_refused_skipped_or_kept(tmp_path: Path) -> None:
    root = photos(tmp_path / "mine")
    with pytest.raises(SampleError, match=r"2 more images should have a label .*unlabelled: keep"):
        Folder(root).splits()
    assert not set(BARE) & set(Folder(root, unlabelled="skip").splits()["train"])
    assert set(BARE) < set(Folder(root, unlabelled="keep").splits()["train"])
    with pytest.raises(UsageError, match="`unlabelled` should be refuse, skip, keep; found all"):
        Folder(root, unlabelled="all")


def test_a_store_holds_and_counts_them(tmp_path: Path) -> None:
    source = Folder(photos(tmp_path / "mine", "unlabelled: keep"))
    assert "Kept without a label: 3 images." in source.remarks()
    kinds = ("one", "random", "fraction", "imbalanced")
    ratio = dict.fromkeys(("semantic", "depth", "normals", "mask"), 0.25)
    options: dict[str, dict[str, Any]] = {
        "fraction": {"share": 0.5},
        "imbalanced": {"ratio": ratio},
    }
    specs = [RegimeSpec(kind, options=options.get(kind, {})) for kind in kinds]
    summary = build(source, tmp_path / "a.h5", regimes=specs)
    assert (summary.splits["train"].images, summary.splits["train"].unlabelled) == (13, 3)
    assert verify(tmp_path / "a.h5").ok
    with open_store(tmp_path / "a.h5") as store:
        assert info(store)["splits"]["train"]["unlabelled"] == 3
        assert stats(store, "one").to_json()["splits"]["train"]["unlabelled"] == 3
        split = store.splits["train"]
        bare = [split.index(key) for key in BARE]
        for kind in kinds:
            assert not split.visible(kind)[bare].any()
        labelled = np.delete(split.visible("one"), bare, axis=0)
        assert (labelled.sum(1) == 1).all()
        sample = store.dataset("train").read(bare[0])
        assert (sample.labels, sample.image.shape) == ({}, (24, 36, 3))


def test_void_labels_alone_do_not_make_an_image_an_error(tmp_path: Path) -> None:
    root = photos(tmp_path / "mine")
    for key in BARE:
        save(root / "semantic" / f"{key}.png", np.full((24, 36), 255, np.uint8))
    with pytest.raises(DataError, match="should have at least one label"):
        build(Folder(root), tmp_path / "a.h5")
    summary = build(Folder(root, unlabelled="keep"), tmp_path / "b.h5")
    assert summary.splits["train"].unlabelled == 3


@pytest.mark.parametrize("strict", [False, True])
def test_void_labels_alone_are_left_out_where_the_source_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], strict: bool
) -> None:
    root, out = photos(tmp_path / "mine"), tmp_path / "a.h5"
    (root / "tasks.yaml").write_text(
        "images: rgb/{stem}.jpg\nunlabelled: skip\ntasks:\n  semantic:\n    kind: classes\n"
        "    files: semantic/{stem}.png\n    classes: [a, b, c, d]\n    void: [255]\n"
    )
    for key in BARE:
        save(root / "semantic" / f"{key}.png", np.full((24, 36), 255, np.uint8))
    plan(Folder(root), out)
    command = ["build", "--dataset", "folder", "--source", str(root), "-o", str(out)]
    for more in ([], ["--resume"]):
        assert run(mtdata, [*command, *more, *(["--strict"] if strict else [])]) == 0
        said = " ".join(capsys.readouterr().err.split())
        assert "3 images left out, with a label file and no label in it: train/x0" in said
        assert "Warning" not in said
    with open_store(out) as store:
        assert not {*BARE} & {*store.splits["train"].keys}
        assert store.splits["train"].keys
    save(root / "semantic" / "x0.png", np.zeros((24, 36), np.uint8))
    assert run(mtdata, ["update", str(out), "--source", str(root)]) == 0
    with open_store(out) as store:
        assert "x0" in store.splits["train"].keys


def _nyu(root: Path) -> Callable[[str], Source]:
    write_nyu(root)
    for folder in ("depth", "semantic13"):
        (root / folder / "0004.png").unlink()
    return lambda value: Nyu(root, unlabelled=value)


def _cityscapes(root: Path) -> Callable[[str], Source]:
    from mtdata.sources.cityscapes.source import Cityscapes
    from tests.trees.cityscapes import write_cityscapes

    write_cityscapes(root)
    first = min((root / "leftImg8bit" / "train").rglob("*.png"))
    key = first.name.removesuffix("_leftImg8bit.png")
    for path in [*root.rglob(f"{key}_gtFine*"), *root.rglob(f"{key}_disparity*")]:
        path.unlink()
    return lambda value: Cityscapes(root, unlabelled=value)


def _pascal(root: Path) -> Callable[[str], Source]:
    from mtdata.sources.pascal.source import Pascal
    from tests.trees.pascal import write_pascal

    home = write_pascal(root)
    key = Pascal(home).splits()["train"][0]
    for path in [p for p in home.rglob(f"{key}.*") if "JPEGImages" not in p.parts]:
        path.unlink()
    return lambda value: Pascal(home, unlabelled=value)


def _mtan(root: Path) -> Callable[[str], Source]:
    from tests.trees.mtan import write_nyu_mtan

    write_nyu_mtan(root)
    for folder in ("label", "depth", "normal"):
        (root / "train" / folder / "1.npy").unlink()
    return lambda value: Nyu(root, unlabelled=value)


@pytest.mark.parametrize("make", [_nyu, _cityscapes, _pascal, _mtan])
def test_every_source_can_keep_them(
    make: Callable[[Path], Callable[[str], Source]], tmp_path: Path
) -> None:
    source = make(tmp_path / "raw")
    with pytest.raises(SampleError, match=r"no label|at least one label"):
        build(source("refuse"), tmp_path / "a.h5")
    summary = build(source("keep"), tmp_path / "b.h5")
    assert summary.splits["train"].unlabelled == 1
    assert verify(tmp_path / "b.h5").ok
    # What changes nothing is no option of a store: those that were built before compare equal.
    assert "unlabelled" not in source("refuse").options
    with pytest.raises(UsageError, match="should be refuse or keep; found skip"):
        source("skip")


def test_a_kept_image_is_the_same_pixels(tmp_path: Path) -> None:
    root = photos(tmp_path / "mine", "unlabelled: keep")
    build(Folder(root), tmp_path / "a.h5")
    with open_store(tmp_path / "a.h5") as store:
        split = store.splits["train"]
        stored = split.read(split.index("x1"), []).image
    decoded = np.asarray(cv2.imread(str(root / "rgb" / "x1.jpg")))[..., ::-1]
    assert (stored == decoded).all()
