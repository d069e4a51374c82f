"""The mapping network of MTPSL: from predictions and labels into the joint spaces of task pairs."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mtdata.errors import UnknownNameError
from mtdata.task import Task
from mtmodels.networks.blocks import convolution, scaled
from mtmodels.networks.conditioned import STATISTICS, ConditionedNorm, Over
from mtmodels.networks.stages import STAGES

Code = Int[Tensor, " m"]


class MappingNetwork(nn.Module):
    """An input layer a task, then the encoder of SegNet with FiLM behind every batch norm.

    All samples of a step go through it in one pass, each with a code of its own. What does not
    depend on the code, the input layers and the first convolution, runs once for inputs that are
    mapped under several codes.

    Args:
        tasks: The tasks whose predictions and labels it reads, each through a layer of its own.
        codes: How many codes there are, usually the ordered pairs of tasks; 0 for none.
        channels: Of what it gives; that of the features which it is compared with.
        stride: By how much it shrinks height and width: a power of 2 up to 32.
        width: A factor on the channels inside; 1 is the published network.
        over: What batch norm takes its statistics over, "sample" or "pass".
        checkpointing: Whether to forget what is inside the stages and compute it again in the
            backward pass: less memory, more time, the same numbers.

    Raises:
        ValueError: where `stride` or `width` is out of range, or `over` is unknown.

    Reference: MTPSL section 3.2 and 4, and its released code.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        codes: int,
        channels: int = 512,
        stride: int = 32,
        width: float = 1.0,
        over: Over = "sample",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if over not in STATISTICS:
            raise UnknownNameError("mapping norm", over, STATISTICS)
        if stride not in (1, 2, 4, 8, 16, 32):
            raise ValueError(f"`stride` should be a power of 2 up to 32; found {stride}.")
        if not width > 0:
            raise ValueError(f"`width` should be above 0; found {width}.")
        self.checkpointing = checkpointing
        first = scaled(STAGES[0][1], width)
        self.inputs = nn.ModuleDict(
            {task.name: InputLayer(task.channels, first, over=over) for task in tasks}
        )
        counts, widths = zip(*STAGES, strict=True)
        outputs = [*(scaled(c, width) for c in widths[:-1]), channels]
        starts = [first, *outputs[:-1]]
        pools = int(math.log2(stride))
        # Where the features are finer than those of SegNet, the last stages keep their size.
        self.stages = nn.ModuleList(
            Stage(a, b, count, codes, over=over, inside=inside, pool=i < pools)
            for i, (a, b, count, inside) in enumerate(
                zip(starts, outputs, counts, [scaled(c, width) for c in widths], strict=True)
            )
        )

    def forward(
        self, inputs: Mapping[str, Float[Tensor, "n c h w"]], pick: Code, code: Code
    ) -> Float[Tensor, "m d hf wf"]:
        """Map encoded predictions and labels.

        Args:
            inputs: For each task, what its input layer reads.
            pick: For each sample that is wanted, which of `inputs` it is of, counted through all
                tasks in order.
            code: The code it is mapped under; any where there are no codes.
        """
        read = torch.cat([self.inputs[task](encoded) for task, encoded in inputs.items()])
        first, *others = [stage for stage in self.stages if isinstance(stage, Stage)]
        x = first.start(read)
        if len(pick) != len(x) or not torch.equal(pick, torch.arange(len(x), device=pick.device)):
            x = x[pick]
        x = self._run(first.rest, x, code)
        for stage in others:
            x = self._run(stage, x, code)
        return x

    def film_parameters(self) -> list[nn.Parameter]:
        """What turns a code into scales and shifts: the auxiliary network of the paper."""
        norms = [m for m in self.modules() if isinstance(m, ConditionedNorm)]
        return [p for norm in norms for p in (norm.gamma, norm.beta) if p is not None]

    def _run(self, part: Callable[[Tensor, Code], Tensor], x: Tensor, code: Code) -> Tensor:
        if not (self.checkpointing and self.training and torch.is_grad_enabled()):
            return part(x, code)
        result: Tensor = checkpoint(part, x, code, use_reentrant=False)
        return result


class InputLayer(nn.Module):
    """Reads predictions and labels of one task; not conditioned."""

    def __init__(self, channels_in: int, channels_out: int, *, over: Over) -> None:
        super().__init__()
        self.conv = convolution(channels_in, channels_out, bias=True)
        self.norm = ConditionedNorm(channels_out, 0, over=over)

    def forward(self, encoded: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Convolution, batch norm, ReLU."""
        return F.relu(self.norm(self.conv(encoded), encoded.new_zeros(len(encoded)).long()))


class Stage(nn.Module):
    """Convolutions, each with its conditioned norm and ReLU, then a 2x2 max-pool."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        count: int,
        codes: int,
        *,
        inside: int,
        over: Over,
        pool: bool,
    ) -> None:
        super().__init__()
        widths = [channels_in, *[inside] * (count - 1), channels_out]
        self.convs = nn.ModuleList(
            convolution(a, b, bias=True) for a, b in itertools.pairwise(widths)
        )
        self.norms = nn.ModuleList(ConditionedNorm(c, codes, over=over) for c in widths[1:])
        self.pool = pool

    def start(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """The first convolution, which no code has a part in."""
        result: Tensor = self.convs[0](x)
        return result

    def rest(self, x: Float[Tensor, "m d h w"], code: Code) -> Float[Tensor, "m e hp wp"]:
        """All behind the first convolution."""
        for i, norm in enumerate(self.norms):
            x = F.relu(norm(self.convs[i](x) if i else x, code), inplace=True)
        return F.max_pool2d(x, 2) if self.pool else x

    def forward(self, x: Float[Tensor, "m c h w"], code: Code) -> Float[Tensor, "m e hp wp"]:
        """The whole stage."""
        return self.rest(self.start(x), code)
