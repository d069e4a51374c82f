"""The files and folders that a configuration names beside its store, wherever a command begins."""

import hashlib
from collections.abc import Callable, Mapping
from os import sep
from pathlib import Path
from typing import Any

from mtdata.urls import is_url
from mtmodels.training.config import Config
from mtmodels.training.record.manifest import lies_at, places

WORDS = frozenset({"imagenet", "package"})
"""Encoder weights that are no file."""


def moved(config: Config, move: Callable[[str], str]) -> Config:
    """The configuration with each of its paths as `move` has it: regime, teachers, weights."""
    options, weights = dict(config.method.options), config.network.encoder_weights
    teachers = options.get("teachers")
    if isinstance(teachers, dict):
        options["teachers"] = {name: move(str(one)) for name, one in teachers.items()}
    elif isinstance(teachers, list):
        options["teachers"] = [move(str(one)) for one in teachers]
    if weights is not None and weights not in WORDS:
        weights = move(weights)
    return config.model_copy(
        update={
            "regime": None if config.regime is None else _regime(config.regime, move),
            "method": config.method.model_copy(update={"options": options}),
            "network": config.network.model_copy(update={"encoder_weights": weights}),
        }
    )


def named(config: Config) -> list[str]:
    """These paths as they are written."""
    found: list[str] = []

    def note(path: str) -> str:
        found.append(path)
        return path

    moved(config, note)
    return found


def whereabouts(config: Config, folder: Path) -> dict[str, dict[str, str]]:
    """Where each of these paths leads, for the manifest, with the digest of a file."""
    found: dict[str, dict[str, str]] = {}
    for text in named(config):
        path = Path(text)
        if not is_url(text) and path.exists():
            found[text] = lies_at(path, folder)
            if path.is_file():
                with path.open("rb") as file:
                    found[text]["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def seen_from_here(config: Config, facts: Mapping[str, Any], folder: Path) -> Config:
    """The configuration of a run with its paths as they lead there from where the command begins.

    Args:
        config: Of the run.
        facts: Its manifest.
        folder: The run folder.
    """
    at = facts.get("paths", {})

    def move(text: str) -> str:
        known = [Path(text), *places(at[text], folder)] if text in at else []
        return next((str(path) for path in known if path.exists()), text)

    return moved(config, move)


def _regime(regime: str, move: Callable[[str], str]) -> str:
    """A regime, whose file may have added labels behind it."""
    file, csv, added = regime.partition(".csv")
    if csv and added[:1] in ("", "+"):
        return move(file + csv) + added
    return move(regime) if sep in regime else regime
