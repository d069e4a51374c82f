"""The end of a run: scores, pictures, curves, report."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtdata.errors import DataError, MtdataError
from mtdata.reading.dataset import Dataset
from mtmodels.metrics import METRICS
from mtmodels.metrics.scores import to_json
from mtmodels.scoring.evaluation import Evaluation
from mtmodels.scoring.facts import HOLDOUT
from mtmodels.scoring.samples import SUFFIX
from mtmodels.training.config import Config, RecipePart
from mtmodels.training.loop.trainer import Trainer
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record import checkpoint
from mtmodels.training.record.plots import draw_curves
from mtmodels.training.record.predictions import draw_predictions
from mtmodels.training.record.runfolder import RunFolder, read_facts, write_bytes, write_json
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.dryrun import count, peak_memory_mb
from mtmodels.training.setup.setup import Parts
from mtmodels.training.setup.splits import Chosen

CHOSE = "are better than what the network does on new images"
ON_TEST = (
    "The checkpoint was chosen by its scores on the test split (select: paper), as the papers did. "
    f"These scores {CHOSE}."
)
ON_SELECTION = (
    "There is no split of role test: these scores are of the images that chose the checkpoint, and "
    f"{CHOSE}."
)


@dataclass(frozen=True)
class Finished:
    """What a run ended with.

    Args:
        summary: The object that `mttrain --json` prints.
        files: What to look at: scores, curves, pictures, report.
    """

    summary: dict[str, Any]
    files: Mapping[str, Path]


def finish(
    config: Config, data: RunData, parts: Parts, *, trainer: Trainer, watcher: Watcher
) -> Finished:
    """Score the checkpoint that counts, draw and write everything but the report."""
    folder, engine = trainer.folder, parts.engine
    place = folder.last if config.select == "last" else folder.best
    engine.method.load_state_dict(checkpoint.load_weights(place))
    if not _was_done(trainer):
        for file in folder.scores.glob("*.json"):  # of other weights, as `eval` kept them
            file.unlink()
            file.with_suffix(SUFFIX).unlink(missing_ok=True)
    results = [(of, one) for of in data.scored for one in score(of, parts, watcher)]
    scores = [_write_scores(folder, config, data, of=of, result=one) for of, one in results]
    pictures: list[Path] = []
    with _not_needed("predictions", watcher):
        pictures = draw_predictions(
            engine.method.predict,
            data.test,
            data.tasks,
            folder=folder.predictions,
            device=engine.fabric.device,
            precision=engine.fabric.autocast,
        )
    with _not_needed("curves", watcher):
        draw_curves(folder.metrics, folder.curves, title=folder.path.name)
    summary = _summary(config, data, parts, trainer, results)
    ended: dict[str, dict[str, Any]] = {}
    for of, one in results:
        split = scored_split(of, data.splits, config)["split"]
        ended.setdefault(split, {})[one.protocol] = one.scores
    trainer.logs.end(ended, pictures, step=trainer.position().step)
    write_json(folder.summary, summary)
    files = {"scores": scores[0]}
    if folder.curves.is_file():
        files["curves"] = folder.curves
    if pictures:
        files["predictions"] = pictures[0]
    return Finished(summary, files | {"report": folder.report})


@contextmanager
def _not_needed(pictures: str, watcher: Watcher) -> Iterator[None]:
    """Go on without pictures that fail: a training is more than they are.

    What the system says is not swallowed: on a full disk the rest fails, too.
    """
    try:
        yield
    except (OSError, MtdataError):
        raise
    except Exception as error:  # of matplotlib, in whatever words
        watcher.say(
            f"The pictures of the {pictures} failed ({type(error).__name__}: {error}); the run "
            "goes on without them."
        )


def score(dataset: Dataset, parts: Parts, watcher: Watcher) -> list[Evaluation]:
    """Score a split under every protocol that scores all tasks, the run's own first.

    What takes long, or is for one data set, is scored where it is the run's own alone.
    """
    own = parts.engine.config.protocol
    protocols = [own, *(p for p in METRICS if p != own and not METRICS[p].asked)]
    able = [p for p in protocols if all(t.kind.name in METRICS[p] for t in dataset.tasks)]
    return parts.scorer.score(dataset, *able, keep=True, progress=watcher.scoring)


def _write_scores(
    folder: RunFolder, config: Config, data: RunData, *, of: Dataset, result: Evaluation
) -> Path:
    where = scored_split(of, data.splits, config)
    about = {"run": str(folder.path), "store": data.store.content_digest, **where}
    return keep_scores(folder, {**about, **result.to_json()}, result)


def keep_scores(folder: RunFolder, scored: Mapping[str, Any], result: Evaluation) -> Path:
    """Write scores into a run folder, and beside them what each image adds."""
    path = folder.scores / f"{scored['split']}-{result.protocol}.json"
    folder.scores.mkdir(exist_ok=True)
    if result.samples is not None:
        write_bytes(path.with_suffix(SUFFIX), result.samples.to_bytes())
    write_json(path, scored)
    return path


def apart_text(recipe: RecipePart) -> str:
    """Why scores do not stand for the row of a recipe; empty where they may."""
    if not recipe.apart:
        return ""
    name = f"`{recipe.name}`" if recipe.name else "its recipe"
    return f"Scores apart from those of {name}: {'; '.join(recipe.apart)}."


def scored_split(
    dataset: Dataset, splits: Chosen, config: Config, *, chosen: bool = True
) -> dict[str, Any]:
    """What scores are of: `split`, `role`, and `selected_on` where scores chose the checkpoint.

    Where they do not stand for the row of a recipe, `recipe` and, `apart`, why not.

    Args:
        dataset: What was scored.
        splits: The splits of the run.
        config: How the run selected.
        chosen: Whether the checkpoint is the one that the run selected.
    """
    name, role = dataset.split.name, dataset.split.role
    where = (
        {"split": name, "role": role}
        if role != "train" or dataset.indices is None
        else {"split": HOLDOUT, "role": "val"}
    )
    selected_on = splits.selected_on(config.select)
    apart = config.recipe.apart
    return (
        where
        | ({"selected_on": "+".join(selected_on)} if selected_on and chosen else {})
        | ({"recipe": config.recipe.name, "apart": list(apart)} if apart else {})
    )


def _summary(
    config: Config,
    data: RunData,
    parts: Parts,
    trainer: Trainer,
    results: Sequence[tuple[Dataset, Evaluation]],
) -> dict[str, Any]:
    of, first = results[0]
    return {
        "run": str(trainer.folder.path),
        "method": config.method.name,
        "network": config.network.label,
        "weighting": config.weighting.name,
        "regime": config.regime,
        "epochs": config.epochs,
        "steps": trainer.position().step,
        **_cost(trainer),
        "precision": parts.precision.name,
        "parameters": count(parts.engine.method),
        "parameters_inference": count(parts.engine.method.network),
        "select": config.select,
        "protocol": first.protocol,
        "images": first.images,
        "labelled": dict(first.labelled),
        "scores": to_json(first.scores),
    } | scored_split(of, data.splits, config)


def _was_done(trainer: Trainer) -> bool:
    """Whether the run was complete before, and nothing is trained since."""
    return trainer.clock.steps == 0 and trainer.folder.is_complete()


def _cost(trainer: Trainer) -> dict[str, Any]:
    """What the training took; of one that was done already, what it took then."""
    now = {
        "seconds": trainer.clock.total(),
        "samples_per_second": trainer.clock.rate(),
        "data_wait": trainer.clock.wait_share(),
        "peak_memory_mb": peak_memory_mb(),
    }
    if not _was_done(trainer):
        return now
    try:
        before = read_facts(trainer.folder.summary)
    except DataError:  # damaged: it is written anew
        return now
    return {key: before.get(key, value) for key, value in now.items()}


def warning(config: Config, *, tested: bool) -> str | None:
    """What a reader has to know before believing a number; None where there is nothing.

    Args:
        config: How the run selected, and of what recipe it is.
        tested: Whether there is a split of role test.
    """
    chose = None if tested or config.select == "last" else ON_SELECTION
    if config.select == "paper":
        chose = ON_TEST
    told = [part for part in (apart_text(config.recipe), chose) if part]
    return " ".join(told) or None
