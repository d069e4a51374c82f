"""Where in a plug-in an error came from."""

import re
import traceback
from contextlib import suppress
from pathlib import Path

from mtdata.plugins.checking import class_at
from mtdata.plugins.families import FAMILIES
from mtdata.plugins.loading import loaded_plugins
from mtdata.plugins.modules import code_of
from mtdata.plugins.plugin import Plugin


def place_of(error: BaseException) -> str:
    """The last line of a plug-in that an error passed, as "mine.py, line 9 (method `x`): ".

    Empty where it passed none. It is read from the text of the traceback, which is all that
    workers send along.
    """
    told = "".join(traceback.format_exception(error))
    last, found = -1, ""
    for plugin in loaded_plugins():
        place = plugin.path or code_of(plugin.module)
        if place is None:
            continue
        within = re.escape(str(place)) + (r'/[^"]+' if place.is_dir() else "")
        for match in re.finditer(rf'File "({within})", line (\d+)', told):
            if match.start() > last:
                last, file, line = match.start(), Path(match[1]), int(match[2])
                shown = file.relative_to(place.parent)
                found = f"{shown}, line {line}{_member(plugin, file, line)}: "
    return found


def _member(plugin: Plugin, file: Path, line: int) -> str:
    """The member whose class a line is in."""
    owner = None
    with suppress(OSError, SyntaxError, ValueError):  # a file may have changed since
        owner = class_at(plugin.source or file.read_bytes(), line)
    for dict_name, names in plugin.members.items():
        registry = FAMILIES[dict_name].registry
        for name in names:
            if owner is not None and getattr(registry[name], "__name__", None) == owner:
                return f" ({registry.family} `{name}`)"
    return ""
