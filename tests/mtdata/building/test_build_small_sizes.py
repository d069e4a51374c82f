"""Labels that lose all their valid pixels when they are made small: counted, told, refused."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtdata.building.build import RegimeSpec, build
from mtdata.errors import DataError, SampleError
from mtdata.inspecting.verify import verify
from mtdata.store import open_store
from mtdata.tasks.sample import Sample
from tests.stores.fakes import FakeSource, Interrupted, stop_after


class Sparse(FakeSource):
    """Saliency is valid in one corner pixel of 24x32, but for the first image; all else is."""

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        sample = super().read(split, key, tasks)
        if key == "0001":
            return sample
        corner = np.zeros(sample.image.shape[:2], np.bool_)
        corner[0, 0] = True
        valid = {name: corner if name == "saliency" else v for name, v in sample.valid.items()}
        return replace(sample, valid=valid)


SOURCE = Sparse(missing=0)


def test_lost_labels_are_counted_and_count_as_missing(tmp_path: Path) -> None:
    out = tmp_path / "a.h5"
    summary = build(SOURCE, out, regimes=[RegimeSpec("random")])
    assert summary.lost == {"saliency": 8}
    assert summary.splits["train"].labels["saliency"] == 1
    assert summary.to_json()["lost"] == {"saliency": 8}
    # What is not there is never shown.
    assert not open_store(out).split("train").visible("random")[1:, 3].any()
    assert verify(out).ok


def test_at_the_size_of_the_source_nothing_is_lost(tmp_path: Path) -> None:
    summary = build(SOURCE, tmp_path / "a.h5", size=(24, 32))
    assert summary.lost == {}
    assert summary.splits["train"].labels["saliency"] == 6


def test_a_resumed_build_still_knows(tmp_path: Path) -> None:
    out = tmp_path / "a.h5"
    with pytest.raises(Interrupted):
        build(SOURCE, out, progress=stop_after(4))
    assert build(SOURCE, out, mode="resume", jobs=2).lost == {"saliency": 8}


def test_strict_holds_after_resizing(tmp_path: Path) -> None:
    said = r"label `saliency` of train/0002 should have a valid pixel at 12x16.*--size"
    with pytest.raises(SampleError, match=said):
        build(SOURCE, tmp_path / "a.h5", strict=True)
    # At twice the size all labels have valid pixels; that few are valid is refused by itself.
    with pytest.raises(DataError, match="pixels of `saliency` are void"):
        build(SOURCE, tmp_path / "b.h5", strict=True, size=(24, 32))
    assert not (tmp_path / "b.h5").exists()
