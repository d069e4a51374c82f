"""Whether the processes that train together train one thing."""

import hashlib
from typing import Any

from safetensors.torch import save

from mtdata.errors import UsageError
from mtmodels import processes
from mtmodels.training.config import FREE, Config
from mtmodels.training.record import checkpoint, plugin_copies
from mtmodels.training.record.manifest import versions
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.setup.claiming import differences
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.setup import Parts

OF_EACH = (FREE - {"compile"}) | {"regime", "plugins"}
"""Keys that each process may have its own values of: what changes no weight, and paths, in place of
which stands what lies there. Whether a network is compiled is decided by all together."""
SHOWN = 12
"""Of a digest."""


def check_alike(config: Config, data: RunData, parts: Parts, folder: RunFolder) -> None:
    """Refuse to train with processes that were given other things: their weights would part.

    Raises:
        UsageError: in all of them, with what differs.
    """
    if processes.count() == 1:
        return
    first, *others = processes.gathered(_description(config, data, parts, folder))
    for rank, other in enumerate(others, 1):
        if found := differences(first, other):
            told = "; ".join(
                f"`{key}` is {one} in process 0 and {two} in process {rank}"
                for key, one, two in found
            )
            raise UsageError(
                f"the processes that train together should all be given the same; {told}. Start "
                "all of them with one command and one version, and have them see the same store, "
                "files and run folder."
            )


def _description(config: Config, data: RunData, parts: Parts, folder: RunFolder) -> dict[str, Any]:
    """What decides which weights come out, in words and digests."""
    values = {key: value for key, value in config.to_dict().items() if key not in OF_EACH}
    values["network"].pop("encoder_weights")  # a file, say: they are among the weights
    values["method"]["options"].pop("teachers", None)  # folders
    weights = {k: v.detach().cpu().contiguous() for k, v in parts.method.state_dict().items()}
    entries = plugin_copies.entries(plugin_copies.used(config.to_dict()))
    plugins = [f"{e['name']} {(e.get('sha256') or e.get('code') or '')[:SHOWN]}" for e in entries]
    return {
        **values,
        "version": versions().get("mtpartial"),
        "plugins": plugins,
        "store": data.store.content_digest[:SHOWN],
        "regime": f"{data.regime.rpartition('/')[2]} ({data.visible[:SHOWN]})",
        "added": data.added,
        "steps an epoch": len(parts.loader),
        "device": parts.fabric.device.type,
        "precision": parts.precision.name,
        "teachers": {name: run["weights"][:SHOWN] for name, run in parts.runs.items()},
        "weights at the start": hashlib.sha256(save(weights)).hexdigest()[:SHOWN],
        "checkpoint": "there" if checkpoint.exists(folder.last, folder.best) else "not there",
    }
