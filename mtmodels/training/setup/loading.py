"""Going back to a run that was trained: its configuration, its data, its networks."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mtdata import Store, Task, open_store
from mtdata.errors import DataError, UnknownNameError, UsageError
from mtdata.reading.shown import shows
from mtdata.urls import StorePath, Url, located
from mtdata.wording import counted
from mtmodels.errors import RunFolderError
from mtmodels.methods.base import Method
from mtmodels.networks.base import Network
from mtmodels.scoring.samples import SUFFIX
from mtmodels.training.config import Config
from mtmodels.training.record import checkpoint
from mtmodels.training.record.manifest import places
from mtmodels.training.record.plugin_copies import load_copies
from mtmodels.training.record.runfolder import SUMMARY_AGAIN, RunFolder, read_facts
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.setup.data import RunData, store_facts
from mtmodels.training.setup.making import make_method, make_network
from mtmodels.training.setup.resolve import read_layer, resolve
from mtmodels.training.setup.settle import settle_options
from mtmodels.training.setup.splits import splits_with_role

Which = Literal["last", "best"]


@dataclass(frozen=True)
class TrainedRun:
    """A run on the disk.

    Args:
        folder: Where it is.
        config: What it was trained with.
        facts: Its manifest.
    """

    folder: RunFolder
    config: Config
    facts: dict[str, Any]

    @property
    def dataset(self) -> str:
        """The data set that it was trained on."""
        return str(self.facts["store"]["dataset"])

    @property
    def selected(self) -> Which:
        """The checkpoint that its selection chose."""
        return "last" if self.config.select == "last" else "best"

    def chosen(self, which: Which | None = None) -> Path:
        """The checkpoint of a name; without one, the one that the selection of the run chose.

        Raises:
            RunFolderError: where there is none.
        """
        last = (which or self.selected) == "last"
        return checkpoint.find(self.folder.last if last else self.folder.best)

    def scored(self, split: str | None = None) -> list[dict[str, Any]]:
        """The scores that were kept, one entry a split and protocol.

        Args:
            split: The split; None for all of role test. Runs of version 0.1 wrote no role down:
                what they scored was the test split, unless it was a training split by its name.

        Returns:
            What is in the files, and as `samples` where what each image adds is kept; runs of
            before did not keep it.
        """
        found = self._kept()
        if split is not None:
            return [one for one in found if one["split"] == split]
        return [one for one in found if one.get("role", _old_role(one["split"])) == "test"]

    def scored_splits(self) -> list[str]:
        """The splits that scores of this run were kept of."""
        return list(dict.fromkeys(one["split"] for one in self._kept()))

    def _kept(self) -> list[dict[str, Any]]:
        files = sorted(self.folder.scores.glob("*.json"))
        return [_read_scores(file) | _samples(file) for file in files]

    @property
    def steps(self) -> int | None:
        """The steps of the training; None for a run that is not complete."""
        if not self.folder.is_complete():
            return None
        steps = read_facts(self.folder.summary, SUMMARY_AGAIN).get("steps")
        return None if steps is None else int(steps)

    def known(self, data: StorePath | None = None) -> dict[str, Any]:
        """What `store_facts` says: from the manifest, or from a store.

        Args:
            data: A store to ask instead; the manifest of an older run lacks the tasks, and then
                the store of the run is asked.

        Raises:
            UsageError: where the store is needed and is not where it was.
        """
        facts: dict[str, Any] = self.facts["store"]
        if data is None and "tasks" in facts:
            return facts
        with self.open_store(data) as store:
            return store_facts(store, self.config.size)

    def open_store(self, data: StorePath | None = None, *, grown: bool = False) -> Store:
        """The store of the run, or another one.

        Args:
            data: Another one.
            grown: Take the store of the run also where images or labels were added to it since.

        Raises:
            UsageError: where the store of the run is not where it was, or is another by now.
            StoreError: where it cannot be read.
        """
        if data is not None:
            return open_store(data)
        there = [path for path in self.store_paths() if isinstance(path, Url) or path.is_file()]
        if not there:
            raise UsageError(
                f"the store of the run should be at {self.config.data}; found none. Say where with "
                "--data."
            )
        trained, others = self.facts["store"]["content_digest"], []
        for path in there:
            store = open_store(path)
            if trained in (store.contents if grown else store.contents[:1]):
                return store
            others.append((path, store.content_digest))
            store.close()
        path, found = others[0]
        here, name = (shlex.quote(str(each)) for each in (path, self.folder.path))
        raise UsageError(
            f"{path} should be the store that the run was trained on, {trained[:12]}; found "
            f"another, {found[:12]}: it was built again or updated, or another one lies there. "
            "Put the store back as it was, or name a copy of that with --data. On this one "
            f"`mtmodels eval {name} --data {here}` shows scores, which are not kept, and "
            f"`mtdata show {here} --random 4 --predictions {name}` draws predictions."
        )

    def store_paths(self) -> list[StorePath]:
        """Where the store may lie: as it was named, and where that was, from anywhere and here."""
        at = self.facts.get("store_at", {})
        paths = [located(self.config.data)] if self.config.data else []
        return [*paths, *places(at, self.folder.path)] if at else paths


def _read_scores(file: Path) -> dict[str, Any]:
    """Scores that were kept.

    Raises:
        DataError: where the file holds something else.
    """
    found = read_facts(file, "Copy the run again, or score it again with `mtmodels eval`.")
    problem = _not_scores(found)
    if problem is not None:
        raise DataError(
            f"{file} should hold scores that `mtmodels eval` wrote; {problem}. Copy the run again, "
            "or score it again with `mtmodels eval`."
        )
    return found


def _not_scores(found: Mapping[str, Any]) -> str | None:
    """Why these facts are no scores of tasks; None where they are."""
    if lost := [key for key in ("split", "protocol") if not isinstance(found.get(key), str)]:
        return f"its `{lost[0]}` is no name"
    labelled = found.get("labelled")  # scores of before do not have it
    if labelled is not None and not (
        isinstance(labelled, dict) and all(type(n) is int for n in labelled.values())
    ):
        return "its `labelled` are no numbers of images"
    scores = found.get("scores")
    if not isinstance(scores, dict):
        return "its `scores` are none"
    for task, values in scores.items():
        if not isinstance(values, dict):
            return f"its `scores.{task}` are none"
        for name, value in values.items():
            each = value if isinstance(value, list) else [value]
            if not all(one is None or type(one) in (int, float) for one in each):
                return f"its `scores.{task}.{name}` is no number"
    return None


def _samples(scores: Path) -> dict[str, list[str]]:
    """The file beside scores, where there is one."""
    file = scores.with_suffix(SUFFIX)
    return {"samples": [str(file)] if file.is_file() else []}


def _old_role(split: str) -> str:
    return "train" if split.startswith("train") else "test"


def open_run(path: Path, *, plugins: bool = True, trust_plugins: bool = False) -> TrainedRun:
    """Open a run folder.

    Args:
        path: The folder.
        plugins: Whether to load the plug-ins of the run; its scores can be read without them.
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.

    Raises:
        RunFolderError: where it is none.
        DataError: where its manifest cannot be read.
        PluginError: where a plug-in of it is not known here, or cannot be loaded.
    """
    folder = RunFolder(path)
    facts = folder.facts()
    if plugins:
        load_copies(folder, trust=trust_plugins)
    config = settle_options(resolve(read_layer(folder.config)))
    return TrainedRun(folder, config, facts)


def load_network(network: Network, place: Path) -> None:
    """Load the weights of a checkpoint.

    Raises:
        DataError: where a task had another number of channels when they were trained.
    """
    weights, own = checkpoint.load_network_weights(place), network.state_dict()
    for task in network.tasks:
        for name in own:
            if task.name not in name.split(".") or name not in weights:
                continue
            if weights[name].shape != own[name].shape:
                raise DataError(
                    f"`{task.name}` should have {len(weights[name])} classes, as the run was "
                    f"trained on; found {len(own[name])} in this store. Give another --data."
                )
    network.load_state_dict(weights)


def load_method(run: TrainedRun, tasks: Sequence[Task], which: Which | None = None) -> Method:
    """The method of a run, with its network and all that only training needs, as it was trained.

    Args:
        run: The run.
        tasks: The tasks that it was trained on, in its order.
        which: The checkpoint; None for the one that the run selected.

    Raises:
        RunFolderError: where there is no such checkpoint.
    """
    place = run.chosen(which)
    # The checkpoint brings the weights of the encoder; the file they began with may be gone.
    part = run.config.network.model_copy(update={"encoder_weights": None})
    method = make_method(run.config.model_copy(update={"network": part}), tasks)
    method.load_state_dict(checkpoint.load_weights(place))
    return method


def load_runs(method: Method) -> dict[str, dict[str, Any]]:
    """Give a method the networks of the trained runs that it asks for, frozen.

    Returns:
        For each of its names, the folder, the digest of the weights, `labels_seen` and
        `splits_known`.

    Raises:
        RunFolderError: where a folder is no run, has no checkpoint or is not done.
        UsageError: where a run of version 0.1 has lost its store, which alone knows its tasks.
    """
    found = {}
    for name, folder in method.runs().items():
        run = open_run(Path(folder))
        check_done(run)
        network = make_network(run.config, known_tasks(run), pretrained=False)
        place = run.chosen()
        load_network(network, place)
        method.teachers[name] = network.requires_grad_(requires_grad=False).eval()
        found[name] = {
            "folder": str(folder),
            "weights": checkpoint.digest(place),
            "labels": labels_seen(run),
            "knows": splits_known(run),
        }
    method.loaded()
    return found


def check_done(run: TrainedRun) -> None:
    """Refuse a run that has not come to its end, of which others would learn.

    Raises:
        RunFolderError: saying how far it is, and how it goes on.
    """
    folder, config = run.folder, run.config
    if folder.is_complete():
        return
    rows = read_rows(folder.metrics, "step") if folder.metrics.is_file() else []
    at = f"step {rows[-1]['step']}" if rows else "its beginning"
    length = f"{config.steps} steps" if config.steps else counted(config.epochs, "epoch")
    go_on = f"Go on with it: mttrain --out {shlex.quote(str(folder.path))} --resume"
    raise RunFolderError(
        f"the run {folder.path} should be done before others learn from it; found it at {at}, of "
        f"{length}. {'Another mttrain trains it: wait for it.' if folder.is_held() else go_on}"
    )


def labels_seen(run: TrainedRun) -> str:
    """A digest of the labels that a run may be said to know: `labels_learnt`.

    Empty where the test split chose its epoch, too.
    """
    return "" if run.config.select == "paper" else labels_learnt(run)


def labels_learnt(run: TrainedRun) -> str:
    """A digest of the labels of the source that a run learnt from, those of its teachers included.

    Empty where that is not known: a run of before, and one that took filled labels or teachers
    which may have seen more than its regime shows. Runs of before did not ask what teachers saw
    where the test split chose their epoch.
    """
    added = run.facts.get("added") or {}
    taught = run.facts.get("runs", {}).values()
    unasked = run.config.filled_anyway or run.config.select == "paper"
    if added.get("anyway") or (taught and unasked):
        return ""
    if not all(teacher.get("labels") for teacher in taught):
        return ""
    shown = run.facts.get("shown", run.facts.get("labels", ""))  # runs of before have no `shown`
    return str(added.get("base_labels", shown))


def splits_known(run: TrainedRun) -> list[str]:
    """The splits that a run may know something of, as far as it wrote them down.

    Those that it learnt from, those whose scores chose its epoch, which its summary tells, and
    those that its teachers and the runs of its filled labels knew.
    """
    known = set(run.facts.get("training", {}).get("splits", ()))
    if run.folder.is_complete():
        chose = read_facts(run.folder.summary, SUMMARY_AGAIN).get("selected_on")
        known.update(chose.split("+") if chose else ())
    filled = (run.facts.get("added") or {}).get("labels", ())
    for taught in (*run.facts.get("runs", {}).values(), *filled):
        known.update(taught.get("knows", ()))
    return sorted(known)


def seen_by(run: TrainedRun, store: Store) -> dict[str, Any]:
    """What a run saw, as `mtdata.reading.shown.shows` asks for it.

    Args:
        run: The run.
        store: The one whose splits a run of before was trained on, which did not write them down.
    """
    splits = run.facts.get("training", {}).get("splits") or run.config.train_on
    return {
        "labels": labels_seen(run),
        "tasks": list(run.config.tasks or ()),
        "splits": list(splits or splits_with_role(store, "train")),
        "knows": splits_known(run),
        "store": run.facts["store"]["content_digest"],
    }


def other_data(run: TrainedRun, store: Store) -> str:
    """What to know of a run that teaches on a store which was never that of the run; else empty."""
    trained = run.facts["store"]["content_digest"]
    if trained in store.contents:
        return ""
    return (
        f"The run {run.folder.path} was trained on other data ({trained[:12]}, here "
        f"{store.content_digest[:12]}): it is taken for granted that images of one name are the "
        "same in both, and so that it saw no label which is hidden here."
    )


def check_runs(method: Method, data: RunData, *, select: str | None) -> None:
    """Refuse networks of runs that may have seen labels which this run must not see.

    Those of a split that is tested here, which chose their epoch, are among them, but for a run
    whose own epoch it chooses.

    Args:
        method: Names the runs.
        data: Of this run.
        select: What chooses the epoch of this run.

    Raises:
        UsageError: naming the run.
    """
    base = data.regime if data.train.added is None else data.train.added.base
    tested = set(splits_with_role(data.store, "test"))
    for folder in method.runs().values():
        run = open_run(Path(folder))
        seen = seen_by(run, data.store)
        known = tested.intersection(seen["knows"]).difference(seen["splits"])
        paper = run.config.select == "paper"
        if (paper or known) and select != "paper":
            chose = f"{', '.join(sorted(known))}, which is tested here, chose it or what taught it"
            found = "it has `select: paper`" if paper else chose
            raise UsageError(
                f"the run {folder} should have chosen its epoch without the test split, of which "
                f"this run may learn through it; {found}. Train it with --select last or holdout, "
                "or take it all the same with --filled-anyway."
            )
        seen |= {"labels": labels_learnt(run), "knows": []}
        if not shows(data.store, base, seen):
            raise UsageError(
                f"the run {folder} should have learnt from no more than the labels that the regime "
                f"`{base}` shows; it may have seen others (regime `{run.config.regime}` of "
                f"{run.dataset}), through which this run may learn what is hidden from it. Train "
                "it under this regime, or take it all the same with --filled-anyway."
            )


def run_tasks(run: TrainedRun, store: Store) -> tuple[Task, ...]:
    """The tasks of a run, as a store knows them.

    Raises:
        UnknownNameError: where the store lacks one.
        DataError: where one is another task there: other classes, or their order, or units.
    """
    assert run.config.tasks is not None  # a run writes down what it settled on
    tasks = tuple(store.task(name) for name in run.config.tasks)
    if "tasks" in run.facts["store"]:  # which runs of before do not say
        for task, learnt in zip(tasks, known_tasks(run), strict=True):
            if task.kind.meaning != learnt.kind.meaning:
                raise DataError(
                    f"{store.path} should mean by `{task.name}` what the run has learnt, "
                    f"{learnt.kind.meaning}; found {task.kind.meaning}. Scores would say nothing: "
                    "build the store with what the run was trained on."
                )
    return tasks


def known_tasks(run: TrainedRun, data: StorePath | None = None) -> tuple[Task, ...]:
    """The tasks of a run, as it wrote them down: its store may be gone, or hold more by now.

    Arguments and errors are those of `TrainedRun.known`.

    Raises:
        UnknownNameError: where they lack one.
    """
    known = {task["name"]: Task.from_json(task) for task in run.known(data)["tasks"]}
    for name in run.config.tasks or ():
        if name not in known:
            raise UnknownNameError("task in this store", name, known)
    return tuple(known[name] for name in run.config.tasks or ())
