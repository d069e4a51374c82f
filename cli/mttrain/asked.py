"""How a recipe was asked for, and what keeps a run apart from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.shared.common import paragraph, say, warn
from mtdata.wording import counted, listed

if TYPE_CHECKING:
    from mtdata import Store

STRETCHED = 0.1
"""A change of the ratio of the sides that is told."""


@dataclass(frozen=True)
class Asked:
    """How a recipe was asked for.

    Args:
        given: Its name, or a file.
        scale: What to shrink it by.
        anyway: Whether to train on a store that it was not made for.
    """

    given: str
    scale: float | None
    anyway: bool

    def fitting(self, store: "Store", layers: list[Mapping[str, Any]]) -> tuple[int, int] | None:
        """The size at which the recipe reads images, as that of the store will not do.

        None where the recipe leaves the size, where one was asked for, and where that of the store
        will do.
        """
        from mtdata.tasks.resize import fitting_size
        from mtmodels.networks import NETWORKS
        from mtmodels.recipes import load_recipe
        from mtmodels.training.setup.resolve import resolve

        config = resolve(*layers)
        if not load_recipe(self.given).fits or config.size is not None:
            return None
        stride = NETWORKS[config.network.name].stride
        trained = _trained(store)
        if fitting_size(trained, stride) == trained:
            return None
        # All splits are read at one size, none larger than it is, in the shape of the trained.
        height, width = trained
        shares = [min(h / height, w / width) for h, w in _sizes(store)]
        share = min(1.0, *shares)
        return fitting_size((int(height * share), int(width * share)), stride)

    def tell_size(self, store: "Store", layers: list[Mapping[str, Any]]) -> None:
        """Say at which size images are read, where nobody asked for that."""
        from mtdata.tasks.resize import PIXELS
        from mtmodels.training.setup.resolve import resolve

        stored, read = _trained(store), resolve(*layers).size
        assert read is not None
        size = f"{read[0]}x{read[1]}"
        shape = read[1] / read[0]
        others = [f"{h}x{w}" for h, w in _sizes(store) if abs(w / h / shape - 1) > STRETCHED]
        if others:
            warn(
                f"images of {listed(others)} are stretched to {size}, the shape of what is trained "
                "on. Build the store with a --size of one shape for all splits, or give --size."
            )
        faster = f" A store built with --size {size} is read faster."
        say(
            paragraph(
                f"Images are read at {size}, the store has {stored[0]}x{stored[1]}; --size takes "
                f"another.{faster if stored[0] * stored[1] > PIXELS else ''}"
            )
        )

    def without_holdout(
        self, layers: list[Mapping[str, Any]], store: "Store | None"
    ) -> list[Mapping[str, Any]]:
        """What lies over the recipe where a split chooses the epoch: nothing is held out for that.

        Nothing where a hold-out was asked for beside it, which is refused.

        Args:
            layers: The configuration.
            store: What a new run trains on; None for one that keeps nothing away so far.
        """
        from mtmodels.training.setup.resolve import resolve
        from mtmodels.training.setup.splits import splits_with_role

        config = resolve(*layers)
        if not config.holdout or any("holdout" in layer for layer in layers[1:]):
            return []
        if config.select == "paper":
            why = "--select paper chooses by the test split"
        elif store is None:
            why = "the run that is there keeps nothing away"
        elif config.select != "holdout" and (
            val := splits_with_role(store, "val") if config.select_on is None else config.select_on
        ):
            why = f"{', '.join(val)}, of role val, is there to select on"
        else:
            return []
        say(
            paragraph(
                f"Hold-out: none, as {why}; the {config.holdout:g} of `{self.given}` is left out."
            )
        )
        return [{"holdout": 0.0}]

    def scaled(self, size: tuple[int, int] | None = None) -> list[Mapping[str, Any]]:
        """What lies over the recipe to make it smaller; nothing where it stays."""
        if self.scale in (None, 1):
            return []
        from mtmodels.recipes import load_recipe
        from mtmodels.recipes.scaling import scaled

        assert self.scale is not None
        return [scaled(load_recipe(self.given), self.scale, size)]

    def misfits(
        self, store: "Store", regime: str | None, layers: list[Mapping[str, Any]]
    ) -> list[str]:
        """In what the store is not what the recipe was made for; refused unless that is meant."""
        from mtmodels.recipes import load_recipe
        from mtmodels.training.setup.resolve import resolve

        recipe, size = load_recipe(self.given), resolve(*layers).size
        if not self.anyway:
            recipe.check(store, regime, size=size)
        return list(recipe.misfits(store, regime, size=size))

    def tell(self, layers: list[Mapping[str, Any]]) -> None:
        """Say at once that the scores will be no scores of the recipe."""
        from mtmodels.training.setup.resolve import resolve

        config = resolve(*layers)
        if not config.recipe.apart:
            return
        size = f"images of {config.size[0]}x{config.size[1]}, " if config.size else ""
        length = counted(config.steps, "step") if config.steps else counted(config.epochs, "epoch")
        say(
            paragraph(
                f"Apart from `{config.recipe.name}`: {'; '.join(config.recipe.apart)}. This run "
                f"has {size}width {config.network.width:g}, {length}; its scores are kept apart "
                "from the published row."
            )
        )


def _sizes(store: "Store") -> list[tuple[int, int]]:
    """The sizes of the splits, each once."""
    return list(dict.fromkeys(split.size for split in store.splits.values()))


def _trained(store: "Store") -> tuple[int, int]:
    """The size of the images that are trained on."""
    splits = list(store.splits.values())
    return next((split.size for split in splits if split.role == "train"), splits[0].size)
