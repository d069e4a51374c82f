"""Members of a family are made by name, with options by name."""

from collections.abc import Callable
from typing import Any

import pytest

from mtdata.errors import UnknownNameError
from mtmodels.methods import METHODS
from mtmodels.networks import NETWORKS
from mtmodels.options import about, build, explained, options_of
from mtmodels.weightings import WEIGHTINGS
from tests.batches import PAIR


def test_options_go_by_the_name_a_user_writes() -> None:
    assert options_of(METHODS["xtc"])["lambda"] == 1e-4
    assert "consistency_weight" not in options_of(METHODS["xtc"])
    assert options_of(NETWORKS["unet-resnet18"])["width"] == 1.0
    assert options_of(WEIGHTINGS["equal"]) == {}


@pytest.mark.parametrize(
    "member",
    [m for family in (METHODS, NETWORKS, WEIGHTINGS) for m in family.values()],
    ids=lambda member: member.__name__,
)
def test_every_option_is_explained(member: Callable[..., Any]) -> None:
    texts = explained(member)
    assert list(texts) == list(options_of(member))
    assert all(len(text) > 10 for text in texts.values())
    assert "Args:" not in about(member)


def test_options_of_bases_are_options() -> None:
    assert options_of(METHODS["mtpsl"])["regulariser"] == 0.5
    assert options_of(METHODS["mtpsl"])["conditioning"] == "pair"
    assert options_of(METHODS["mtpsl"])["normalise"] == "batch"
    assert "film_schedule" not in options_of(METHODS["ssl"])


@pytest.mark.parametrize("option", ["lambda", "consistency_weight"])
def test_builds_with_either_name(option: str) -> None:
    network = build("network", NETWORKS, "unet-resnet18", PAIR, options={"width": 0.125})
    method = build("method", METHODS, "xtc", network, options={option: 0.25})
    assert method.consistency_weight == {"semantic": 0.25, "depth": 0.25}


def test_refuses_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match=r"no method `xtx`. Did you mean `xtc`"):
        build("method", METHODS, "xtx")


def test_refuses_an_unknown_option() -> None:
    with pytest.raises(UnknownNameError, match=r"option `lamda` of method `xtc`.*`lambda`"):
        build("method", METHODS, "xtc", options={"lamda": 1})
