"""Whose run folder it is: a new run takes it, one that is there goes on as it was begun."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml

from mtdata.urls import Url
from mtmodels.errors import RunFolderError
from mtmodels.training.config import FREE, Config
from mtmodels.training.record import plugin_copies
from mtmodels.training.record.manifest import manifest, store_at
from mtmodels.training.record.runfolder import Mode, RunFolder, write_json, write_text
from mtmodels.training.setup.data import RunData, store_facts
from mtmodels.training.setup.loading import TrainedRun
from mtmodels.training.setup.paths import moved, named, seen_from_here, whereabouts
from mtmodels.training.setup.resolve import named_plugins, read_layer, resolve
from mtmodels.training.setup.settle import settle_options


def continued(
    folder: RunFolder, layers: Sequence[Mapping[str, Any]], *, trust_plugins: bool
) -> Config:
    """The configuration of a run that is there, after checking that nothing contradicts it."""
    stored = read_layer(folder.config)
    plugin_copies.check_named(folder, named_plugins(layers))
    plugin_copies.load_copies(folder, trust=trust_plugins)
    layers = [{key: layer[key] for key in layer if key != "plugins"} for layer in layers]
    # A run of before wrote down the options that were given alone.
    before, now = settle_options(resolve(stored)), settle_options(resolve(stored, *layers))
    if set(now.tasks or ()) == set(before.tasks or ()):
        # A store has its own order of tasks, which the stored configuration is in.
        now = now.model_copy(update={"tasks": before.tasks})
    # Whether a path leads to what it led to is asked by digests, where they were written down.
    first, second = before, now
    if "paths" in read_layer(folder.manifest):
        first, second = (moved(one, lambda _: "") for one in (before, now))
    meant = {key for key, *_ in differences(first.to_dict(), second.to_dict())} - FREE
    other = [found for found in differences(before.to_dict(), now.to_dict()) if found[0] in meant]
    if other:
        told = "; ".join(f"`{key}` is {old} there and {new} here" for key, old, new in other)
        raise RunFolderError(
            f"{folder.path} should be resumed as it was begun; {told}. Leave these out, replace "
            "the run with --overwrite, or give another --out."
        )
    return now


def relocated(config: Config, folder: RunFolder, *, data: bool) -> Config:
    """The configuration with its paths as they are seen from here.

    Args:
        config: Of the run, with what was given anew.
        folder: Where the run is.
        data: Whether the place of the store was given anew.
    """
    run = TrainedRun(folder, config, read_layer(folder.manifest))
    config = seen_from_here(config, run.facts, folder.path)
    if data:
        return config
    there = next(
        (path for path in run.store_paths() if isinstance(path, Url) or path.is_file()), None
    )
    return config if there is None else config.model_copy(update={"data": str(there)})


def differences(old: Any, new: Any, where: str = "") -> list[tuple[str, Any, Any]]:
    """Each key that differs, with both values; of a part with another name the name alone."""
    if old == new:
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [(where, old, new)]
    keys = ["name"] if old.get("name") != new.get("name") else list({**old, **new})
    below = f"{where}." if where else ""
    return [found for key in keys for found in differences(old.get(key), new.get(key), below + key)]


def claim(
    folder: RunFolder,
    config: Config,
    data: RunData,
    *,
    mode: Mode,
    arguments: Sequence[str],
    runs: Mapping[str, Mapping[str, Any]],
    say: Callable[[str], None],
) -> bool:
    """Take the folder for a run: what is written before its manifest makes it none yet.

    Args:
        folder: The folder, which this process holds.
        config: Of the run.
        data: What it learns from.
        mode: What to do where a run is there already.
        arguments: The command line, for the manifest.
        runs: Other runs that teach it, by what they are for, with the digests of their weights.
        say: Told what a person should know.

    Returns:
        Whether there is a run in it to go on with.

    Raises:
        RunFolderError: where it may not be taken, or its run was begun on other data, labels or
            teachers.
    """
    facts = store_facts(data.store, config.size)
    if folder.check(mode, held=True):
        _check_same_data(folder, facts, data)
        _check_same_runs(folder, runs)
        _check_same_weights(folder, config)
        _note_anew(folder, config, data)
        return True
    if mode == "resume":
        say(f"There is nothing to resume in {folder.path}: beginning anew.")
    folder.clear()
    try:
        _begin(folder, config, data, facts, arguments=arguments, runs=runs, say=say)
    except BaseException:
        folder.clear()
        raise
    return False


def _begin(
    folder: RunFolder,
    config: Config,
    data: RunData,
    facts: dict[str, Any],
    *,
    arguments: Sequence[str],
    runs: Mapping[str, Mapping[str, Any]],
    say: Callable[[str], None],
) -> None:
    """Write what a run begins with."""
    assert config.regime is not None
    created = datetime.now(UTC).isoformat(timespec="seconds")
    plugins = plugin_copies.used(config.to_dict())
    write_text(folder.config, config.to_yaml())
    noted = plugin_copies.keep(folder, plugins)
    write_json(
        folder.manifest,
        manifest(
            arguments=arguments,
            store=facts,
            store_at=store_at(data.store.path, folder.path),
            size=data.size,
            regime=config.regime,
            labels=data.visible,
            shown=data.shown,
            drawn=data.drawn,
            seed=config.seed,
            created=created,
            training=data.seen,
            runs=runs,
            added=data.added,
            paths=whereabouts(config, folder.path),
            plugins=plugin_copies.entries(plugins),
        ),
    )
    if not noted:
        say(
            "Plug-ins: that they are your own could not be noted beside your settings; other "
            "commands will ask for --trust-plugins to use the copies of this run."
        )


def logs_before(folder: RunFolder) -> Sequence[str]:
    """What logs a run had that goes on."""
    return resolve(read_layer(folder.config)).log if folder.config.is_file() else ()


def _note_anew(folder: RunFolder, config: Config, data: RunData) -> None:
    """Write down what was given anew: a requeued run goes on so, and later commands look there."""
    stored, told = read_layer(folder.config), read_layer(folder.manifest)
    before = Config().to_dict() | stored  # a run of before lacks some
    values = config.to_dict()
    now = {key: values[key] for key in values if key in FREE and values[key] != before[key]}
    if named(settle_options(resolve(stored))) != named(config):
        now |= {key: values[key] for key in ("regime", "method", "network")}
        told["paths"] = whereabouts(config, folder.path)
        write_json(folder.manifest, told)
    if now:
        write_text(folder.config, yaml.safe_dump({**stored, **now}, sort_keys=False))
    at = store_at(data.store.path, folder.path)
    if told.get("store_at") != at:
        write_json(folder.manifest, {**told, "store_at": at})


def _check_same_data(folder: RunFolder, facts: Mapping[str, Any], data: RunData) -> None:
    """Refuse to go on with other images, or with other labels of them, than before."""
    told = read_layer(folder.manifest)
    before = told["store"]["content_digest"]
    if before != facts["content_digest"]:
        raise RunFolderError(
            f"{folder.path} should be resumed on the store it was begun on, {before[:12]}; found "
            f"{facts['content_digest'][:12]}. Give that store with --data, or another --out."
        )
    # Manifests of version 0.1 do not say which labels there were.
    if told.get("labels", data.visible) != data.visible:
        raise RunFolderError(
            f"{folder.path} should be resumed with the labels that it was begun with, "
            f"{told['labels'][:12]}; the regime `{data.regime}` shows others now, "
            f"{data.visible[:12]}. Bring back that regime, or begin anew with --overwrite."
        )


def _check_same_weights(folder: RunFolder, config: Config) -> None:
    """Refuse to go on with another file of weights for the encoder to begin with."""
    told, file = read_layer(folder.manifest).get("paths", {}), config.network.encoder_weights
    began = resolve(read_layer(folder.config)).network.encoder_weights
    before, now = told.get(began, {}), whereabouts(config, folder.path).get(file or "", {})
    if before and now and before["sha256"] != now["sha256"]:
        raise RunFolderError(
            f"{folder.path} should be resumed with the encoder weights that it was begun with, "
            f"{before['sha256'][:12]}; found {now['sha256'][:12]} in {file}. Give that file, or "
            "another --out."
        )


def _check_same_runs(folder: RunFolder, runs: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse to go on with other teachers than before."""
    before = read_layer(folder.manifest).get("runs", {})
    for name, now in runs.items():
        if name in before and before[name]["weights"] != now["weights"]:
            raise RunFolderError(
                f"{folder.path} should be resumed with the weights of `{name}` that it was begun "
                f"with, {before[name]['weights'][:12]}; found {now['weights'][:12]} in "
                f"{now['folder']}. Give that run, or another --out."
            )
