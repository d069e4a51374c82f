"""What `mttrain` is asked for, as a job; and all that can be refused before work begins."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.mttrain.asked import Asked
from cli.mttrain.flags import check_options, layer_of
from cli.shared.common import say
from cli.shared.members import check_members
from cli.shared.plugins import tell_plugins, use_copies
from mtdata.errors import UsageError
from mtmodels.methods import METHODS
from mtmodels.networks import NETWORKS

if TYPE_CHECKING:
    from mtdata import Store
    from mtmodels.training.config import Config
    from mtmodels.training.record.runfolder import Mode
    from mtmodels.training.run import Job

APART = frozenset(
    {
        *("recipe", "scale", "assignments", "plugins", "trust_plugins", "anyway"),
        *("out", "resume", "overwrite", "requeue", "dry_run", "as_json"),
    }
)
"""Options of `mttrain` that are no keys of the configuration."""


def layers_of(
    recipe: str | None,
    assignments: tuple[str, ...],
    flags: dict[str, Any],
    plugins: tuple[str, ...],
    *,
    trust_plugins: bool,
) -> list[Mapping[str, Any]]:
    """The parts of the configuration, later ones win; but plug-ins are those of all parts."""
    from mtmodels.training.setup.resolve import named_plugins, parse_set

    layers = [_recipe(recipe, trust_plugins=trust_plugins)] if recipe else []
    assigned = parse_set(assignments)
    if "recipe" in assigned:
        raise UsageError(
            f"`recipe` should be left to mttrain, which writes down what a run began with; found "
            f"{assigned['recipe']!r} in --set. Give --recipe, with --scale to make it smaller."
        )
    layers += [layer_of(flags), assigned]
    named = named_plugins([*layers, {"plugins": list(plugins)}])
    return [*layers, {"plugins": named}] if named else layers


def _recipe(given: str, *, trust_plugins: bool) -> Mapping[str, Any]:
    """A recipe; that of a run, which may be anybody's, names the copies of its plug-ins."""
    from mtmodels.recipes import load_recipe
    from mtmodels.training.record.plugin_copies import names_of_copies
    from mtmodels.training.record.runfolder import RunFolder

    recipe = load_recipe(given)
    named = {"recipe": {"name": recipe.name}} if recipe.needs else {}
    layer = {**recipe.config, **named}
    folder = RunFolder(Path(given).parent)
    if Path(given).name != folder.config.name or not folder.is_run():
        return layer
    use_copies(folder.path, trust=trust_plugins)
    return {**layer, "plugins": names_of_copies(folder)}


def config_of(given: Mapping[str, Any]) -> "Config | None":
    """What a command asks for; refuses what it can be refused for before its data is looked at.

    Args:
        given: The options of `mttrain`, by their names.

    Returns:
        None where a recipe or plug-ins are named: those are for the training to load.

    Raises:
        UsageError: for options and values that cannot be.
        UnknownNameError: for names that there are not.
        ValueError: for an option that is given twice.
    """
    from mtmodels.options import options_class
    from mtmodels.training.setup.making import refusing
    from mtmodels.training.setup.resolve import named_plugins, resolve
    from mtmodels.training.setup.settle import FAMILIES

    if given["recipe"]:
        return None
    flags = {name: value for name, value in given.items() if name not in APART}
    layers = layers_of(None, given["assignments"], flags, given["plugins"], trust_plugins=False)
    if named_plugins(layers):
        return None
    check_members()
    config = resolve(*layers)
    check_options(flags, METHODS, config.method.name)
    check_options(flags, NETWORKS, config.network.name)
    for family, members in FAMILIES.items():
        part = getattr(config, family)
        if part.name in members:
            declared, options = options_class(members[part.name]), part.options
            refusing(f"{family} `{part.name}`", partial(declared.read, options))
    return config


def prepared(
    layers: list[Mapping[str, Any]],
    flags: dict[str, Any],
    *,
    out: Path | None,
    mode: "Mode",
    dry_run: bool,
    trust_plugins: bool,
    asked: Asked | None,
) -> "Job":
    """Everything that can be refused before work begins is refused here."""
    from mtmodels.training.record.logs import check_logs
    from mtmodels.training.record.runfolder import RunFolder
    from mtmodels.training.setup.resolve import named_plugins, read_layer, resolve

    # A plan of a new run touches no folder, so it may be one that is taken.
    looks = None if dry_run and mode != "resume" else mode
    begun = out is not None and looks is not None and RunFolder(out).check(looks)
    if begun:
        assert out is not None
        use_copies(out, trust=trust_plugins, named=named_plugins(layers))
        check_members()
        if asked is not None:
            layers[1:1] = asked.scaled()
            if not read_layer(RunFolder(out).config).get("holdout"):
                layers += asked.without_holdout(layers, None)
    else:
        config = resolve(*layers)
        check_logs(config.log)
        tell_plugins(config.plugins)
        check_members()
        check_options(flags, METHODS, config.method.name)
        check_options(flags, NETWORKS, config.network.name)
        if flags["sync_norm"] and config.processes == 1:
            raise UsageError(
                "--sync-norm is over the images of several processes and should come with "
                "--devices or --nodes above 1; found one process. Leave it out."
            )
        data = config.data
        if data is None:
            from cli.mttrain.default_store import find_store

            data = str(find_store(may_build=not dry_run))
            layers.append({"data": data})
        _look_at_store(data, config.regime, layers, asked)
    from mtmodels.training.run import prepare

    job = prepare(layers, out=out, mode=looks, trust_plugins=trust_plugins)
    if begun:
        _tell_store(str(job.config.data), job.data.store, job.data.regime)
    return job


def _look_at_store(
    data: str, regime: str | None, layers: list[Mapping[str, Any]], asked: Asked | None
) -> None:
    """Refuse a store that cannot be read, or that the recipe was not made for, and name it.

    At once: what trains takes seconds to import. What keeps the run apart from the recipe's row is
    said, and goes into the layers.
    """
    from mtdata import open_store

    with open_store(data) as store:
        if asked is not None:
            fitted = asked.fitting(store, layers)
            size = fitted or next(iter(store.splits.values())).size
            layers[1:1] = [*([{"size": list(size)}] if fitted else []), *asked.scaled(size)]
            if fitted:
                asked.tell_size(store, layers)
            if misfits := asked.misfits(store, regime, layers):
                layers.append({"recipe": {"misfits": misfits}})
            layers += asked.without_holdout(layers, store)
        _tell_store(data, store, regime)
    if asked is not None:
        asked.tell(layers)


def _tell_store(data: str, store: "Store", regime: str | None) -> None:
    """The first line: where the labels come from, and which of them are seen."""
    default = ", its default" if regime in (None, store.default_regime) else ""
    say(
        f"Store: {data} ({store.dataset_name}), regime `{regime or store.default_regime}`{default}."
    )
