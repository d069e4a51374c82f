"""Scoring a run that is there, under any protocol, on any split of its store or another."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtdata import Store, Task
from mtdata.errors import UsageError
from mtdata.progress import Progress
from mtdata.reading.dataset import Dataset, visible_digest
from mtdata.reading.shown import make_dataset
from mtdata.store.format import FULL
from mtdata.urls import StorePath
from mtmodels.errors import MtmodelsError
from mtmodels.metrics.protocols import metric_for
from mtmodels.scoring.evaluation import Evaluation
from mtmodels.scoring.facts import HOLDOUT
from mtmodels.scoring.original import check_scorable
from mtmodels.training.config import Config
from mtmodels.training.finish import keep_scores, scored_split
from mtmodels.training.loop.validation import Scorer
from mtmodels.training.record import checkpoint
from mtmodels.training.setup.data import at_size
from mtmodels.training.setup.loading import TrainedRun, Which, load_network, open_run, run_tasks
from mtmodels.training.setup.making import make_network
from mtmodels.training.setup.paths import seen_from_here
from mtmodels.training.setup.setup import make_fabric
from mtmodels.training.setup.splits import Chosen, choose_splits, held_keys, held_out

APART = frozenset(
    {
        *("data", "seed", "regime", "protocol"),  # a table names them
        *(
            "workers",
            "device",
            "cache",
            "compile",
            "log",
            "log_every",
            "checkpoint_every",
        ),  # no score depends on them
        "plugins",  # what is in them counts, not where they were
        *("size", "recipe"),  # a table names them, or says why a run stands apart
    }
)


def rescore(
    path: Path,
    *,
    split: str | None = None,
    protocol: str | None = None,
    data: StorePath | None = None,
    which: Which | None = None,
    precision: str | None = None,
    jobs: int | None = None,
    thresholds: int | None = None,
    device: str = "auto",
    trust_plugins: bool = False,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Score a run, and keep the scores beside it.

    With a store, checkpoint, precision or thresholds of their own they are not those of the run,
    and are not kept; nor are those of a checkpoint that the run has replaced meanwhile.

    Args:
        path: The run folder.
        split: A split of the store, or `holdout`; None for what the run is scored on: each split
            of role test, or where there is none what chose its epoch. Every label counts.
        protocol: How scores are made; None for the protocol of the run.
        data: A store; None for the one that the run was trained on.
        which: The checkpoint; None for the one that the run selected.
        precision: As for training; None for that of the run.
        jobs: Processes for scores that take long; None for as many as the run reads with.
        thresholds: How many thresholds edges are scored at under `pascal`; None for 99, as
            published.
        device: Where to compute: "auto" for a card where there is one, "cpu" or "cuda".
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.
        progress: Told (batches done, batches, what).

    Returns:
        For each split `run`, `store` (its digest), `split`, `role`, `protocol`, `images`,
        `labelled` (how many of them show each task), `scores`, `selected_on` where scores chose the
        checkpoint, `thresholds` where they were given, and, where there are some, how many images
        are `unlabelled`, or of the training split and `held_out` of training. `unkept` says why
        scores could not be kept.

    Raises:
        RunFolderError: where there is no run or no such checkpoint.
        UsageError: where the store is not where it was, has no such split or task, or lacks what
            the protocol scores against; for thresholds where nothing has any.
        DataError: where a task has another number of classes in the store.
    """
    run = open_run(path, trust_plugins=trust_plugins)
    config = _with(run.config, precision, device)
    with run.open_store(data) as store:
        tasks = run_tasks(run, store)
        splits = choose_splits(config, store)
        whole = datasets_of(run, store, splits, split)
        datasets = [at_size(dataset, config.size) for dataset in whole]
        under = protocol or config.protocol
        for dataset in datasets:
            check_scorable(under, dataset, store)
        if thresholds is not None:
            _check_thresholds(under, tasks)
        weights = checkpoint.digest(run.chosen(which))  # before they are loaded: a run goes on
        scorer = scorer_of(run, config, tasks, which=which)
        found = []
        for dataset in datasets:
            result = scorer.score(
                dataset, under, jobs=jobs, thresholds=thresholds, keep=True, progress=progress
            )[0]
            # Nobody chose the last checkpoint, but where the run ends with it.
            where = scored_split(dataset, splits, config, chosen=which != "last")
            given = {} if thresholds is None else {"thresholds": thresholds}
            about = {"run": str(path), "store": store.content_digest, **where}
            about |= _apart_in(dataset, store, splits, config)
            found.append(({**about, **result.to_json(), **given}, result))
    if data is None and which is None and precision is None and thresholds is None:
        for one, result in found:
            if unkept := _keep(run, one, result, weights):
                one["unkept"] = unkept
    return [one for one, _ in found]


def _keep(run: TrainedRun, scored: Mapping[str, Any], result: Evaluation, weights: str) -> str:
    """Keep scores of a checkpoint that is still the one of the run; else says why not."""
    try:
        now = checkpoint.digest(run.chosen())
    except MtmodelsError:  # another run takes the place of this one
        now = ""
    if now != weights:
        return "the run went on meanwhile, and these are of a checkpoint that it has no more"
    try:
        keep_scores(run.folder, scored, result)
    except OSError as error:
        return f"{run.folder.scores} cannot be written ({error.strerror})"
    return ""


def _apart_in(dataset: Dataset, store: Store, splits: Chosen, config: Config) -> dict[str, int]:
    """How many images of a split show no label, and how many training did not see."""
    found = {"unlabelled": int((~dataset.labelled.any(1)).sum())}
    if dataset.split.name in splits.train and config.held_share:
        _, held = held_keys(config, store, splits.train)
        found["held_out"] = len(set(dataset.keys) & held)
    return {name: n for name, n in found.items() if n}


def scorer_of(
    run: TrainedRun, config: Config, tasks: Sequence[Task], *, which: Which | None = None
) -> Scorer:
    """What scores with a checkpoint of a run, on the device of a configuration.

    Raises:
        RunFolderError: where there is no such checkpoint.
        DataError: where a task has another number of classes than it was trained on.
    """
    network = make_network(config, tasks, pretrained=False)
    load_network(network, run.chosen(which))
    return Scorer.of(network, make_fabric(config)[0], config)


def datasets_of(run: TrainedRun, store: Store, splits: Chosen, split: str | None) -> list[Dataset]:
    """What to score: a split by name, the hold-out of the run, or what the run is scored on."""
    config = seen_from_here(run.config, run.facts, run.folder.path)
    names = list(config.tasks or ())
    wanted = [split] if split is not None else list(splits.scored) or [HOLDOUT]
    if wanted == [HOLDOUT] and HOLDOUT not in store.splits:
        if not config.held_share:
            why = f", as `select: paper` left its holdout of {config.holdout:g} out"
            raise UsageError(
                "--split holdout is for a run that was trained with --holdout; this one kept "
                f"nothing away{why if config.holdout else ''}. The store has "
                f"{', '.join(store.splits)}."
            )
        whole = store.dataset(splits.train, names, config.regime, anyway=config.filled_anyway)
        seen = visible_digest(whole)
        if run.facts.get("labels", seen) != seen:
            raise UsageError(
                f"the hold-out of {run.folder.path} should be scored on the labels that it had; "
                f"the regime `{config.regime}` shows others now. Bring back that regime, or name a "
                "split."
            )
        if whole.added is not None:
            whole = make_dataset(
                store, splits.train, tasks=names, regime=whole.added.base, bare=True
            )
        return [whole.subset(held_out(config, whole.keys))]
    return [store.dataset(one, names, FULL) for one in wanted]


def scores_of(run: TrainedRun, *, split: str | None = None) -> list[dict[str, Any]]:
    """What has been scored of a run, in the form that `mtmodels.scoring.compare` reads.

    Args:
        run: The run.
        split: The split; None for all splits of role test.
    """
    config = run.config
    facts = run.facts["store"]
    return [
        {
            "name": run.folder.path.name,
            "folder": str(run.folder.path.resolve()),
            "protocol": scored["protocol"],
            "dataset": run.dataset,
            "split": scored["split"],
            "role": scored.get("role", ""),
            "images": scored.get("images"),
            "labelled": scored.get("labelled"),
            "scores": scored["scores"],
            "size": run.facts.get("size"),
            "units": facts.get("units"),
            "origin": facts.get("origin"),
            # Runs of before kept scores of their own store alone.
            "store": scored.get("store", facts["content_digest"]),
            "labels": run.facts.get("labels"),
            "method": config.method.name,
            "network": config.network.label,
            "weighting": config.weighting.name,
            "regime": config.regime,
            "drawn": run.facts.get("drawn"),
            "seed": config.seed,
            "steps": run.steps,
            "note": _note(scored, whole=run.folder.is_complete()),
            "apart": config.recipe.apart,
            "samples": scored["samples"],
            "classes": {
                task["name"]: task["names"] for task in facts.get("tasks", []) if "names" in task
            },
            "logs": [str(run.folder.metrics)] if run.folder.metrics.is_file() else [],
            **settings_of(config),
            "plugins": [_plugin(one) for one in run.facts.get("plugins", [])],
        }
        for scored in run.scored(split)
    ]


def kept_scores(run: TrainedRun) -> list[dict[str, Any]]:
    """All that was scored of a run, as `scores_of`: test, val, train, its own protocol first."""
    rows = [row for split in run.scored_splits() for row in scores_of(run, split=split)]
    roles = {"test": 0, "val": 1}
    rows.sort(key=lambda row: (roles.get(row["role"], 2), row["protocol"] != run.config.protocol))
    return rows


def _plugin(entry: Mapping[str, Any]) -> str:
    """A plug-in by its name, with the beginning of the digest of its file."""
    digest = entry.get("sha256", "")[:8]
    return f"{entry['name']} {digest}" if digest else str(entry["name"])


def _note(scored: Mapping[str, Any], *, whole: bool) -> str:
    """What to know before a score is quoted: whether it chose the epoch that it is of.

    One of a run that is not done is no seed beside others, either.
    """
    on = str(scored.get("selected_on", "")).split("+")
    # Runs of version 0.1 say "test" whatever the split was called that chose.
    chose = scored["split"] in on or ("role" not in scored and on == ["test"])
    told = [f"chosen on the {scored['split']} split"] if chose else []
    return ", ".join([*told, *([] if whole else ["not done"])])


def settings_of(config: Config) -> dict[str, Any]:
    """What seeds of one entry share, besides what a table names."""
    values = config.to_dict()
    devices, nodes = values.pop("devices"), values.pop("nodes")
    # A batch norm sees the part of a process.
    values["processes"] = 1 if config.sync_norm else devices * nodes
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


def _with(config: Config, precision: str | None, device: str) -> Config:
    update = {"device": device, "precision": precision or config.precision}
    return config.model_copy(update=update)
