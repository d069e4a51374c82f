"""Scoring a run that is there, under any protocol, on any split of its store or another."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mtdata import Task
from mtdata.errors import UsageError
from mtmodels.metrics.protocols import metric_for
from mtmodels.scoring.original import check_scorable
from mtmodels.training.config import Config
from mtmodels.training.finish import marks
from mtmodels.training.loop.validation import Scorer
from mtmodels.training.record.runfolder import write_json
from mtmodels.training.setup.loading import TrainedRun, Which, load_network, open_run, run_tasks
from mtmodels.training.setup.making import make_network
from mtmodels.training.setup.setup import make_fabric

Report = Callable[[int, int, str], None]

APART = frozenset(
    {
        *("data", "seed", "regime", "protocol"),  # a table names them
        *("workers", "devices", "log_every", "checkpoint_every"),  # no score depends on them
        "plugins",  # what is in them counts, not where they were
    }
)


def rescore(
    path: Path,
    *,
    split: str = "test",
    protocol: str | None = None,
    data: Path | None = None,
    which: Which | None = None,
    precision: str | None = None,
    jobs: int | None = None,
    thresholds: int | None = None,
    trust_plugins: bool = False,
    progress: Report | None = None,
) -> dict[str, Any]:
    """Score a run, and keep the scores beside it.

    With a store, checkpoint, precision or thresholds of their own they are not those of the run,
    and are not kept.

    Args:
        path: The run folder.
        split: A split of the store; every label of it counts.
        protocol: How scores are made; None for the protocol of the run.
        data: A store; None for the one that the run was trained on.
        which: The checkpoint; None for the one that the run selected.
        precision: As for training; None for that of the run.
        jobs: Processes for scores that take long; None for as many as the run reads with.
        thresholds: How many thresholds edges are scored at under `pascal`; None for 99, as
            published.
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.
        progress: Told (batches done, batches, what).

    Returns:
        `run`, `split`, `protocol`, `images`, `scores`, `selected_on` where the test split chose the
        checkpoint, and `thresholds` where they were given.

    Raises:
        RunFolderError: where there is no run or no such checkpoint.
        UsageError: where the store is not where it was, has no such split or task, or lacks what
            the protocol scores against; for thresholds where nothing has any.
        DataError: where a task has another number of classes in the store.
    """
    run = open_run(path, trust_plugins=trust_plugins)
    config = _with(run.config, precision)
    with run.open_store(data) as store:
        tasks = run_tasks(run, store)
        dataset = store.dataset(split, [task.name for task in tasks], "full")
        under = protocol or config.protocol
        check_scorable(under, dataset, store)
        if thresholds is not None:
            _check_thresholds(under, tasks)
        network = make_network(config, tasks, pretrained=False)
        load_network(network, run.chosen(which))
        scorer = Scorer.of(network, make_fabric(config)[0], config)
        result = scorer.score(dataset, under, jobs=jobs, thresholds=thresholds, progress=progress)[
            0
        ]
    found = {"run": str(path), "split": split, **result.to_json()}
    if thresholds is not None:
        found["thresholds"] = thresholds
    if which != "last":
        # Nobody chose the last checkpoint; where the run ends with it, nothing was marked anyway.
        found |= marks(config)
    if data is None and which is None and precision is None and thresholds is None:
        run.folder.scores.mkdir(exist_ok=True)
        write_json(run.folder.scores / f"{split}-{result.protocol}.json", found)
    return found


def scores_of(run: TrainedRun, *, split: str = "test") -> list[dict[str, Any]]:
    """What has been scored of a run, in the form that `mtmodels.scoring.compare` reads."""
    config = run.config
    return [
        {
            "name": run.folder.path.name,
            "protocol": scored["protocol"],
            "dataset": run.dataset,
            "split": split,
            "scores": scored["scores"],
            "size": run.facts.get("size"),
            "units": run.facts["store"].get("units"),
            "store": run.facts["store"]["content_digest"],
            "labels": run.facts.get("labels"),
            "method": config.method.name,
            "network": config.network.name,
            "weighting": config.weighting.name,
            "regime": config.regime,
            "seed": config.seed,
            "note": "chosen on the test split" if scored.get("selected_on") else "",
            **_settings(config),
            "plugins": [one.get("sha256", one["name"]) for one in run.facts.get("plugins", [])],
        }
        for scored in run.scored(split)
    ]


def _settings(config: Config) -> dict[str, Any]:
    """What seeds of one entry share, besides what a table names."""
    values = config.to_dict()
    for part in ("method", "network", "weighting"):
        values[f"{part}_options"] = {k: v for k, v in values.pop(part).items() if k != "name"}
    return {key: value for key, value in values.items() if key not in APART}


def _check_thresholds(protocol: str, tasks: Sequence[Task]) -> None:
    """Refuse an option that would change nothing."""
    metrics = [metric_for(task, protocol) for task in tasks]
    if not any("thresholds" in metric.takes for metric in metrics):
        raise UsageError(
            "`thresholds` should go with the protocol `pascal` and a run that has edges; found "
            f"`{protocol}` and {', '.join(task.name for task in tasks)}. Leave --thresholds out."
        )


def _with(config: Config, precision: str | None) -> Config:
    return config if precision is None else config.model_copy(update={"precision": precision})
