"""All labels of a share of the images."""

from typing import Any

import numpy as np
import pytest

from mtdata.errors import UsageError
from mtdata.regimes.drawing import draw

KEYS = [f"{i:04d}" for i in range(400)]
TASKS = ("semantic", "depth")


def test_some_images_show_all_they_have_and_the_others_nothing() -> None:
    available = np.ones((400, 2), np.bool_)
    available[100:] = [True, False]
    available[300:] = False
    table = draw("fraction", KEYS, TASKS, available, share=0.1)
    shown = table.labels.any(1)
    assert shown.sum() == 30  # of the 300 that have a label
    np.testing.assert_array_equal(table.labels[shown], available[shown])
    assert table.parameters == {"share": 0.1}


@pytest.mark.parametrize("stable", [False, True])
def test_a_smaller_share_is_a_part_of_a_larger_one(stable: bool) -> None:
    available = np.ones((400, 2), np.bool_)
    last = np.zeros((400, 2), np.bool_)
    for share in (0.1, 0.3, 0.7, 1):
        labels = draw("fraction", KEYS, TASKS, available, share=share, stable=stable).labels
        assert (labels | ~last).all()
        assert abs(labels[:, 0].mean() - share) <= 0.05 * stable
        last = labels
    assert last.all()


def test_stable_differs_only_where_the_count_ends() -> None:
    available = np.ones((400, 2), np.bool_)
    exact = draw("fraction", KEYS, TASKS, available, share=0.5).labels[:, 0]
    stable = draw("fraction", KEYS, TASKS, available, share=0.5, stable=True).labels[:, 0]
    assert (exact != stable).sum() == abs(int(exact.sum()) - int(stable.sum()))


def test_one_image_at_least() -> None:
    available = np.ones((400, 2), np.bool_)
    assert draw("fraction", KEYS, TASKS, available, share=1e-9).images_with == {0: 399, 2: 1}


@pytest.mark.parametrize("share", [None, 0, -1, 1.01, float("nan"), "half"])
def test_shares_that_cannot_be(share: Any) -> None:
    options = {} if share is None else {"share": share}
    with pytest.raises(UsageError, match="`share` should be above 0 and at most 1"):
        draw("fraction", KEYS, TASKS, np.ones((400, 2), np.bool_), **options)
