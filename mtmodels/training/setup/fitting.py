"""What fits together: a method, a network, a weighting and the data of a run; or why not.

All that members ask of each other is compared here, before anything is written. Members declare
facts (`minimum_tasks`, `needs_shared`, `stride`, ...) and are asked for them; none is known by
name. What a member refuses of its own options, its constructor does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mtdata.errors import UsageError
from mtdata.wording import counted
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method, check_groups, check_stages
from mtmodels.methods.parts.relation_terms import without_camera
from mtmodels.methods.parts.supervision import SupervisionOptions
from mtmodels.metrics.protocols import check_scored
from mtmodels.options import check_counts
from mtmodels.scoring.original import check_scorable
from mtmodels.training.config import Config, ViewsPart
from mtmodels.training.loop.selection import check_selects
from mtmodels.training.loop.viewing import view_maker
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.making import refusing
from mtmodels.training.setup.resolve import merge
from mtmodels.weightings import WEIGHTINGS
from mtmodels.weightings.base import Weighting

Check = Callable[[], object]


def check_scores(config: Config, data: RunData) -> None:
    """Refuse a protocol that has no metric for a task, or cannot score the data.

    Raises:
        UsageError: with what to do.
    """
    for task in data.tasks:
        check_scored(task, config.protocol)
    check_selects(config, data.tasks)
    check_scorable(config.protocol, data.test, data.store)


def check_asked(config: Config, layers: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what was asked for and would do nothing.

    A recipe may say what only some of its rows need. A run that goes on is as it was begun.

    Args:
        config: Of a new run.
        layers: What it was made of.

    Raises:
        UsageError: with what to do.
    """
    method = METHODS[config.method.name]
    views = config.views.count or method.default_views
    options = {**config.method.options, "views": views}
    asked: dict[str, Any] = {}
    for layer in layers[config.recipe.name is not None :]:
        asked = merge(asked, layer)
    given = {key: options[key] for key in asked.get("method", {}).get("options", {})}
    refusing(f"method `{config.method.name}`", lambda: check_counts(method, given, options=options))
    plain = ViewsPart()  # the configuration of a run says all
    further = [
        key
        for key in ("scales", "flip")
        if key in asked.get("views", {}) and getattr(config.views, key) != getattr(plain, key)
    ]
    if further and views == 1:
        raise UsageError(
            f"`views.{further[0]}` should go with --views 2, as it is how further views are made; "
            "found one view. Give --views 2, or leave it out."
        )


def check_fit(config: Config, data: RunData, method: Method, weighting: Weighting) -> None:
    """Refuse what cannot train together, or would train something other than what it is named.

    Raises:
        UsageError: naming the two that do not fit, and what to do.
    """
    for what, check in _checks(config, data, method, weighting):
        refusing(what, check)


def _checks(
    config: Config, data: RunData, method: Method, weighting: Weighting
) -> Iterator[tuple[str, Check]]:
    """What is compared, in order: who speaks, and the question."""
    named = f"method `{config.method.name}`"
    network = f"network `{config.network.name}`"
    views = config.views.count or method.default_views
    images = config.images_at_once
    yield "size of the images", lambda: method.check_size(*data.size)
    yield f"{named} with {network}", lambda: method.check_batch(images, views, data.size)
    yield named, lambda: view_maker(config, method)
    yield named, lambda: check_groups(method.parameter_groups())
    yield named, lambda: check_stages(method.stages())
    yield (
        f"{named} under the regime `{data.regime}`",
        lambda: method.check_labels(data.train.labelled),
    )
    if config.gradient_clip is None:
        yield named, lambda: _check_clip(method)
    if method.probe() is not None:
        yield named, lambda: _check_probe(config, data, method)
    if method.cameras_for:
        yield named, lambda: _check_cameras(method, data)
    weighs = f"weighting `{config.weighting.name}`"
    if config.accumulate > 1:
        yield weighs, lambda: _check_parts(config.accumulate, weighting)
        yield named, lambda: _check_sums("accumulate", config.accumulate, method)
        yield named, lambda: _check_whole(config.accumulate, method)
    if config.precision == "16":
        takes = ((named, method.takes_gradients), (weighs, weighting.takes_gradients))
        for who in (name for name, taken in takes if taken):
            yield who, _refuse_half
    if config.processes > 1:
        yield named, lambda: _check_sums("devices", config.processes, method)
        yield weighs, lambda: _check_averages(config.processes, weighting)
    if config.sync_norm:
        yield weighs, lambda: _check_sync_norm(config, method, weighting)
    for who, needs in ((named, method.needs_shared), (weighs, weighting.needs_shared)):
        if needs:
            yield f"{who} with {network}", lambda: _check_shared(method)
    if weighting.needs_own:
        yield f"{weighs} with {network}", lambda: _check_own(method)


def _check_clip(method: Method) -> None:
    """Refuse to clip the gradients of parts apart without a limit."""
    if any(group.clip for group in method.parameter_groups()):
        raise ValueError(
            "`gradient_clip` should be a limit where gradients are clipped apart (`clip`); found "
            "none. Give one (--gradient-clip 1), or leave `clip` out."
        )


def _check_probe(config: Config, data: RunData, method: Method) -> None:
    """Refuse to ask held-out labels where there are none that the regime shows."""
    if data.splits.watched != "holdout" or data.held is None:
        val = data.splits.val
        why = f"{', '.join(val)}, of role val, with labels that no regime hides" if val else "none"
        how = "--holdout 0.1 --select holdout" if val else "--holdout 0.1"
        raise ValueError(
            "what helps should be asked of images that are kept away from training, with the "
            f"labels that the regime shows of them; found {why}. Keep some away ({how}), or leave "
            "out the option that asks them."
        )
    shown = int(data.held.labelled.any(1).sum())
    if not shown:
        raise ValueError(
            f"what helps should be asked of held-out labels; the regime `{data.regime}` shows none "
            f"of the {counted(len(data.held), 'image')} held out. Give a larger --holdout, or "
            "leave out the option that asks them."
        )
    method.network.check_images(min(config.batch // config.accumulate, shown), data.size)
    probe, steps = method.probe(), config.steps or config.epochs * (len(data.train) // config.batch)
    if probe is not None and steps <= probe.every:
        raise ValueError(
            f"held-out labels should be asked once at least; found {counted(steps, 'step')} in "
            f"all, and {probe.every} to the first look. Ask sooner, or train longer."
        )


def _check_cameras(method: Method, data: RunData) -> None:
    """Refuse images without a camera where the method needs to know it."""
    splits = [data.store.splits[name] for name in data.splits.train]
    if all(np.isnan(split.cameras).any(1).all() for split in splits):
        others = ", ".join(f"{name}: 1" for name in without_camera(data.tasks))
        how = (
            f"Name those that need none with --set method.options.relations='{{{others}}}', or go"
            if others
            else "No relation of these tasks holds without one: go"
        )
        raise ValueError(
            "images should have a camera, which "
            f"{' and '.join(f'`{name}`' for name in method.cameras_for)} need; "
            f"{data.store.dataset_name} has none in {' and '.join(data.splits.train)}. {how} "
            "without relations (another --method, or no --with-geometry)."
        )


def _check_shared(method: Method) -> None:
    """Refuse to measure the gradients of several tasks on a layer that there is not."""
    network = method.network
    if len(network.tasks) > 1 and not network.shared_parameters():
        raise ValueError(
            "gradients of tasks are compared on the last layer that all tasks share; found none, "
            "as each task has a network of its own. Choose another --network or --weighting."
        )


def _check_own(method: Method) -> None:
    """Refuse to measure the gradient of a task on a layer of its own that there is not."""
    network = method.network
    for task in network.tasks:
        layer = network.first_layer(task.name)
        if layer is None or not layer.weight.requires_grad:
            raise ValueError(
                "gradients are compared on the first convolution that each task has for itself, "
                "whose name has the task as a part, and which learns; found none for "
                f"`{task.name}`. Choose another --weighting or --network."
            )


def _check_parts(parts: int, weighting: Weighting) -> None:
    """Refuse to add gradients that are not those of the whole batch."""
    if not weighting.adds_up:
        able = [name for name, member in WEIGHTINGS.items() if member.adds_up]
        raise ValueError(
            "`accumulate` should be 1 with a weighting that looks at the gradients or the losses "
            f"of a whole batch at once; found {parts}. Leave it out, or choose one of "
            f"{', '.join(able)}."
        )


def _check_whole(parts: int, method: Method) -> None:
    """Refuse a method that weighs its terms by the gradients of a part of the batch."""
    if method.takes_gradients:
        raise ValueError(
            "`accumulate` should be 1 where terms are weighed by their gradients, which are those "
            f"of the whole batch; found {parts}. Leave it out, or give --set "
            "method.options.gradient_weights=false."
        )


def _refuse_half() -> None:
    """Refuse gradients of single terms in fp16, many of which are 0 without the loss scale."""
    raise ValueError(
        "`precision` should be `bf16` or `32` where gradients of single terms are compared: in "
        "fp16 those vanish without the scale of the loss; found `16`. Give --precision bf16, or "
        "compare none: another --weighting, or --set method.options.gradient_weights=false."
    )


def _check_sums(option: str, count: int, method: Method) -> None:
    """Refuse terms that are no sums over images where a batch is computed in parts."""
    options = method.options
    if not isinstance(options, SupervisionOptions):
        return
    chosen = options.reduction
    if "pixels" in (chosen.values() if isinstance(chosen, Mapping) else [chosen]):
        raise ValueError(
            f"`reduction` should be `image` with `{option}` above 1: a mean over all valid pixels "
            f"of a batch is none of means over its parts; found `pixels` and {count}. Give "
            f"--set method.options.reduction=image, or --{option} 1."
        )


def _check_averages(count: int, weighting: Weighting) -> None:
    """Refuse a weighting that would weigh by the part of a batch that each process has."""
    if not (weighting.adds_up or weighting.averages):
        able = [name for name, one in WEIGHTINGS.items() if one.adds_up or one.averages]
        raise ValueError(
            f"`devices` should be 1 with a weighting that says neither that it `adds_up` nor that "
            f"it `averages` what it measures; found {count} processes. Leave it out, or choose one "
            f"of {', '.join(able)}."
        )


def _check_sync_norm(config: Config, method: Method, weighting: Weighting) -> None:
    """Refuse synchronised norms where a gradient is asked for that not every process has."""
    asks = [f"the method `{config.method.name}` with its options"] * method.needs_shared
    asks += [f"the weighting `{config.weighting.name}`"] * (
        weighting.averages and not weighting.adds_up
    )
    asks += [f"the stage `{stage.name}`" for stage in method.stages()]
    if asks:
        raise ValueError(
            "`sync_norm` should come with one backward pass a step, the same in all processes; "
            f"found {' and '.join(asks)}, which has others. Leave --sync-norm out: each process "
            "then normalises over its own images."
        )
