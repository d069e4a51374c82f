"""The configuration: strict, layered, and the same after a trip through YAML."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mtdata.errors import UsageError
from mtmodels.training.config import Config
from mtmodels.training.loop import OPTIMISERS
from mtmodels.training.setup.making import make_network
from mtmodels.training.setup.resolve import merge, parse_set, read_layer, resolve
from tests.stores.fakes import TASKS

LAYER: dict[str, Any] = {
    "data": "data/nyu.h5",
    "tasks": ["semantic", "depth"],
    "network": {"name": "xtasc-resnet34", "width": 0.5, "options": {"a": [1, 2]}},
    "method": {"name": "xtc", "options": {"strength": 1e-4}},
    "betas": [0.9, 0.999],
    "schedule": {"name": "step", "options": {"every": 60}},
    "augmentation": {"scales": [1, 1.5], "flip": 0},
    "gradient_clip": 1,
    "lr": "1e-3",
}


def test_survives_a_trip_through_yaml(tmp_path: Path) -> None:
    config = resolve(LAYER)
    assert resolve(yaml.safe_load(config.to_yaml())) == config
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    assert resolve(read_layer(tmp_path / "config.yaml")) == config
    assert config.lr == 1e-3
    assert config.tasks == ("semantic", "depth")
    assert config.augmentation.scales == (1.0, 1.5)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "epochs": st.integers(1, 500),
            "lr": st.floats(1e-9, 1.0),
            "seed": st.integers(0, 2**31),
            "holdout": st.floats(0, 0.99),
            "precision": st.sampled_from(["auto", "32", "bf16", "16"]),
            "gradient_clip": st.none() | st.floats(1e-3, 10),
            "network": st.fixed_dictionaries({"width": st.floats(0.01, 4)}),
        },
    )
)
def test_any_configuration_survives_yaml(layer: dict[str, Any]) -> None:
    config = resolve(layer)
    assert resolve(yaml.safe_load(config.to_yaml())) == config


@pytest.mark.parametrize(
    ("layer", "key", "near"),
    [
        ({"epoch": 3}, "epoch", "epochs"),
        ({"augmentation": {"flips": True}}, "augmentation.flips", "flip"),
        ({"network": {"widht": 1.0}}, "network.widht", "width"),
        ({"holdot": 0.1}, "holdot", "holdout"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(
    layer: dict[str, Any], key: str, near: str
) -> None:
    with pytest.raises(UsageError, match=f"no key `{key}`.*Did you mean `{near}`") as caught:
        resolve(layer)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"epochs": 0}, "`epochs` should be 1 or more; found 0"),
        ({"epochs": "many"}, "`epochs`.*found 'many'"),
        ({"epochs": True}, "`epochs`"),
        ({"lr": -1.0}, "`lr`"),
        ({"lr": float("inf")}, "`lr`"),
        ({"lr": float("nan")}, "`lr`"),
        ({"gradient_clip": float("inf")}, "`gradient_clip`"),
        ({"holdout": 1.0}, "`holdout`"),
        ({"precision": "64"}, "`precision`"),
        ({"select": "holdout"}, "`select: holdout` should come with `holdout`"),
        (
            {"network": "unet"},
            "^`network` should be a mapping; found 'unet'. Give it as `network.name`",
        ),
        ({"method": 3}, r"^`method` should be a mapping; found 3\.$"),
        ({"method": {"options": 3}}, r"^`method.options` should be a mapping; found 3\.$"),
        ({"seed": -1}, r"^`seed` should be 0 or more; found -1\.$"),
        ({"seed": 1.0}, r"^`seed` should be a whole number; found 1\.0\.$"),
        (
            {"seed": 2**64},
            "^`seed` should be below 18446744073709551616; found 18446744073709551616",
        ),
        ({"network": {"width": 1e300}}, r"^`network.width` should be 100.* or less; found 1e\+300"),
        ({"steps": 10**23}, "^`steps` should be 1000000000 or less"),
        ({"epochs": 10**23}, "^`epochs` should be 1000000000 or less"),
        ({"views": {"count": 10**6}}, "^`views.count` should be 100 or less"),
        ({"size": [32]}, r"^`size.1` should be given; found nothing\.$"),
        ({"views": {"scales": []}}, r"^`views.scales` should hold 1 value or more; found \[\]\.$"),
        ({"augmentation": {"scales": []}}, r"^`augmentation.scales` should hold 1 value or more"),
        ({"devices": 0}, "`devices`"),
        ({"devices": 3}, "`batch`.*divisible by `devices` x `nodes`.*found 8 images for 3"),
        ({"devices": 2, "nodes": 2, "batch": 6, "accumulate": 3}, "4 processes in 3 parts"),
    ],
)
def test_a_value_that_cannot_be_is_refused(layer: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        resolve(layer)


@pytest.mark.parametrize("name", ["width", "encoder_weights"])
def test_what_has_a_key_of_its_own_is_no_option_of_a_network(name: str) -> None:
    config = resolve({"network": {"options": {name: 0.5}}})
    with pytest.raises(UsageError, match=f"leave `{name}` out; found 0.5.*`network.{name}`"):
        make_network(config, TASKS[:2])


@pytest.mark.parametrize("key", ["tasks", "train_on", "select_on", "score_on", "log", "plugins"])
def test_one_name_is_a_list_of_one(key: str) -> None:
    assert resolve(parse_set([f"{key}=depth"])).to_dict()[key] == ["depth"]


def test_every_number_may_have_an_exponent_alone() -> None:
    given = parse_set([f"{key}=5e-1" for key in ("labelled_share", "holdout", "lr")])
    assert resolve(given).labelled_share == resolve(given).holdout == 0.5


def test_later_layers_win_and_leave_the_rest() -> None:
    config = resolve(
        {"epochs": 3, "network": {"name": "a", "width": 0.5}},
        {"network": {"width": 2.0}},
        parse_set(["network.width=0.25", "seed=4"]),
    )
    assert (config.epochs, config.network.name, config.network.width) == (3, "a", 0.25)
    assert config.seed == 4


def test_another_member_drops_the_options_of_the_one_below() -> None:
    below = {"method": {"name": "xtc", "options": {"strength": 1.0}}}
    assert merge(below, {"method": {"name": "sl"}}) == {"method": {"name": "sl"}}
    assert merge(below, {"method": {"name": "xtc"}}) == below


def test_layers_are_not_changed() -> None:
    below = {"method": {"options": {"a": 1}}}
    merge(below, {"method": {"options": {"b": 2}}})
    assert below == {"method": {"options": {"a": 1}}}


def test_set_reads_yaml_values() -> None:
    layer = parse_set(["a.b=1e-4", "a.c=[1, 2]", "d=text", "e=null", "f=a=b"])
    assert layer == {"a": {"b": "1e-4", "c": [1, 2]}, "d": "text", "e": None, "f": "a=b"}


@pytest.mark.parametrize("assignment", ["epochs", "=3", "a=[1", "..=2"])
def test_set_refuses_what_it_cannot_read(assignment: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        parse_set([assignment])


def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_layer(tmp_path / "missing.yaml")
    for text, word in (("- 1", "list"), ("a: [", "YAML"), ("", "NoneType")):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(UsageError, match=word):
            read_layer(tmp_path / "bad.yaml")


def test_numbers_without_a_point_are_numbers_in_options_too() -> None:
    config = resolve(parse_set(["method.options.strength=1e-4", "method.options.name=e4"]))
    assert config.method.options == {"strength": 1e-4, "name": "e4"}


def test_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().epochs = 3


@pytest.mark.parametrize("betas", [[0.9], [0.9, 1.0], [-0.1, 0.9], "high"])
def test_betas_that_cannot_be_are_refused(betas: object) -> None:
    with pytest.raises(ValueError, match=r"`betas` should be a list of 2, each value in \[0, 1\)"):
        OPTIMISERS["adam"].read({"betas": betas})


def test_the_betas_of_version_0_1_are_those_of_its_optimiser() -> None:
    config = resolve({"betas": [0.8, 0.9]})
    assert config.optimizer.name == "adam"
    assert config.optimizer.options == {"betas": [0.8, 0.9]}
    later = resolve(
        {"betas": [0.8, 0.9]}, {"optimizer": {"name": "adam", "options": {"betas": [0.5, 0.6]}}}
    )
    assert later.optimizer.options == {"betas": [0.5, 0.6]}
