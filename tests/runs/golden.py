"""Numbers made with the code released with the papers: how to read them and repeat their making."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtdata.reading.batch import Batch
from mtdata.tasks.kinds import Depth, Normals
from mtdata.tasks.task import Task
from mtmodels.methods import METHODS
from mtmodels.methods.parts.transfer import TransferMethod
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from mtmodels.options import build
from tests.runs.batches import classes


class XTasCGolden:
    """XTasC-Net with ResNet-34 and 13 classes on two made-up images of 64x96.

    Args:
        folder: `shared/golden`.
    """

    def __init__(self, folder: Path) -> None:
        self.fill = _module(folder / "fill.py")
        self.image: Tensor = self.fill.image(2, 64, 96)
        labels = self.fill.labels(2, 13, 64, 96)
        semantic, depth = labels["semantic"][:, None], labels["depth"]
        self.batch = Batch(
            ("a", "b"),
            self.image,
            {"semantic": semantic, "depth": depth},
            {"semantic": semantic[:, 0] >= 0, "depth": depth[:, 0] > 0},
            {"semantic": torch.arange(2), "depth": torch.arange(2)},
        )
        outputs = _arrays(folder / "xtasc_resnet34_13.npz")
        self.losses = _arrays(folder / "xtasc_losses_resnet34_13.npz")
        self.predictions = {"semantic": outputs["semantic_logits"], "depth": outputs["depth"]}
        self.transferred = {
            ("semantic", "depth"): outputs["depth_from_semantic"],
            ("depth", "semantic"): outputs["semantic_from_depth"],
        }

    def method(self, name: str, **options: Any) -> TransferMethod:
        """The method with the lambdas and the reduction of the released code."""
        tasks = (Task("semantic", classes(13)), Task("depth", Depth()))
        released = {
            "lambda": {t: float(self.losses[f"lambda_{t}"]) for t in self.predictions},
            "reduction": {"semantic": "pixels", "depth": "image"},
        }
        network = NETWORKS["xtasc-resnet34"](tasks)
        made = build("method", METHODS, name, network, options={**released, **options})
        assert isinstance(made, TransferMethod)
        return made

    def filled_method(self, name: str) -> TransferMethod:
        """The method with the weights that the numbers were made with, in training mode."""
        method = self.method(name)
        order = self.fill.fill_in_forward_order(
            method, lambda: method(Views(self.batch), progress=0.0, rng=torch.Generator())
        )
        assert len(order) == 94
        return method


class SegNetGolden:
    """The SegNet of MTPSL with 13 classes on two made-up images of 64x96.

    Args:
        folder: `shared/golden`.
    """

    tasks = (Task("semantic", classes(13)), Task("depth", Depth()), Task("normals", Normals()))

    def __init__(self, folder: Path) -> None:
        self.fill = _module(folder / "fill.py")
        self.image: Tensor = self.fill.image(2, 64, 96)
        found = self.fill.labels(2, 13, 64, 96)
        self.labels = {**found, "semantic": found["semantic"][:, None]}
        self.valid = {
            "semantic": found["semantic"] >= 0,
            "depth": found["depth"][:, 0] > 0,
            "normals": (found["normals"] != 0).any(1),
        }
        outputs = _arrays(folder / "segnet_nyu.npz")
        self.predictions = {
            "semantic": outputs["semantic_logprob"],
            "depth": outputs["depth"],
            "normals": outputs["normals"],
        }
        self.features = outputs["feature"]
        self.losses = _arrays(folder / "segnet_nyu_losses.npz")["per_image"]

    def network(self) -> nn.Module:
        """The network with the weights that the numbers were made with, in training mode."""
        network = NETWORKS["segnet"](self.tasks)
        order = self.fill.fill_in_forward_order(network, lambda: network(self.image))
        assert len(order) == 32
        return network


class JTRGolden:
    """The auto-encoder of JTR for NYUv2 with 13 classes, and its losses of one image of 64x96.

    Args:
        folder: `shared/golden`.
    """

    tasks = SegNetGolden.tasks
    sets = (["semantic"], ["depth"], ["normals"], ["semantic", "normals"])
    """The tasks that the image shows."""

    def __init__(self, folder: Path) -> None:
        self.fill = _module(folder / "fill.py")
        self.numbers = _arrays(folder / "jtr_nyu.npz")
        self.labels = SegNetGolden(folder)

    def number(self, shown: Sequence[str], name: str) -> float:
        """A number of one set of tasks."""
        return float(self.numbers[f"{'_'.join(shown)}/{name}"])

    def filled(self, auto_encoder: nn.Module) -> None:
        """Give an auto-encoder the weights that the numbers were made with."""
        read = self.numbers["input"]
        order = self.fill.fill_in_forward_order(auto_encoder, lambda: auto_encoder(read))
        assert len(order) == int(self.numbers["convolutions"])

    def predictions(self, view: int) -> dict[str, Tensor]:
        """Those of view 0 or 2."""
        wave, size = self.fill.wave, (64, 96)
        normals = wave((1, 3, *size), 1.1 + view, step=0.013)
        normals[:, 2] -= 1.5
        return {
            "semantic": 3 * wave((1, 13, *size), 0.3 + view, step=0.11),
            "depth": 2 + 1.2 * wave((1, 1, *size), 0.7 + view, step=0.05),
            "normals": normals / normals.norm(dim=1, keepdim=True),
        }

    def batch(self, image: int, shown: Sequence[str]) -> Batch:
        """One image with the labels of some tasks."""
        return Batch(
            ("a",),
            self.labels.image[[image]],
            {name: self.labels.labels[name][[image]] for name in shown},
            {name: self.labels.valid[name][[image]] for name in shown},
            {name: torch.zeros(1, dtype=torch.long) for name in shown},
        )


def _arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of numbers of a file; names of columns are left out."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return {name: torch.from_numpy(a) for name, a in arrays.items() if a.dtype.kind != "U"}


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("fill", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
