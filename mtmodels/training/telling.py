"""What a run tells before its first step: the data, and what was chosen and why."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from mtdata.reading.dataset import Dataset
from mtdata.reading.shown import not_there
from mtdata.wording import counted
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method
from mtmodels.scoring.facts import unscored
from mtmodels.training.config import Config
from mtmodels.training.finish import scored_split
from mtmodels.training.loop.trainer import Trainer
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record.manifest import added_label
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.idle import idle
from mtmodels.training.setup.loading import open_run, other_data
from mtmodels.training.setup.setup import Parts
from mtmodels.training.setup.splits import choose_splits, held_keys

FEW = 5
"""Held-out labels of a task below which the score of an epoch is mostly chance."""


def tell(
    data: RunData, parts: Parts, folder: RunFolder, *, notes: Sequence[str], watcher: Watcher
) -> None:
    """Say what is about to happen, and why so."""
    config, precision = parts.config, parts.precision
    logs = [f"Logs: {', '.join(config.log)}, in {folder.logs}."] if config.log else []
    for sentence in chain(
        _about_images(data, parts),
        _about_teachers(data, parts),
        _about_held(data, parts),
        _about_stages(parts),
        [f"Precision: {precision.name}, as {precision.reason}."],
        _about_selection(data, config),
        notes,
        logs,
        [f"Run: {folder.path}"],
    ):
        watcher.say(sentence)


def _not_there(data: RunData) -> Iterator[str]:
    """Which labels a file of a regime names in vain."""
    base = data.regime if data.train.added is None else data.train.added.base
    lost = not_there(data.store, data.splits.train, base)
    told = [f"{task.name} {lost[task.name]}" for task in data.tasks if lost.get(task.name)]
    if told:
        yield (
            f"The regime `{base}` names labels that the store does not have: {', '.join(told)}. "
            "They are left out."
        )


def planned(data: RunData, parts: Parts, *, notes: Sequence[str]) -> tuple[str, ...]:
    """What `tell` would say that the numbers of a plan do not."""
    return (
        *notes,
        *_not_there(data),
        *_misfit(data, parts),
        *idle(data, parts),
        *_about_teachers(data, parts),
        *_about_held(data, parts),
        *_about_stages(parts),
        *_about_selection(data, parts.config),
    )


def _about_images(data: RunData, parts: Parts) -> Iterator[str]:
    """What there is to train on."""
    labels = ", ".join(f"{task} {n}" for task, n in data.labels.items())
    held = ""
    if data.splits.watched == "holdout" and data.held:
        held = f", {len(data.held)} held out ({_labels(data, data.held)})"
    yield f"Images: {len(data.train)} to train on ({labels}){held}{_unlabelled(data)}."
    for one in _added_labels(data):
        yield f"Added labels: {added_label(one)}."
    yield from _not_there(data)
    yield from _misfit(data, parts)
    yield from idle(data, parts)


def _about_teachers(data: RunData, parts: Parts) -> Iterator[str]:
    """Of which teachers the names of images alone say what they saw."""
    if not parts.config.filled_anyway:
        told = (other_data(open_run(Path(f)), data.store) for f in parts.method.runs().values())
        yield from filter(None, dict.fromkeys(told))


def _about_held(data: RunData, parts: Parts) -> Iterator[str]:
    """What held-out labels are worth, and are asked for."""
    filled = any("run" in one for one in _added_labels(data))
    if filled and data.splits.watched == "holdout" and data.held is not None:
        yield (
            "Held-out images may have taught the runs that filled labels: unless those were "
            "trained with the same --holdout and --seed, the hold-out says more good of what they "
            "filled than new images would."
        )
    yield from _known_to_teachers(data, parts.method)
    if parts.config.select == "holdout" and data.held is not None:
        shown = data.labels_of(data.held)
        if few := [f"{task} {n}" for task, n in shown.items() if n < FEW]:
            yield (
                f"Few held-out labels to choose the epoch by ({', '.join(few)}; fewer than {FEW} "
                "say little): a larger --holdout has more, --select last takes the last epoch."
            )
    if parts.held is not None and (probe := parts.method.probe()) is not None:
        yield (
            f"Held-out labels ({_labels(data, parts.held.dataset)}) are asked every {probe.every} "
            "steps what helps; the scores of these images are a little better for it than those of "
            "others."
        )


def _about_stages(parts: Parts) -> Iterator[str]:
    """What comes before the training, which the length of a run does not count."""
    for stage in parts.method.stages():
        steps = stage.epochs * len(parts.loader)
        yield (
            f"Stage: `{stage.name}` comes before the training, {counted(stage.epochs, 'epoch')} "
            f"({counted(steps, 'step')})."
        )


def _about_selection(data: RunData, config: Config) -> Iterator[str]:
    """What chooses the epoch, and what is scored."""
    if config.select == "val" and data.held is not None:
        yield (
            f"Selection: by the {counted(len(data.held), 'image')} of {data.held.split.name}, of "
            "role val. Give --select last for the last epoch."
        )
    elif data.splits.val and config.select != "paper":
        yield f"Selection: {config.select}; {', '.join(data.splits.val)} chooses nothing."
    if not data.splits.test:
        names = [dataset.split.name for dataset in data.scored]
        what = "the hold-out" if data.splits.watched == "holdout" else " and ".join(names)
        chose = ": they say how well the run did on what chose its epoch, not on new images."
        yield (
            f"Scores: on {what}, as the store has no split of role test"
            f"{'.' if config.select == 'last' else chose}"
        )
    for dataset in data.scored:
        name = scored_split(dataset, data.splits, config)["split"]
        if bare := unscored(name, data.labels_of(dataset)):
            yield f"Scores: {bare}"
    if config.select == "paper":
        yield (
            "Selection: by the test split, as the papers did (--select paper). Every result of "
            "this run is marked so; it is better than what the network does on new images."
        )


def _added_labels(data: RunData) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = (data.added or {}).get("labels", ())
    return found


def _labels(data: RunData, of: Dataset) -> str:
    """How many labels of each task are shown of these images."""
    return ", ".join(f"{task} {n}" for task, n in data.labels_of(of).items())


def tell_resumed(trainer: Trainer, *, found: bool, watcher: Watcher) -> None:
    """Say from where a run goes on."""
    position = trainer.position()
    if not found:
        watcher.say("There is no checkpoint yet: starting from the first step.")
    elif position.done:
        watcher.say("All steps are done: scoring again.")
    else:
        watcher.say(f"Going on after step {position.step}.")


def _unlabelled(data: RunData) -> str:
    """What becomes of the images that show no label."""
    kept = int((~data.train.labelled.any(1)).sum())
    if kept:
        return f"; {kept} of them without a visible label of these tasks"
    if data.left_out:
        return f"; {data.left_out} without a visible label of these tasks left the epoch"
    return ""


def _known_to_teachers(data: RunData, method: Method) -> Iterator[str]:
    """Which of the images that choose the epoch have taught a teacher."""
    if data.splits.watched != "holdout" or data.held is None:
        return
    for folder in method.runs().values():
        run = open_run(Path(folder))
        trained = run.facts["store"]["content_digest"]
        if trained in data.store.contents[1:]:
            yield (
                f"Held-out images may have taught the run {folder}, trained before others were "
                "added: then the hold-out says more good of what it teaches than new images would."
            )
        if trained != data.store.content_digest:
            continue
        splits = choose_splits(run.config, data.store).train
        learnt, _ = held_keys(run.config, data.store, splits)
        if known := learnt & set(data.held.keys):
            yield (
                f"{len(known)} of the held-out images taught the run {folder}: the hold-out says "
                "more good of what it teaches than new images would. Train it with the same "
                "--holdout and --seed."
            )


def _misfit(data: RunData, parts: Parts) -> Iterator[str]:
    """What speaks against how images without a label are treated, and against so many views."""
    method, config = parts.method, parts.config
    if data.left_out and method.uses_unlabelled:
        yield (
            f"The method could learn from images that show no label as well ({data.left_out} of "
            f"{data.left_out + len(data.train)}): --keep-unlabelled gives them to it."
        )
    if not method.uses_unlabelled and not data.train.labelled.any(1).all():
        able = ", ".join(name for name, member in METHODS.items() if member.uses_unlabelled)
        given = "--keep-unlabelled" if config.labelled_share is None else "--labelled-share"
        yield (
            "The method learns little or nothing from images without a label, which make up a part "
            f"of every batch: leave {given} out, or choose one that does ({able})."
        )
    views = method.views(config.views.count or method.default_views)
    most = method.most_views or len(views)
    if len(views) > most and not any(view.supervised for view in views[1:]):
        yield (
            f"The method learns from {most} views of an image, and {len(views)} cost the time and "
            f"memory of all: give --views {most}, or learn from the labels of each with --set "
            "method.options.supervise=all."
        )
