"""A whole run: check, train, score, write."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from mtdata.errors import UsageError
from mtdata.plugins import load_plugin
from mtdata.reading.cache import Cache
from mtdata.reading.resident import Resident
from mtdata.wording import counted
from mtmodels import processes
from mtmodels.errors import InterruptedRun
from mtmodels.metrics.scores import Scores
from mtmodels.training.config import Config
from mtmodels.training.finish import Finished, finish
from mtmodels.training.loop import randomness
from mtmodels.training.loop.compiling import decide
from mtmodels.training.loop.schedules import Position
from mtmodels.training.loop.signals import Stopped, stopping
from mtmodels.training.loop.trainer import Trainer, Validate
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record import checkpoint
from mtmodels.training.record.logs import Draw, Logs, check_logs
from mtmodels.training.record.predictions import draw_predictions
from mtmodels.training.record.runfolder import Mode, RunFolder, room_for, write_text
from mtmodels.training.setup.alike import check_alike
from mtmodels.training.setup.beginning import begin, selecting
from mtmodels.training.setup.claiming import claim, continued, logs_before, relocated
from mtmodels.training.setup.data import RunData, default_out, open_data
from mtmodels.training.setup.dryrun import Plan, measure
from mtmodels.training.setup.fitting import check_asked
from mtmodels.training.setup.resolve import read_layer, resolve
from mtmodels.training.setup.settle import settle, settle_options
from mtmodels.training.setup.setup import Parts, assemble
from mtmodels.training.telling import planned, tell, tell_resumed

DECIDES = (
    *("tasks", "network", "method", "weighting", "optimizer", "batch", "accumulate", "views"),
    *("device", "devices", "nodes", "sync_norm"),
)
"""What, beside the machine, says whether a compiled network is faster."""


@dataclass(frozen=True)
class Job:
    """A run that is about to begin, checked but not written."""

    config: Config
    data: RunData
    folder: RunFolder
    notes: tuple[str, ...] = ()
    """What to tell a person before it begins."""


def prepare(
    layers: Sequence[Mapping[str, Any]],
    *,
    out: str | Path | None,
    mode: Mode | None,
    trust_plugins: bool = False,
) -> Job:
    """Resolve the configuration, open the data, look at the folder; nothing is written.

    The plug-ins that the configuration names are loaded; a run that goes on uses its own copies.

    Args:
        layers: Parts of the configuration, later ones win.
        out: The run folder; None for one named after data, method, network, regime and seed.
        mode: What to do where a run is there already; None to not look, for a plan.
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.

    Raises:
        UsageError: for a configuration that cannot be, and a plug-in that cannot be used.
        RunFolderError: where the folder may not be used, or is a run of another configuration.
    """
    out = None if out is None else Path(out)
    if out is not None and mode is not None and RunFolder(out).check(mode):
        config = continued(RunFolder(out), layers, trust_plugins=trust_plugins)
        check_logs(config.log)
        given = any("data" in layer for layer in layers)
        config = relocated(config, RunFolder(out), data=given)
        data = open_data(config)
        return Job(settle(config, data), data, RunFolder(out))
    config = resolve(*layers)
    _check_selection(config)
    check_logs(config.log)
    for plugin in config.plugins:
        load_plugin(plugin)
    data = open_data(config)
    config, notes = begin(config, data)
    if out is None:  # named after what `begin` decided as well
        out = default_out(settle_options(config), data.store.dataset_name, data.regime)
        if mode is not None and RunFolder(out).check(mode):
            return prepare(layers, out=out, mode=mode, trust_plugins=trust_plugins)
    check_asked(config, layers)
    config, told = selecting(settle(config, data), data, layers)
    return Job(config, data, RunFolder(out), (*notes, *told))


def _check_selection(config: Config) -> None:
    """Refuse what runs of before took: images held out beside a test split that chooses."""
    if config.select == "paper" and config.holdout:
        raise UsageError(
            "--select paper, under which the test split chooses the epoch and training sees every "
            f"image, should come without --holdout; found {config.holdout:g}. Leave one of them "
            "out."
        )


def train(
    job: Job, *, mode: Mode, arguments: Sequence[str] = (), watcher: Watcher | None = None
) -> Finished:
    """Train to the end, score the test split, write everything.

    Args:
        job: What `prepare` gave.
        mode: What to do where a run is there already.
        arguments: The command line, for the manifest.
        watcher: Who is told.

    Raises:
        UsageError: for names, options and sizes that cannot be.
        DivergedError: where a loss is not finite.
        InterruptedRun: where somebody asked to stop; the run is saved then.
        FullDiskError: where there is no room for what it writes.
    """
    watcher = watcher or Watcher()
    check_processes(job.config)
    with room_for(job.folder.path), _ended_by_signals(job.folder):
        parts, trainer = fit(job, mode=mode, arguments=arguments, watcher=watcher)
        processes.leave()
        with job.folder.held(), _logging(trainer.logs):
            finished = finish(job.config, job.data, parts, trainer=trainer, watcher=watcher)
            trainer.logs.close()
            # Not before the first step: templates take a sixth of a second to import.
            from mtmodels.training.reporting.report import write_report

            # Behind the summary: a run is complete without it, and `mtmodels report` makes it.
            write_report(job.folder, job.data.scored, parts.scorer)
            return finished


def assist(job: Job, *, mode: Mode) -> None:
    """Do the steps of a training along with the first process, which does all that `train` does.

    Errors are those of `train`.
    """
    check_processes(job.config)
    with _ended_by_signals(job.folder):
        fit(job, mode=mode, arguments=(), watcher=Watcher())
        processes.leave()


@contextmanager
def _ended_by_signals(folder: RunFolder) -> Iterator[None]:
    """Say how a run goes on that is asked to stop where there is no step to finish."""
    try:
        with stopping():
            yield
    except Stopped as stopped:
        if not folder.is_run():
            raise  # nothing is written yet
        stages = map(RunFolder, folder.stage("").glob("*"))
        saved = any(checkpoint.exists(one.last, one.best) for one in (folder, *stages))
        raise InterruptedRun(
            folder.path, None, by=stopped.by, saved=saved, complete=folder.is_complete()
        ) from None


def check_processes(config: Config) -> None:
    """Refuse to train with more or fewer processes than the configuration says.

    Raises:
        UsageError: with what to do.
    """
    if processes.count() != config.processes:
        raise UsageError(
            f"`devices` x `nodes` should be the processes that train together; found "
            f"{config.devices} x {config.nodes}, and {processes.count()} that "
            f"{'was' if processes.count() == 1 else 'were'} started. Give `mttrain` the --devices "
            "and --nodes that torchrun or srun starts, or have it start them itself."
        )


def fit(
    job: Job, *, mode: Mode, arguments: Sequence[str], watcher: Watcher
) -> tuple[Parts, Trainer]:
    """Train to the end; arguments and errors are those of `train`. Logs are left open.

    Of several processes the first alone writes.
    """
    first = processes.is_first()
    parts = assemble(job.config, job.data)
    check_alike(job.config, job.data, parts, job.folder)
    before = logs_before(job.folder) if mode == "resume" else ()
    draw = _drawing(job.data, parts)
    logs = Logs(_heard(job.config), job.folder, say=watcher.say, draw=draw, before=before)
    with job.folder.held() if first else nullcontext():
        goes_on = first and claim(
            job.folder,
            job.config,
            job.data,
            mode=mode,
            arguments=arguments,
            runs=parts.runs,
            say=watcher.say,
        )
        goes_on = any(processes.gathered(goes_on))
        tell(job.data, parts, job.folder, notes=job.notes, watcher=watcher)
        if job.data.cache is not None:
            _fill(job.data.cache, job.config, watcher)
        # Nothing of ours draws from the global generators; a library's layer may.
        randomness.seed_global(job.config.seed)
        _stages(job, parts, watcher, before=before)
        if parts.config.compile != "off":
            _settle_compile(job, parts, watcher)
        trainer = Trainer(
            parts.engine,
            parts.loader,
            folder=job.folder,
            validate=_validation(job.data, parts, watcher) if first else None,
            selects=job.config.select in ("holdout", "val", "paper"),
            watcher=watcher,
            logs=logs,
        )
        with closing(trainer), _logging(logs):
            if goes_on:
                tell_resumed(trainer, found=trainer.resume(), watcher=watcher)
            trainer.fit()
    return parts, trainer


def plan(job: Job) -> Plan:
    """What the run would take; nothing is written."""
    randomness.seed_global(job.config.seed)
    parts = assemble(job.config, job.data)
    notes = planned(job.data, parts, notes=job.notes)
    return measure(job.config, job.data, parts, notes=notes)


def _settle_compile(job: Job, parts: Parts, watcher: Watcher) -> None:
    """Find out whether the network runs compiled, and write it down for a run that goes on."""
    engine = parts.engine
    position = Position(0, len(parts.loader), job.config.epochs, job.config.steps)
    steps = list(islice(parts.loader.steps(0), 2))
    values = job.config.to_dict()
    about = {key: values[key] for key in DECIDES} | {
        "precision": parts.precision.name,
        "size": job.data.size,
    }
    engine.train()
    verdict = decide(engine, steps, position, about)
    watcher.say(verdict.told)
    engine.compile(on=verdict.on)
    parts.config = parts.config.model_copy(update={"compile": "on" if verdict.on else "off"})
    if processes.is_first():
        stored = read_layer(job.folder.config)
        told = {**stored, "compile": parts.config.compile}
        write_text(job.folder.config, yaml.safe_dump(told, sort_keys=False))


def _stages(job: Job, parts: Parts, watcher: Watcher, *, before: Sequence[str]) -> None:
    """What comes before the first step; a run that is past it takes the results from `last`."""
    begun = checkpoint.exists(job.folder.last, job.folder.best)
    for stage in parts.method.stages():
        if not begun:
            engine = parts.engine_of(stage)
            folder = RunFolder(job.folder.stage(stage.name))
            if processes.is_first():
                folder.path.mkdir(parents=True, exist_ok=True)
            logs = Logs(_heard(engine.config), folder, say=watcher.say, before=before)
            trainer = Trainer(engine, parts.loader, folder=folder, watcher=watcher, logs=logs)
            with closing(trainer), _logging(logs):
                trainer.resume()
                try:
                    trainer.fit()
                except InterruptedRun as asked:
                    raise InterruptedRun(
                        job.folder.path, asked.step, stage=stage.name, by=asked.by
                    ) from None
                logs.close()
        stage.done()


def _heard(config: Config) -> Config:
    """The configuration with the logs of this process: only the first of several has some."""
    return config if processes.is_first() else config.model_copy(update={"log": ()})


@contextmanager
def _logging(logs: Logs) -> Iterator[None]:
    """Close logs where a run does not come to its end, and say why."""
    try:
        yield
    except BaseException as error:
        asked = isinstance(error, InterruptedRun | KeyboardInterrupt)
        logs.close("interrupted" if asked else "failed")
        raise


def _drawing(data: RunData, parts: Parts) -> Draw:
    """What draws predictions as they are: of held-out images, else of those of the end."""

    def draw(folder: Path, count: int) -> Sequence[Path]:
        engine = parts.engine
        return draw_predictions(
            engine.method.predict,
            data.held or data.test,
            data.tasks,
            folder=folder,
            count=count,
            device=engine.fabric.device,
            precision=engine.fabric.autocast,
        )

    return draw


def _validation(data: RunData, parts: Parts, watcher: Watcher) -> Validate | None:
    """What scores an epoch: a hold-out, the splits of role val, or, as the papers did, the test."""
    config = parts.config
    dataset = data.test if config.select == "paper" else data.held
    if dataset is None:
        return None

    def validate() -> Scores:
        return parts.scorer.score(dataset, config.protocol, progress=watcher.scoring)[0].scores

    return validate


def _fill(cache: Cache | Resident, config: Config, watcher: Watcher) -> None:
    """Say what the cache takes before it takes it, then fill it."""
    images, labels = cache.cells
    alone = " This process makes its batches, without reading processes."
    each = f" in each of {config.devices} processes" if config.devices > 1 else ""
    watcher.say(
        f"Cache: {cache.nbytes / 1e9:.2f} GB of {cache.memory}{each} for "
        f"{counted(images, 'image')} and "
        f"{counted(labels, 'visible label')}.{alone if config.cache == 'device' else ''}"
    )
    cache.fill(lambda done, total, what: watcher.evaluating(what, done, total))
