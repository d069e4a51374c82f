"""What every encoder promises: maps of an image at declared sizes, the coarsest last."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from mtdata.errors import UsageError
from mtmodels.errors import MemberError


def check_maps(encoder: "Encoder", image: Tensor, maps: object) -> None:
    """Refuse maps of an image that are not as the encoder says they are.

    Raises:
        MemberError: with what was expected and what was found.
    """
    height, width = image.shape[-2:]
    said = zip(encoder.channels, encoder.strides, strict=True)
    expected = [[len(image), c, height // stride, width // stride] for c, stride in said]
    found: object = type(maps).__name__
    if isinstance(maps, list | tuple):
        found = [list(getattr(each, "shape", ())) for each in maps]
    if found != expected:
        raise MemberError(
            f"the encoder `{type(encoder).__name__}`",
            f"should give a map for each of its `channels` {list(encoder.channels)} and `strides` "
            f"{list(encoder.strides)}, {expected} for {len(image)} images of {height}x{width}; "
            f"found {found}.",
        )


class Encoder(nn.Module, ABC):
    """Image -> maps. A network asks for those that it reads by their strides.

    It has maps at 4, 8, 16 and 32; one that can be dilated ends at 8 then, with as many maps.

    Args:
        width: A factor on all channels.
        weights: None, or what it should start from: "imagenet", or a file.
        dilated: Whether no map should be coarser than an eighth of the size of the image.

    Raises:
        UsageError, DataError: where it cannot be made so, or the weights do not fit or cannot be
            had.
    """

    summary: ClassVar[str]
    """One sentence for `mtmodels list encoders`."""
    reference: ClassVar[str]
    """Paper and section."""
    channels: tuple[int, ...]
    """Of each map."""
    strides: tuple[int, ...]
    """The size of the image over that of each map."""

    def __init__(
        self, *, width: float = 1.0, weights: str | Path | None = None, dilated: bool = False
    ) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, ...]:
        """The maps; height and width of the image are divisible by each of `strides`."""

    def place(self, stride: int) -> int:
        """Which of the maps has a stride; the last where several have.

        Raises:
            UsageError: where none has.
        """
        if stride not in self.strides:
            raise UsageError(
                f"an encoder of this network should have a map at stride {stride}; found "
                f"{', '.join(map(str, self.strides))}. Give another --encoder."
            )
        return max(i for i, own in enumerate(self.strides) if own == stride)

    def pretrained(self) -> nn.Module:
        """The part that pre-trained weights go to: all of it, unless it adds layers of its own."""
        return self

    def last_layer(self) -> nn.Module:
        """The last layer that all that reads it shares."""
        return [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)][-1]
