"""What options accept."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.shared.options import names, pair, size


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_sizes(height: int, width: int) -> None:
    assert size()(f"{height}x{width}") == (height, width)


@pytest.mark.parametrize(
    "text", ["", "12", "12x", "x12", "-1x2", "1x2x3", "native", "0x5", "1.5x2"]
)
def test_no_sizes(text: str) -> None:
    with pytest.raises(click.BadParameter, match="288x384"):
        size()(text)


def test_words() -> None:
    assert size("native")("native") == "native"
    assert names("semantic, depth,") == ("semantic", "depth")
    assert pair("400, 100") == (400, 100)


@pytest.mark.parametrize("text", ["4", "4,-1", "1,2,3", "a,b", ""])
def test_no_pairs(text: str) -> None:
    with pytest.raises(click.BadParameter, match="400,100"):
        pair(text)
