"""The predictions of an image in the joint spaces of task pairs, as a trained mapping sees them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mtdata import Task
from mtdata.errors import UsageError
from mtdata.reading.batch import Batch
from mtmodels.kinds import kind_model
from mtmodels.methods import METHODS
from mtmodels.methods.parts.joint import JointMethod
from mtmodels.methods.parts.joint_space import JointSpace
from mtmodels.methods.parts.pairs import Pair
from mtmodels.predicting.predictor import Predictor
from mtmodels.training.setup.loading import TrainedRun, Which, load_method

SEED = 0
"""Classes are drawn from it, so that a map is a function of the run and the image."""


@dataclass(frozen=True)
class MappedPair:
    """The predictions of two tasks in the joint space of (source, target).

    Args:
        source: The task whose prediction is mapped as a prediction.
        target: The task whose prediction is mapped as its label would be.
        source_map: Norms over the channels, the same for all pixels of a cell of the map.
        target_map: The same.
        source_change: By how much of its length, over all cells and channels, the map of the source
            changes where the prediction is made flat: its mean over the image at every pixel. 0
            says that the mapping does not see what it reads.
        target_change: The same.
    """

    source: Task
    target: Task
    source_map: Float[Tensor, "h w"]
    target_map: Float[Tensor, "h w"]
    source_change: float
    target_change: float


@dataclass(frozen=True)
class Mapper:
    """Maps the predictions of an image, in front of the last stage of the mapping.

    Args:
        joint: The joint spaces, on the device of the predictions.
        tasks: Tasks whose ordered pairs are mapped.
        stride: Height and width of what is mapped are padded to be divisible by this, as those of
            the image are for the network.

    Reference: MTPSL figure 3, "output of the mapping function's last second layer".
    """

    joint: JointSpace
    tasks: tuple[Task, ...]
    stride: int

    def maps(self, given: Mapping[str, Float[Tensor, "c h w"]]) -> list[MappedPair]:
        """All ordered pairs, at the size of what is given.

        Args:
            given: What the network gave for each task.
        """
        padded = {task.name: self._padded(given[task.name]) for task in self.tasks}
        flat = {name: p.mean((2, 3), keepdim=True).expand_as(p) for name, p in padded.items()}
        height, width = given[self.tasks[0].name].shape[-2:]
        found = []
        for source, target in itertools.permutations(self.tasks, 2):
            maps = self._pair(source, target, padded)
            changes = _changes(maps, self._pair(source, target, flat))
            norms = F.interpolate(maps.norm(dim=1, keepdim=True), padded[source.name].shape[-2:])
            found.append(MappedPair(source, target, *norms[:, 0, :height, :width], *changes))
        return found

    @torch.no_grad()
    def _pair(
        self, source: Task, target: Task, predictions: Mapping[str, Float[Tensor, "1 _ h w"]]
    ) -> Float[Tensor, "2 d hm wm"]:
        """One pass a pair: memory does not grow with the pairs, and each begins at the seed."""
        pair = Pair(0, source.name, target.name)
        rng = torch.Generator(predictions[source.name].device).manual_seed(SEED)
        maps: Tensor = self.joint(
            [self.joint.prediction(pair), self.joint.label(pair)],
            _as_labels(target, predictions[target.name]),
            predictions,
            rng,
            before_last=True,
        )
        return maps.float()

    def _padded(self, given: Float[Tensor, "c h w"]) -> Float[Tensor, "1 c hp wp"]:
        height, width = given.shape[-2:]
        pad = (0, -width % self.stride, 0, -height % self.stride)
        return F.pad(given[None], pad, mode="replicate")


def _changes(maps: Float[Tensor, "n d h w"], flat: Float[Tensor, "n d h w"]) -> list[float]:
    """How far apart maps are, as a share of the length of the first."""
    lengths = maps.flatten(1).norm(dim=1).clamp(min=1e-12)
    shares: list[float] = ((maps - flat).flatten(1).norm(dim=1) / lengths).tolist()
    return shares


def _as_labels(task: Task, prediction: Float[Tensor, "1 c h w"]) -> Batch:
    """An image that is labelled with what is predicted; its pixels are nobody's business here."""
    label = kind_model(task).as_label(prediction)
    return Batch(
        keys=("",),
        image=prediction.new_zeros(1, 3, *prediction.shape[-2:]),
        labels={task.name: label},
        valid={task.name: torch.ones_like(label[:, 0], dtype=torch.bool)},
        rows={task.name: torch.zeros(1, dtype=torch.long, device=prediction.device)},
    )


def check_maps(run: TrainedRun, tasks: Sequence[str] | None) -> None:
    """Refuse to map what cannot be.

    Raises:
        UsageError: where the method of the run has no joint spaces, or fewer than two tasks are
            wanted.
    """
    name = run.config.method.name
    able = sorted(n for n, method in METHODS.items() if issubclass(method, JointMethod))
    if name not in able:
        raise UsageError(
            "`mapped` should be asked of a run whose method maps into the joint spaces of task "
            f"pairs, which are {', '.join(able)}; found a run of `{name}`. Leave --mapped out."
        )
    if tasks is not None and len(set(tasks)) < 2:
        raise UsageError(
            f"`mapped` should have two tasks or more to pair; found {len(set(tasks))}. Give "
            "more with --tasks, or leave --mapped out."
        )


def open_mapper(run: TrainedRun, predictor: Predictor, which: Which | None = None) -> Mapper:
    """Load the mapping that a run was trained with.

    Args:
        run: A run that `check_maps` let pass.
        predictor: Its network, which says where to map what.
        which: The checkpoint; None for the one that the run selected.
    """
    method = load_method(run, predictor.network.tasks, which)
    assert isinstance(method, JointMethod)
    joint = method.joint.to(predictor.fabric.device).eval()
    return Mapper(joint, predictor.tasks, predictor.network.stride)
