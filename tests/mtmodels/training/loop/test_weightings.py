"""Every weighting trains where batches show some tasks only, and resumes to the last bit."""

from pathlib import Path
from typing import Any

import pytest

from mtmodels.weightings import WEIGHTINGS
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import KillAt, Killed
from tests.quick import few

SOLVERS = {"cagrad": "cvxpy", "nash-mtl": "ecos"}


QUICK = ("dwa", "gradnorm", "gradvac")
"""State of its own, weights that learn, an aggregator with a memory; `make slow` has the others."""


@pytest.mark.parametrize("name", few([n for n in WEIGHTINGS if n not in ("fixed", "equal")], QUICK))
def test_a_kill_changes_nothing(name: str, run: Train, tmp_path: Path) -> None:
    if name in SOLVERS:
        pytest.importorskip(SOLVERS[name], reason="the extra `solvers` is not installed")
    changes: dict[str, Any] = {
        "weighting": {"name": name},
        "method": {"name": "sl", "options": {}},
        "regime": "one",
        "batch": 2,
        "epochs": 2,
    }
    run(tmp_path / "whole", **changes)
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillAt(5), checkpoint_every=2, **changes)
    run(tmp_path / "run", mode="resume", checkpoint_every=2, **changes)
    assert_same_run(tmp_path / "run", tmp_path / "whole")
