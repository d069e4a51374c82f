"""The mapping network of MTPSL: from predictions and labels into the joint spaces of task pairs."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mtdata.errors import UnknownNameError
from mtdata.task import Task
from mtmodels.networks.conditioned import STATISTICS, ConditionedNorm
from mtmodels.networks.mapping_resnet import ResNetTrunk
from mtmodels.networks.mapping_segnet import SegNetTrunk

TRUNKS = {"segnet": SegNetTrunk, "resnet18": ResNetTrunk}


class MappingNetwork(nn.Module):
    """An input layer a task, then a trunk with FiLM behind every batch norm.

    All samples of a step go through it in one pass, each with a code of its own. What does not
    depend on the code, the input layers and the start of the trunk, runs once for an input that is
    mapped under several codes.

    Args:
        tasks: The tasks whose predictions and labels it reads, each through a layer of its own.
        codes: How many codes there are, usually the ordered pairs of tasks; 0 for none.
        trunk: "segnet", the encoder of SegNet, or "resnet18", as for PASCAL.
        channels: Of what it gives; that of the features which it is compared with.
        stride: By how much it shrinks height and width; that of the same features.
        width: A factor on the channels inside; 1 is the published network.
        over: What batch norm takes its statistics over, "sample" or "pass".
        checkpointing: Whether to forget what is inside the trunk and compute it again in the
            backward pass: less memory, more time, the same numbers.

    Raises:
        UnknownNameError: where `trunk` or `over` is unknown.
        ValueError: where `stride` or `width` is out of range.

    Reference: MTPSL section 3.2 and 4, and its released code.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        codes: int,
        trunk: str = "segnet",
        channels: int = 512,
        stride: int = 32,
        width: float = 1.0,
        over: str = "sample",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if over not in STATISTICS:
            raise UnknownNameError("mapping norm", over, STATISTICS)
        if trunk not in TRUNKS:
            raise UnknownNameError("mapping network", trunk, TRUNKS)
        if not width > 0:
            raise ValueError(f"`width` should be above 0; found {width}.")
        self.checkpointing = checkpointing
        make: Any = TRUNKS[trunk]
        self.trunk = make(codes=codes, channels=channels, stride=stride, width=width, over=over)
        self.inputs = nn.ModuleDict({t.name: self.trunk.reader(t.channels) for t in tasks})

    def forward(
        self,
        inputs: Mapping[str, Float[Tensor, "n c h w"]],
        pick: Int[Tensor, " m"],
        code: Int[Tensor, " m"],
        *,
        before_last: bool = False,
    ) -> Float[Tensor, "m d hf wf"]:
        """Map encoded predictions and labels.

        Args:
            inputs: For each task, what its input layer reads.
            pick: For each sample that is wanted, which of `inputs` it is of, counted through all
                tasks in order.
            code: The code it is mapped under; any where there are no codes.
            before_last: Whether to stop in front of the last stage of the trunk.
        """
        read = torch.cat([self.inputs[task](encoded) for task, encoded in inputs.items()])
        x: Tensor = self.trunk.start(read)[pick]
        stages = self.trunk.parts()
        for part in itertools.chain(*(stages[:-1] if before_last else stages)):
            x = self._run(part, x, code)
        return x

    def film_parameters(self) -> list[nn.Parameter]:
        """What turns a code into scales and shifts: the auxiliary network of the paper."""
        norms = [m for m in self.modules() if isinstance(m, ConditionedNorm)]
        return [p for norm in norms for p in (norm.gamma, norm.beta) if p is not None]

    def _run(self, part: Any, x: Tensor, code: Tensor) -> Tensor:
        result: Tensor
        if self.checkpointing and torch.is_grad_enabled():
            result = checkpoint(part, x, code, use_reentrant=False)
        else:
            result = part(x, code)
        return result
