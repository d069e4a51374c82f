"""The numbers of the released meters, to 1e-6.

`miou`, `pixel_accuracy` of the files are shares, ours percent. What the released MTPSL meters call
"rel" (depth) and "median" (normals) is the RMSE: the files name it so (`depth_rmse`) or leave it
out, so `rel_err` and `median` have no golden value under `mtpsl`. The files hold one number over
both images, which for depth under `xtasc` is pooled over the pixels of the two.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mtdata import Classes, Depth, Normals, Task
from mtmodels.metrics.protocols import metric_for

SEMANTIC = Task("semantic", Classes(tuple("abcdefghijklm"), ((0, 0, 0),) * 13))
DEPTH = Task("depth", Depth())
NORMALS = Task("normals", Normals())

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def labels(shared: Path) -> dict[str, Tensor]:
    spec = importlib.util.spec_from_file_location("fill", shared / "golden" / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    made: dict[str, Tensor] = fill.labels(2, 13, 64, 96)
    return made


def load(shared: Path, name: str) -> dict[str, Tensor]:
    with np.load(shared / "golden" / name) as file:
        return {key: torch.from_numpy(file[key]) for key in file if file[key].dtype.kind in "fi"}


def scores(
    task: Task, protocol: str, prediction: Tensor, label: Tensor, valid: Tensor
) -> dict[str, float | list[float]]:
    metric = metric_for(task, protocol)
    for n in range(len(prediction)):
        metric.update(prediction[n : n + 1], label[n : n + 1], valid[n : n + 1])
    return metric.compute()


def semantic(labels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    valid = labels["semantic"] >= 0
    return torch.where(valid, labels["semantic"], 0)[:, None].byte(), valid


def test_mtpsl_semantic(shared: Path, labels: dict[str, Tensor]) -> None:
    golden = load(shared, "metrics_mtpsl.npz")
    predicted = load(shared, "segnet_nyu.npz")["semantic_logprob"]
    label, valid = semantic(labels)
    metric = metric_for(SEMANTIC, "mtpsl")
    metric.update(predicted, label, valid)
    found = metric.compute()
    assert torch.equal(metric.states["matrix"], golden["confusion"])
    assert found["miou"] == pytest.approx(100 * golden["miou"].item(), rel=1e-6)
    assert found["pixel_accuracy"] == pytest.approx(100 * golden["pixel_accuracy"].item(), rel=1e-6)


def test_mtpsl_depth(shared: Path, labels: dict[str, Tensor]) -> None:
    golden = load(shared, "metrics_mtpsl.npz")
    found = scores(
        DEPTH, "mtpsl", golden["depth_prediction"], labels["depth"], labels["depth"][:, 0] != 0
    )
    assert found["abs_err"] == pytest.approx(golden["depth_abs"].item(), rel=1e-6)
    assert found["rmse"] == pytest.approx(golden["depth_rmse"].item(), rel=1e-6)


def test_mtpsl_normals(shared: Path, labels: dict[str, Tensor]) -> None:
    golden = load(shared, "metrics_mtpsl.npz")
    predicted = load(shared, "segnet_nyu.npz")["normals"]
    label = labels["normals"]
    found = scores(NORMALS, "mtpsl", predicted, label, (label != 0).any(1))
    assert found["mean"] == pytest.approx(golden["normal_mean"].item(), rel=1e-6)
    for ours, theirs in (("11.25", "11"), ("22.5", "22"), ("30", "30")):
        expected = golden[f"within_{theirs}"].item()
        assert found[f"within_{ours}"] == pytest.approx(expected, rel=1e-6)


def test_xtasc(shared: Path, labels: dict[str, Tensor]) -> None:
    golden = load(shared, "metrics_xtasc_resnet34_13.npz")
    predicted = load(shared, "xtasc_resnet34_13.npz")["semantic_logits"]
    label, valid = semantic(labels)
    classes = scores(SEMANTIC, "xtasc", predicted, label, valid)
    assert classes["miou"] == pytest.approx(100 * golden["miou"].item(), rel=1e-6)
    expected = 100 * golden["pixel_accuracy"].item()
    assert classes["pixel_accuracy"] == pytest.approx(expected, rel=1e-6)
    depth = scores(
        DEPTH, "xtasc", golden["depth_prediction"], labels["depth"], labels["depth"][:, 0] > 0
    )
    assert depth["abs_err"] == pytest.approx(golden["depth_abs"].item(), rel=1e-6)
    assert depth["rel_err"] == pytest.approx(golden["depth_rel"].item(), rel=1e-6)
