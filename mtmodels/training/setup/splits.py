"""Which splits of a store a run trains on, selects on and is scored on: their roles decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtdata import Store
from mtdata.errors import DataError, UsageError
from mtdata.reading.holdout import holdout
from mtdata.tasks.role import Role
from mtmodels.scoring.facts import HOLDOUT
from mtmodels.training.config import Config

Watched = Literal["holdout", "val", "test"]


@dataclass(frozen=True)
class Chosen:
    """The splits of a run.

    Args:
        train: Read one after the other.
        val: Those of role val.
        test: Those of role test, each scored by itself.
        watched: What every epoch is scored on, to select one or for the curves.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    watched: Watched | None

    @property
    def scored(self) -> tuple[str, ...]:
        """Each split that is scored at the end; none where a hold-out is."""
        return self.test or self.val

    def selected_on(self, select: str | None) -> tuple[str, ...]:
        """The splits whose scores chose the epoch, or the hold-out, under a way to select."""
        on = {"holdout": (HOLDOUT,), "val": self.val, "paper": self.test[:1]}
        return on.get(select or "", ())


def choose_splits(config: Config, store: Store) -> Chosen:
    """The splits that a configuration names, or that have the roles.

    Raises:
        UnknownNameError: for a split that there is not.
        UsageError: for a split whose role is another, or a way to select that does not fit.
        DataError: where there is nothing to train on or to score.
    """
    train = _named(store, "train", config.train_on, "--train-on")
    val = _named(store, "val", config.select_on, "--select-on")
    test = _named(store, "test", config.score_on, "--score-on")
    there = ", ".join(f"{split.name} ({split.role})" for split in store.splits.values())
    if not train:
        raise DataError(
            f"{store.path} should have a split of role train; found {there}. Say `train` in the "
            "`splits` of tasks.yaml and build it again."
        )
    chosen = Chosen(train, val, test, _watched(config, val, test))
    if not chosen.scored and chosen.watched != "holdout":
        raise DataError(
            f"{store.path} should have a split to score on, of role test or val; found {there}. "
            "Keep a tenth of the images away with --holdout 0.1, which is scored then, or make a "
            "split in the `splits` of tasks.yaml and build it again."
        )
    return chosen


def held_out(config: Config, keys: Sequence[str]) -> NDArray[np.bool_]:
    """Which images of its training splits a run keeps away from training.

    Args:
        config: Of the run.
        keys: The `n` keys of these splits, in whatever order.

    Returns:
        True for what training does not see, `[n]`.
    """
    if not config.held_share:
        return np.zeros(len(keys), np.bool_)
    return holdout(keys, config.held_share, seed=config.seed)


def held_keys(config: Config, store: Store, splits: Sequence[str]) -> tuple[set[str], set[str]]:
    """The keys of some training splits that a run learnt from, and those that it kept away."""
    keys = np.array([key for name in splits for key in store.split(name).keys], object)
    away = held_out(config, keys.tolist())
    return set(keys[~away]), set(keys[away])


def splits_with_role(store: Store, role: Role) -> tuple[str, ...]:
    """The names of the splits with a role, in the order of the store."""
    return tuple(split.name for split in store.splits.values() if split.role == role)


def _named(store: Store, role: Role, names: Sequence[str] | None, option: str) -> tuple[str, ...]:
    if names is None:
        return splits_with_role(store, role)
    for name in names:
        found = store.split(name).role
        if found != role:
            raise UsageError(
                f"{option} should name splits of role {role}; found {name}, of role {found}. "
                f"{_roles(store, role)}"
            )
    return tuple(dict.fromkeys(names))


def _roles(store: Store, role: Role) -> str:
    fit = splits_with_role(store, role)
    return f"Those are {', '.join(fit)}." if fit else "There is none in this store."


def _watched(config: Config, val: Sequence[str], test: Sequence[str]) -> Watched | None:
    """What the configuration asks to look at, or the split that is there for it."""
    if config.select == "paper":
        if not test:
            raise UsageError(
                "--select paper should have a split of role test to ask; this store has none. "
                "Leave it out."
            )
        return "test"
    if config.select == "val" and not val:
        raise UsageError(
            "--select val should have a split of role val; this store has none. Give --holdout 0.1 "
            "in its place."
        )
    if val and config.holdout > 0 and config.select != "holdout":
        raise UsageError(
            "--holdout is for a store without a split to select on; this one has "
            f"{', '.join(val)}, of role val. Leave --holdout out, or give --select holdout to "
            "select on a part of the training images all the same."
        )
    if config.holdout > 0:
        return "holdout"
    return "val" if val else None
