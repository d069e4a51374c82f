"""What was asked of a run and does nothing in it: members say it of themselves, or it is seen here.

What would do nothing in any run is refused (`mtmodels.training.setup.fitting`).
"""

from collections.abc import Iterator

from torch.nn.modules.batchnorm import _BatchNorm

from mtdata.wording import counted
from mtmodels.kinds import kind_model
from mtmodels.methods.base import ScheduleName
from mtmodels.networks.base import EncoderOptions, Network
from mtmodels.training.loop import OPTIMISERS
from mtmodels.training.loop.groups import scheduled
from mtmodels.training.loop.viewing import view_maker
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.setup import Parts

HARDLY = 0.1
"""How far a learnt factor should come, or its logarithm, to weigh otherwise than at first."""


def idle(data: RunData, parts: Parts) -> Iterator[str]:
    """What was asked for and changes nothing in this run, of these images or in this network."""
    config, method = parts.config, parts.method
    if method.missing_alone and data.train.labelled.all():
        yield (
            f"The method `{config.method.name}` learns from tasks that an image does not show, and "
            "every training image shows all: it adds nothing to the labels. Another --regime hides "
            "some, --method sl is the same for less."
        )
    else:
        yield from method.idle(data.train.labelled)
        if method.compares_crops and view_maker(config, method).repeats:
            yield (
                "The further views are the first again (`views.scales` is 1, `views.flip` is 0): "
                "there is no crop to be consistent with. Give --set views.scales=[1,1.2], say."
            )
    steps = config.steps or config.epochs * len(parts.loader)
    yield from parts.weighting.idle(epochs=config.epochs, steps=len(parts.loader))
    yield from _weights(parts, steps=steps)
    for key, chosen in _schedules(parts):
        for told in scheduled(chosen).idle(epochs=config.epochs):
            yield f"In `{key}`, {told}"
    late = [task for task in data.tasks if kind_model(task).starts_at_mean]
    if config.start == "mean" and (
        bare := [task.name for task in late if method.network.start_bias(task.name) is None]
    ):
        yield (
            f"Start: predictions of {' and '.join(bare)} do not begin at the mean of the labels, "
            f"as the network `{config.network.label}` has no bias for that."
        )
    yield from _encoder(method.network, steps=steps)


def _weights(parts: Parts, *, steps: int) -> Iterator[str]:
    """What a weighting learns too slowly for this run to weigh otherwise than at its first step."""
    config = parts.config
    if not OPTIMISERS[config.optimizer.name].bounded:
        return
    for group in parts.weighting.parameter_groups():
        rate, how = group.rate, "a larger `rate` (`weighting.options`)"
        if rate is None:
            rate, how = config.lr, "a larger --lr"
        far = steps * group.scale * rate
        if far < HARDLY and all(parameter.ndim == 0 for parameter in group.parameters):
            yield (
                f"What `{config.weighting.name}` learns comes no further than {far:.2g} in "
                f"{counted(steps, 'step')}, and the tasks weigh about as they did at first. Give "
                f"{how}, or train longer."
            )


def _schedules(parts: Parts) -> Iterator[tuple[str, ScheduleName]]:
    """All that rates follow, by the keys under which they were chosen."""
    run = parts.config.schedule
    yield "schedule", ScheduleName(name=run.name, options=run.options)
    for name, value in parts.method.options:
        if isinstance(value, ScheduleName):
            yield f"method.options.{name}", value


def _encoder(network: Network, *, steps: int) -> Iterator[str]:
    """What is held back of an encoder that has no weights, or not what should be held."""
    options = network.options
    if not isinstance(options, EncoderOptions):
        return
    random, frozen = options.encoder_weights is None, options.freeze_encoder
    if random and frozen >= steps:
        yield (
            f"The encoder is random and never learns: `freeze_encoder` is {frozen}, and the run "
            f"has {counted(steps, 'step')}. Give --encoder-weights, or freeze it for fewer."
        )
    layers = [layer for part in network.pretrained() for layer in part.modules()]
    if options.freeze_norm and not any(isinstance(layer, _BatchNorm) for layer in layers):
        yield "`freeze_norm` holds nothing: the encoder has no batch norm. Leave --freeze-norm out."
    elif options.freeze_norm and random:
        yield (
            "Batch norm in the encoder does not normalise: `freeze_norm` keeps its running "
            "statistics, and those of a random encoder are 0 and 1. Give --encoder-weights, or "
            "leave --freeze-norm out."
        )
