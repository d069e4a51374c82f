"""A run writes down all that it was made of, so that no default decides anything later."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtmodels.errors import RunFolderError
from mtmodels.methods import METHODS
from mtmodels.networks import NETWORKS
from mtmodels.options import options_of
from mtmodels.training.config import Config
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.training.loop.schedules import Cosine
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.run import prepare
from mtmodels.training.setup.loading import open_run
from mtmodels.training.setup.resolve import read_layer, resolve
from mtmodels.training.setup.settle import settle_options
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train


@pytest.fixture
def older(whole: Path, tmp_path: Path) -> Path:
    """The same run as it was written down before: the options that were given alone."""
    shutil.copytree(whole, tmp_path / "older")
    config = RunFolder(tmp_path / "older").config
    stored = read_layer(config)
    for part in ("network", "weighting", "schedule"):
        stored[part]["options"] = {}
    stored["method"]["options"] = {"lambda": 0.1}
    config.write_text(yaml.safe_dump(stored, sort_keys=False))
    return tmp_path / "older"


def test_every_option_is_written_down(whole: Path) -> None:
    stored = read_layer(RunFolder(whole).config)
    assert stored["method"]["options"] == options_of(METHODS["xtc"]) | {"lambda": 0.1}
    assert stored["network"]["options"] == {
        "encoder_rate": 1.0,
        "feature_stride": 32,
        "freeze_encoder": 0,
        "freeze_norm": False,
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
    }
    assert stored["weighting"]["options"] == {"form": "xtasc"}
    assert stored["schedule"]["options"] == {"warmup": 0.0, "final": 0.0}


@pytest.mark.parametrize(
    "layer",
    [
        *({"method": {"name": name}} for name in METHODS),
        *({"network": {"name": name}} for name in NETWORKS),
        *({"schedule": {"name": name}} for name in SCHEDULES),
        *({"optimizer": {"name": name}} for name in OPTIMISERS),
        {"weighting": {"name": "fixed"}},
    ],
    ids=str,
)
def test_settled_options_are_plain_and_stay_as_they_are(layer: dict[str, Any]) -> None:
    config = settle_options(resolve(layer))
    assert resolve(yaml.safe_load(config.to_yaml())) == config
    assert resolve(json.loads(json.dumps(config.to_dict()))) == config
    assert settle_options(config) == config


def test_what_cannot_be_is_left_to_those_who_refuse_it() -> None:
    config = resolve({"method": {"name": "xtx"}, "network": {"options": {"width": 2.0}}})
    settled = settle_options(config)
    assert settled.method == config.method
    assert settled.network.options["width"] == 2.0


def test_a_default_that_changes_later_changes_no_run(
    whole: Path, layer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(Cosine):
        warmup: float = 0.5
        final: float = 0.5

    monkeypatch.setitem(SCHEDULES._members, "cosine", Other)
    job = prepare([layer], out=whole, mode="resume")
    assert job.config.schedule.options == {"warmup": 0.0, "final": 0.0}


def test_a_run_of_before_is_resumed_and_stays_as_it_is(
    run: Train, whole: Path, older: Path
) -> None:
    before = RunFolder(older).config.read_bytes()
    shutil.rmtree(RunFolder(older).last)
    assert run(older, mode="resume").config == read_config(whole)
    assert RunFolder(older).config.read_bytes() == before
    prepare([], out=older, mode="resume")
    assert_same_run(older, whole)


def test_a_run_of_before_compares_as_one_of_now(whole: Path, older: Path) -> None:
    assert open_run(older).config == open_run(whole).config == read_config(whole)


@pytest.mark.parametrize("which", ["whole", "older"])
def test_only_what_differs_is_named(which: str, whole: Path, older: Path) -> None:
    out = whole if which == "whole" else older
    for same in ({"lambda": 0.1}, {"consistency_weight": 0.1}, {"target": "soft"}):
        prepare([{"method": {"options": same}}], out=out, mode="resume")
    for given, told in (
        ({"method": {"options": {"lambda": 0.2}}}, "`method.options.lambda` is 0.1 there and 0.2"),
        ({"method": {"name": "align"}}, "`method.name` is xtc there and align"),
        ({"network": {"width": 1.0}}, "`network.width` is 0.125 there and 1.0"),
        ({"schedule": {"options": {"warmup": 0.1}}}, "`schedule.options.warmup` is 0.0 there an"),
        ({"views": {"count": 2}}, "`views.count` is 1 there and 2"),
    ):
        with pytest.raises(RunFolderError) as caught:
            prepare([given], out=out, mode="resume")
        assert f"as it was begun; {told}" in str(caught.value)
        assert str(caught.value).count(" there and ") == 1


def read_config(run: Path) -> Config:
    return resolve(read_layer(RunFolder(run).config))
