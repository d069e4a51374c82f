"""Every optimiser learns from batches that show some tasks only, and resumes to the last bit."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mtdata.errors import UsageError
from mtmodels.methods.mtpsl import MTPSL
from mtmodels.training.loop import OPTIMISERS
from mtmodels.training.loop.groups import can_fuse
from mtmodels.training.loop.optimisers import light
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import KillAt, Killed
from tests.quick import few


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_gradient_may_come_late_and_a_kill_changes_nothing(
    name: str, run: Train, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {
        "optimizer": {"name": name},
        "method": {"name": "sl", "options": {}},
        "regime": "one",
        "batch": 1,
        "epochs": 1,
    }
    run(tmp_path / "whole", **changes)
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillAt(5), checkpoint_every=2, **changes)
    run(tmp_path / "run", mode="resume", checkpoint_every=2, **changes)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("name", OPTIMISERS)
def test_one_descends(name: str) -> None:
    x = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    fused = can_fuse(x.device, "32")
    made = OPTIMISERS[name]().make([{"params": [x]}], lr=0.05, fused=fused)
    for _ in range(200):
        made.zero_grad()
        x.square().sum().backward()
        made.step()
    assert x.abs().max() < 0.1


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_a_light_one_does_what_that_of_torch_does(kind: Any) -> None:
    def trained(kind: Any) -> tuple[torch.Tensor, dict[str, Any]]:
        x = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
        made = kind([x], lr=0.05, weight_decay=0.1)
        for _ in range(3):
            made.zero_grad()
            x.pow(4).sum().backward()
            made.step()
        again = kind([x], lr=0.05)
        again.load_state_dict(made.state_dict())
        again.step()
        assert not x.detach().isnan().any()
        return x.detach(), again.state_dict()

    (ours, own), (theirs, wanted) = trained(light(kind)), trained(kind)
    assert torch.equal(ours, theirs)
    assert own["param_groups"] == wanted["param_groups"]
    assert repr(own["state"]) == repr(wanted["state"])
    assert light(kind).__name__ == kind.__name__


def test_the_decay_of_a_group_stands_above_that_of_the_optimiser() -> None:
    one, other = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    groups: list[dict[str, Any]] = [{"params": [one]}, {"params": [other], "weight_decay": 0.0}]
    made = OPTIMISERS["adamw"].read({"weight_decay": 0.5}).make(groups, lr=0.1, fused=False)
    one.grad, other.grad = torch.zeros(2), torch.zeros(2)
    made.step()
    torch.testing.assert_close(one.detach(), torch.full((2,), 0.95))
    assert torch.equal(other.detach(), torch.ones(2))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_decay_may_leave_norms_and_biases_alone(name: str, run: Train, tmp_path: Path) -> None:
    # What has no gradient moves by its decay alone; fused optimisers skip it, so the groups tell.
    options = {"weight_decay": 0.1, "decays": "weights"}
    trainer = run(
        tmp_path / "run", optimizer={"name": name, "options": options}, weighting={"name": "equal"}
    )
    groups = trainer.engine.optimizer.param_groups
    decays = {group["weight_decay"] for group in groups}
    assert decays == {0.0, 0.1}
    for group in groups:
        assert all((p.ndim < 2) == (group["weight_decay"] == 0) for p in group["params"])
    everything = [p for group in groups for p in group["params"]]
    assert len(everything) == len(list(trainer.engine.method.parameters()))


def test_decay_leaves_the_factors_of_conditioning_alone(run: Train, tmp_path: Path) -> None:
    """FiLM has a column of them for each code: matrices, and no weights."""
    options = {"weight_decay": 0.1, "decays": "weights"}
    trainer = run(
        tmp_path / "run",
        optimizer={"name": "adamw", "options": options},
        method={"name": "mtpsl", "options": {"film_rate": 10.0}},
        weighting={"name": "equal"},
    )
    method = trainer.engine.method
    assert isinstance(method, MTPSL)
    film = {id(p) for p in method.joint.film_parameters()}
    assert film
    for group in trainer.engine.optimizer.param_groups:
        assert not group["weight_decay"] or film.isdisjoint(map(id, group["params"]))


@pytest.mark.parametrize("name", few(["sgd", "adamw"], ["sgd"]))
def test_groups_of_decay_resume_to_the_last_bit(name: str, run: Train, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "optimizer": {"name": name, "options": {"weight_decay": 0.1, "decays": "weights"}},
        "schedule": {"name": "poly", "options": {"warmup": 0.2, "per": "step"}},
        "epochs": 2,
    }
    run(tmp_path / "whole", **changes)
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillAt(4), checkpoint_every=2, **changes)
    run(tmp_path / "run", mode="resume", checkpoint_every=2, **changes)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_options_that_only_together_cannot_be_leave_no_run_folder(
    run: Train, tmp_path: Path
) -> None:
    """Torch refused them behind the first file of the run, which then stood in the way."""
    options = {"nesterov": True, "momentum": 0.0}
    wrong = {"optimizer": {"name": "sgd", "options": options}}
    with pytest.raises(UsageError, match="optimiser `sgd`: `nesterov` should go with a `momentum`"):
        run(tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()
