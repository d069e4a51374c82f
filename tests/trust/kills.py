"""Trainings that are killed again and again, and end as if nothing had happened, bit for bit.

A trial is one training: a method with views, stages or averages of its own, and, drawn, a
weighting, a batch in parts, a cache, one device or two. It is killed some times at any moment of
its start, its steps, checkpoints and scores: all of its processes, as when the power fails, or one,
as when memory runs out. Each start has another number of workers. Then it is left alone, and
compared with one that never was killed.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml

from mtmodels.training.record.runfolder import RunFolder
from tests.mtmodels.training.comparing import assert_same_run
from tests.processes.forked import command, start
from tests.runs.small_run import small_layer, small_store
from tests.trust.trial import EXACT, FOREIGN, REFUSED, UNCLEAR, WRONG, Ended, Trial, foreign

Rng = np.random.Generator
KILLS = 5
"""Of a training."""
SECONDS = 400
"""After which a training is taken to hang; on a busy machine two devices take a minute."""
FREED = 30
"""Seconds that processes may take to notice that another is gone."""
_MAPPING = {"mapping": "segnet", "mapping_width": 0.0625}
METHODS: dict[str, dict[str, Any]] = {
    "sl": {},
    "ssl": {"distance": "loss"},
    "mtpsl": {
        **_MAPPING, "mapping_epochs": 1, "soft": True, "centre": True, "clip": "apart",
        "with_ssl": True,
    },
    "mtpsl, helpful pairs": {
        **_MAPPING, "helpful_pairs": True, "helpful_every": 2, "helpful_batches": 1,
    },
    "teacher": {"begin": 0.0, "mix": "classes"},
    "xtc": {"lambda": 0.1},
    "x-task": {"mapping_width": 0.03125, "mapping_epochs": 1},
    "jtr": {"auto_encoder_width": 0.0625},
    "contrastive": {**_MAPPING, "negatives": "all"},
}  # fmt: skip
"""What is killed, with options that keep most between steps."""
TWO_VIEWS = {"ssl", "mtpsl", "teacher", "contrastive"}
IN_PARTS = ("equal", "uncertainty", "dwa", "adaptive-variance")
"""Weightings that take a batch in parts."""
AT_ONCE = ("gradnorm", "rlw", "pcgrad", "mgda", "imtl-g", "upgrad", "gradvac", "graddrop")


@dataclass(frozen=True)
class Training:
    """A configuration, and where its runs are.

    Args:
        what: For people.
        layer: The configuration.
        folder: Where runs and the file of the configuration go.
    """

    what: str
    layer: dict[str, Any]
    folder: Path

    def words(self, out: str, workers: int) -> list[str]:
        """What begins it or goes on."""
        recipe = self.folder / "recipe.yaml"
        recipe.write_text(yaml.safe_dump(self.layer), encoding="utf-8")
        # A run that is whole is left as it is by `--resume`; one that is not there is begun.
        return ["--recipe", str(recipe), "--workers", str(workers), "--out", out, "--resume"]


def draw(rng: Rng, data: Path, folder: Path) -> Training:
    """A training with much that has to be kept."""
    name = list(METHODS)[int(rng.integers(len(METHODS)))]
    method = name.partition(",")[0]
    accumulate = int(rng.choice([1, 2]))
    weighting = str(rng.choice(IN_PARTS if accumulate > 1 else AT_ONCE))
    changed: dict[str, Any] = {
        "method": {"name": method, "options": METHODS[name]},
        "weighting": {"name": weighting},
        "regime": str(
            rng.choice(["full", "one"] if method in {"sl", "ssl", "teacher"} else ["full"])
        ),
        "batch": 4,
        "epochs": 4,
        "gradient_clip": 5.0,
        "accumulate": accumulate,
        "devices": int(rng.choice([1, 1, 2])),
        "cache": str(rng.choice(["none", "memory", "device"])),
        "checkpoint_every": [None, 1, 2][int(rng.integers(3))],
        "views": {"count": 2 if method in TWO_VIEWS else 1},
        "precision": str(rng.choice(["32", "bf16"])),
        "select": "holdout",
        "device": "cpu",
    }
    shown = ("regime", "accumulate", "devices", "cache", "checkpoint_every", "precision")
    told = ", ".join(f"{key} {changed[key]}" for key in shown)
    return Training(f"{name}, {weighting}, {told}", {**small_layer(data), **changed}, folder)


def ended(training: Training, out: str, workers: int, kill_at: float | None, rng: Rng) -> Ended:
    """Begin it or go on, and kill it after some seconds unless it has ended by then."""
    told = training.folder / ".told"
    told.unlink(missing_ok=True)
    began = time.monotonic()
    running = start(
        command, ("mttrain", training.words(out, workers)), folder=training.folder, told=told
    )
    if kill_at is not None:
        running.process.join(kill_at)
        kill(running.pid, rng)
    code, said = running.wait(SECONDS)
    return Ended(code, said, time.monotonic() - began)


def kill(pid: int, rng: Rng) -> None:
    """Kill all processes of a training, or any one of them."""
    try:
        main = psutil.Process(pid)
        family: Sequence[psutil.Process] = [main, *main.children(recursive=True)]
    except psutil.NoSuchProcess:
        return  # it had ended
    if rng.random() < 0.5:
        family = [family[int(rng.integers(len(family)))]]
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue


def difference(training: Training) -> str | None:
    """How the run that was killed differs from the other; None where it does not."""
    killed, whole = training.folder / "killed", training.folder / "whole"
    try:
        assert_same_run(killed, whole)
    except AssertionError as error:
        return f"differs: {error}"
    for file in RunFolder(whole).scores.glob("*.json"):
        ours, theirs = (
            json.loads((run / "scores" / file.name).read_text(encoding="utf-8"))
            for run in (killed, whole)
        )
        if ours["scores"] != theirs["scores"]:
            return f"{file.name} differs"
    return None


def trial(training: Training, rng: Rng) -> Trial:
    """Train it whole; train it with kills; compare."""
    whole = ended(training, "whole", 0, None, rng)
    if whole.code == 2 and not foreign(whole.said):
        return Trial(training.what, REFUSED, whole.told)  # these do not go together
    if whole.code != 0:
        return Trial(training.what, UNCLEAR, whole.told)
    times = rng.uniform(0, 1.1 * whole.seconds, KILLS).tolist()
    codes = []
    for at in (*times, None):
        until = time.monotonic() + FREED
        while True:
            one = ended(training, "killed", int(rng.integers(3)), at, rng)
            if one.code != 3 or time.monotonic() > until:
                break  # 3: processes of the one before are still there
            time.sleep(0.5)
        codes.append(one.code)
        if one.code is not None and one.code >= 0 and foreign(one.said):
            return Trial(training.what, FOREIGN, one.told)
    what = f"{training.what}; ended with {codes}"
    if codes[-1] != 0:
        return Trial(what, UNCLEAR, one.told)
    differs = difference(training)
    return Trial(what, WRONG if differs else EXACT, differs or "")


def trials(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """Kill trainings."""
    data, rng = small_store(folder), np.random.default_rng(seed)
    for _ in range(count):
        place = folder / "training"
        place.mkdir()
        yield trial(draw(rng, data, place), rng)
        shutil.rmtree(place)
