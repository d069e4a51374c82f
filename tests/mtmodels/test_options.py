"""Members of a family are made by name, with options by name."""

import pytest

from mtdata.errors import UnknownNameError
from mtmodels.methods import METHODS
from mtmodels.networks import NETWORKS
from mtmodels.options import build, options_of
from mtmodels.weightings import WEIGHTINGS
from tests.batches import PAIR


def test_options_go_by_the_name_a_user_writes() -> None:
    assert options_of(METHODS["xtc"])["lambda"] == 1e-4
    assert "consistency_weight" not in options_of(METHODS["xtc"])
    assert options_of(NETWORKS["unet-resnet18"])["width"] == 1.0
    assert options_of(WEIGHTINGS["equal"]) == {}


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
