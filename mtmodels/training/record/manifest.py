"""`manifest.json`: what a result depends on besides its configuration."""

import os
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mtdata.reading.memory import cores
from mtdata.urls import StorePath, Url, without_secrets
from mtdata.wording import counted
from mtmodels.training.record.runfolder import FORMAT

PACKAGES = ("mtpartial", "torch", "torchvision", "lightning-fabric", "numpy", "h5py",
            "albumentations", "opencv-python-headless", "safetensors")  # fmt: skip

HOME = r"(?<![^=,:\s'\"\[{{(]){}(?=/|$|[,\s'\"\]}})])"
"""What stands for a home folder: at the beginning, or behind what stands before a path within an
option; never within a path."""


def manifest(
    *,
    arguments: Sequence[str],
    store: dict[str, Any],
    store_at: Mapping[str, str],
    size: tuple[int, int],
    regime: str,
    labels: str,
    shown: str = "",
    drawn: Mapping[str, Any] | None = None,
    seed: int,
    created: str,
    training: Mapping[str, Any] | None = None,
    runs: Mapping[str, Mapping[str, Any]] | None = None,
    added: Mapping[str, Any] | None = None,
    paths: Mapping[str, Mapping[str, str]] | None = None,
    plugins: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Put together the manifest of a run.

    Args:
        arguments: The command line; a home folder in it is written as `~`, and a URL without what
            may be secret of it.
        store: Dataset, digests and format version of the store, units of its tasks.
        store_at: Where the store lies: `absolute`, and `relative` to the run folder.
        size: Height and width of the images.
        regime: The regime that labels are seen under.
        labels: Digest of which labels those are.
        shown: Digest of which of the source those are, whatever images show none.
        drawn: Kind and parameters of the regime, where it was drawn as it is.
        seed: The seed of the run.
        created: When the run began, ISO 8601.
        training: What training sees: splits, images, labels of each task, images without.
        runs: Trained runs that the method reads: folder, digest of the weights, what they know.
        added: What labels were added to those of the source: from where, of how many images.
        paths: Where what the configuration names by a path lies, as the store does, with digests.
        plugins: The plug-ins of the run: names, digests, where their copies are.
    """
    return {
        "format": FORMAT,
        "format_version": 1,
        "created": created,
        "arguments": [without_home(without_secrets(argument)) for argument in arguments],
        "store": store,
        "store_at": dict(store_at),
        "size": list(size),
        "regime": regime,
        "labels": labels,
        **({"shown": shown} if shown else {}),
        **({"drawn": dict(drawn)} if drawn else {}),
        "seed": seed,
        **({"training": dict(training)} if training else {}),
        **({"runs": {name: dict(run) for name, run in runs.items()}} if runs else {}),
        **({"added": dict(added)} if added else {}),
        **({"paths": {text: dict(at) for text, at in paths.items()}} if paths else {}),
        "plugins": [dict(plugin) for plugin in plugins],
        "versions": versions(),
        "host": host(),
    }


def added_label(one: Mapping[str, Any]) -> str:
    """Which labels were added to those of the source, and where they come from, in words."""
    sure = f", pixels of confidence {one['threshold']:.3g} or more" if "threshold" in one else ""
    whence = (
        f"by the run {one['run']} ({one['weights'][:12]})"
        if "run" in one
        else f"from {one['parent']} by {one['rule']}"
    )
    return f"{one['task']} of {counted(one['images'], 'image')}, {one['origin']} {whence}{sure}"


def added_labels(facts: Mapping[str, Any]) -> list[str]:
    """What pages say below the labels that a run saw: which of them no source has, a sentence each.

    Args:
        facts: The manifest of the run.
    """
    added = facts.get("added") or {}
    labels = added.get("labels", ())
    told = [f"Of these no source has {added_label(one)}." for one in labels]
    if labels and added.get("anyway"):
        told.append(
            "They were taken with --filled-anyway: what filled them may have seen labels that "
            "the regime hides, or images that are tested."
        )
    return told


def store_at(store: StorePath, folder: Path) -> dict[str, str]:
    """Where a store lies, seen from anywhere and from a run folder; a home folder is `~`.

    Of one on object storage nothing: the configuration has its URL.
    """
    if isinstance(store, Url):
        return {}
    return lies_at(store, folder)


def lies_at(path: Path, folder: Path) -> dict[str, str]:
    """Where a file or folder lies, seen from anywhere and from a run folder."""
    path = path.resolve()
    relative = os.path.relpath(path, folder.resolve())
    return {"absolute": without_home(str(path)), "relative": relative}


def places(at: Mapping[str, str], folder: Path) -> list[Path]:
    """Where to look for what `lies_at` was asked of."""
    absolute = Path(at["absolute"])
    with suppress(RuntimeError):  # of a person whom this machine does not know
        absolute = absolute.expanduser()
    return [absolute, folder / at["relative"]]


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def host() -> dict[str, Any]:
    """The machine, without its name or anything personal."""
    import torch

    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "cards": cards,
    }


def processor() -> str:
    """The model of the processor, as the system calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def without_home(argument: str) -> str:
    """Write the home folder as `~` where a path begins with it."""
    home = str(Path.home())
    if len(home) < 2:
        return argument
    return re.sub(HOME.format(re.escape(home)), "~", argument)


def command_line(words: Sequence[str]) -> str:
    """A command as a shell reads it, with `~` of `without_home` as the home of whoever types it."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if word == "~":
        return word
    # Without a path behind it, it is null in YAML.
    first, *rest = re.split(HOME.format("~") + "(?=/)", word)
    if rest and not first:
        # Where a shell reads it: at the beginning, with what is behind its `/` in quotes.
        first, *rest = rest
        first = f"~/{first[1:] and shlex.quote(first[1:])}"
    else:
        first = shlex.quote(first)
    return '"$HOME"'.join((first, *map(shlex.quote, rest)))
