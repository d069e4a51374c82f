"""Made-up predictions and labels of every kind, with holes."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from mtdata import Binary, Classes, Depth, Normals, Task
from mtdata.tasks.facts import CITYSCAPES19
from mtmodels.metrics import METRICS
from mtmodels.metrics.normals import STEPS_PER_DEGREE
from mtmodels.metrics.protocols import metric_for

TASKS = {
    "classes": Task("semantic", Classes(tuple("abcd"), ((0, 0, 0),) * 4)),
    "binary": Task("saliency", Binary()),
    "depth": Task("depth", Depth()),
    "normals": Task("normals", Normals()),
    "edges": Task("edges", Binary()),
    "parts": Task("parts", Classes(tuple("abcd"), ((0, 0, 0),) * 4)),
    "streets": Task("semantic", CITYSCAPES19),
}
"""By kind, or by what is scored otherwise than its kind."""
MEMBERS = [
    (protocol, "streets" if (protocol, kind) == ("cityscapes", "classes") else kind)
    for protocol, kinds in METRICS.items()
    for kind in (*kinds, *(task for _, task in kinds.named))
]


@dataclass(frozen=True)
class Case:
    """Predictions `[n, c, h, w]`, labels `[n, d, h, w]`, validity `[n, h, w]`."""

    prediction: Tensor
    label: Tensor
    valid: Tensor

    def __getitem__(self, rows: slice | Tensor) -> "Case":
        return Case(self.prediction[rows], self.label[rows], self.valid[rows])


def case(kind: str, n: int = 3, h: int = 4, w: int = 5, *, seed: int = 0) -> Case:
    """A random case; class 3 never occurs and the last image has no valid pixel where n > 2."""
    rng = torch.Generator().manual_seed(seed)
    draw = torch.randn(n, TASKS[kind].channels, h, w, generator=rng)
    valid = torch.rand(n, h, w, generator=rng) > 0.3
    if n > 2:
        valid[-1] = False
    if TASKS[kind].kind.name == "classes":
        classes = TASKS[kind].channels
        draw[:, 3] = -9
        label = torch.randint(0, classes - 1, (n, 1, h, w), generator=rng).byte()
        return Case(draw, label + (label >= 3), valid) if classes > 4 else Case(draw, label, valid)
    if TASKS[kind].kind.name == "binary":
        return Case(draw, torch.randint(0, 2, (n, 1, h, w), generator=rng).byte(), valid)
    if kind == "depth":
        label = torch.rand(n, 1, h, w, generator=rng) * 5
        label[label < 0.3] = 0
        return Case(draw * 3, label, valid)
    label = torch.randn(n, 3, h, w, generator=rng)
    unit = torch.nn.functional.normalize
    # Close enough to the labels that every threshold has pixels on both sides.
    return Case(unit(label + 0.7 * draw, dim=1), unit(label, dim=1), valid)


def perfect(kind: str, label: Tensor) -> Tensor:
    """The prediction that is right everywhere."""
    name = TASKS[kind].kind.name
    if name == "classes":
        hot = torch.nn.functional.one_hot(label[:, 0].long(), TASKS[kind].channels)
        return hot.movedim(-1, 1).float()
    return label.float() * 2 - 1 if name == "binary" else label


def score(protocol: str, kind: str, *cases: Case) -> dict[str, float | list[float]]:
    """The scores after adding the cases one by one."""
    metric = metric_for(TASKS[kind], protocol)
    for one in cases:
        metric.update(one.prediction, one.label, one.valid)
    return metric.compute()


def assert_same(
    found: dict[str, float | list[float]],
    expected: dict[str, float | list[float]],
    *,
    rtol: float = 1e-9,
) -> None:
    """Equal names and values; NaN equals NaN. A median is held to a bin of its histogram."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        atol = 1 / STEPS_PER_DEGREE if name == "median" else 1e-9
        assert found[name] == pytest.approx(value, rel=rtol, abs=atol, nan_ok=True), name


def is_nan(value: float | list[float]) -> bool:
    """Whether a score, or every entry of it, is NaN."""
    values = value if isinstance(value, list) else [value]
    return all(math.isnan(v) for v in values)
