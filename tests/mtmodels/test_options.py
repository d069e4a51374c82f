"""Members of a family are made by name, with options by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from mtdata.errors import UnknownNameError
from mtmodels.methods import METHODS
from mtmodels.networks import NETWORKS
from mtmodels.options import about, build, explained, filled, options_of
from mtmodels.training.loop.schedules import SCHEDULES
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


def declares(
    *,
    flag: bool = False,
    count: int = 1,
    rate: float = 1.0,
    word: str = "a",
    maybe: "float | None" = None,
    number: int | str = 1,
    shares: float | Mapping[str, float] = 1.0,
    parts: Mapping[str, Any] | None = None,
    colours: Sequence[float] = (0.0, 0.0, 0.0),
    ends: tuple[float, float] = (0.0, 1.0),
    **anything: Any,
) -> dict[str, Any]:
    """One option of each type that there is."""
    return dict(locals())


@pytest.mark.parametrize(
    ("option", "value", "should"),
    [
        ("flag", "maybe", "true or false"),
        ("flag", 1, "true or false"),
        ("count", True, "a whole number"),
        ("count", 1.5, "a whole number"),
        ("rate", True, "a number"),
        ("rate", "two", "a number"),
        ("rate", None, "a number"),
        ("word", 3, "text"),
        ("word", None, "text"),
        ("maybe", "x", "a number or null"),
        ("number", True, "a whole number or text"),
        ("shares", "two", "a number or a mapping, each value a number"),
        ("shares", {"depth": "two"}, "a number or a mapping, each value a number"),
        ("parts", "step", "a mapping or null"),
        ("colours", [1.0, "red"], "a list, each value a number"),
        ("colours", "123", "a list, each value a number"),
        ("ends", [1.0, None], "a list, each value a number"),
    ],
)
def test_a_value_of_another_type_is_refused(option: str, value: object, should: str) -> None:
    with pytest.raises(ValueError, match="found") as caught:
        build("thing", {"it": declares}, "it", options={option: value})
    assert str(caught.value) == f"`{option}` should be {should}; found {value!r}."


@pytest.mark.parametrize(
    "options",
    [
        {"flag": True, "count": 2, "rate": 2, "word": "b", "maybe": 3, "number": "all"},
        {"maybe": None, "shares": {"depth": 1}, "parts": {"name": "step", "options": {}}},
        {"colours": [1, 2.0, 3], "ends": [0, 1], "shares": 2},
    ],
)
def test_values_reach_the_member_as_they_were_given(options: dict[str, Any]) -> None:
    found = build("thing", {"it": declares}, "it", options=options)
    assert {key: found[key] for key in options} == options
    assert all(type(found[key]) is type(value) for key, value in options.items())


@pytest.mark.parametrize(
    "member",
    [m for family in (METHODS, NETWORKS, WEIGHTINGS, SCHEDULES) for m in family.values()],
    ids=lambda member: member.__name__,
)
def test_every_option_of_every_member_is_checked(member: Callable[..., Any]) -> None:
    for option, default in filled(member, {}).items():
        with pytest.raises(ValueError, match=rf"`{option}` should be [a-z ,]+; found <"):
            build("thing", {"it": member}, "it", options={option: object()})
        # Not the default is refused here, but what comes after it.
        with pytest.raises(UnknownNameError, match="no option `nothing`"):
            build("thing", {"it": member}, "it", options={option: default, "nothing": 1})


def test_an_option_without_a_default_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"`values` should be a mapping, each .*; found nothing"):
        build("weighting", WEIGHTINGS, "fixed", ["depth"])


def test_filled_with_defaults_under_the_names_a_user_writes() -> None:
    assert filled(WEIGHTINGS["fixed"], {}) == {}
    assert filled(SCHEDULES["step"], {"factor": 0.1}) == {"every": 60, "factor": 0.1}
    for given in ({}, {"lambda": 0.2}, {"consistency_weight": 0.2}):
        options = filled(METHODS["xtc"], given)
        assert options["lambda"] == (0.2 if given else 1e-4)
        assert options.keys() == options_of(METHODS["xtc"]).keys()
    assert filled(METHODS["sl"], {"lossses": 1})["lossses"] == 1


def test_refuses_an_option_that_a_schedule_does_not_have() -> None:
    with pytest.raises(UnknownNameError, match=r"option `evry` of schedule `step`.*`every`"):
        build("schedule", SCHEDULES, "step", None, options={"evry": 3})
