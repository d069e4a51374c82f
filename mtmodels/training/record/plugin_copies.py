"""The plug-ins of a run: what its folder keeps of them, and how they are used again.

A plug-in is code. What a folder brings along is run only where it is known: it is byte for byte
what a run of this user on this machine has kept, or what the user named or trusts now.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtdata.errors import PluginError
from mtdata.plugins import Plugin, load_plugin, loaded_plugins
from mtdata.plugins.loading import load_source
from mtdata.plugins.modules import digest_of, digest_of_code, names_a_file, read_file
from mtmodels.training.record import trusted
from mtmodels.training.record.manifest import without_home
from mtmodels.training.record.runfolder import RunFolder, write_bytes

Entry = dict[str, Any]
"""What the manifest says of a plug-in: `name`; of a file also `file`, `copy` and `sha256`; of a
module `version`, `code` (a digest), and `distribution` where an entry point named it."""


def used(config: Any) -> list[Plugin]:
    """The loaded plug-ins that a run should remember.

    Args:
        config: The configuration of the run, as plain values.
    """
    named = _named(config)

    def is_used(plugin: Plugin) -> bool:
        return any(named.get(of, set()).intersection(n) for of, n in plugin.members.items())

    # Nobody named those that are installed.
    return [p for p in loaded_plugins() if p.distribution is None or is_used(p)]


def entries(plugins: Sequence[Plugin]) -> list[Entry]:
    """What the manifest of a run says of its plug-ins."""
    told: list[Entry] = []
    for plugin in plugins:
        if plugin.path is None:
            whose = plugin.distribution[0] if plugin.distribution else None
            told.append(_of_module(plugin.name, whose))
            continue
        taken = [entry.get("copy") for entry in told]
        names = [plugin.path.name, *(f"{plugin.name}-{n}.py" for n in range(2, len(told) + 2))]
        copy = next(f"plugins/{name}" for name in names if f"plugins/{name}" not in taken)
        told.append(
            {
                "name": plugin.name,
                "file": without_home(plugin.given),
                "copy": copy,
                "sha256": plugin.digest,
            }
        )
    return told


def keep(folder: RunFolder, plugins: Sequence[Plugin]) -> bool:
    """Copy plug-ins into a run folder, and note them as the user's own.

    Returns:
        Whether they could be noted.
    """
    noted = True
    for plugin, entry in zip(plugins, entries(plugins), strict=True):
        if plugin.source is not None:
            folder.plugins.mkdir(exist_ok=True)
            write_bytes(folder.path / entry["copy"], plugin.source)
        noted = trusted.note(_key(entry), entry["name"]) and noted
    return noted


def check_named(folder: RunFolder, given: Sequence[str]) -> None:
    """Refuse plug-ins that a run which is to go on was not begun with.

    Args:
        folder: The run.
        given: What the user named now.

    Raises:
        PluginError: naming the first, or a module whose code is another by now.
    """
    there = _read(folder)
    for entry, now in _other_code(there):
        raise PluginError(
            entry["name"],
            f"the run {folder.path} was begun with other code in this plug-in, {_told(entry)}; "
            f"here is {_told(now)}. Install what it was begun with, or begin anew with "
            "--overwrite.",
        )
    for name in given:
        file = names_a_file(name)
        digest = digest_of(read_file(name)[1]) if file else None
        if any(e.get("sha256") == digest if file else e["name"] == name for e in there):
            continue
        same = [e["copy"] for e in there if file and e.get("copy") and _same_name(e, Path(name))]
        if same:
            raise PluginError(
                name,
                f"the run {folder.path} was begun with other code in this plug-in. Leave --plugin "
                f"out to go on with its copy, {folder.path / same[0]}, or begin anew with "
                "--overwrite.",
            )
        raise PluginError(
            name,
            f"the run {folder.path} was begun without this plug-in. Leave --plugin out, or begin "
            "anew with --overwrite.",
        )


def notes(folder: RunFolder) -> list[str]:
    """What a user should know of modules whose code is not what a run was made with."""
    return [
        f"{entry['name']}, {_told(now)}; the run was made with other code in it, {_told(entry)}."
        for entry, now in _other_code(_read(folder))
    ]


def names_of_copies(folder: RunFolder) -> list[str]:
    """What the plug-ins of a run go by for another run: the paths of its copies, and modules."""
    named = [e for e in _read(folder) if "distribution" not in e]
    return [str(folder.path / e["copy"]) if "copy" in e else e["name"] for e in named]


def load_copies(folder: RunFolder, *, trust: bool = False) -> list[Plugin]:
    """Load the plug-ins of a run, unless they are loaded already.

    Args:
        folder: The run; a folder that is none has no plug-ins.
        trust: Whether the user trusts what the folder brings along.

    Returns:
        Those that were loaded from the folder now.

    Raises:
        PluginError: where one is not known here and not trusted, is missing, or cannot be loaded.
    """
    there = loaded_plugins()
    # None is run before all of them may be.
    for found in [_checked(folder, entry, trust=trust) for entry in _read(folder)]:
        if isinstance(found, str):
            load_plugin(found)
        elif found is not None:
            load_source(*found)
    return [p for p in loaded_plugins() if p not in there and p.distribution is None]


def _checked(
    folder: RunFolder, entry: Entry, *, trust: bool
) -> tuple[str, Path, bytes] | str | None:
    """What is to be loaded: what a copy is called, where and what it is; a module; nothing more."""
    if "copy" not in entry:
        return _checked_module(folder, entry, trust=trust)
    shown = str(folder.path / entry["copy"])
    path, source = read_file(shown)
    digest = digest_of(source)
    if any(plugin.digest == digest for plugin in loaded_plugins()):
        return None
    for plugin in loaded_plugins():
        if plugin.path is not None and _same_name(entry, plugin.path):
            raise PluginError(
                plugin.given,
                f"the run {folder.path} was made with other code in this plug-in, of which it "
                f"keeps a copy, {shown}; both cannot be loaded at once. Leave --plugin out.",
            )
    key = _key(entry)
    problem = "it is code that this run brings along, and no run of yours here has kept it"
    if digest != entry["sha256"]:
        key = f"{digest} for {key}"
        problem = "it is code, and no longer what this run was made with"
    _check_trust(shown, key, entry["name"], problem, trust=trust)
    return shown, path, source


def _checked_module(folder: RunFolder, entry: Entry, *, trust: bool) -> str | None:
    name: str = entry["name"]
    if any(plugin.name == name and plugin.path is None for plugin in loaded_plugins()):
        return None
    if "distribution" in entry:
        _check_installed(folder, entry)
        return None  # it is loaded when one of its names is asked for
    problem = f"{folder.path} asks for this module, whose code no run of yours here has used"
    _check_trust(name, _key(entry), name, problem, trust=trust)
    return name


def _check_trust(where: str, key: str, name: str, problem: str, *, trust: bool) -> None:
    if trust:
        trusted.note(key, name)
    elif not trusted.trusts(key):
        raise PluginError(
            where, f"{problem}. Read it, and give --trust-plugins where it may be run."
        )


def _check_installed(folder: RunFolder, entry: Entry) -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        version(str(entry["distribution"]))
    except PackageNotFoundError:
        raise PluginError(
            folder.path,
            f"the run was made with the plug-in `{entry['name']}` of {entry['distribution']} "
            f"{entry.get('version') or ''}, which is not installed. Install it.",
        ) from None


def _read(folder: RunFolder) -> list[Entry]:
    """What the manifest says; it may be anybody's."""
    try:
        found = json.loads(folder.manifest.read_text(encoding="utf-8")).get("plugins", [])
    except (OSError, ValueError, AttributeError):
        return []
    sound = isinstance(found, list) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and ("copy" not in entry or _is_copy(entry))
        for entry in found
    )
    if not sound:
        raise PluginError(
            folder.manifest, "`plugins` should list the plug-ins of the run; found something else."
        )
    return list(found)


def _is_copy(entry: Entry) -> bool:
    copy, file = entry["copy"], entry.get("file")
    return (
        isinstance(copy, str)
        and isinstance(file, str)
        and isinstance(entry.get("sha256"), str)
        and Path(copy).parts[:-1] == ("plugins",)
        and Path(copy).suffix == ".py"
    )


def _same_name(entry: Entry, path: Path) -> bool:
    return Path(entry.get("file", "")).name == path.name


def _key(entry: Entry) -> str:
    return entry.get("sha256") or f"module {entry['name']}"


def _of_module(name: str, distribution: str | None) -> Entry:
    """What is here of a module."""
    code = {"version": _version(name, distribution), "code": digest_of_code(name)}
    return {"name": name, **code, **({"distribution": distribution} if distribution else {})}


def _other_code(there: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """The modules that are here with other code than a run was made with: then, and now.

    Runs of before wrote down the version alone.
    """
    for entry in there:
        if "copy" not in entry:
            now = _of_module(entry["name"], entry.get("distribution"))
            key = "code" if "code" in entry else "version"
            if None not in (entry.get(key), now[key]) and entry[key] != now[key]:
                yield entry, now


def _told(entry: Entry) -> str:
    """Which code of a module it is, for people."""
    whose = f"of {entry['distribution']} {entry.get('version')}" if "distribution" in entry else ""
    code = f"code {str(entry['code'])[:8]}" if entry.get("code") else ""
    return " with ".join(filter(None, (whose, code))) or f"version {entry.get('version')}"


def _version(module: str, distribution: str | None) -> str | None:
    """The version of what installed a module, where something did."""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    names = (
        [distribution] if distribution else packages_distributions().get(module.partition(".")[0])
    )
    try:
        return version(names[0]) if names else None
    except PackageNotFoundError:
        return None


def _named(config: Mapping[str, Any]) -> dict[str, set[str]]:
    """For each family that a training asks, by the name of its dict, what it may ask for."""
    parts = {
        "NETWORKS": "network",
        "METHODS": "method",
        "WEIGHTINGS": "weighting",
        "SCHEDULES": "schedule",
        "OPTIMISERS": "optimizer",
    }
    named = {of: {config.get(part, {}).get("name", "")} for of, part in parts.items()}
    named["METRICS"] = {config.get("protocol", "")}
    options = [config.get(part, {}).get("options", {}) for part in ("network", "method")]
    for of in ("ENCODERS", "RELATIONS", "SCHEDULES"):
        named[of] = named.get(of, set()).union(_words(options))
    return named


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        # Relations are named by keys.
        return [word for item in (*value, *value.values()) for word in _words(item)]
    if isinstance(value, list | tuple):
        return [word for item in value for word in _words(item)]
    return [value] if isinstance(value, str) else []
