"""Depth and normals are two views of one surface, as soon as the camera is known."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.methods.parts.relations.base import Loss, Rays, Relation, Scene, of_kind

WINDOW = 5
"""Side of the window that a plane is fitted in, pixels; odd."""
MIN_SHARE = 0.25
"""Of the pixels of a window, how many must count; as in the normals that a store computes."""
MISFIT = 0.01
"""A window is of one surface where the plane misses its inverse depth by this share at most.

The root mean square of what it misses, as a share of the mean.
"""
STRIDES = (1, 2, 4)
"""How far apart, in pixels, two points are whose chord is compared with their normals."""
CREASE = 0.9
"""Two normals are of one surface where the cosine between them is this or more (26 degrees)."""
JUMP = 0.05
"""Two points are of one surface where depth and plane differ by this share of depth at most."""
MOMENTS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
"""Powers of column and row whose sums a plane is fitted from."""
NEAREST, FARTHEST = 1e-4, 1e6
"""What lies outside is no depth, in any unit: a prediction may be 0 or below."""


def is_depth(depth: Float[Tensor, "n 1 h w"]) -> Bool[Tensor, "n h w"]:
    """Where a value is a depth that has an inverse."""
    return ((depth > NEAREST) & (depth < FARTHEST))[:, 0]


def normals_of_depth(
    depth: Float[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
    rays: Rays,
    *,
    inverse: bool = False,
) -> tuple[Float[Tensor, "n 3 h w"], Bool[Tensor, "n h w"]]:
    """Unit normals of the plane through the points around each pixel; gradients pass.

    That of `mtdata`, which makes the normals of a store: a plane that is seen at the ray (u, v, 1)
    has an inverse depth linear in u and v, with coefficients along the normal. Where a window holds
    a jump, no plane fits it, and its pixel is left out.

    Args:
        depth: In any unit: the normal does not ask for the scale.
        valid: Where depth counts.
        rays: Where pixels look.
        inverse: Whether larger values are nearer.

    Returns:
        Vectors with x right, y up, z towards the camera, and where there are any.
    """
    valid = valid & is_depth(depth)
    near = depth[:, 0].where(valid, 1)
    near = (near if inverse else 1 / near).where(valid, 0)
    # Normals do not change with the scale, so that no gradient has to pass through it.
    scale = near.detach().sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)
    near = near / scale.clamp(min=torch.finfo(near.dtype).tiny)[:, None, None]
    # Columns and rows are counted from the middle of the window: sums of small numbers are exact.
    count, sx, sy, sxx, sxy, syy = _sums(valid.to(near.dtype), *MOMENTS)
    total, qx, qy = _sums(near, *MOMENTS[:3])
    (squares,) = _sums(near.detach().square(), *MOMENTS[:1])
    n = count.clamp(min=1)
    mx, my, mean = sx / n, sy / n, total / n
    xx, xy, yy = sxx / n - mx * mx, sxy / n - mx * my, syy / n - my * my
    qx, qy = qx / n - mx * mean, qy / n - my * mean
    # In whole pixels a window whose points lie on one line has a determinant of 0, others of more.
    determinant = xx * yy - xy * xy
    fitted = (count.round() >= MIN_SHARE * WINDOW**2) & (determinant > 1e-3)
    determinant = determinant.where(fitted, 1)
    per_column, per_row = (
        (qx * yy - qy * xy) / determinant,
        (qy * xx - qx * xy) / determinant,
    )
    missed = squares / n - mean * mean - per_column * qx - per_row * qy
    fitted &= (missed.detach() <= (MISFIT * mean.detach()).square() + 1e-10) & valid
    a, b = per_column * rays.focal[:, 0, None, None], per_row * rays.focal[:, 1, None, None]
    middle = mean - per_column * mx - per_row * my
    normal = torch.stack([-a, b, middle - a * rays.u - b * rays.v], 1)
    fitted &= normal.detach().square().sum(1) > torch.finfo(near.dtype).tiny
    away = normal.new_tensor([0, 0, 1])[:, None, None]
    return F.normalize(torch.where(fitted[:, None], normal, away), dim=1), fitted


def _sums(values: Float[Tensor, "n h w"], *powers: tuple[int, int]) -> list[Float[Tensor, "n h w"]]:
    """Sums of value x column^p x row^q over the part of the window that lies in the image.

    No convolution: on cards these round to ten bits, which leaves nothing of a slope.
    """
    around = WINDOW // 2
    side = torch.arange(WINDOW, dtype=values.dtype, device=values.device) - around
    each = F.pad(values, (around,) * 4).unfold(2, WINDOW, 1)
    across = {p: (each * side**p).sum(-1).unfold(1, WINDOW, 1) for p in {p for p, _ in powers}}
    return [(across[p] * side**q).sum(-1) for p, q in powers]


def chords(
    depth: Float[Tensor, "n 1 h w"],
    normals: Float[Tensor, "n 3 h w"],
    valid: Bool[Tensor, "n h w"],
    rays: Rays,
    *,
    stride: int,
    across: bool,
    inverse: bool = False,
) -> Loss:
    """How far a neighbour lies off the surface, in units of depth: |n . (X_j - X_i)|.

    n is the mean of both normals, with which this is exact on planes, and on spheres and cylinders
    too. For inverse depth it is |q_j n . r_i - q_i n . r_j|, the same equation times q_i q_j. Both
    are linear in what is predicted.

    Args:
        depth: In its units.
        normals: In the frame of labels.
        valid: Where both count.
        rays: Where pixels look.
        stride: How far the neighbour is, pixels.
        across: Whether it is to the right; else below.
        inverse: Whether larger values are nearer.
    """
    ends = (slice(None, -stride), slice(stride, None))
    first, second = [(..., end) if across else (..., end, slice(None)) for end in ends]
    # The frame of labels has y up and z towards the camera, that of rays neither.
    facing = normals * normals.new_tensor([1, -1, -1])[:, None, None]
    ray = torch.stack(torch.broadcast_tensors(rays.u, rays.v, torch.ones_like(rays.u)), 1)
    one, other, z = facing[first], facing[second], depth[:, 0]
    mean = (one + other) / 2
    r, s = (mean * ray[first]).sum(1), (mean * ray[second]).sum(1)
    if inverse:
        r, s = s, r
    near, far = z[first] * r, z[second] * s
    plain = (near.detach().abs() + far.detach().abs()) / 2
    apart = (far - near).abs()
    same = (one.detach() * other.detach()).sum(1) >= CREASE
    # A surface that faces away is none that can be seen.
    same &= (r.detach() < 0) & (s.detach() < 0) & (apart.detach() <= JUMP * plain)
    seen = valid & (is_depth(depth) if not inverse else torch.ones_like(valid))
    seen = seen[first] & seen[second] & same
    pad = (0, stride) if across else (0, 0, 0, stride)
    return F.pad(apart.where(seen, 0), pad), F.pad(seen, pad)


class NormalsOfDepth(Relation):
    """Normals are those of the planes that depth has around each pixel."""

    summary: ClassVar[str] = "normals are those of the planes that fit the given depth"
    needs: ClassVar[str] = "depth in any unit, normals and a camera"
    needs_camera: ClassVar[bool] = True

    @classmethod
    def holds(cls, given: Task, learns: Task) -> bool:
        """Of any depth and any normals."""
        return of_kind(given, "depth") and of_kind(learns, "normals")

    def loss(self, scene: Scene) -> Loss:
        """1 - cosine of the angle to the normals of the given depth."""
        target, fitted = _planes(self.given, scene.given, scene.sure, scene)
        return kind_model(self.learns).soft(scene.prediction, target, fitted), fitted


class DepthByFit(Relation):
    """The planes that fit predicted depth have the given normals."""

    summary: ClassVar[str] = "the planes that fit depth have the given normals"
    needs: ClassVar[str] = NormalsOfDepth.needs
    needs_camera: ClassVar[bool] = True
    usual: ClassVar[bool] = False

    @classmethod
    def holds(cls, given: Task, learns: Task) -> bool:
        """Of any depth and any normals."""
        return NormalsOfDepth.holds(learns, given)

    def loss(self, scene: Scene) -> Loss:
        """1 - cosine of the angle between the normals of depth and the given ones."""
        normals, fitted = _planes(self.learns, scene.prediction, scene.inside, scene)
        seen = fitted & scene.sure
        return kind_model(self.given).soft(normals, scene.given, seen), seen


class DepthAlongNormals(Relation):
    """From each point to the next, depth runs along the surface that the given normals tell."""

    summary: ClassVar[str] = "neighbouring points lie on the surface of the given normals"
    needs: ClassVar[str] = NormalsOfDepth.needs
    needs_camera: ClassVar[bool] = True

    @classmethod
    def holds(cls, given: Task, learns: Task) -> bool:
        """Of any depth and any normals."""
        return NormalsOfDepth.holds(learns, given)

    def loss(self, scene: Scene) -> Loss:
        """The mean over the neighbours that lie on one surface, in the units of depth."""
        assert scene.rays is not None
        valid = scene.sure & scene.inside
        given = scene.given.where(valid[:, None], 0)
        inverse = _inverse(self.learns)
        each = [
            chords(scene.prediction, given, valid, scene.rays, stride=k, across=a, inverse=inverse)
            for k in STRIDES
            if k < min(valid.shape[-2:])
            for a in (True, False)
        ]
        count = torch.stack([seen for _, seen in each]).sum(0)
        total = torch.stack([loss for loss, _ in each]).sum(0)
        return total / count.clamp(min=1), count > 0


def _planes(
    task: Task, depth: Float[Tensor, "n 1 h w"], valid: Bool[Tensor, "n h w"], scene: Scene
) -> tuple[Float[Tensor, "n 3 h w"], Bool[Tensor, "n h w"]]:
    assert scene.rays is not None
    return normals_of_depth(depth, valid & scene.inside, scene.rays, inverse=_inverse(task))


def _inverse(task: Task) -> bool:
    return bool(getattr(task.kind, "inverse", False))
