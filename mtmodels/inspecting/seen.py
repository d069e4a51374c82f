"""What a training sees of a store: images as they lie in it, and as each epoch draws them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mtdata import Store
from mtdata.errors import UsageError
from mtdata.inspecting.keys import drawn
from mtdata.inspecting.pictures import sheet
from mtdata.inspecting.show import Labels, check_random, legend, sample_row, why_absent
from mtdata.store import Split
from mtdata.urls import StorePath
from mtmodels.training.config import Config
from mtmodels.training.setup.data import RunData, open_data
from mtmodels.training.setup.loading import open_run
from mtmodels.training.setup.resolve import resolve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Training:
    """The training images of a configuration, read as the loader of a training reads them.

    Args:
        store: The store.
        run: A run folder whose configuration is taken; None for what `mttrain` does by default.
        regime: The regime; None for that of the run, or of the store.
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.

    Raises:
        RunFolderError: where there is no such run.
        UsageError: for a task, a regime or a size that the store does not have.
        DataError: where the regime shows no label of a task.
    """

    def __init__(
        self,
        store: StorePath,
        run: Path | None = None,
        *,
        regime: str | None = None,
        trust_plugins: bool = False,
    ) -> None:
        config = resolve({}) if run is None else open_run(run, trust_plugins=trust_plugins).config
        # Neither changes what a sample looks like, and a small store may hold no batch.
        changed = {"data": str(store), "batch": 1, "cache": "none"}
        if regime is not None:
            changed["regime"] = regime
        self.config: Config = config.model_copy(update=changed)
        self.data: RunData = open_data(self.config)

    @property
    def store(self) -> Store:
        """What is read, to be closed."""
        return self.data.store

    def pick(self, *, first: int | None, random: int | None, seed: int) -> tuple[str, ...]:
        """Keys of images that are trained on, as `mtdata.inspecting.show.pick` takes them.

        Raises:
            UsageError: for more images to draw than there are.
        """
        keys = self.data.train.keys
        if random is None:
            return keys[:first]
        check_random(random, len(keys), "what is trained on")
        return tuple(keys[place] for place in drawn(len(keys), random, seed))

    def draw(self, keys: Sequence[str], draws: int) -> "Figure":
        """A row for each image as it is stored, and one for each of the first epochs below it.

        Raises:
            UsageError: for an image that is not trained on.
        """
        tasks, train = self.data.tasks, self.data.train
        places = {key: place for place, key in enumerate(train.keys)}
        seen: Labels = {task.name: [] for task in tasks}
        plain, rows = replace(train, transform=None), []
        for key in keys:
            if key not in places:
                raise UsageError(
                    f"KEY should be an image that is trained on; {key} is none of the "
                    f"{len(places):,}: it is held out, shows no label under {self.data.regime}, or "
                    f"is not in {', '.join(self.data.splits.train)}. Name another, such as "
                    f"{train.keys[0]}."
                )
            split, index = self._place(int(train.rows[places[key]]))
            stored = plain.read(places[key])
            absent = why_absent(split, index, tasks, stored.labels)
            rows.append(sample_row(f"{key}  ({split.name})", stored, tasks, absent, seen))
            for epoch in range(draws):
                sample = train.read(places[key], epoch, seed=self.config.seed)
                name = f"epoch {epoch + 1}"
                rows.append(sample_row(name, sample, tasks, absent, seen))
        return sheet(rows, legend=legend(tasks, seen))

    def _place(self, row: int) -> tuple[Split, int]:
        for name in self.data.splits.train:
            split = self.store.split(name)
            if row < len(split):
                return split, row
            row -= len(split)
        raise IndexError(row)
