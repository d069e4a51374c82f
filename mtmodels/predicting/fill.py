"""Predictions of a run for labels that a store lacks, kept in the store beside its own."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Store, Task, open_store
from mtdata.errors import DataError
from mtdata.merging.adding import Addition, AddSummary, Made, NewLabel, add_labels
from mtdata.merging.derive import splits_to_add_to
from mtdata.progress import Progress
from mtdata.reading.geometry import Flip
from mtdata.reading.geometry.device import apply
from mtdata.reading.shown import shows
from mtdata.store import Split
from mtdata.store import format as layout
from mtmodels.errors import PredictionError
from mtmodels.kinds import kind_model
from mtmodels.predicting.formats import as_array, format_of, value_at
from mtmodels.predicting.opening import open_predictor
from mtmodels.predicting.predictor import Predictor
from mtmodels.predicting.sizes import Size, at_size, network_size
from mtmodels.training.record import checkpoint
from mtmodels.training.setup.loading import Which, check_done, open_run, other_data, seen_by

Given = dict[str, Float[Tensor, "c h w"]]


def fill(
    path: Path,
    store: Path,
    *,
    out: Path | None = None,
    split: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    hidden_by: str | None = None,
    which: Which | None = None,
    batch: int | None = None,
    device: str = "auto",
    trust_plugins: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> AddSummary:
    """Predict what is missing in training splits, and add it to the store as filled labels.

    Each pixel has a confidence in [0, 1]: of classes and binary labels the probability of what the
    network decides for; of depth and normals how far the prediction of the mirrored image agrees.

    Args:
        path: The run folder.
        store: The store.
        out: A copy to write; None to change the store itself.
        split: Which training splits; None for all.
        tasks: Which tasks of the run; None for all.
        hidden_by: A regime: what it hides is predicted too. None for what the source lacks.
        which: The checkpoint; None for the one that the run selected.
        batch: Images at once; None for the batch of the run.
        device: "auto" for a card where there is one, "cpu" or "cuda".
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.
        overwrite: Replace filled labels of these tasks, what `out` is, and what a killed command
            with another plan left.
        progress: Told about images.

    Raises:
        RunFolderError: where there is no run or no such checkpoint, or the run is not done.
        UnknownNameError: for a task, split or regime that there is not.
        UsageError: as `add_labels`, and for a split that is scored.
        DataError: where a task of the store is another than that of the run.
        PredictionError: where a prediction is not finite.
    """
    run = open_run(path, trust_plugins=trust_plugins)
    check_done(run)
    predictor = open_predictor(run, tasks=tasks, which=which, device=device)
    weights = checkpoint.digest(run.chosen(which))

    def plan(opened: Store) -> Addition:
        wanted = _wanted(opened, predictor.tasks, split, hidden_by)
        about = {
            "run": run.folder.path.name,
            "method": run.config.method.name,
            "weights": weights,
            **seen_by(run, opened),
        }
        return Addition(
            layout.FILLED,
            dict.fromkeys(predictor.tasks, about),
            wanted,
            _Maker(predictor),
            at_once=batch or run.config.batch,
        )

    return add_labels(store, plan, out=out, overwrite=overwrite, progress=progress)


def foretell(path: Path, store: Path, hidden_by: str | None = None) -> str:
    """What is to be known before a run fills: under which regimes its labels will be refused.

    Args:
        path: The run folder.
        store: The store.
        hidden_by: The regime that they are to be seen with; None for the default regime.

    Returns:
        A sentence; where that regime takes them one on other data, empty of the same.
    """
    with open_store(store) as opened:
        run = open_run(path, plugins=False)
        seen, base = seen_by(run, opened), hidden_by or ""
        base = base or opened.default_regime
        fit = [name for name in opened.regimes if shows(opened, name, seen)]
        if base in fit or base not in opened.regimes:
            return other_data(run, opened)
    takes = f"`{'`, `'.join(fit)}` will take" if fit else "no regime of this store will take"
    return (
        f"The run may have seen labels that the regime `{base}` hides: {takes} what it fills. "
        "Training under another needs --filled-anyway."
    )


def _wanted(
    store: Store, tasks: Sequence[Task], split: Sequence[str] | None, hidden_by: str | None
) -> dict[str, NDArray[np.bool_]]:
    columns = []
    for task in tasks:
        if store.task(task.name) != task:
            raise DataError(
                f"the task `{task.name}` should be in {store.path} as the run was trained on it; "
                "classes, units or storage differ. Leave it out with --tasks, or fill another "
                "store."
            )
        columns.append(store.tasks.index(task))
    if hidden_by is not None:
        store.check_regime(hidden_by)
    return {
        each.name: ~each.visible(hidden_by or layout.FULL)[:, columns]
        for each in splits_to_add_to(store, split)
    }


class _Maker:
    """Predicts the images of a split, those of one size at once."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def __call__(
        self, split: Split, indices: Sequence[int], tasks: Sequence[Sequence[str]]
    ) -> Iterator[Made]:
        images = [split.read_true(index, None) for index in indices]
        rows = list(zip(indices, images, tasks, strict=True))
        for size, group in groupby(rows, lambda row: self._size(row[1])):
            yield from self._predict(split, list(group), size)

    def _size(self, image: NDArray[np.uint8]) -> Size:
        height, width = image.shape[:2]
        return network_size((height, width), "trained", self.predictor.trained_size)

    def _predict(self, split: Split, rows: Sequence[Any], size: Size) -> Iterator[Made]:
        names = [f"{split.name}/{split.keys[index]}" for index, _, _ in rows]
        images = [image for _, image, _ in rows]
        given = self.predictor.predict(images, names, size)
        asked = {name for _, _, wanted in rows for name in wanted}
        mirrored: list[Given] = [{} for _ in rows]
        if any(kind_model(t).agreement for t in self.predictor.tasks if t.name in asked):
            flipped = [np.ascontiguousarray(image[:, ::-1]) for image in images]
            mirrored = self.predictor.predict(flipped, names, size)
        for (_, image, wanted), one, other in zip(rows, given, mirrored, strict=True):
            own = image.shape[0], image.shape[1]
            yield {
                task.name: _label(task, one[task.name], other.get(task.name), own)
                for task in self.predictor.tasks
                if task.name in wanted
            }


def _label(
    task: Task, given: Float[Tensor, "c h w"], mirrored: Float[Tensor, "c h w"] | None, own: Size
) -> NewLabel:
    """What a network says of an image, at its size, with its confidence."""
    label = format_of(task).label(value_at(task, given, own))
    sure = as_array(confidence(task, given, mirrored, own))
    if not np.isfinite(sure).all():
        raise PredictionError(task.name, (), "has a confidence of NaN")
    return NewLabel(label, np.ones(own, np.bool_), sure)


def confidence(
    task: Task,
    given: Float[Tensor, "c h w"],
    mirrored: Float[Tensor, "c h w"] | None,
    own: Size,
    *,
    rows: Sequence[int] | None = None,
) -> Float[Tensor, "1 rows width"]:
    """How sure a prediction is at each pixel of an image, [0, 1].

    Args:
        task: What it is of.
        given: What the network gave.
        mirrored: What it gave for the mirrored image; kinds with probabilities do not ask for it.
        own: Height and width of the image.
        rows: Which rows of the image; None for all.
    """
    model = kind_model(task)
    if (certainty := model.certainty) is not None:
        return at_size(given, own, lambda band: certainty(model.as_value(band)), rows=rows)
    assert model.agreement is not None
    assert mirrored is not None
    back, _ = apply(mirrored[None], [Flip()], kind=task.kind, prediction=True)
    values = (at_size(one, own, model.activation, rows=rows)[None] for one in (given, back[0]))
    found: Float[Tensor, "1 rows width"] = model.agreement(*values)[0]
    return found
