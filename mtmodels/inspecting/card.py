"""What is known of a run, for a model card: nothing is guessed, and what is unknown is None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtdata import Depth, Task
from mtdata.errors import MtdataError
from mtdata.progress import Progress
from mtdata.sources.licences import licences_of
from mtdata.tasks.kinds import Classes
from mtmodels.inspecting.card_text import markdown
from mtmodels.inspecting.runs import Found, look
from mtmodels.inspecting.show import progress_text
from mtmodels.methods import METHODS
from mtmodels.metrics.scores import to_json
from mtmodels.networks import NETWORKS
from mtmodels.scoring.entries import EntryMaker
from mtmodels.scoring.intervals import Estimate, Resampler
from mtmodels.scoring.run_scores import RunScores
from mtmodels.training.record.manifest import command_line
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.rescore import kept_scores
from mtmodels.training.setup.beginning import labels
from mtmodels.training.setup.data import RunData, open_data
from mtmodels.training.setup.loading import TrainedRun, open_run
from mtmodels.training.setup.resolve import read_layer
from mtmodels.weightings import WEIGHTINGS

FEW = 100
"""Labels of a task below which a card names it."""
OPTIONS = ("batch", "lr", "gradient_clip", "precision", "views", "augmentation")
"""Keys of the configuration that a card shows, beside optimiser and schedule."""


@dataclass(frozen=True)
class Card:
    """A model card.

    Args:
        facts: All that it says, as plain values.
    """

    facts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As plain values; NaN is None."""
        return dict(to_json(self.facts))

    def markdown(self) -> str:
        """As Markdown, with the YAML head that model hubs read."""
        return markdown(self.to_json())


def card(path: Path, *, progress: Progress | None = None) -> Card:
    """Put together what is known of a run.

    The folder is enough. Where the store of the run is there, too, the labels that training saw
    are read, to know which classes they lack.

    Args:
        path: The run folder.
        progress: Told about labels read.

    Raises:
        RunFolderError: where it is none.
        UsageError: where its configuration cannot be read.
    """
    run, found = open_run(path, plugins=False), look(path)
    summary = read_layer(run.folder.summary) if run.folder.is_complete() else {}
    data = _open(run)
    try:
        seen = _seen(run, data, progress)
    finally:
        if data is not None:
            data.store.close()
    known: dict[str, Any] = {
        "run": run.folder.path.resolve().name,
        "path": str(path),
        "state": found.state,
        "progress": progress_text(found),
        "predicts": _predicts(run),
        "model": _model(run, summary),
        "data": {
            "dataset": run.dataset,
            "licences": licences_of(run.dataset),
            "content_digest": run.facts["store"]["content_digest"],
            "size": run.facts.get("size"),
            "regime": run.config.regime,
            **seen,
            "added": run.facts.get("added"),
        },
        "training": _training(run, summary, found),
        "selection": _selection(run, summary),
        "scores": _scores(run),
    }
    return Card({**known, "limits": _limits(run, known)})


def _predicts(run: TrainedRun) -> list[dict[str, Any]]:
    """What each task is; of a run of version 0.1 whose store is gone, the names alone."""
    names = list(run.config.tasks or ())
    try:
        tasks = {one["name"]: Task.from_json(one) for one in run.known()["tasks"]}
    except (MtdataError, OSError):
        return [{"task": name} for name in names]
    found = []
    for name in names:
        kind = tasks[name].kind
        known: dict[str, Any] = {"task": name, "kind": kind.name, "units": kind.units}
        known |= {"classes": list(kind.names)} if isinstance(kind, Classes) else {}
        known |= {"inverse": kind.inverse} if isinstance(kind, Depth) else {}
        found.append(known)
    return found


def _model(run: TrainedRun, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Network, method and weighting, with what they are from."""
    config = run.config
    members: dict[str, Any] = {"network": NETWORKS, "method": METHODS, "weighting": WEIGHTINGS}
    found: dict[str, Any] = {}
    for family, registry in members.items():
        name = getattr(config, family).name
        member = registry.get(name)  # None for that of a plug-in, whose code is not run here
        found[family] = {
            "name": config.network.label if family == "network" else name,
            "summary": getattr(member, "summary", None),
            "reference": getattr(member, "reference", None),
        }
    return found | {
        "width": config.network.width,
        "encoder_weights": config.network.encoder_weights,
        "parameters": summary.get("parameters"),
        "parameters_inference": summary.get("parameters_inference"),
    }


def _open(run: TrainedRun) -> RunData | None:
    """The data of the run, where its store is there and shows the same labels."""
    try:
        with run.open_store() as store:
            path = str(store.path)
        data = open_data(run.config.model_copy(update={"data": path, "cache": "none"}))
    except (MtdataError, OSError):
        return None
    if run.facts.get("labels", data.visible) != data.visible:
        data.store.close()
        return None
    return data


def _seen(run: TrainedRun, data: RunData | None, progress: Progress | None) -> dict[str, Any]:
    """What training saw: as it was written down; of a run of before, what its store says."""
    counts = run.facts.get("training") or (None if data is None else data.seen)
    never = None if data is None else _never_seen(data, progress)
    none = dict.fromkeys(("splits", "images", "labels", "held_out", "left_out"))
    return {**none, **(counts or {}), "never_seen": never}


def _never_seen(data: RunData, progress: Progress | None) -> dict[str, list[str]]:
    """For each task with classes, those without a pixel in any label that training saw."""
    tasks = [task for task in data.tasks if isinstance(task.kind, Classes)]
    total, done = sum(data.labels[task.name] for task in tasks), 0
    found = {}
    for task in tasks:
        there = np.zeros(task.channels, np.bool_)
        for label, valid in labels(data.train, task, len(data.train)):
            there |= np.bincount(label[valid].ravel(), minlength=task.channels) > 0
            done += 1
            if progress is not None:
                progress(done, total, "labels")
        assert isinstance(task.kind, Classes)
        found[task.name] = [task.kind.names[i] for i in np.flatnonzero(~there)]
    return found


def _training(run: TrainedRun, summary: Mapping[str, Any], found: Found) -> dict[str, Any]:
    """How it was trained."""
    facts, config = run.facts, run.config.to_dict()
    given = facts.get("arguments")
    return {
        # A run that Python began has none.
        "command": command_line(["mttrain", *given]) if given else None,
        "created": facts.get("created"),
        "seconds": summary.get("seconds"),
        "steps": 0 if found.stage else found.step,
        "of_steps": found.steps,
        "epochs": config.get("epochs"),
        "seed": config["seed"],
        "optimizer": config["optimizer"],
        "schedule": config["schedule"],
        **{key: config[key] for key in OPTIONS},
        "precision": summary.get("precision", config["precision"]),
        "peak_memory_mb": summary.get("peak_memory_mb"),
        "recipe": config["recipe"]["name"],
        "apart": list(run.config.recipe.apart),
        "plugins": [one["name"] for one in facts.get("plugins", [])],
        "runs": sorted(facts.get("runs", {})),
        "versions": facts.get("versions", {}),
        "host": facts.get("host", {}),
    }


def _selection(run: TrainedRun, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Which epoch counts, and what chose it."""
    folder, select = run.folder, run.config.select
    rows = read_rows(folder.metrics, "epoch") if folder.metrics.is_file() else []
    best = [row["epoch"] for row in rows if row.get("best")]
    chosen = best[-1] if best and select != "last" else None
    return {
        "select": select,
        "holdout": run.config.held_share,
        "selected_on": summary.get("selected_on"),
        "epoch": chosen,
    }


def _scores(run: TrainedRun) -> list[dict[str, Any]]:
    """All that was kept, the protocol of the run first, with intervals from draws of the images."""
    rows = kept_scores(run)
    trained = run.facts["store"]["content_digest"]
    found = []
    for row in rows:
        resampler = Resampler()
        entry = EntryMaker(None, (), resampler).of_runs([RunScores.from_json(row)])
        tasks = {
            task: {
                name: _estimate(value, entry.intervals.get(task, {}).get(name))
                for name, value in of_task.items()
            }
            for task, of_task in entry.scores.items()
        }
        found.append(
            {
                "split": row["split"],
                "role": row["role"],
                "protocol": row["protocol"],
                "images": row["images"],
                "labelled": row["labelled"],
                "chose": bool(row["note"]),
                "other_store": row["store"] if row["store"] != trained else None,
                "no_intervals": resampler.reasons.get(row["name"]),
                "scores": tasks,
            }
        )
    return found


def _estimate(value: Any, one: Any) -> Any:
    """A score with its interval, of each class one."""
    if isinstance(value, list):
        each = one if isinstance(one, list) else [None] * len(value)
        return [_estimate(v, e) for v, e in zip(value, each, strict=True)]
    known = one if isinstance(one, Estimate) else Estimate(value)
    return known.to_json() | {"value": value}


def _limits(run: TrainedRun, known: Mapping[str, Any]) -> list[str]:
    """What is known to speak against taking the network for more than it is."""
    data, scores, found = known["data"], known["scores"], list[str]()
    if known["state"] != "done":
        found.append(
            f"The run is not done: {known['state']} at {known['progress']}. What is said here is "
            "of that moment."
        )
    for one in scores:
        if one["other_store"]:
            found.append(
                f"The scores of {one['split']} under {one['protocol']} are of another store "
                f"({one['other_store'][:12]}) than the run was trained on "
                f"({data['content_digest'][:12]})."
            )
    for split in dict.fromkeys(one["split"] for one in scores if one["chose"]):
        found.append(
            f"The checkpoint was chosen by its scores on {split}: those scores are better than "
            "what the network does on new images."
        )
    if not any(one["role"] == "test" for one in scores):
        found.append("There are no scores of a split of role test.")
    if known["training"]["apart"]:
        found.append(
            f"The scores do not stand for the recipe `{known['training']['recipe']}`: "
            f"{'; '.join(known['training']['apart'])}."
        )
    if "+" not in run.dataset:
        found.append(
            f"Trained on one data set, {run.dataset}; its scores say nothing of other images."
        )
    found += _labels(data)
    for one in scores[:1]:
        found += _unscored(one, known["predicts"])
    found.append(
        "One run of one seed: how much its scores vary from seed to seed is not known from it."
    )
    if any(task.get("units") == "metres" for task in known["predicts"]):
        found.append(
            "Depth in metres is that of the camera of the training images; nothing corrects for "
            "another focal length."
        )
    return found


def _labels(data: Mapping[str, Any]) -> list[str]:
    """What is known to lack in the labels."""
    found, counts = [], data["labels"]
    few = [f"{task} ({n})" for task, n in (counts or {}).items() if n < FEW]
    if few:
        found.append(f"Tasks of which training saw fewer than {FEW} labels: {', '.join(few)}.")
    if data["never_seen"] is None:
        found.append(
            "Whether training saw every class is not known: its store is not here, or shows other "
            "labels by now."
        )
    for task, names in (data["never_seen"] or {}).items():
        if names:
            found.append(f"Classes of {task} that training never saw: {', '.join(names)}.")
    return found


def _unscored(scored: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Classes that no image of a split has, which nothing is known of."""
    found = []
    for task in tasks:
        each = scored["scores"].get(task["task"], {}).get("iou")
        names = task.get("classes", [])
        if not isinstance(each, list) or len(each) != len(names):
            continue
        lacks = [n for n, e in zip(names, each, strict=True) if not np.isfinite(e["value"])]
        if lacks:
            found.append(
                f"Classes of {task['task']} without a score on {scored['split']}, neither labelled "
                f"nor predicted there: {', '.join(lacks)}."
            )
    return found
