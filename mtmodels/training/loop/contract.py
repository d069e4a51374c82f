"""What method and weighting give a step, checked where it is taken: they may be anybody's."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from torch import Tensor, nn

from mtdata.registry import Registry
from mtmodels.errors import DivergedError, MemberError
from mtmodels.methods import METHODS
from mtmodels.methods.base import check_groups
from mtmodels.methods.parts.relations import RELATIONS
from mtmodels.methods.terms import Terms
from mtmodels.networks import NETWORKS
from mtmodels.training.config import Config
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.weightings import WEIGHTINGS


class Contract:
    """What the members of a run have to give; the errors name the one that does not.

    Args:
        config: Says which members they are.
        tasks: The names of the tasks of the network.
        full: Whether the run computes in full precision.
    """

    def __init__(self, config: Config, tasks: Sequence[str], *, full: bool) -> None:
        self._config, self._tasks, self._full = config, tasks, full
        self._unsent: set[str] | None = None

    def check_terms(self, terms: object) -> None:
        """Refuse what is no terms, and terms of what is no task of the network.

        Raises:
            MemberError: of the method.
        """
        if not isinstance(terms, Terms):
            raise self._method(
                f"should give `Terms` (mtmodels.Terms) from `forward`; found {_kind(terms)}."
            )
        for where, names in (("tasks", terms.tasks), ("owners", terms.owners.values())):
            for name in names:
                if name not in self._tasks:
                    raise self._method(
                        f"should name tasks of the network in `{where}` of its terms, "
                        f"{', '.join(self._tasks)}; found `{name}`. What is of no task is "
                        "`auxiliary`, without an owner."
                    )
        for name in terms.owners:
            if name not in terms.auxiliary:
                raise self._method(
                    f"should have an auxiliary term for each name in `owners`; found `{name}`, "
                    "which is none. Leave it out of `owners` where the term is left out."
                )

    def check_groups(self, groups: object) -> None:
        """Refuse what a method, or a stage of it, cannot learn by; raises MemberError of it."""
        try:
            check_groups(groups)
        except ValueError as error:
            raise self._method(f"cannot learn: {error}") from None

    def check_shared(self, shared: object) -> None:
        """Refuse what is no list of parameters; raises MemberError of the network."""
        if not isinstance(shared, list | tuple) or not all(
            isinstance(parameter, nn.Parameter) for parameter in shared
        ):
            raise MemberError(
                f"the network `{self._config.network.name}`",
                "should give a list of parameters from `shared_parameters`; found "
                f"{_kind(shared)}. Write `list(layer.parameters())`.",
            )

    def watch_auxiliary(self, terms: Terms) -> None:
        """Note to which auxiliary terms a gradient comes, in the first step that has some."""
        if self._unsent is not None or not terms.auxiliary:
            return
        learnt = {name: term for name, term in terms.auxiliary.items() if term.requires_grad}
        self._unsent = unsent = set(learnt)
        for name, term in learnt.items():
            term.register_hook(lambda _, name=name: unsent.discard(name))

    def check_auxiliary(self) -> None:
        """Refuse a weighting that left auxiliary terms out; raises MemberError of it."""
        if self._unsent:
            raise self._weighting(
                "should send the auxiliary terms backwards, as they are; found no gradient of "
                f"{', '.join(f'`{name}`' for name in sorted(self._unsent))}. Add "
                "`sum(self.auxiliary(terms))` to the total."
            )

    def check_learns(self, total: Tensor) -> None:
        """Refuse a total that says nothing to the network; raises MemberError of the method."""
        if not total.requires_grad:
            raise self._method(
                "should make terms that the network can learn from; found none that has a "
                "gradient. Leave out `detach` and `torch.no_grad`."
            )

    def check_sent(self, total: float, gradients: Sequence[Tensor | None]) -> None:
        """Refuse a total that left no gradient; raises MemberError of the weighting."""
        if total and all(gradient is None for gradient in gradients):
            raise self._weighting(
                "should send the total backwards, with the `backward` that it is given; it is "
                f"{total:.3g}, and nothing has a gradient."
            )

    def number(self, total: Any) -> float:
        """The total as a plain number; raises MemberError of the weighting where it is none."""
        try:
            return float(total)
        except (TypeError, ValueError, RuntimeError):
            shape = f" of shape {list(total.shape)}" if isinstance(total, Tensor) else ""
            raise self._weighting(
                f"should return the total from `backward`, a scalar; found {_kind(total)}{shape}."
            ) from None

    def weights(self, given: Any) -> dict[str, float]:
        """Factors as plain numbers; raises MemberError of the weighting where they are none."""
        try:
            return {str(name): float(value) for name, value in given.items()}
        except (AttributeError, TypeError, ValueError, RuntimeError):
            raise self._weighting(
                "should give a dict of task to number from `weights`; found "
                f"{_kind(given)}, {given!r:.80}."
            ) from None

    def check_weights(self, weights: Mapping[str, float]) -> None:
        """Refuse factors of some tasks alone, and what is not finite; raises MemberError.

        None at all are right for a weighting that has no factor a task.
        """
        if weights and (
            not weights.keys() >= set(self._tasks) or not all(map(isfinite, weights.values()))
        ):
            raise self._weighting(
                f"should give a finite number for each task from `weights`, "
                f"{', '.join(self._tasks)}; found {dict(weights)}."
            )

    def diverged(self, step: int, term: str, keys: tuple[str, ...]) -> DivergedError:
        """The error of a loss or gradient that is not finite, with what of a plug-in it is from."""
        config = self._config
        asked: list[tuple[Registry[Any], str]] = [
            (METHODS, config.method.name),
            (NETWORKS, config.network.name),
            (RELATIONS, term.rpartition("/")[2]),
        ]
        if step:
            asked += [(SCHEDULES, config.schedule.name), (OPTIMISERS, config.optimizer.name)]
        if term == "gradient":
            asked.append((WEIGHTINGS, config.weighting.name))
        own = [
            f"the {members.family} `{name}` of {members.origins[name]}"
            for members, name in asked
            if name in members.origins
        ]
        return DivergedError(step, term, keys, full=self._full, own=own)

    def _method(self, problem: str) -> MemberError:
        return MemberError(f"the method `{self._config.method.name}`", problem)

    def _weighting(self, problem: str) -> MemberError:
        return MemberError(f"the weighting `{self._config.weighting.name}`", problem)


def _kind(value: object) -> str:
    return type(value).__name__
