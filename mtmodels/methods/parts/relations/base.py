"""What a relation between two tasks is: what is given of one says how wrong the other is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mtdata.tasks.sample import Camera
from mtdata.tasks.task import Task

Loss = tuple[Float[Tensor, "n h w"], Bool[Tensor, "n h w"]]
"""How wrong each pixel is, and which pixels take part."""


@dataclass(frozen=True)
class Rays:
    """Where pixels look: the point that pixel (row, column) sees at depth Z is Z (u, v, 1).

    In the frame of a camera: u to the right, v down, depth forward. Labels of normals have y up and
    z towards the camera, the same axes with two signs changed.

    Args:
        u: A column each.
        v: A row each.
        focal: fx and fy, in pixels: u grows by 1 / fx from column to column.
    """

    u: Float[Tensor, "n 1 w"]
    v: Float[Tensor, "n h 1"]
    focal: Float[Tensor, "n 2"]

    @classmethod
    def of(cls, cameras: Sequence[Camera], like: Float[Tensor, "n c h w"]) -> "Rays":
        """Those of the pixels of `like`, whose images these cameras see."""
        values = torch.tensor([(c.fx, c.fy, c.cx, c.cy) for c in cameras], dtype=torch.float64)
        fx, fy, cx, cy = values.to(like)[:, :, None, None].unbind(1)
        columns, rows = (
            torch.arange(size, dtype=like.dtype, device=like.device) + 0.5
            for size in (like.shape[-1], like.shape[-2])
        )
        focal = torch.cat([fx, fy], 1)[:, :, 0]
        return cls((columns - cx) / fx, (rows[:, None] - cy) / fy, focal)


@dataclass(frozen=True)
class Scene:
    """What a relation is told of the `n` images that it has a term for.

    Args:
        given: Labels, or what is predicted in the form of labels: classes, depth, unit normals.
        sure: Where what is given counts: valid pixels, predictions that are sure of themselves.
        prediction: Of the task that learns: logits, depth, unit normals.
        inside: Which pixels are of the true image.
        rays: Where pixels look; None for relations that need no camera.
        paper: Whether inverse depth was divided by a zoom, as the released code does.
    """

    given: Shaped[Tensor, "n d h w"]
    sure: Bool[Tensor, "n h w"]
    prediction: Float[Tensor, "n c h w"]
    inside: Bool[Tensor, "n h w"]
    rays: Rays | None = None
    paper: bool = False


class Relation(ABC):
    """One thing that is known of two tasks of an image: `given` says how wrong `learns` is.

    A relation that holds both ways is two members, as what is known and what learns differ.

    Args:
        given: The task whose labels or predictions are taken as they are.
        learns: The task whose prediction the relation judges.
    """

    summary: ClassVar[str]
    """One sentence."""
    needs: ClassVar[str]
    """Which tasks, in which units, it holds for: words for the refusal of tasks without any."""
    needs_camera: ClassVar[bool] = False
    usual: ClassVar[bool] = True
    """Whether it is taken unless relations are named; those of plug-ins never are."""

    def __init__(self, given: Task, learns: Task) -> None:
        self.given, self.learns = given, learns

    @classmethod
    @abstractmethod
    def holds(cls, given: Task, learns: Task) -> bool:
        """Whether this is known of these two tasks."""

    @abstractmethod
    def loss(self, scene: Scene) -> Loss:
        """How wrong each pixel of `scene.prediction` is; 0, with no gradient, where none counts."""


def of_kind(task: Task, kind: str, *classes: str) -> bool:
    """Whether a task has labels of a kind, with these among its classes."""
    return task.kind.name == kind and set(classes) <= set(getattr(task.kind, "names", ()))
