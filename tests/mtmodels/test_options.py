"""Members of a family are made by name, with options by name."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from pydantic import BeforeValidator, field_validator, model_validator

from mtdata.errors import UnknownNameError
from mtdata.registry import Registry
from mtmodels.methods import METHODS
from mtmodels.methods.self_training import SelfTraining
from mtmodels.networks import NETWORKS
from mtmodels.options import (
    NEEDED,
    Options,
    Positive,
    Share,
    Weight,
    about,
    as_tuple,
    build,
    explained,
    filled,
    options_class,
    options_of,
)
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.weightings import WEIGHTINGS
from tests.runs.batches import PAIR

FAMILIES: tuple[Registry[Any], ...] = (METHODS, NETWORKS, WEIGHTINGS, SCHEDULES, OPTIMISERS)
MEMBERS = [member for family in FAMILIES for member in family.values()]


def test_options_go_by_the_name_a_user_writes() -> None:
    assert options_of(METHODS["xtc"])["lambda"] == 1e-4
    assert "consistency_weight" not in options_of(METHODS["xtc"])
    assert options_of(NETWORKS["unet-resnet18"])["width"] == 1.0
    assert options_of(WEIGHTINGS["equal"]) == {}


@pytest.mark.parametrize(
    "member",
    [
        m
        for family in (METHODS, NETWORKS, WEIGHTINGS, SCHEDULES, OPTIMISERS)
        for m in family.values()
    ],
    ids=lambda member: member.__name__,
)
def test_every_option_is_explained(member: Any) -> None:
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
    assert method.lambdas == {"semantic": 0.25, "depth": 0.25}


def test_refuses_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match=r"no method `xtx`. Did you mean `xtc`"):
        build("method", METHODS, "xtx")


def test_refuses_an_unknown_option() -> None:
    with pytest.raises(UnknownNameError, match=r"option `lamda` of method `xtc`.*`lambda`"):
        build("method", METHODS, "xtc", options={"lamda": 1})


class Declares(Options):
    """One option of each type that there is."""

    flag: bool = False
    """A switch."""
    count: int = 1
    """A whole number."""
    rate: float = 1.0
    """A number."""
    word: str = "a"
    """Text."""
    maybe: float | None = None
    """A number, or none."""
    number: int | str = 1
    """A number or text."""
    shares: float | Mapping[str, float] = 1.0
    """A number, or one a task."""
    parts: Mapping[str, Any] | None = None
    """Anything by name."""
    colours: Annotated[tuple[float, ...], BeforeValidator(as_tuple)] = (0.0, 0.0, 0.0)
    """Several numbers."""
    weight: Weight = 1.0
    """0 or more."""
    share: Share = 1.0
    """Up to 1."""
    several: Positive = 1
    """From 1."""
    choice: Literal["soft", "hard"] = "soft"
    """One of a few words."""


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
        ("weight", -1.0, "0 or more"),
        ("share", 1.5, "in [0, 1]"),
        ("several", 0, "a whole number, 1 or more"),
        ("choice", 1, "one of soft, hard"),
    ],
)
def test_a_value_of_another_type_is_refused(option: str, value: object, should: str) -> None:
    with pytest.raises(ValueError, match="found") as caught:
        build("thing", {"it": Declares}, "it", options={option: value})
    assert str(caught.value) == f"`{option}` should be {should}; found {value!r}."


@pytest.mark.parametrize(
    "options",
    [
        {"flag": True, "count": 2, "rate": 2, "word": "b", "maybe": 3, "number": "all"},
        {"maybe": None, "shares": {"depth": 1}, "parts": {"name": "step", "options": {}}},
        {"colours": [1, 2.0, 3], "shares": 2},
    ],
)
def test_values_reach_the_member_as_they_were_given(options: dict[str, Any]) -> None:
    found = build("thing", {"it": Declares}, "it", options=options)
    for name, value in options.items():
        given = tuple(value) if isinstance(value, list) else value
        assert getattr(found, name) == given


def test_a_word_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"no choice `sft`. Did you mean `soft`"):
        build("thing", {"it": Declares}, "it", options={"choice": "sft"})


def test_both_names_of_one_option_at_once_are_refused() -> None:
    network = NETWORKS["unet-resnet18"](PAIR, width=0.125)
    with pytest.raises(ValueError, match="`lambda` should be given once"):
        build("method", METHODS, "xtc", network, options={"lambda": 1, "consistency_weight": 1})


@pytest.mark.parametrize(
    "member",
    [
        m
        for family in (METHODS, NETWORKS, WEIGHTINGS, SCHEDULES, OPTIMISERS)
        for m in family.values()
    ],
    ids=lambda member: member.__name__,
)
def test_every_option_of_every_member_is_checked(member: Any) -> None:
    given = {"teachers": ("a",)} if member is SelfTraining else {}
    # What else has no default is a mapping in every member that there is.
    lacking = [name for name, value in options_of(member).items() if value is NEEDED]
    needed: dict[str, Any] = {name: {"a": "b"} for name in lacking} | given
    for option, default in filled(member, {}).items():
        with pytest.raises(
            ValueError, match=rf"`{option}` should be [-a-z0-9_ ,.\[\]()]+; found <"
        ):
            options_class(member).read({**needed, option: object()})
        with pytest.raises(UnknownNameError, match="no option `nothing`"):
            options_class(member).read({**needed, option: default, "nothing": 1})


def test_an_option_without_a_default_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"`values` should be a mapping, each .*; found nothing"):
        build("weighting", WEIGHTINGS, "fixed", ["depth"])


def test_filled_with_defaults_under_the_names_a_user_writes() -> None:
    assert filled(WEIGHTINGS["fixed"], {}) == {}
    assert filled(SCHEDULES["step"], {"factor": 0.1}) == {
        "every": 60,
        "factor": 0.1,
        "warmup": 0.0,
    }
    for given in ({}, {"lambda": 0.2}, {"consistency_weight": 0.2}):
        options = filled(METHODS["xtc"], given)
        assert options["lambda"] == (0.2 if given else 1e-4)
        assert options.keys() == options_of(METHODS["xtc"]).keys()
    assert filled(METHODS["sl"], {"lossses": 1})["lossses"] == 1


def test_refuses_an_option_that_a_schedule_does_not_have() -> None:
    with pytest.raises(UnknownNameError, match=r"option `evry` of schedule `step`.*`every`"):
        build("schedule", SCHEDULES, "step", options={"evry": 3})


class Checked(Options):
    """Checks of its own beside those of the types."""

    even: int = 0
    """An even number."""
    limit: int = 10
    """Not below `even`."""

    @field_validator("even")
    @classmethod
    def _is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError(f"`even` should be even; found {value}.")
        return value

    @model_validator(mode="after")
    def _within(self) -> "Checked":
        if self.even > self.limit:
            raise ValueError(f"`even` should be at most `limit`; found {self.even}.")
        return self


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"even": 3}, "`even` should be even; found 3."),
        ({"even": 4, "limit": 2}, "`even` should be at most `limit`; found 4."),
    ],
)
def test_checks_of_a_member_s_own_speak_for_themselves(given: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match="found") as caught:
        Checked.read(given)
    assert str(caught.value) == words


def test_what_declares_nothing_cannot_be_told_anything() -> None:
    class Plain:
        """Nothing to tell."""

    assert options_of(Plain) == {}
    with pytest.raises(UnknownNameError, match="no option `loud` of thing `it`"):
        build("thing", {"it": Plain}, "it", options={"loud": True})


def test_options_may_be_declared_as_text() -> None:
    """As `from __future__ import annotations` leaves them."""

    class Later:
        __annotations__ = {"options": "Checked"}

    assert set(options_of(Later)) == {"even", "limit"}
