"""Where in a plug-in an error came from."""

import re
import traceback

from mtdata.plugins.checking import class_at
from mtdata.plugins.families import FAMILIES
from mtdata.plugins.loading import loaded_plugins
from mtdata.plugins.plugin import Plugin


def place_of(error: BaseException) -> str:
    """The last line of a plug-in that an error passed, as "mine.py, line 9 (method `x`): ".

    Empty where it passed none. It is read from the text of the traceback, which is all that
    workers send along.
    """
    told = "".join(traceback.format_exception(error))
    last, found = -1, ""
    for plugin in loaded_plugins():
        if plugin.path is None:
            continue
        for match in re.finditer(rf'File "{re.escape(str(plugin.path))}", line (\d+)', told):
            if match.start() > last:
                line = int(match[1])
                last, found = (
                    match.start(),
                    f"{plugin.path.name}, line {line}{_member(plugin, line)}: ",
                )
    return found


def _member(plugin: Plugin, line: int) -> str:
    """The member whose class a line is in."""
    owner = class_at(plugin.source or b"", line)
    for dict_name, names in plugin.members.items():
        registry = FAMILIES[dict_name].registry
        for name in names:
            if owner is not None and getattr(registry[name], "__name__", None) == owner:
                return f" ({registry.family} `{name}`)"
    return ""
