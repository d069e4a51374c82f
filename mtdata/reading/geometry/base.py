"""What every geometric change is: a value that says what happens to pixels and to what they say."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mtdata.tasks.kinds import Kind
from mtdata.tasks.sample import Camera, Corners, Extent

WEAK = 0.1
"""Length below which a mean of unit vectors says too little of a direction."""


@dataclass(frozen=True)
class Change(ABC):
    """A geometric change of an image and its labels, the same for any size.

    A change is only a value. `opencv` beside it applies it to samples and `device` to tensors; both
    move pixels alike, and both take from here what happens to the values of a label.
    """

    def correct(self, kind: Kind, label: NDArray[Any], *, paper: bool = False) -> NDArray[Any]:
        """Correct the values of a label whose pixels were moved; linear in the label.

        Args:
            kind: The kind of the label.
            label: Values with the channels last, where there are channels.
            paper: Divide inverse depth by the zoom, as the code released with the papers does.
        """
        return label

    @abstractmethod
    def camera(self, camera: Camera, height: int, width: int) -> Camera:
        """The camera that sees the changed scene, for an image of this size.

        A pixel keeps its ray: a zoom magnifies the focal lengths. The depth, which `correct`
        divides, makes the whole scene smaller by the zoom, so that normals stay as they are.
        """

    @abstractmethod
    def moved(self, extent: Extent, height: int, width: int) -> Extent:
        """Where the true image lies after the change, in an image of this size.

        The smallest box that holds it, empty where none of it is left; and where its corners lie
        if it was turned.
        """

    def corners(self, extent: Extent, height: int, width: int) -> Corners | None:
        """Where the corners of a turned image lie after the change; None where it was not turned.

        A point moves as the principal point of a camera does.
        """
        if extent.corners is None:
            return None
        a, b, c = (self.camera(Camera(1.0, 1.0, x, y), height, width) for x, y in extent.corners)
        return (a.cx, a.cy), (b.cx, b.cy), (c.cx, c.cy)

    def extent(self, extent: Extent | None, height: int, width: int) -> Extent | None:
        """The same, where None says that an image is not padded."""
        whole = Extent(0, 0, height, width)
        moved = self.moved(extent or whole, height, width)
        return None if moved == whole else moved
