"""Plug-ins: members of the families that come from a file or a module of somebody else."""

from mtdata.plugins.installed import load_installed
from mtdata.plugins.loading import load_plugin, loaded_plugins, unload_plugin
from mtdata.plugins.plugin import Plugin

__all__ = ["Plugin", "load_installed", "load_plugin", "loaded_plugins", "unload_plugin"]
