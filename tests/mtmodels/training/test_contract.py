"""What members of one's own give is looked at where it is taken, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mtmodels.errors import OutputError
from mtmodels.metrics import METRICS
from mtmodels.scoring.evaluate import evaluate
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import fit, plan, prepare
from tests.batches import SIX, random_batch
from tests.plugin_files import NETWORK, write

LAST = (
    "        return Output({t.name: kind_model(t).activation(x) for t, x in raw.items()}, features)"
)
FORWARDS = {
    "one class more": (
        'raw["semantic"] = F.pad(raw["semantic"], (0, 0, 0, 0, 0, 1))',
        r"`Tiny` should predict `semantic` as \[3, 5, 32, 64\] for 3 images of 32x64; found "
        r"\[3, 6, 32, 64\]",
    ),
    "two depths": (
        'raw["depth"] = raw["depth"].repeat(1, 2, 1, 1)',
        r"`depth` as \[3, 1, 32, 64\].*found \[3, 2, 32, 64\]",
    ),
    "no depth": ('del raw["depth"]', r"should predict `depth`; it predicts `semantic`\."),
    "half size": (
        "raw = {t: x[..., ::2, ::2] for t, x in raw.items()}",
        r"\[3, 5, 32, 64\].*found \[3, 5, 16, 32\]",
    ),
    "one row": (
        "features, raw = features[:1], {t: x[:1] for t, x in raw.items()}",
        r"found \[1, 5, 32, 64\]",
    ),
    "a plain dict": ("return raw", r"should give an `Output` \(mtmodels.Output\); found dict\."),
}


def started(layer: dict[str, Any], out: Path, **changes: Any) -> None:
    """Train for two steps, with a log that tells whether there was one."""
    job = prepare([layer, {"steps": 2, "holdout": 0, **changes}], out=out, mode="new")
    fit(job, mode="new", arguments=[], watcher=Watcher())


@pytest.mark.parametrize("what", FORWARDS)
def test_a_network_that_does_not_fit_its_tasks_trains_no_step(
    what: str, layer: dict[str, Any], tmp_path: Path
) -> None:
    line, told = FORWARDS[what]
    given = "Output({t: x for t, x in raw.items()}, features)"
    text = NETWORK.replace("{task: self", "{task.name: self").replace(
        LAST, f"        {line}\n        return {given}"
    )
    own = {
        "plugins": [str(write(tmp_path, text))],
        "network": {"name": "tiny"},
        "method": {"name": "sl"},
    }
    with pytest.raises(OutputError, match=told):
        started(layer, tmp_path / "run", **own)
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == ""
    with pytest.raises(OutputError, match=told):
        plan(prepare([layer, own], out=None, mode=None))


def test_predictions_of_another_number_of_channels_are_not_scored() -> None:
    batch = random_batch(SIX[:1], 2, (32, 32))
    logits = torch.zeros(2, SIX[0].channels + 1, 32, 32)
    with pytest.raises(OutputError, match=r"`predicted` should predict `semantic` as \[2, "):
        evaluate(_named(lambda image: {"semantic": logits}), [batch], tasks=SIX[:1])
    metric = METRICS["mtpsl"].of(SIX[0])(SIX[0])
    with pytest.raises(ValueError, match="channel"):
        metric.update(logits, batch.labels["semantic"], batch.valid["semantic"])


def _named(function: Any) -> Any:
    function.__name__ = "predicted"
    return function
