"""Whether what a method adds pulls where hidden labels would, by head and by what heads share.

Over batches of the training images of a run, drawn and augmented as in its training: the cosine
between the gradient of each term that the method adds (of each ordered pair of tasks, for methods
of joint spaces) and that of the labels which the regime hides of the same images. These are read
for the diagnosis alone. The yardsticks are what shown labels of the same images say of the hidden
ones, and what shown labels of two batches say of each other; a term can hardly do better.

    python -m benchmarks.gradients RUN [--data FILE] [--checkpoint last|best] [--batches 16]
        [--plot FILE.png] [--out FILE.json]
"""

import argparse
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from scipy.stats import t as student
from torch import Tensor, nn

from benchmarks.machine import describe
from benchmarks.studies.cells import write_results
from mtdata.errors import MtdataError, UsageError
from mtdata.reading.batch import Batch
from mtdata.reading.dataset import Dataset
from mtdata.reading.loader import Loader
from mtdata.reading.shown import make_dataset
from mtmodels.methods.base import Method
from mtmodels.methods.parts.helpful_pairs import cosine, gradient, left_as_it_is, shared_by_tasks
from mtmodels.methods.parts.joint import JointMethod
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network
from mtmodels.training.config import Config
from mtmodels.training.loop.viewing import view_maker
from mtmodels.training.setup.data import RunData, at_size, open_data
from mtmodels.training.setup.loading import Which, load_method, load_runs, open_run

SHARED = "shared by all tasks"
SAME = "shown labels of the same images"
OTHERS = "shown labels of two batches, with each other"
Split = Mapping[str, Tensor]
"""A gradient, cut into what all tasks share and the heads."""


@dataclass(frozen=True)
class Row:
    """How one term and one part of the network stand to the labels that are hidden.

    Args:
        part: A head, or what all share.
        term: What pulls.
        cosine: With the gradient of hidden labels, the mean over batches.
        low: Where its 95 % interval begins; NaN of one batch alone.
        high: Where it ends.
        share: The norm over that of shown labels, the mean over batches.
        batches: How many have both gradients.
    """

    part: str
    term: str
    cosine: float
    low: float
    high: float
    share: float
    batches: int


def hidden_labels(data: RunData, config: Config) -> Dataset:
    """The training images of a run, with those labels alone that its regime hides."""
    names, train = [task.name for task in data.tasks], data.splits.train
    regime = data.regime if data.train.added is None else data.train.added.base
    shown = make_dataset(data.store, train, tasks=names, regime=regime, bare=True).visible
    full = make_dataset(
        data.store, train, tasks=names, regime="full", transform=data.train.transform, bare=True
    )
    hidden = replace(full, visible=full.visible & ~shown, indices=data.train.indices)
    if not hidden.labelled.any():
        raise UsageError(
            f"the regime `{data.regime}` should hide labels of the images to train on; found none "
            "hidden. Give a run of another regime."
        )
    return at_size(hidden, config.size)


def batches(data: RunData, config: Config) -> Iterator[tuple[int, Batch, Batch]]:
    """Batches as in training, without end: the epoch, and what is shown and hidden of the images.

    The epochs are those behind the training, whose draws it has not seen.
    """
    size = config.batch // config.accumulate
    both = [
        Loader(dataset, size, seed=config.seed, shuffle=True, drop_last=True)
        for dataset in (data.train, hidden_labels(data, config))
    ]
    epoch = config.epochs
    while True:
        for shown, hidden in zip(*(loader.epoch(epoch) for loader in both), strict=True):
            if shown.keys != hidden.keys or not torch.equal(shown.image, hidden.image):
                raise RuntimeError("Both batches should hold the same images; found others.")
            yield epoch, shown, hidden
        epoch += 1


def parts_of(network: Network) -> dict[str, list[nn.Parameter]]:
    """What all tasks share, and the head of each: parameters whose name has the task as a part."""
    parts = {SHARED: shared_by_tasks(network)}
    for task in network.tasks:
        named = network.named_parameters()
        own = [p for name, p in named if p.requires_grad and task.name in name.split(".")]
        parts[f"head of {task.name}"] = own
    return {name: parameters for name, parameters in parts.items() if parameters}


def split_gradient(loss: Tensor, parts: Mapping[str, Sequence[nn.Parameter]]) -> Split:
    """The gradient of a loss by each part."""
    flat = gradient(loss, [p for of in parts.values() for p in of], again=True)
    sizes = [sum(p.numel() for p in of) for of in parts.values()]
    return dict(zip(parts, flat.split(sizes), strict=True))


def own_terms(method: Method, views: Views, rng: torch.Generator) -> dict[str, Tensor]:
    """What the method adds to its supervised terms, by name; of joint spaces each ordered pair."""
    own = dict(method(views, progress=1.0, rng=rng).auxiliary)
    if isinstance(method, JointMethod):
        own.pop("consistency", None)
        factor = method.options.consistency_weight / len(views.last)
        for (source, target), total in method.totals(views, rng).items():
            own[f"consistency/{source}_with_{target}"] = factor * total
    return own


def label_loss(method: Method, views: Views) -> Tensor | None:
    """The sum of the supervised terms of the labels of some views; None where there are none."""
    options = method.options if isinstance(method.options, SupervisionOptions) else None
    supervision = Supervision(method.network.tasks, options)
    terms = supervision.terms(views, views.predict(method.network)).tasks
    return torch.stack(list(terms.values())).sum() if terms else None


class Comparison:
    """Collects cosines and shares, batch by batch.

    Args:
        method: What was trained.
    """

    def __init__(self, method: Method) -> None:
        self.method, self.parts = method, parts_of(method.network)
        self.cosines: dict[tuple[str, str], list[float]] = {}
        self.shares: dict[tuple[str, str], list[float]] = {}
        self._before: Split | None = None

    def add(self, shown: Views, hidden: Views, rng: torch.Generator) -> bool:
        """Take in a batch; whether it has both kinds of labels.

        Args:
            shown: With the labels that the regime shows.
            hidden: The same images, with those that it hides.
            rng: Of what the method draws.
        """
        with left_as_it_is(self.method):
            losses = [label_loss(self.method, views) for views in (shown, hidden)]
            if losses[0] is None or losses[1] is None:
                return False
            seen, wanted = (split_gradient(loss, self.parts) for loss in losses if loss is not None)
            self._note(SAME, seen, wanted, seen)
            for name, term in own_terms(self.method, shown, rng).items():
                self._note(name, split_gradient(term, self.parts), wanted, seen)
        # Every other batch, so that no batch counts twice.
        if self._before is None:
            self._before = seen
        else:
            self._note(OTHERS, seen, self._before, seen)
            self._before = None
        return True

    def rows(self) -> list[Row]:
        """The means over batches, what all share first, the yardsticks behind the terms."""
        last = (SAME, OTHERS)
        order = sorted(self.cosines, key=lambda at: (list(self.parts).index(at[0]), at[1] in last))
        return [
            Row(
                *at,
                *interval(self.cosines[at]),
                statistics.fmean(self.shares[at]),
                len(self.cosines[at]),
            )
            for at in order
        ]

    def _note(self, term: str, own: Split, wanted: Split, seen: Split) -> None:
        for part, pull in own.items():
            # No gradient has no direction: a pair has none on the head of its target.
            if pull.any() and wanted[part].any() and seen[part].any():
                at = (part, term)
                self.cosines.setdefault(at, []).append(cosine(pull, wanted[part]).item())
                share = (pull.norm() / seen[part].norm()).item()
                self.shares.setdefault(at, []).append(share)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean, and the 95 % interval of it by Student's t; no interval of a single value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def measure(
    folder: Path, *, data: Path | None = None, which: Which | None = None, count: int = 16
) -> tuple[str, list[Row]]:
    """Compare a trained run with what its regime hid.

    Args:
        folder: The run.
        data: Where its store is now; None for where it was.
        which: The checkpoint; None for the one that the run selected.
        count: How many batches.

    Returns:
        The regime, and the rows.

    Raises:
        UsageError: where nothing is hidden, or the method adds nothing.
        MtdataError: where run or store cannot be read.
    """
    run = open_run(folder)
    with run.open_store(data) as store:
        found = {"data": str(store.path), "workers": 0, "cache": "none"}
    config = run.config.model_copy(update=found)
    opened = open_data(config)
    torch.manual_seed(0)
    with opened.store:
        method = load_method(run, opened.tasks, which).train()
        load_runs(method)
        views, rng = view_maker(config, method), torch.Generator().manual_seed(0)
        comparison, done = Comparison(method), 0
        # Where labels are few, many batches have no term, or nothing hidden: these do not count.
        for number, (epoch, shown, hidden) in enumerate(batches(opened, config)):
            done += comparison.add(views(shown, epoch), views(hidden, epoch), rng)
            if done == count or number >= 20 * count:
                break
    rows = comparison.rows()
    if not any(row.term not in (SAME, OTHERS) for row in rows):
        raise UsageError(
            f"the method of {folder} should add terms to those of labels; found none in {done} "
            f"batches. Give a run of another method than `{config.method.name}`."
        )
    return opened.regime, rows


def note(regime: str) -> str:
    """What every output says."""
    return (
        f"Labels that the regime `{regime}` hides were read for this diagnosis; what it says may "
        "choose nothing in a study of that regime."
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as text, a block a part."""
    lines = []
    for at, row in enumerate(rows):
        if at == 0 or rows[at - 1].part != row.part:
            lines.append(
                f"{row.part}: cosine with hidden labels (95 %), share of the norm, batches"
            )
        between = "" if math.isnan(row.low) else f"({row.low:+.3f} to {row.high:+.3f})"
        lines.append(
            f"  {row.term:<46}{row.cosine:+.3f} {between:<20} {row.share:8.3f} {row.batches:4d}"
        )
    return "\n".join(lines)


def draw(rows: Sequence[Row], out: Path, *, title: str) -> None:
    """A panel a part: the cosine of each term with its interval."""
    from matplotlib.figure import Figure

    parts = list(dict.fromkeys(row.part for row in rows))
    most = max(sum(row.part == part for row in rows) for part in parts)
    figure = Figure(figsize=(4.4 * len(parts), 1.4 + 0.32 * most), layout="constrained")
    figure.suptitle(title, fontsize=8)
    for axis, part in zip(figure.subplots(1, len(parts), squeeze=False).flat, parts, strict=True):
        own = [row for row in rows if row.part == part][::-1]
        for y, row in enumerate(own):
            colour = "#888888" if row.term in (SAME, OTHERS) else "#1b6ca8"
            half = 0 if math.isnan(row.low) else row.high - row.cosine
            axis.errorbar(row.cosine, y, xerr=half, fmt="o", ms=4, color=colour, capsize=2)
        axis.set_yticks(range(len(own)), [row.term for row in own], fontsize=6)
        axis.axvline(0, color="#222222", linewidth=0.8)
        axis.set_title(part, fontsize=9)
        axis.set_xlabel("cosine with hidden labels, 95 %", fontsize=8)
    figure.savefig(out, dpi=110)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, help="the store, where it moved")
    parser.add_argument("--checkpoint", choices=["last", "best"])
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    try:
        regime, rows = measure(
            arguments.run,
            data=arguments.data,
            which=arguments.checkpoint,
            count=arguments.batches,
        )
    except MtdataError as error:
        parser.error(str(error))
    print(describe())
    print(note(regime))
    print(table(rows))
    if arguments.plot:
        draw(rows, arguments.plot, title=f"{arguments.run.name}. {note(regime)}")
    if arguments.out:
        told = [{k: None if v != v else v for k, v in asdict(row).items()} for row in rows]
        write_results(
            arguments.out, {"run": arguments.run.name, "note": note(regime), "rows": told}
        )


if __name__ == "__main__":
    main()
