"""Names of the families of this package, for help texts that must not import torch.

A test holds them equal to the registries.
"""

from collections.abc import Sequence

NETWORK_NAMES = (
    "unet-resnet18",
    "xtasc-resnet18",
    "xtasc-resnet34",
    "xtasc-resnet50",
    "segnet",
    "deeplab-resnet18",
)
METHOD_NAMES = (
    "sl",
    "ssl",
    "xtc",
    "align",
    "mtpsl",
    "direct-map",
    "perceptual-map",
    "contrastive",
    "discriminator",
)
WEIGHTING_NAMES = ("equal", "fixed", "uncertainty")
PROTOCOL_NAMES = ("mtpsl", "xtasc")
SCHEDULE_NAMES = ("constant", "step", "cosine", "onecycle")

_PAIR = ("semantic", "depth")
DEFAULT_TASKS = {"xtc": _PAIR, "align": _PAIR}
"""Tasks that a method trains on unless told otherwise; all of the store where it is not here."""


def default_tasks(method: str, there: Sequence[str]) -> tuple[str, ...]:
    """The tasks that a method trains on by itself.

    Args:
        method: Its name.
        there: The tasks of the store.
    """
    wanted = DEFAULT_TASKS.get(method)
    if wanted is None or not set(wanted) <= set(there):
        return tuple(there)
    return tuple(task for task in there if task in wanted)
