"""A network as a graph of any batch and size, and whether what was written says what it says."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mtdata import Task
from mtdata.tasks.kinds import Normals
from mtmodels.errors import ExportError
from mtmodels.networks.base import Network

INPUT = "image"
Predict = Callable[[Float[Tensor, "b 3 h w"]], Mapping[str, Float[Tensor, "b _ h w"]]]
"""What a file predicts: for each task what the network gives."""
Case = tuple[int, int, int]
"""Images of a batch, their height and width."""

ABSOLUTE, RELATIVE, JUMPS = 1e-3, 1e-5, 1e-3
SMALLEST = 2
"""Height and width that a file takes at least, in steps of the stride of its network."""


class Exportable(nn.Module):
    """What is exported: from images to the prediction of each task, and nothing else.

    Args:
        network: In evaluation mode, on the processor.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network, self.stride = with_fixed_padding(network), network.stride

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Predict all tasks, of images whose sides the stride of the network divides."""
        # ONNX cannot say which sizes a file takes: a shape that only those have refuses all others.
        n, channels, height, width = image.shape
        rows, columns = height // self.stride, width // self.stride
        tiles = image.reshape(n, channels, rows, self.stride, columns, self.stride)
        return dict(self.network(tiles.reshape(n, channels, height, width)).predictions)


def with_fixed_padding(network: Network) -> Network:
    """A copy that pads by the same numbers at any size that it takes.

    Encoders of timm that come from TensorFlow (`tf_...`) compute the padding of a convolution from
    the size of its map. In a graph of any size that is an expression of expressions, at which torch
    is busy for longer than anybody waits. Maps that are halved have even sides here, and of those
    the padding is one number.

    Args:
        network: It stays as it is.
    """
    from timm.layers.conv2d_same import Conv2dSame

    copy = deepcopy(network)
    for parent in list(copy.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, Conv2dSame):
                setattr(parent, name, _padded(layer))
    return copy


def _padded(layer: nn.Conv2d) -> nn.Sequential:
    """A convolution of which ceil(side / step) values come out, for sides that the step divides."""
    sides = []
    for kernel, step, gap in zip(layer.kernel_size, layer.stride, layer.dilation, strict=True):
        more = max(0, gap * (kernel - 1) + 1 - step)
        sides.append((more // 2, more - more // 2))
    (top, bottom), (left, right) = sides
    plain = nn.Conv2d(
        layer.in_channels, layer.out_channels, (layer.kernel_size[0], layer.kernel_size[1]),
        stride=(layer.stride[0], layer.stride[1]), dilation=(layer.dilation[0], layer.dilation[1]),
        groups=layer.groups, bias=layer.bias is not None,
    )  # fmt: skip
    plain.load_state_dict(layer.state_dict())
    return nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), plain)


def graph_of(network: Network) -> ExportedProgram:
    """The network as a graph of any batch, and of any height and width that it takes.

    Args:
        network: In evaluation mode, on the processor.

    Raises:
        ExportError: where it does what a graph cannot say, or takes the size of its example alone.
    """
    stride = network.stride
    # Sizes are counted in steps of the stride, so that the graph knows what they are divisible by.
    # A map of one pixel is a case of its own to torch, whose graph would refuse it: two at least.
    rows, columns = (stride * Dim(name, min=SMALLEST) for name in ("rows", "columns"))
    free = {0: Dim("batch", min=1), 2: rows, 3: columns}
    example = torch.zeros(2, 3, 2 * stride, 3 * stride)
    try:
        program = torch.export.export(
            Exportable(network), (example,), dynamic_shapes=(free,), strict=False
        )
    except Exception as error:  # torch has errors of many kinds for what it cannot follow
        raise ExportError(
            f"the network {type(network).__name__} should be a graph of any batch and size; torch "
            f"cannot follow it: {first_line(error)} A network of your own should choose nothing by "
            "the values or the size of an image in Python. --debug shows where."
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names the folders of whoever exports
    return program


def cases(stride: int, trained: tuple[int, int]) -> tuple[Case, ...]:
    """What a file is tried on: one image as in training, and batches of small ones.

    Args:
        stride: What height and width are divisible by.
        trained: Height and width of the images of the training.
    """
    height, width = (stride * max(SMALLEST, -(-side // stride)) for side in trained)
    return (1, height, width), (2, 2 * stride, 3 * stride), (3, 4 * stride, 2 * stride)


def compare(
    network: Network, predict: Predict, tried: Sequence[Case], *, jumps: Sequence[str] = ()
) -> dict[str, float]:
    """Compare what a file predicts with what the network does.

    A value may differ by 1e-3 in its own unit (a millimetre, a thousandth of a score) and 1e-5 of
    the largest of its task: float32 rounds what was added up, not what was left after cancelling,
    so the largest value says how much rounding there is, and the one beside it does not.

    Where rounding decides between two (`jumps`), one value in a thousand may differ by more.

    Args:
        network: In evaluation mode, on the processor.
        predict: What runs the file.
        tried: The batches to try.
        jumps: The tasks of which some values may jump.

    Returns:
        The largest difference of a value of each task.

    Raises:
        ExportError: where more differs, or the file gives another shape.
    """
    worst = {task.name: 0.0 for task in network.tasks}
    rng = torch.Generator().manual_seed(0)
    for batch, height, width in tried:
        image = torch.rand(batch, 3, height, width, generator=rng)
        with torch.no_grad():
            expected, found = network(image).predictions, predict(image)
        for name in worst:
            one, other = expected[name], found[name]
            if one.shape != other.shape:
                raise ExportError(
                    f"the file should give `{name}` as {list(one.shape)}; found "
                    f"{list(other.shape)}. It was not written."
                )
            far = (one - other).abs()
            beyond = ~(far <= ABSOLUTE + RELATIVE * one.abs().max())  # NaN is beyond, too
            worst[name] = max(worst[name], float(far.max()))
            outside = float(beyond.float().mean())
            if outside > (JUMPS if name in jumps else 0):
                raise ExportError(
                    f"the file should predict `{name}` as the network does, to {ABSOLUTE:g} and "
                    f"{RELATIVE:g} of its largest value; found a difference of {worst[name]:.3g} "
                    f"in a batch of {batch} images of {height}x{width} ({outside:.2%} of the "
                    "values differ by more). It was not written. Try the other --format, or "
                    "another version of torch or onnxruntime."
                )
    return worst


def jumping(tasks: Sequence[Task], program: ExportedProgram) -> list[str]:
    """The tasks of which rounding may turn some values into others.

    Unpooling puts a value where the largest of four was, and where two are alike in all but their
    last digit, that is either place. A normal of length near 0 before it is made unit points
    anywhere.
    """
    unpools = any("unpool" in str(node.target) for node in program.graph.nodes)
    return [task.name for task in tasks if unpools or isinstance(task.kind, Normals)]


def first_line(error: BaseException) -> str:
    """The first line of what an error says, as a sentence."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text.rstrip('.')}."
