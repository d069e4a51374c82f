"""Loading a plug-in: all of its members are added, or none."""

from pathlib import Path

from mtdata.plugins import loaded
from mtdata.plugins.checking import Member, members_of
from mtdata.plugins.families import FAMILIES
from mtdata.plugins.modules import (
    digest_of,
    import_by_name,
    names_a_file,
    read_file,
    run_file,
)
from mtdata.plugins.plugin import Plugin

_LOADED: dict[str, Plugin] = {}
"""By the digest of the file, or the name of the module."""


def load_plugin(given: str | Path, *, distribution: tuple[str, str] | None = None) -> Plugin:
    """Run a plug-in, and add its members to their families.

    A plug-in is code: what is in it is run. One that was loaded before is not run again.

    Args:
        given: A file that ends in `.py`, or the name of a module.
        distribution: Name and version of what installed it, where an entry point names it.

    Raises:
        PluginError: where it is missing, fails, or has a member that does not fit or whose name is
            taken; nothing of it is added then.
    """
    given = str(given)
    if not names_a_file(given):
        return _LOADED.get(given) or _load_module(given, distribution)
    return load_source(given, *read_file(given))


def load_source(given: str, path: Path, source: bytes) -> Plugin:
    """As `load_plugin`, of a file that was read; these bytes are run and no others.

    Args:
        given: What the user knows it by.
        path: The absolute path of the file.
        source: What was in it.
    """
    return _LOADED.get(digest_of(source)) or _load_file(given, path, source)


def loaded_plugins() -> tuple[Plugin, ...]:
    """All plug-ins that were loaded, in order."""
    return tuple(_LOADED.values())


def unload_plugin(plugin: Plugin) -> None:
    """Take the members of a plug-in out of their families, so that it can be loaded anew."""
    del _LOADED[plugin.digest or plugin.name]
    for dict_name, names in plugin.members.items():
        for name in names:
            FAMILIES[dict_name].registry.remove(name)
    if plugin.path is not None:
        loaded.forget(plugin.module)


def _load_file(given: str, path: Path, source: bytes) -> Plugin:
    module = run_file(given, path, source)
    try:
        members = members_of(module, given)
    except BaseException:
        loaded.forget(module.__name__)
        raise
    return _add(
        Plugin(
            name=path.stem,
            given=given,
            module=module.__name__,
            members=_names(members),
            path=path,
            digest=digest_of(source),
            source=source,
        ),
        members,
    )


def _load_module(given: str, distribution: tuple[str, str] | None) -> Plugin:
    members = members_of(import_by_name(given), given)
    plugin = Plugin(given, given, given, _names(members), distribution=distribution)
    return _add(plugin, members)


def _names(members: list[Member]) -> dict[str, tuple[str, ...]]:
    dict_names = dict.fromkeys(member.dict_name for member in members)
    return {d: tuple(m.name for m in members if m.dict_name == d) for d in dict_names}


def _add(plugin: Plugin, members: list[Member]) -> Plugin:
    for member in members:
        registry = FAMILIES[member.dict_name].registry
        registry.add(member.name, member.value, origin=plugin.origin)
    _LOADED[plugin.digest or plugin.name] = plugin
    return plugin
