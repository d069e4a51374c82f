"""Runs with two views, and methods with networks and rates of their own."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from mtdata.errors import UsageError
from mtmodels.methods import METHODS
from mtmodels.training.loop.schedules import Position
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.run import prepare
from mtmodels.training.setup.setup import assemble
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import KillAt, Killed
from tests.quick import few

SMALL: dict[str, Any] = {"mapping": "segnet", "mapping_width": 0.0625}
MTPSL: dict[str, Any] = {
    "name": "mtpsl",
    "options": {**SMALL, "film_schedule": {"name": "step", "options": {"every": 1}}},
}
APART: dict[str, Any] = {
    **SMALL,
    "soft": True,
    "clip": "apart",
    "with_ssl": True,
    "ssl_distance": "loss",
}

RESUMED: dict[str, dict[str, Any]] = {
    "mtpsl": {"method": MTPSL},
    "ssl": {"method": {"name": "ssl"}},
    "ssl, loss": {"method": {"name": "ssl", "options": {"distance": "loss"}}},
    "mtpsl, apart": {"method": {"name": "mtpsl", "options": APART}, "gradient_clip": 0.1},
    "teacher": {"method": {"name": "teacher", "options": {"begin": 0.0, "mix": "classes"}}},
    "geometry": {"method": {"name": "geometry"}, "tasks": ["depth", "normals"]},
    "sl": {"method": {"name": "sl"}},
    "direct-map": {"method": {"name": "direct-map", "options": {"mapping_width": 0.03125}}},
    "perceptual-map": {"method": {"name": "perceptual-map", "options": {"mapping_width": 0.03125}}},
    "contrastive": {"method": {"name": "contrastive", "options": {**SMALL, "negatives": "all"}}},
    "discriminator": {"method": {"name": "discriminator", "options": SMALL}},
    "dropout": {"method": {"name": "sl"}, "network": {"name": "deeplab-resnet18", "width": 0.125}},
}

QUICK = ("teacher",)
"""What keeps most: an average of the weights, and draws."""


@pytest.mark.parametrize("name", few(RESUMED, QUICK))
def test_killed_and_resumed(run: Train, tmp_path: Path, name: str) -> None:
    changes: dict[str, Any] = {**RESUMED[name], "views": {"count": 2}, "holdout": 0.0}
    run(tmp_path / "whole", **changes)
    with pytest.raises(Killed):
        run(tmp_path / "killed", watcher=KillAt(4), checkpoint_every=1, **changes)
    run(tmp_path / "killed", mode="resume", **changes)
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


def test_film_follows_a_schedule_of_its_own(run: Train, tmp_path: Path) -> None:
    trainer = run(
        tmp_path / "run", method=MTPSL, schedule={"name": "constant"}, holdout=0.0, epochs=3
    )
    rates = [group["lr"] for group in trainer.engine.optimizer.param_groups]
    # The network, the mapping, FiLM after two halvings, and what the weighting learns.
    assert rates == pytest.approx([1e-3, 1e-3, 10 * 1e-3 / 4, 1e-3])


def test_a_method_says_how_many_views_it_wants(run: Train, tmp_path: Path) -> None:
    for name, views in {"sl": 1, "mtpsl": 2}.items():
        assert METHODS[name].default_views == views
    trainer = run(tmp_path / "run", method={"name": "ssl"}, epochs=1)
    assert trainer.config.views.count == 2
    assert "count: 2" in RunFolder(tmp_path / "run").config.read_text()


def test_one_view_is_refused_where_two_are_compared(run: Train, tmp_path: Path) -> None:
    for method in ({"name": "ssl"}, {"name": "mtpsl", "options": {**SMALL, "with_ssl": True}}):
        with pytest.raises(
            UsageError, match=r"method `.*`--views` should be 2 or more for.*found 1"
        ):
            run(tmp_path / "run", method=method, views={"count": 1})
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["contrastive", "discriminator"])
def test_one_image_is_refused_where_images_are_compared(
    run: Train, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match=r"a batch should have 2 images or more.*found 1.*--batch"):
        run(tmp_path / "run", method={"name": name, "options": SMALL}, batch=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"name": "stairs"}, r"schedule `stairs`"),
        ({"name": "step", "options": {"every": 0}}, r"`every` should be a whole number, 1 or more"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_early(
    run: Train, tmp_path: Path, schedule: dict[str, Any], message: str
) -> None:
    method = {"name": "mtpsl", "options": {**SMALL, "film_schedule": schedule}}
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "run", method=method)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"name": "ssl", "options": {"distance": "hard"}}, r"distance `hard`.*: loss, squared"),
        (
            {"name": "mtpsl", "options": {"with_ssl": True, "ssl_distance": "soft"}},
            r"distance `soft`.*: loss, squared",
        ),
        ({"name": "mtpsl", "options": {"clip": "never"}}, r"clip `never`.*: apart, together"),
        ({"name": "mtpsl", "options": {"soft": "very"}}, r"`soft`"),
        ({"name": "mtpsl", "options": APART}, r"`gradient_clip` should be a limit.*found none"),
    ],
    ids=str,
)
def test_what_cannot_be_told_is_refused(
    run: Train, tmp_path: Path, method: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "run", method=method)
    assert not (tmp_path / "run").exists()


GROUPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "split": {
        "network": {"name": "unet", "options": {"encoder_rate": 0.5}},
        "optimizer": {"name": "adamw", "options": {"decays": "weights"}},
    },
}


@pytest.mark.parametrize("name", few(["mtpsl", "discriminator"], ["mtpsl"]))
@pytest.mark.parametrize("groups", GROUPS)
def test_what_is_clipped_apart_has_a_norm_of_its_own(
    layer: dict[str, Any], tmp_path: Path, name: str, groups: str
) -> None:
    def gradients(clip: str, limit: float | None) -> tuple[dict[str, torch.Tensor], float]:
        method = {"name": name, "options": {**SMALL, "clip": clip}}
        changes = GROUPS[groups] | {"regime": "full", "method": method, "gradient_clip": limit}
        job = prepare([layer, changes], out=tmp_path / "run", mode=None)
        parts = assemble(job.config, job.data)
        engine = parts.engine
        engine.train()
        own = [*engine.method.named_parameters(), *engine.weighting.named_parameters()]
        found: dict[str, torch.Tensor] = {}

        def keep() -> None:
            found.update({key: p.grad.clone() for key, p in own if p.grad is not None})

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine.optimizer, "step", keep)
            batch = next(iter(parts.loader.epoch(0)))
            result = engine.step([batch], Position(0, len(parts.loader), 1, None))
        return found, result.gradient_norm

    def inside(key: str) -> bool:
        return key.startswith(("joint.", "discriminator."))

    whole, norm = gradients("together", None)
    norms = {
        of: math.sqrt(sum(float(g.square().sum()) for k, g in whole.items() if inside(k) == of))
        for of in (False, True)
    }
    assert norm == pytest.approx(math.hypot(*norms.values()), rel=1e-4)
    limit = min(norms.values()) / 2
    shares = {"together": dict.fromkeys(norms, limit / norm)}
    shares["apart"] = {of: limit / own for of, own in norms.items()}
    for clip, expected in shares.items():
        clipped, told = gradients(clip, limit)
        assert told == pytest.approx(norm)  # what is logged is the norm of all, before
        assert clipped.keys() == whole.keys()
        for key, gradient in clipped.items():
            torch.testing.assert_close(
                gradient, whole[key] * expected[inside(key)], rtol=1e-3, atol=1e-7
            )
    # A group that keeps below the limit is left as it is.
    between = sum(norms.values()) / 2
    small = min(norms, key=lambda of: norms[of])
    for key, gradient in gradients("apart", between)[0].items():
        if inside(key) == small:
            assert torch.equal(gradient, whole[key])


def test_what_is_logged_names_the_pairs(run: Train, tmp_path: Path) -> None:
    run(tmp_path / "run", method=MTPSL, epochs=1)
    rows = RunFolder(tmp_path / "run").metrics.read_text().splitlines()
    step = next(row for row in map(json.loads, rows) if row.get("auxiliary"))
    assert step["auxiliary"]["consistency"] > 0
    assert any(name.startswith("consistency/") for name in step["parts"])


def test_predicts_without_the_mapping(run: Train, tmp_path: Path) -> None:
    trainer = run(tmp_path / "run", method=MTPSL, epochs=1)
    method = trainer.engine.method.eval()
    image = torch.rand(1, 3, 32, 64)
    before = method.predict(image)
    for parameter in method.joint.parameters():
        parameter.data = torch.full_like(parameter, float("nan"))
    for name, prediction in method.predict(image).items():
        assert torch.equal(prediction, before[name])
