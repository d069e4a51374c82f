"""What the report of a run says, from its folder and, where it is there, from its store."""

import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from mtdata.errors import DataError, MtdataError
from mtdata.inspecting.pictures import web
from mtdata.pages.figures import lines, matrix
from mtdata.pages.page import render
from mtdata.reading.dataset import Dataset
from mtdata.sources.licences import licences_of
from mtdata.urls import StorePath
from mtdata.wording import counted
from mtmodels.metrics.scores import MEANING
from mtmodels.scoring.entries import EntryMaker
from mtmodels.scoring.facts import HOLDOUT, rests_on
from mtmodels.scoring.intervals import Estimate, Resampler
from mtmodels.scoring.run_scores import RunScores
from mtmodels.scoring.samples import Samples
from mtmodels.training.finish import warning
from mtmodels.training.loop.validation import Scorer
from mtmodels.training.record.curves import Log, Panel, panels
from mtmodels.training.record.manifest import added_labels, command_line
from mtmodels.training.record.runfolder import RunFolder, write_text
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.record.texts import arrow, estimate, number
from mtmodels.training.reporting.examples import Ends, Looked, depict_ends, ends_of
from mtmodels.training.rescore import datasets_of, kept_scores, scorer_of
from mtmodels.training.setup.data import at_size
from mtmodels.training.setup.loading import TrainedRun, open_run, run_tasks
from mtmodels.training.setup.resolve import read_layer
from mtmodels.training.setup.splits import choose_splits

TEMPLATES = Path(__file__).parent / "templates"
Rows = Sequence[Mapping[str, Any]]


def write_report(folder: RunFolder, datasets: Sequence[Dataset], scorer: Scorer) -> None:
    """Write the report of a run that has just ended, with the network and data that it has open."""
    run = open_run(folder.path, plugins=False)
    rows = kept_scores(run)
    first = rows[0]["split"] if rows else ""
    dataset = next((one for one in datasets if one.split.name == first), datasets[0])
    write_text(folder.report, report(run, dataset=dataset, scorer=scorer))


def make_report(
    path: Path,
    *,
    data: StorePath | None = None,
    device: str = "auto",
    trust_plugins: bool = False,
    say: Callable[[str], None] | None = None,
) -> str:
    """The report of a run that is there, done or not; without its store it has no images.

    Args:
        path: The run folder.
        data: Where its store is; None for where it was. Another content is refused, unless it is
            that of the run with more in it, of which nothing is shown.
        device: Where to predict: "auto", "cpu" or "cuda".
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.
        say: Told why the page has no pictures, where it could have some.

    Raises:
        RunFolderError: where there is no run.
        UsageError: where the configuration cannot be read, or `data` is another store.
    """
    run = open_run(path, trust_plugins=trust_plugins)
    rows = kept_scores(run)
    # With more images a hold-out is another one.
    grown = bool(rows) and rows[0]["split"] != HOLDOUT
    if data is not None:
        run = TrainedRun(run.folder, run.config.model_copy(update={"data": str(data)}),
                         {**run.facts, "store_at": {}})  # fmt: skip
        run.open_store(grown=grown).close()

    def without(why: str) -> str:
        if say is not None:
            say(f"No pictures: {why}")
        return report(run, why=why)

    if not rows:
        return report(run)
    if rows[0]["role"] == "train":
        return without("a training split alone was scored, whose labels may be hidden")
    try:
        store = run.open_store(grown=grown)
    except (MtdataError, OSError) as error:
        return without(str(error))
    with store:
        config = run.config.model_copy(update={"device": device})
        try:
            whole = datasets_of(run, store, choose_splits(config, store), rows[0]["split"])[0]
            scorer = scorer_of(run, config, run_tasks(run, store))
        except MtdataError as error:
            return without(str(error))
        return report(run, dataset=at_size(whole, config.size), scorer=scorer)


def report(
    run: TrainedRun,
    *,
    dataset: Dataset | None = None,
    scorer: Scorer | None = None,
    why: str = "",
) -> str:
    """The page.

    Args:
        run: The run.
        dataset: What it was scored on first; None where it is not there.
        scorer: Its network.
        why: Why these are not there.
    """
    rows = kept_scores(run)
    summary = read_layer(run.folder.summary) if run.folder.is_complete() else {}
    samples, ends = None, list[Ends]()
    if rows and rows[0]["samples"]:
        try:
            samples = Samples.read(Path(rows[0]["samples"][0]))
            ends = ends_of(samples)
        except DataError as error:
            why = why or str(error)
    looked = None
    if dataset is not None and scorer is not None and rows:
        if samples is not None and {*samples.keys} < {*dataset.keys}:  # others were added since
            dataset = dataset.subset(np.isin(dataset.keys, samples.keys))
        looked = depict_ends(dataset, scorer, ends)
    classes = {t["name"]: t["names"] for t in run.facts["store"].get("tasks", []) if "names" in t}
    looks = read_rows(run.folder.metrics, "probe") if run.folder.metrics.is_file() else []
    return render(
        "run.html",
        TEMPLATES,
        title=run.folder.path.resolve().name,
        partial=not run.folder.is_complete(),
        resume=_resume(run),
        warning=warning(run.config, tested=any(r["role"] == "test" for r in rows))
        if rows
        else None,
        facts=_facts(run),
        licences=licences_of(run.dataset),
        labels=_labels(run),
        added=added_labels(run.facts),
        seen=run.facts.get("training"),
        scored=[_scored(run, row, classes) for row in rows],
        matrices=list(_matrices(rows, classes)),
        calibration=list(_calibration(looked)),
        looked=looked,
        curves=_curves(run.folder.metrics),
        pairs=_pairs(looks),
        threshold=looks[-1]["threshold"] if looks else None,
        ends=_ends(ends, looked, run.facts["store"].get("units", {})),
        void=looked is not None and any(row[0]["void"] for row in looked.pictures.values()),
        split=rows[0]["split"] if rows else "",
        missing=why,
        kept=samples is not None,
        cost=_cost(run, summary),
        versions=run.facts.get("versions", {}),
        commands=_commands(run),
        config=run.config.to_yaml(),
    )


def _facts(run: TrainedRun) -> dict[str, str]:
    config, facts = run.config, run.facts
    store, size = facts["store"], facts.get("size")
    return {
        "method": f"{config.method.name}, weighting {config.weighting.name}",
        "network": f"{config.network.label}, width {config.network.width:g}",
        "data": f"{run.dataset}, content {store['content_digest'][:12]}",
        "images": "x".join(map(str, size)) if size else "unknown size",
        "regime": str(config.regime),
        "tasks": ", ".join(
            f"{name} ({store.get('units', {}).get(name, 'unknown units')})"
            for name in config.tasks or ()
        ),
        "budget": (
            counted(config.steps, "step") if config.steps else counted(config.epochs, "epoch")
        )
        + f" of {counted(config.batch, 'image')}, seed {config.seed}",
        "begun": facts.get("created", "unknown"),
    }


def _labels(run: TrainedRun) -> list[list[str]]:
    """Labels of each task that training saw; of a run of before nothing is known."""
    seen = run.facts.get("training")
    if not seen:
        return []
    return [
        [task, f"{n:,}", f"{100 * n / max(seen['images'], 1):.1f} %"]
        for task, n in seen["labels"].items()
    ]


def _scored(
    run: TrainedRun, row: Mapping[str, Any], classes: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The scores of one split and protocol, with intervals where each image was kept."""
    resampler = Resampler()
    scores = RunScores.from_json(row)
    entry = EntryMaker(None, (), resampler).of_runs([scores])
    table, each = [], []
    for task, of_task in entry.scores.items():
        for name, value in of_task.items():
            one = entry.intervals.get(task, {}).get(name)
            if not isinstance(value, list):
                told = _estimate(value, one)
                table.append([task, f"{name} {arrow(name)}".strip(), *told, MEANING.get(name, "")])
                continue
            names = classes.get(task, [])
            if len(names) != len(value):
                continue
            bounds = one if isinstance(one, list) else [None] * len(value)
            each.append(
                (f"{task}: {name} {arrow(name)}".strip(), MEANING.get(name, ""),
                 [[n, *_estimate(v, b)] for n, v, b in zip(names, value, bounds, strict=True)])
            )  # fmt: skip
    trained = run.facts["store"]["content_digest"]
    return {
        "of": f"{row['split']}" + (f" (role {row['role']})" if row["role"] else ""),
        "protocol": row["protocol"],
        "images": row["images"],
        "rests": rests_on(row["split"], row["images"], row["labelled"]),
        "alone": ", ".join(resampler.alone.get(row["name"], ())),
        "no_intervals": resampler.reasons.get(row["name"]),
        "other_store": row["store"][:12] if row["store"] != trained else None,
        "table": table,
        "classes": each,
    }


def _estimate(value: float, one: Any) -> tuple[str, str]:
    """A score and its interval, as texts."""
    known = one if isinstance(one, Estimate) else Estimate(value)
    told, low, high = estimate(value, known.low, known.high)
    return told, f"{low} to {high}" if low else ""


def _matrices(
    rows: Rows, classes: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, Markup]]:
    """The confusion of each task with classes, from what images added to the first that kept it."""
    done = set[str]()
    for row in rows:
        for path in row["samples"]:
            try:
                samples = Samples.read(Path(path))
            except DataError:
                continue  # told where its intervals are missing
            for task, states in samples.states.items():
                if task in done or task not in classes or "matrix" not in states:
                    continue
                done.add(task)
                counts = states["matrix"].sum(0, dtype="int64")
                totals = counts.sum(1, keepdims=True)
                shares = [
                    [float(c / t) if t else math.nan for c in line]
                    for line, (t,) in zip(counts, totals, strict=True)
                ]
                yield (
                    task,
                    row["split"],
                    matrix(classes[task], shares, about=f"Confusion matrix of {task}"),
                )


def _calibration(looked: Looked | None) -> Iterator[tuple[str, str, Markup]]:
    for task, sums in (looked.calibration if looked else {}).items():
        if not sums.pixels.sum():
            continue
        error = f"{100 * sums.error():.1f} %"
        series = {"network": sums.curve(), "as sure as right": [(0.0, 0.0), (1.0, 1.0)]}
        yield task, error, lines(
            series, about=f"Reliability of {task}: expected calibration error {error}",
            x="confidence", y="share that is right", faint=["as sure as right"],
            limits=((0.0, 1.0), (0.0, 1.0)),
        )  # fmt: skip


def _pairs(looks: Rows) -> list[list[str]]:
    """Which pairs of tasks went on and why."""
    rows = []
    for name, agreement in sorted(looks[-1]["agreement"].items()) if looks else ():
        kept = [one["kept"][name] for one in looks if name in one["kept"]]
        state = "goes on" if kept[-1] else "rests"
        rows.append([name, f"{agreement:+.3f}", f"{sum(kept)} of {len(kept)}", state])
    return rows


def _ends(
    ends: Sequence[Ends], looked: Looked | None, units: Mapping[str, str]
) -> list[dict[str, Any]]:
    """For each task the rows of pictures, best first; without pictures the keys alone."""
    drawn = looked.pictures if looked else {}
    return [
        {
            "task": one.task,
            "score": f"{one.score} {arrow(one.score)}",
            "legend": [
                (swatch.name, web(swatch.colour))
                for swatch in (looked.legends.get(one.task, ()) if looked else ())
            ],
            "groups": [
                (
                    what,
                    [
                        (
                            key,
                            f"{number(value)} {_unit(one, units)}".strip(),
                            drawn.get((one.task, key)),
                        )
                        for key, value in of
                    ],
                )
                for what, of in (("best", one.best), ("worst", one.worst))
            ],
        }
        for one in ends
    ]


def _unit(of: Ends, units: Mapping[str, str]) -> str:
    """What a score that speaks for a task is counted in; of runs of before it may be unknown."""
    of_task = {"abs_err": units.get(of.task, ""), "mean": "degrees"}
    return of_task.get(of.score, "%")


def _cost(run: TrainedRun, summary: Mapping[str, Any]) -> dict[str, str]:
    """Time and memory, and of what machine; only what was written down."""
    host, found = run.facts.get("host", {}), dict[str, str]()
    if (seconds := summary.get("seconds")) is not None:
        found["training"] = f"{seconds / 3600:.2f} h" if seconds >= 3600 else f"{seconds:,.0f} s"
    if (rate := summary.get("samples_per_second")) is not None:
        wait = 100 * summary.get("data_wait", 0)
        found["speed"] = f"{rate:.3g} images/s, {wait:.1f} % of the time waiting for data"
    if (memory := summary.get("peak_memory_mb")) is not None:
        found["peak memory"] = f"{memory:,.0f} MB"
    if (every := summary.get("parameters")) is not None:
        found["parameters"] = f"{every:,}, of which {summary['parameters_inference']:,} predict"
    found["precision"] = str(summary.get("precision", run.config.precision))
    if host:
        cards = ", ".join(host.get("cards", ())) or "no card"
        found["machine"] = (
            f"{host.get('processor') or 'unknown'}, {host.get('cores')} cores, {cards}"
        )
    return found


def _resume(run: TrainedRun) -> str:
    """What goes on with a run that stopped, by the configuration in its folder; else empty."""
    if run.folder.is_complete() or run.folder.is_held():
        return ""
    return shlex.join(["mttrain", "--out", str(run.folder.path), "--resume"])


def _commands(run: TrainedRun) -> list[str]:
    path, given = str(run.folder.path), run.facts.get("arguments")
    quoted = shlex.quote(path)
    return [
        *([resume] if (resume := _resume(run)) else []),
        *([command_line(["mttrain", *given])] if given else []),
        shlex.join(["mttrain", "--recipe", str(run.folder.config), "--out", f"{path}-again"]),
        f"mtmodels eval {quoted}",
        f"mtmodels report {quoted} --overwrite",
    ]


def _curves(metrics: Path) -> list[tuple[str, Markup]]:
    """Title and figure of each curve; none where there is no log."""
    return [(panel.title, _drawn(panel)) for panel in panels(Log.read(metrics))]


def _drawn(panel: Panel) -> Markup:
    series = {name: line.points for name, line in panel.lines.items()}
    faint = []
    if len(series) == 1 and (means := next(iter(panel.lines.values())).means):
        series = {"logged steps": next(iter(series.values())), "mean of an epoch": means}
        faint = ["logged steps"]
    return lines(
        series, about=panel.title, x=panel.along, faint=faint, counted=True, linear=panel.linear
    )
