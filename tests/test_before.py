"""What was made with version 0.1.0 is read, resumed and trained on as it was then.

`python -m tests.fixtures.make` made the stores, the runs and the numbers. They are not to be made
again to let a test pass: a user has such files, too.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from tests import before
from tests.quick import few

SAME, OTHER_KERNELS = 1e-6, 1e-3


@pytest.fixture(autouse=True)
def one_thread_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dot for each picture: to draw the curves of a run takes longer than the run."""

    def dot(figure: Figure, file: Any, **options: Any) -> None:
        Image.new("L", (1, 1)).save(file, "PNG")

    monkeypatch.setattr(Figure, "savefig", dot)


def assert_as_before(found: Any, recorded: Any, made_with: dict[str, str] | None = None) -> None:
    """Numbers that were made with the same kernels, or with none, are those of before.

    Another version of torch, or a processor with other instructions, adds the same numbers in
    another order. The last digits differ then, and each step of a training makes more of it; the
    norm of the gradient makes too much of it to be compared.
    """
    same = made_with in (None, before.environment())
    wrong = list(before.differences(found, recorded, SAME if same else OTHER_KERNELS))
    wrong = [text for text in wrong if same or "gradient_norm" not in text]
    # Since 0.2.0 a share of 0 in the first epoch improves too, by what it has then.
    wrong = [text for text in wrong if "/improvement: " not in text]
    assert not wrong, "\n".join(wrong[:10])


@pytest.mark.parametrize("name", before.STORES)
def test_a_store_holds_what_it_held(name: str) -> None:
    store = before.FOLDER / f"{name}.h5"
    assert_as_before(before.contents(store), before.recorded("stores")[name])
    verified = before.call(mtdata, "verify", store, "--json")
    assert '"ok": true' in verified


def test_a_finished_run_is_scored_as_before(tmp_path: Path) -> None:
    run, made = before.unpack("finished", tmp_path), before.recorded("runs")
    told = before.call(mtmodels, "eval", run, "--data", before.ROOMS, "--json")
    scores = made["runs"]["finished"]["scores"]
    assert_as_before(json.loads(told)["scores"], scores, made["made_with"])


def test_a_finished_run_predicts_as_before(tmp_path: Path) -> None:
    run, made = before.unpack("finished", tmp_path), before.recorded("runs")
    found = before.predictions(run, tmp_path / "out")
    recorded = made["runs"]["finished"]["predictions"]
    assert_as_before(found, recorded, made["made_with"])


def test_a_finished_run_is_compared_as_before(tmp_path: Path) -> None:
    run, made = before.unpack("finished", tmp_path), before.recorded("runs")
    told = before.call(mtmodels, "compare", run, "--baseline", run, "--json")
    # Nothing is computed but means of scores that the run holds. More is told of them by now.
    recorded = made["runs"]["finished"]["tables"]
    assert_as_before(_told_before(json.loads(told)["tables"], recorded), recorded)


def _told_before(found: Any, recorded: Any) -> Any:
    """What was found, without what nothing was recorded of."""
    if isinstance(found, dict) and isinstance(recorded, dict):
        return {k: _told_before(v, recorded[k]) for k, v in found.items() if k in recorded}
    if isinstance(found, list) and isinstance(recorded, list) and len(found) == len(recorded):
        return [_told_before(a, b) for a, b in zip(found, recorded, strict=True)]
    return found


@pytest.mark.parametrize("name", few(before.HALF, ["mtpsl"]))
def test_a_stopped_run_comes_to_the_same_end(name: str, tmp_path: Path) -> None:
    run, made = before.unpack(name, tmp_path), before.recorded("runs")
    recorded = made["runs"][name]
    assert before.rows(run)[-1]["step"] == recorded.pop("stopped_after")
    before.resume(run)
    assert_as_before(before.end_of(run), recorded, made["made_with"])


@pytest.mark.parametrize("name", few(before.TWENTY, ["mtpsl"]))
def test_twenty_steps_have_the_same_losses(name: str, tmp_path: Path) -> None:
    made = before.recorded("losses")
    recorded = made["runs"][name]
    assert len(recorded["steps"]) == 20
    found = before.steps(recorded["layer"], tmp_path / name)
    assert_as_before(found, recorded["steps"], made["made_with"])


def test_a_small_difference_is_told() -> None:
    recorded = {"loss": [1.0, None], "task": "depth"}
    assert not list(before.differences({"loss": [1 + 5e-7, None], "task": "depth"}, recorded, SAME))
    for other in (
        {"loss": [1 + 2e-6, None], "task": "depth"},
        {"loss": [1.0, 0.0], "task": "depth"},
        {"loss": [1.0], "task": "depth"},
        {"loss": [1.0, None], "task": "edges"},
        {"loss": [1.0, None]},
    ):
        assert list(before.differences(other, recorded, SAME))
