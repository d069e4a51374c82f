"""The flags of `mttrain`, as a part of its configuration."""

from collections.abc import Mapping
from typing import Any, get_origin

import click

from mtdata.errors import UsageError
from mtdata.registry import Registry

KEYS = {
    "method": "method.name", "network": "network.name", "width": "network.width",
    "encoder": "network.options.encoder",
    "teachers": "method.options.teachers",
    "freeze_norm": "network.options.freeze_norm",
    "encoder_weights": "network.encoder_weights", "weighting": "weighting.name",
    "optimizer": "optimizer.name", "schedule": "schedule.name",
    "views": "views.count", "conditioning": "method.options.conditioning",
    "regulariser": "method.options.regulariser", "with_ssl": "method.options.with_ssl",
    "with_geometry": "method.options.with_geometry",
    "helpful_pairs": "method.options.helpful_pairs",
    "mapping_norm": "method.options.mapping_norm", "mapping_width": "method.options.mapping_width",
    "checkpoint_mapping": "method.options.checkpoint_mapping",
    "paper_geometry": "augmentation.paper_geometry",
}  # fmt: skip
"""The key of the configuration that a flag sets, for each flag that is called otherwise."""

OPTIONS = "{}.options."
"""Where the keys begin that not every method, or not every network, has."""


def key_of(flag: str) -> str:
    """The key of the configuration that a flag sets."""
    return KEYS.get(flag, flag)


def layer_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were given, as a part of a configuration."""
    from mtmodels.training.setup.resolve import merge

    layer: dict[str, Any] = {}
    for flag, value in flags.items():
        if value is not None:
            nested: Any = list(value) if isinstance(value, tuple) else value
            for key in reversed(key_of(flag).split(".")):
                nested = {key: nested}
            layer = merge(layer, nested)
    return layer


def check_options(flags: Mapping[str, Any], family: Registry[Any], name: str) -> None:
    """Refuse a flag that sets an option that the method or the network lacks.

    Raises:
        UsageError: naming the flag, and the members that it is for.
    """
    what = family.family
    begin = OPTIONS.format(what)
    given = [f for f, value in flags.items() if value is not None and key_of(f).startswith(begin)]
    if not given:
        return
    from mtmodels.options import options_class, options_of

    for flag in given if name in family else []:  # an unknown name is refused elsewhere
        option = key_of(flag).removeprefix(begin)
        fits = sorted(n for n, member in family.items() if option in options_of(member))
        if name not in fits:
            raise UsageError(
                f"`{_written(flag)}` should go with one of the {what}s {', '.join(fits)}; found "
                f"`{name}`. Leave it out, or give another --{what}."
            )
        if flag == "teachers":
            kind = options_class(family[name]).model_fields[flag].annotation
            if (get_origin(kind) is Mapping) != isinstance(flags[flag], Mapping):
                form = "RUN,..." if isinstance(flags[flag], Mapping) else "TASK=RUN,..."
                named = flags[flag]
                each = map("=".join, named.items()) if isinstance(named, Mapping) else named
                said = ",".join(map(str, each))
                raise UsageError(
                    f"`--teachers` should be {form} for the method `{name}`; found {said}."
                )


def _written(flag: str) -> str:
    """The flag as a user writes it."""
    parameters = click.get_current_context().command.params
    return next(p.opts[0] for p in parameters if p.name == flag)
