"""The end of a run: scores on the test split, pictures, curves, report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtmodels.metrics import METRICS
from mtmodels.metrics.scores import to_json
from mtmodels.scoring.evaluate import Evaluation
from mtmodels.training.config import Config
from mtmodels.training.loop.trainer import Trainer
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record import checkpoint
from mtmodels.training.record.plots import draw_curves
from mtmodels.training.record.predictions import draw_predictions
from mtmodels.training.record.report import page
from mtmodels.training.record.runfolder import RunFolder, write_json, write_text
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.dryrun import count, peak_memory_mb
from mtmodels.training.setup.setup import Parts

ON_TEST = (
    "The checkpoint was chosen by its scores on the test split (select: paper), as the papers did. "
    "These scores are better than what the network does on new images."
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
    """Score the checkpoint that counts, draw and write everything, the summary last."""
    folder, engine = trainer.folder, parts.engine
    place = folder.last if config.select == "last" else folder.best
    engine.method.load_state_dict(checkpoint.load_weights(place))
    results = score(data, parts, watcher)
    scores = [_write_scores(folder, config, data.test.split.name, result) for result in results]
    pictures = draw_predictions(
        engine.method.predict,
        data.test,
        data.tasks,
        folder=folder.predictions,
        device=engine.fabric.device,
        precision=engine.fabric.autocast,
    )
    draw_curves(folder.metrics, folder.curves, title=folder.path.name)
    summary = _summary(config, parts, trainer, results)
    write_text(folder.report, _report(config, folder, summary, results, pictures))
    write_json(folder.summary, summary)
    files = {
        "scores": scores[0],
        "curves": folder.curves,
        "predictions": pictures[0],
        "report": folder.report,
    }
    return Finished(summary, files)


def score(data: RunData, parts: Parts, watcher: Watcher) -> list[Evaluation]:
    """Score the test split under every protocol that scores all tasks, the run's own first.

    What takes long, or is for one data set, is scored where it is the run's own alone.
    """
    own = parts.engine.config.protocol
    protocols = [own, *(p for p in METRICS if p != own and not METRICS[p].asked)]
    able = [p for p in protocols if all(t.kind.name in METRICS[p] for t in data.tasks)]

    def report(done: int, total: int, _: str) -> None:
        watcher.evaluating("score", done, total)

    return parts.scorer.score(data.test, *able, progress=report)


def _write_scores(folder: RunFolder, config: Config, split: str, result: Evaluation) -> Path:
    path = folder.scores / f"{split}-{result.protocol}.json"
    write_json(path, {"run": str(folder.path), "split": split, **result.to_json()} | marks(config))
    return path


def marks(config: Config) -> dict[str, Any]:
    """What has to stand beside every score of the checkpoint that a run chose."""
    return {"selected_on": "test"} if config.select == "paper" else {}


def _summary(
    config: Config, parts: Parts, trainer: Trainer, results: list[Evaluation]
) -> dict[str, Any]:
    seconds = trainer.clock.total()
    return {
        "run": str(trainer.folder.path),
        "method": config.method.name,
        "network": config.network.name,
        "weighting": config.weighting.name,
        "regime": config.regime,
        "epochs": config.epochs,
        "steps": trainer.position().step,
        "seconds": seconds,
        "samples_per_second": trainer.clock.rate(),
        "data_wait": trainer.clock.wait_share(),
        "peak_memory_mb": peak_memory_mb(),
        "precision": parts.precision.name,
        "parameters": count(parts.engine.method),
        "parameters_inference": count(parts.engine.method.network),
        "select": config.select,
        "protocol": results[0].protocol,
        "scores": to_json(results[0].scores),
    } | marks(config)


def _report(
    config: Config,
    folder: RunFolder,
    summary: dict[str, Any],
    results: list[Evaluation],
    pictures: list[Path],
) -> str:
    facts = {key: value for key, value in summary.items() if key not in ("scores", "protocol")}
    return page(
        title=folder.path.name,
        summary=facts,
        scores={result.protocol: result.scores for result in results},
        config=config.to_yaml(),
        curves=folder.curves,
        pictures=pictures,
        warning=ON_TEST if config.select == "paper" else None,
    )
