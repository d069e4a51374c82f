"""The mapping network of MTPSL: from predictions and labels into the joint spaces of task pairs."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mtdata.tasks.task import Task
from mtmodels.networks.auxiliary.conditioned import ConditionedNorm, Statistics
from mtmodels.networks.auxiliary.mapping_resnet import ResNetTrunk
from mtmodels.networks.auxiliary.mapping_segnet import SegNetTrunk

TRUNKS = {"segnet": SegNetTrunk, "resnet18": ResNetTrunk}


def call(function: Callable[..., Tensor], *args: Any, **options: Any) -> Tensor:
    """As it is: what is needed for the backward pass stays in memory."""
    return function(*args, **options)


def again(function: Callable[..., Tensor], *args: Any, **options: Any) -> Tensor:
    """Keep what goes in only, and compute the function once more in the backward pass."""
    result: Tensor = checkpoint(
        function, *args, use_reentrant=False, preserve_rng_state=False, **options
    )
    return result


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
        checkpointing: Whether to forget what is inside and compute it again in the backward pass:
            less memory, more time, the same numbers. One input under all its codes is inside at a
            time; with statistics over the pass, which tie all samples together, one stage.

    Raises:
        ValueError: where `stride` is out of range.

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
        over: Statistics = "sample",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.over, self.checkpointing = over, checkpointing
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
        if not (self.checkpointing and torch.is_grad_enabled()):
            return self._map(inputs, pick, code, before_last=before_last)
        if self.over == "pass":
            return self._map(inputs, pick, code, before_last=before_last, run=again)
        return self._input_by_input(inputs, pick, code, before_last=before_last)

    def check_size(self, height: int, width: int) -> None:
        """Refuse inputs of which the last norm would see one pixel.

        Raises:
            ValueError: where that is so and its statistics are over each sample.
        """
        stride = self.trunk.norm_stride
        if self.over == "sample" and (height // stride) * (width // stride) < 2:
            raise ValueError(
                f"the mapping norm over each sample should have maps of more than one pixel; found "
                f"one, of images of {height}x{width}. Take larger images, or --mapping-norm pass."
            )

    def film_parameters(self) -> list[nn.Parameter]:
        """What turns a code into scales and shifts: the auxiliary network of the paper."""
        norms = [m for m in self.modules() if isinstance(m, ConditionedNorm)]
        return [p for norm in norms for p in (norm.gamma, norm.beta) if p is not None]

    def _map(
        self,
        inputs: Mapping[str, Float[Tensor, "n c h w"]],
        pick: Int[Tensor, " m"],
        code: Int[Tensor, " m"],
        *,
        before_last: bool,
        run: Callable[..., Tensor] = call,
    ) -> Float[Tensor, "m d hf wf"]:
        x = run(self._start, inputs)[pick]
        stages = self.trunk.parts()
        for part in itertools.chain(*(stages[:-1] if before_last else stages)):
            x = run(part, x, code)
        return x

    def _start(self, inputs: Mapping[str, Float[Tensor, "n c h w"]]) -> Float[Tensor, "m d h2 w2"]:
        # Joined behind the start: what the start read stays in memory, and would do so twice.
        return torch.cat([self.trunk.start(self.inputs[task](x)) for task, x in inputs.items()])

    def _input_by_input(
        self,
        inputs: Mapping[str, Float[Tensor, "n c h w"]],
        pick: Int[Tensor, " m"],
        code: Int[Tensor, " m"],
        *,
        before_last: bool,
    ) -> Float[Tensor, "m d hf wf"]:
        """Each input under its codes alone, which statistics over each sample allow."""
        every = [(task, one) for task, encoded in inputs.items() for one in encoded.split(1)]
        samples: dict[int, list[int]] = {}
        for sample, read in enumerate(pick.tolist()):
            samples.setdefault(read, []).append(sample)
        maps = []
        for read, places in samples.items():
            task, one = every[read]
            first = torch.zeros(len(places), dtype=torch.long, device=pick.device)
            maps.append(again(self._map, {task: one}, first, code[places], before_last=before_last))
        order = list(itertools.chain(*samples.values()))
        return torch.cat(maps)[sorted(range(len(order)), key=order.__getitem__)]
