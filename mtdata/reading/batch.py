"""A batch as the reader yields it: absent labels are absent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data._utils.collate import default_collate_fn_map

from mtdata.tasks.sample import Camera, Extent, Sample
from mtdata.tasks.stored import StoredSample


@dataclass(frozen=True)
class Batch:
    """`b` images and, for each task, the labels of the `n <= b` images that show it.

    `image` is float in [0, 1]. `labels[task]` has the raw type of the kind (uint8 for classes and
    binary, float32 for depth and normals) and `rows[task]` says to which images they belong.
    A task that no image of the batch shows has no entry. `extents` says where in each image the
    true one lies; None where no image is padded. `cameras` are those of the images as they are,
    each None where it is not known; None where none is known. `shares[task]` says how much of a
    whole label each of its images has where parts of images were pasted together; all of it where
    there is no entry.
    """

    keys: tuple[str, ...]
    image: Float[Tensor, "b 3 h w"]
    labels: Mapping[str, Shaped[Tensor, "n c h w"]]
    valid: Mapping[str, Bool[Tensor, "n h w"]]
    rows: Mapping[str, Int[Tensor, " n"]]
    extents: tuple[Extent, ...] | None = None
    cameras: tuple[Camera | None, ...] | None = None
    shares: Mapping[str, Float[Tensor, " n"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A shape checker looks at one entry of a mapping only; here all of them are compared.
        size = self.image.shape[-2:]
        for name, label in self.labels.items():
            n = self.rows[name].shape[0]
            if (label.shape[0], *label.shape[-2:]) != (n, *size) or self.valid[name].shape != (
                n,
                *size,
            ):
                raise ValueError(
                    f"`labels[{name!r}]` should be [{n}, c, {size[0]}, {size[1]}]; "
                    f"found {list(label.shape)}."
                )

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.image.device

    def shows(self, task: str) -> Bool[Tensor, " b"]:
        """Which images have a label of a task, with one valid pixel at least."""
        seen = torch.zeros(len(self), dtype=torch.bool, device=self.device)
        if task in self.labels:
            seen[self.rows[task]] = self.valid[task].flatten(1).any(1)
        return seen

    def inside(self) -> Bool[Tensor, "b h w"]:
        """Which pixels are of the true images and not of their padding."""
        if self.extents is None:
            return self.image.new_ones(self.image[:, 0].shape, dtype=torch.bool)
        height, width = self.image.shape[-2:]
        masks = np.stack([extent.mask(height, width) for extent in self.extents])
        return torch.from_numpy(masks).to(self.device)

    def to(self, device: torch.device | str, *, channels_last: bool = False) -> "Batch":
        """The same batch on another device."""
        layout = torch.channels_last if channels_last else torch.contiguous_format

        def move(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: t.to(device, non_blocking=True) for name, t in tensors.items()}

        return replace(
            self,
            image=self.image.to(device, non_blocking=True, memory_format=layout),
            labels=move(self.labels),
            valid=move(self.valid),
            rows=move(self.rows),
            shares=move(self.shares),
        )

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory; the data loader calls this."""

        def pin(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: t.pin_memory() for name, t in tensors.items()}

        return replace(
            self,
            image=self.image.pin_memory(),
            labels=pin(self.labels),
            valid=pin(self.valid),
            rows=pin(self.rows),
        )


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples of one size into a batch; a task no sample shows has no entry."""
    image = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2)
    names = dict.fromkeys(name for s in samples for name in s.labels)
    labels, valid, rows = {}, {}, {}
    for name in names:
        shown = [i for i, s in enumerate(samples) if name in s.labels]
        labels[name] = torch.from_numpy(_stacked([samples[i].labels[name] for i in shown]))
        valid[name] = torch.from_numpy(np.stack([samples[i].valid[name] for i in shown]))
        rows[name] = torch.tensor(shown)
    keys = tuple(sample.key for sample in samples)
    return Batch(keys, in_unit(image), labels, valid, rows, *extents_and_cameras(samples))


def in_unit(image: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Grey levels as floats in [0, 1], laid out as they are, in one pass over them."""
    return torch.div(image, 255, out=torch.empty_like(image, dtype=torch.float32))


def extents_and_cameras(
    samples: Sequence[Sample | StoredSample],
) -> tuple[tuple[Extent, ...] | None, tuple[Camera | None, ...] | None]:
    """Where the true images of a batch lie, and the cameras that see them."""
    extents = None
    if any(sample.extent is not None for sample in samples):
        whole = Extent(0, 0, *samples[0].image.shape[:2])
        extents = tuple(sample.extent or whole for sample in samples)
    return extents, _some(sample.camera for sample in samples)


def _stacked(labels: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Labels [h, w] or [h, w, c] as [n, c, h, w], each copied once, as it may lie in planes."""
    planes = [one[None] if one.ndim == 2 else one.transpose(2, 0, 1) for one in labels]
    stacked = np.empty((len(planes), *planes[0].shape), planes[0].dtype)
    for place, each in zip(stacked, planes, strict=True):
        place[...] = each
    return stacked


def join(batches: Sequence[Batch]) -> Batch:
    """One batch of the images of several, in order; the tasks are those that any of them shows."""
    first = [sum(len(batch) for batch in batches[:i]) for i in range(len(batches))]
    names = dict.fromkeys(name for batch in batches for name in batch.labels)

    def gather(field: str) -> dict[str, Tensor]:
        return {
            name: torch.cat(
                [getattr(batch, field)[name] for batch in batches if name in batch.rows]
            )
            for name in names
        }

    rows = {
        name: torch.cat(
            [
                batch.rows[name] + i
                for i, batch in zip(first, batches, strict=True)
                if name in batch.rows
            ]
        )
        for name in names
    }
    keys = tuple(key for batch in batches for key in batch.keys)
    image = torch.cat([batch.image for batch in batches])
    extents = None
    if any(batch.extents is not None for batch in batches):
        extents = tuple(extent for batch in batches for extent in _extents(batch))
    cameras = _some(c for batch in batches for c in batch.cameras or (None,) * len(batch))
    shares = {
        name: torch.cat([_share(batch, name) for batch in batches if name in batch.rows])
        for name in names
        if any(name in batch.shares for batch in batches)
    }
    return Batch(keys, image, gather("labels"), gather("valid"), rows, extents, cameras, shares)


def _share(batch: Batch, task: str) -> Float[Tensor, " n"]:
    """How much of a whole label each image has that shows a task."""
    whole = torch.ones(len(batch.rows[task]), device=batch.device)
    return batch.shares.get(task, whole)


def _extents(batch: Batch) -> tuple[Extent, ...]:
    whole = Extent(0, 0, *batch.image.shape[-2:])
    return (whole,) * len(batch) if batch.extents is None else batch.extents


def _some(cameras: Iterable[Camera | None]) -> tuple[Camera | None, ...] | None:
    found = tuple(cameras)
    return None if all(camera is None for camera in found) else found


def known_to_torch() -> None:
    """Let a `DataLoader` without a `collate_fn` of its own stack samples with `collate`."""

    def stack(samples: Sequence[Sample], *, collate_fn_map: object) -> Batch:
        return collate(samples)

    default_collate_fn_map.setdefault(Sample, stack)
