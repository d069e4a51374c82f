"""Whether two runs are the same to the last bit, times aside."""

from pathlib import Path
from typing import Any

import torch

from mtmodels.training.record import checkpoint
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows


def rows_without_time(run: Path) -> list[dict[str, Any]]:
    """The rows of a log without what a clock said."""
    return [
        {key: value for key, value in row.items() if key != "time"}
        for row in read_rows(RunFolder(run).metrics)
    ]


def assert_same_run(a: Path, b: Path) -> None:
    """Logs, weights, optimiser, weighting and random state are equal bit for bit."""
    assert rows_without_time(a) == rows_without_time(b)
    ours, theirs = RunFolder(a).last, RunFolder(b).last
    assert_equal(checkpoint.load_weights(ours), checkpoint.load_weights(theirs), "weights")
    one, other = checkpoint.load_state(ours), checkpoint.load_state(theirs)
    for state in (one, other):
        del state["seconds"], state["log"]
    assert_equal(one, other, "state")


def assert_equal(a: Any, b: Any, where: str) -> None:
    """Two nests of tensors and plain values are equal bit for bit, what is NaN in both, too."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype, where
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True, msg=where)
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal(x, y, f"{where}[{i}]")
    else:
        assert a == b, where
