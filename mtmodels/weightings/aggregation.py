"""What the aggregators share: one gradient from those of all tasks, on what the tasks share."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from mtdata.errors import UsageError
from mtmodels import processes
from mtmodels.methods.terms import Terms
from mtmodels.options import Options
from mtmodels.weightings.base import Backward, Gradients, Weighting, reached

if TYPE_CHECKING:
    from torchjd.aggregation import Aggregator


class AggregatorOptions(Options):
    """What every aggregator can be told."""

    gradients: Literal["shared", "last", "features"] = "shared"
    """Where the gradients of tasks are compared. `shared`: on all parameters that two tasks or
    more of the batch reach; a parameter of one task gets that one's gradient as it is. `last`: on
    the last layer that all tasks share. `features`: on the map that this layer makes, as MGDA-UB
    does. The latter two give one factor a task, on its whole loss, and cost far less."""


class AggregatorWeighting(Weighting):
    """A backward pass for each task of the batch, and one for what the aggregator made of them.

    The aggregator is torchjd's. Where a batch shows one task, that one's gradient is the result.
    What an aggregator remembers of earlier steps it remembers for each set of tasks that a batch
    can show: a task without labels moves nothing. Nor does one whose gradient is 0 in a batch, as
    that of `balanced_bce` is on images of one side: the aggregator does not hear of it, as it would
    stop the others or end the search of a solver.

    Args:
        tasks: Names of the tasks of the run.
        options: Those of `AggregatorOptions`, and the member's own.

    Raises:
        ValueError: where the aggregator has no factor a task, and `gradients` asks for one.
        UsageError: where a package is missing that solves its problem.
    """

    options: AggregatorOptions
    averages: ClassVar[bool] = True
    takes_gradients: ClassVar[bool] = True
    theirs: ClassVar[str]
    """The name of the class in `torchjd.aggregation`."""
    factors: ClassVar[bool] = True
    """Whether what it makes is a sum of the gradients with a factor a task."""

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        if not self.factors and self.options.gradients != "shared":
            raise ValueError(
                "`gradients` should be shared: this aggregator gives no factor a task; found "
                f"{self.options.gradients}."
            )
        self.needs_shared = self.options.gradients != "shared"
        self.needs_maps = self.options.gradients == "features"
        self._made: dict[tuple[str, ...], Aggregator] = {}
        self._maps: list[Tensor] = []
        self._weights = dict.fromkeys(self.tasks, 1.0) if self.factors else {}
        try:
            self.aggregator(max(2, len(self.tasks)))
        except ImportError as error:
            name = str(error).split(" requires")[0]
            raise UsageError(
                f"{name} should have a solver for its problem, which is not installed here. Run: "
                "pip install 'mtpartial[solvers]' (which brings ecos, under the GPL)."
            ) from error

    def aggregator(self, count: int) -> "Aggregator":
        """Make the aggregator of a number of tasks."""
        from torchjd import aggregation

        made: Aggregator = getattr(aggregation, self.theirs)(**self.arguments(count))
        return made

    def arguments(self, count: int) -> dict[str, Any]:
        """What torchjd's class is made with, for a number of tasks."""
        return {}

    @property
    def power(self) -> float:
        """Its factors go with the length of all gradients to minus this power."""
        return 0.0

    def remembered(self, aggregator: "Aggregator") -> dict[str, Any]:
        """What an aggregator knows of earlier steps, as tensors and plain values."""
        return {}

    def remember(self, aggregator: "Aggregator", memory: Mapping[str, Any]) -> None:
        """Give back to an aggregator what `remembered` took down."""
        return  # most know nothing

    def watch(self, network: nn.Module, shared: Sequence[nn.Parameter]) -> None:
        """Keep the maps that the last shared layer makes, where these are asked for."""
        if self.needs_maps:
            wanted = {id(p) for p in shared}
            for layer in network.modules():
                if wanted & {id(p) for p in layer.parameters(recurse=False)}:
                    layer.register_forward_hook(self._keep_map)

    def backward(self, terms: Terms, shared: Sequence[nn.Parameter], backward: Backward) -> Tensor:
        """Send what the aggregator made backwards; see `Weighting.backward`."""
        # In the order of the run, so that a row of a memory is always the same task.
        losses = {t: terms.tasks[t] for t in self.tasks if t in terms.tasks}
        auxiliary = self.auxiliary(terms)
        parts = [*losses.values(), *auxiliary]
        if not parts:
            return torch.zeros(())
        if len(losses) < 2:
            sent = parts
        elif self.options.gradients == "shared":
            sent = [self._aggregated(losses), *auxiliary]
        else:
            where = shared if self.options.gradients == "last" else self._maps
            rows = [_gradients(loss, where) for loss in losses.values()]
            factors = self._factors(tuple(losses), self._products(rows, where))
            scaled = [f * loss for f, loss in zip(factors, losses.values(), strict=True)]
            sent = [*scaled, *auxiliary]
        self._maps.clear()
        backward(torch.stack(sent).sum())
        return torch.stack(parts).sum().detach()

    def weights(self) -> dict[str, float]:
        """The factors that were last found for each task; none where the aggregator gives none."""
        return dict(self._weights)

    def get_extra_state(self) -> dict[str, Any]:
        """The last factors, and what the aggregators remember."""
        return {
            "weights": dict(self._weights),
            "memory": [[list(t), self.remembered(made)] for t, made in self._made.items()],
        }

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go back to what `get_extra_state` took down."""
        self._weights, self._made = dict(state["weights"]), {}
        for tasks, memory in state["memory"]:
            self.remember(self._for(tuple(tasks)), memory)

    def _products(self, rows: Sequence[Gradients], where: Sequence[Tensor]) -> Tensor:
        """Products of gradients on the last shared layer, or on the maps that it makes."""
        if self.options.gradients == "last":
            return _gramian([processes.averaged(where, row) for row in rows], where)
        # Each process has maps of its own: their products add up, those of means of losses do.
        return processes.summed(_gramian(rows, where)) / processes.count() ** 2

    def _aggregated(self, losses: Mapping[str, Tensor]) -> Tensor:
        """A scalar of value 0 whose gradient is what each parameter should get."""
        rows, shared, aim = task_gradients([*losses.values()], self.order, self.compiled)
        if not shared:
            return as_scalar(aim)  # each task has all of its parameters for itself
        gramian = _gramian(rows, shared)
        heard = _heard(gramian)
        if self.factors or len(heard) < 2:
            aim |= combined(rows, shared, self._factors(tuple(losses), gramian))
        else:
            matrix = torch.stack([_flat(rows[i], shared) for i in heard])
            made = self._for(tuple(task for i, task in enumerate(losses) if i in heard))
            pieces = made(matrix).split([p.numel() for p in shared])
            aim |= {p: piece.view_as(p) for p, piece in zip(shared, pieces, strict=True)}
        return as_scalar(aim)

    def _factors(self, tasks: tuple[str, ...], gramian: Tensor) -> list[float]:
        """The factor of each task, from the products of their gradients; the last of one unheard.

        Where fewer than two are heard there is nothing to weigh: all are 1.
        """
        from torchjd.aggregation import GramianWeightedAggregator, WeightedAggregator

        heard = _heard(gramian)
        if len(heard) < 2:
            return [1.0] * len(tasks)
        names = tuple(tasks[i] for i in heard)
        made = self._for(names)
        assert isinstance(made, WeightedAggregator)
        # To torchjd with a length of 1 together: it takes those below 0.01, as gradients on maps
        # are, for none, or its solvers end before they came anywhere.
        gramian = gramian[heard][:, heard]
        length = float(gramian.diagonal().sum().sqrt())
        gramian = gramian / length**2
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of solvers
            if isinstance(made, GramianWeightedAggregator):
                found = made.gramian_weighting(gramian)
            else:
                found = made.weighting(_root(gramian))
        factors: list[float] = (found * length**-self.power).tolist()
        self._weights.update(zip(names, factors, strict=True))
        return [self._weights[task] for task in tasks]

    def _for(self, tasks: tuple[str, ...]) -> "Aggregator":
        if tasks not in self._made:
            self._made[tasks] = self.aggregator(len(tasks))
        return self._made[tasks]

    def _keep_map(self, layer: nn.Module, inputs: Any, output: Tensor) -> None:
        if output.requires_grad:
            self._maps.append(output)


def task_gradients(
    losses: Sequence[Tensor], order: Sequence[Tensor], compiled: Set[Tensor] = frozenset()
) -> tuple[list[Gradients], list[Tensor], Gradients]:
    """Gradients of tasks, each on all parameters that it reaches.

    Args:
        losses: A scalar a task.
        order: All that learns, in the order that all processes have it in.
        compiled: The parameters of a compiled network; see `reached`.

    Returns:
        For each task its gradients; the parameters that two tasks or more reach; and for each of
        the others the gradient of the one task that reaches it.
    """
    found = [reached(_gradients(loss, _leaves(loss)), compiled) for loss in losses]
    rows = [processes.averaged(order, row) for row in found]
    count = Counter(p for row in rows for p in row)
    shared = [p for p, tasks in count.items() if tasks > 1]
    own = combined(rows, [p for p, tasks in count.items() if tasks == 1], [1.0] * len(rows))
    return rows, shared, own


def as_scalar(gradients: Gradients) -> Tensor:
    """A scalar of value 0 that has these gradients.

    So they come into the parameters by the one backward pass that devices and precisions know of.
    """
    total = torch.stack([(p * g).sum().float() for p, g in gradients.items()]).sum()
    return total - total.detach()


def _leaves(loss: Tensor) -> list[Tensor]:
    """The parameters that a loss reaches."""
    if loss.grad_fn is None:
        return [loss]
    found: list[Tensor] = []
    seen: set[Node] = set()
    ahead: list[Node | None] = [loss.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)  # of the nodes that end in a parameter
        if variable is not None:
            found.append(variable)
        ahead += [following for following, _ in node.next_functions]
    return found


def _gradients(loss: Tensor, where: Sequence[Tensor]) -> Gradients:
    found = torch.autograd.grad(loss, list(where), retain_graph=True, allow_unused=True)
    return {p: g for p, g in zip(where, found, strict=True) if g is not None}


def _gramian(rows: Sequence[Gradients], where: Sequence[Tensor]) -> Tensor:
    """Products of the gradients of each two tasks, in double precision [tasks, tasks]."""
    products = torch.zeros(len(rows), len(rows), dtype=torch.float64)
    for p in where:
        own = [row[p].flatten().double() if p in row else None for row in rows]
        for i, a in enumerate(own):
            for j, b in enumerate(own[: i + 1]):
                if a is not None and b is not None:
                    products[i, j] += (a @ b).cpu()
    return products.tril() + products.tril(-1).T


def _heard(gramian: Tensor) -> list[int]:
    """The tasks that have a gradient, by the products of each two."""
    return [i for i, square in enumerate(gramian.diagonal().tolist()) if square != 0]


def _root(gramian: Tensor) -> Tensor:
    """A matrix whose rows have these products."""
    values, vectors = torch.linalg.eigh(gramian)
    root: Tensor = vectors * values.clamp(min=0).sqrt()
    return root


def combined(
    rows: Sequence[Gradients], where: Sequence[Tensor], factors: Sequence[float]
) -> Gradients:
    """The sum of the gradients of tasks on some parameters, with a factor a task."""
    combined: Gradients = {}
    for p in where:
        parts = [f * row[p] for f, row in zip(factors, rows, strict=True) if p in row]
        combined[p] = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
    return combined


def _flat(row: Gradients, where: Sequence[Tensor]) -> Tensor:
    zeros = (row.get(p, torch.zeros_like(p)) for p in where)
    return torch.cat([g.flatten().float() for g in zeros])
