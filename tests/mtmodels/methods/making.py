"""Every method, made small and ready for its first step, for tests that run all of them."""

from collections.abc import Sequence
from typing import Any

import torch

from mtdata.tasks.task import Task
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Network

SMALL: dict[str, dict[str, Any]] = {
    "xtc": {"transfer_width": 0.125},
    "align": {"transfer_width": 0.125},
    "mtpsl": {"mapping": "segnet", "mapping_width": 0.0625},
    "direct-map": {"mapping_width": 0.03125},
    "perceptual-map": {"mapping_width": 0.03125},
    "contrastive": {"mapping": "segnet", "mapping_width": 0.0625},
    "discriminator": {"mapping": "segnet", "mapping_width": 0.0625},
    "x-task": {"mapping_width": 0.03125},
    "jtr": {"auto_encoder_width": 0.0625},
}
"""Networks that only training needs, made small."""


def make_network(tasks: Sequence[Task], name: str = "unet-resnet18") -> Network:
    """A network of an eighth of its width."""
    return NETWORKS[name](tasks, width=0.125)


def options_for(name: str, tasks: Sequence[Task]) -> dict[str, Any]:
    """What a method has to be told, and what makes it small."""
    if name == "kd":
        return {"teachers": {task.name: f"runs/{task.name}" for task in tasks}}
    if name == "self-training":
        return {"teachers": ("runs/a", "runs/b")}
    return SMALL.get(name, {})


def make_method(name: str, tasks: Sequence[Task], **options: Any) -> Method:
    """A method with its teachers, behind its stages, which learnt nothing."""
    torch.manual_seed(0)
    network = make_network(tasks)
    return ready(METHODS[name](network, **options_for(name, tasks), **options))


def ready(method: Method) -> Method:
    """Give a method what `mttrain` gives it before the first step."""
    by_name = {task.name: task for task in method.network.tasks}
    for name in method.runs():
        teacher = make_network([by_name[name]] if name in by_name else method.network.tasks)
        method.teachers[name] = teacher.requires_grad_(requires_grad=False).eval()
    method.loaded()
    for stage in method.stages():
        stage.done()
    return method
