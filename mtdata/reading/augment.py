"""What happens to a training sample: geometry jointly, then the colours of the image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtdata.errors import UsageError
from mtdata.hashing import digest
from mtdata.reading.geometry import PAPER_SCALES, Change, Crop, Flip, Paste, Rotate, apply
from mtdata.reading.geometry.stored import apply_stored
from mtdata.reading.photometric import Photometric
from mtdata.tasks.sample import Sample
from mtdata.tasks.stored import StoredSample
from mtdata.tasks.task import Task


def sample_rng(seed: int, epoch: int, key: str) -> np.random.Generator:
    """The randomness of one sample: a function of these three and of nothing else."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest(seed, epoch, key))))


@dataclass(frozen=True)
class Augmentation:
    """A random flip, zoom and rotation of image and labels, and a change of colours.

    A zoom above 1 cuts a part out and magnifies it, one below 1 shrinks the image: what lies around
    it is padding, and the sample knows its true size.

    Args:
        flip: The probability of a flip, in [0, 1].
        scales: The magnifications to choose from; (1,) for none.
        continuous: Take any magnification between the smallest and the largest of `scales`.
        rotate: The largest angle in degrees; 0 for none.
        photometric: The change of colours; None for none.
        paper_geometry: Divide inverse depth by the zoom, as the code released with the papers does.

    Raises:
        UsageError: where one of them is out of range.
    """

    flip: float = 0.5
    scales: tuple[float, ...] = PAPER_SCALES
    continuous: bool = False
    rotate: float = 0.0
    photometric: Photometric | None = None
    paper_geometry: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.flip <= 1:
            raise UsageError(f"`flip` should be 0 to 1; found {self.flip}.")
        if not self.scales or not all(0 < scale < np.inf for scale in self.scales):
            raise UsageError(f"`scales` should be numbers above 0; found {self.scales}.")
        if not 0 <= self.rotate <= 180:
            raise UsageError(f"`rotate` should be 0 to 180 degrees; found {self.rotate}.")

    def __call__(self, sample: Sample, rng: np.random.Generator, tasks: Sequence[Task]) -> Sample:
        """Augment a sample; the result is a function of the sample and `rng`."""
        for change in self.changes(rng, sample):
            sample = apply(sample, change, tasks, paper=self.paper_geometry)
        return self._recolour(sample, rng)

    def from_stored(
        self, stored: StoredSample, rng: np.random.Generator, tasks: Sequence[Task]
    ) -> Sample:
        """Augment a sample as the file holds it: what the crop drops is not decoded."""
        changes = self.changes(rng, stored)
        if any(isinstance(change, Rotate | Paste) for change in changes):
            sample = stored.decode(tasks)
            for change in changes:
                sample = apply(sample, change, tasks, paper=self.paper_geometry)
            return self._recolour(sample, rng)
        crop = next((change for change in changes if isinstance(change, Crop)), None)
        flip = next((change for change in changes if isinstance(change, Flip)), None)
        sample = apply_stored(stored, crop, flip, tasks, paper=self.paper_geometry)
        return self._recolour(sample, rng)

    def _recolour(self, sample: Sample, rng: np.random.Generator) -> Sample:
        if self.photometric is None:
            return sample
        return replace(sample, image=self.photometric(sample.image, rng))

    def changes(
        self, rng: np.random.Generator, sample: Sample | StoredSample | None = None
    ) -> list[Change]:
        """Draw the geometric changes, in order; always takes five numbers.

        Args:
            rng: Where the numbers come from.
            sample: What is to be changed: where it is padded, the crop is one of the true image.
        """
        zoom = self._zoom(rng)
        flip = Flip.draw(rng, self.flip)
        turn = Rotate.draw(rng, self.rotate)
        if sample is not None and sample.extent is not None and isinstance(zoom, Crop):
            height, width = sample.image.shape[:2]
            extent = turn.extent(sample.extent, height, width) if self.rotate else sample.extent
            zoom = zoom.within(extent, height, width)
        drawn = (turn if self.rotate else None, zoom if zoom.scale > 1 else None, flip)
        return [change for change in drawn if change is not None]

    def _zoom(self, rng: np.random.Generator) -> Crop | Paste:
        """A magnification and where it lies; always takes three numbers."""
        share, top, left = rng.random(3)
        scale = self.scales[int(share * len(self.scales))]
        if self.continuous:
            scale = min(self.scales) + share * (max(self.scales) - min(self.scales))
        return Crop(scale, top, left) if scale >= 1 else Paste(1 / scale, top, left)
