"""The hold-out: a share chosen by key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdata.errors import UsageError
from mtdata.reading.holdout import holdout

KEYS = [f"{i:04d}" for i in range(795)]


def test_share_and_seed() -> None:
    held = holdout(KEYS, 0.1)
    assert held.sum() == 80
    assert (held == holdout(KEYS, 0.1)).all()
    assert (held != holdout(KEYS, 0.1, seed=1)).any()


def test_a_larger_share_holds_more_of_the_same() -> None:
    assert not (holdout(KEYS, 0.1) & ~holdout(KEYS, 0.3)).any()


@given(keys=st.permutations([f"k{i}" for i in range(10)]))
def test_the_order_of_images_does_not_matter(keys: list[str]) -> None:
    straight = dict(zip(sorted(keys), holdout(sorted(keys), 0.3), strict=True))
    assert [straight[key] for key in keys] == holdout(keys, 0.3).tolist()


@given(n=st.integers(2, 9), share=st.floats(0.001, 0.999))
def test_neither_part_is_empty(n: int, share: float) -> None:
    assert 1 <= np.count_nonzero(holdout(KEYS[:n], share)) <= n - 1


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_bad_share(share: float) -> None:
    with pytest.raises(UsageError, match="`holdout` should be above 0 and below 1"):
        holdout(KEYS, share)


def test_too_few_images() -> None:
    with pytest.raises(UsageError, match="needs 2 images or more"):
        holdout(["a"], 0.5)
