"""The facts of a model card as Markdown, with the YAML head that model hubs read."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from mtdata.wording import counted
from mtmodels.metrics.scores import LooseScores
from mtmodels.scoring.facts import UNKNOWN, rests_on
from mtmodels.training.record.manifest import added_labels
from mtmodels.training.record.texts import arrow, estimate

Facts = Mapping[str, Any]
TAGS = ("multi-task-learning", "dense-prediction", "partial-labels")
HUB_TAGS = {
    "classes": "image-segmentation",
    "binary": "image-segmentation",
    "depth": "depth-estimation",
}
"""Tasks of model hubs, by the kind of ours."""
HOLDS = {
    "binary": "a probability at each pixel",
    "normals": "unit vectors: x right, y up, z towards the camera",
}
SELECTED = {
    "last": "nothing: the last epoch counts",
    "val": "the scores of the splits of role val, epoch by epoch",
    "holdout": "the scores of training images that were held out, epoch by epoch",
    "paper": "the scores of the test split, epoch by epoch, as the papers did",
}


def markdown(facts: Facts) -> str:
    """The card.

    Args:
        facts: What `Card.facts` holds, as JSON has it.
    """
    head = yaml.safe_dump(_head(facts), sort_keys=False, allow_unicode=True)
    blocks = [
        f"---\n{head}---",
        f"# {facts['run']}",
        *_warnings(facts),
        _sentence(facts),
        "## What it predicts",
        _predicts(facts),
        "## Data",
        *_data(facts),
        "## Training",
        _training(facts),
        "## Scores",
        *_scores(facts),
        "## What selected",
        _selection(facts["selection"]),
        "## Limits",
        _items(facts["limits"]),
        "## How to use it",
        _usage(facts),
    ]
    return "\n\n".join(blocks) + "\n"


def _head(facts: Facts) -> dict[str, Any]:
    """What model hubs read. Nobody states a licence of the weights; the data have their terms."""
    kinds = [task.get("kind") for task in facts["predicts"]]
    tags = [*TAGS, *(HUB_TAGS[kind] for kind in kinds if kind in HUB_TAGS)]
    names = [task["task"] for task in facts["predicts"]]
    method = facts["model"]["method"]["name"]
    metrics = [name for one in facts["scores"][:1] for of in one["scores"].values() for name in of]
    return {
        "license": UNKNOWN,
        "library_name": "mtpartial",
        "tags": list(dict.fromkeys([*tags, *names, method])),
        "datasets": facts["data"]["dataset"].split("+"),
        "metrics": list(dict.fromkeys(metrics)),
    }


def _warnings(facts: Facts) -> Iterator[str]:
    """What a reader has to know before anything else."""
    if facts["state"] != "done":
        yield f"> **Not done**: the run is {facts['state']}, at {facts['progress']}."
    for one in facts["scores"]:
        if one["other_store"]:
            yield (
                f"> **Scores of another store**: those of {one['split']} under {one['protocol']} "
                "are not of the store that the run was trained on."
            )
    for split in dict.fromkeys(one["split"] for one in facts["scores"] if one["chose"]):
        yield f"> **Chosen on {split}**: its scores there are better than on new images."


def _sentence(facts: Facts) -> str:
    names, model = [task["task"] for task in facts["predicts"]], facts["model"]
    return (
        f"The network `{model['network']['name']}`, trained with the method "
        f"`{model['method']['name']}`, predicts {_list(names)} from one colour image."
    )


def _predicts(facts: Facts) -> str:
    rows = [[task["task"], task.get("kind", UNKNOWN), _holds(task)] for task in facts["predicts"]]
    return _table(["task", "kind", "at each pixel"], rows)


def _holds(task: Facts) -> str:
    if "classes" in task:
        return f"one of {len(task['classes'])} classes: {', '.join(task['classes'])}"
    if "inverse" in task:
        what = "inverse depth or disparity" if task["inverse"] else "depth"
        return f"{what}, in {task['units']}"
    return HOLDS.get(task.get("kind", ""), UNKNOWN)


def _data(facts: Facts) -> Iterator[str]:
    data = facts["data"]
    size = "x".join(map(str, data["size"])) if data["size"] else UNKNOWN
    lines = [f"Data set: {data['dataset']}, content `{data['content_digest'][:12]}`."]
    lines += [f"Terms of {name}: {text}" for name, text in data["licences"].items()]
    if not data["licences"]:
        lines.append("Terms of the data: none of others are known here.")
    lines.append("Licence of these weights: nobody stated one.")
    lines.append(f"Images were read at {size} (height x width).")
    if data["images"] is None:
        lines.append(f"Regime `{data['regime']}`; how many labels training saw is not known.")
        yield _items(lines)
        return
    lines.append(
        f"Training saw {counted(data['images'], 'image')} of {_list(data['splits'])}, with the "
        f"labels that the regime `{data['regime']}` shows; held out: {data['held_out']:,}; left "
        f"out, as they show no label of these tasks: {data['left_out']:,}."
    )
    yield _items(lines)
    rows = [[task, f"{n:,}", f"{n / data['images']:.1%}"] for task, n in data["labels"].items()]
    yield _table(["task", "labels that training saw", "of its images"], rows, left=1)
    if added := added_labels(data):
        yield _items(added)


def _training(facts: Facts) -> str:
    training, model = facts["training"], facts["model"]
    if training["command"] is None:
        lines = ["Command: unknown; the run was begun from Python, or nobody wrote it down."]
    else:
        lines = [f"Command: `{training['command']}`"]
    for family in ("network", "method", "weighting"):
        one = model[family]
        told = [f"{family.capitalize()} `{one['name']}`"]
        told += [f": {one['summary'].rstrip('.')}"] if one["summary"] else []
        told += [f". Reference: {one['reference'].rstrip('.')}"] if one["reference"] else []
        lines.append("".join(told) + ".")
    begun = model["encoder_weights"]
    lines.append(f"It began with {f'encoder weights `{begun}`' if begun else 'random weights'}.")
    lines += [
        f"Parameters: {_count(model['parameters'])}, of which "
        f"{_count(model['parameters_inference'])} predict.",
        f"Steps: {_count(training['steps'])}"
        + (f" of {training['of_steps']:,}" if training["of_steps"] else "")
        + f", of {counted(training['batch'], 'image')}; seed {training['seed']}.",
        f"Optimiser `{training['optimizer']['name']}`, learning rate {training['lr']:g}, schedule "
        f"`{training['schedule']['name']}`, precision {training['precision']}.",
        f"Time: {_time(training['seconds'])}, begun {training['created'] or UNKNOWN}.",
        f"Machine: {_machine(training['host'])}.",
        "Versions: "
        + (", ".join(f"{name} {v}" for name, v in training["versions"].items()) or UNKNOWN)
        + ".",
    ]
    for what, names in (("Plug-ins", training["plugins"]), ("Reads the runs", training["runs"])):
        lines += [f"{what}: {', '.join(names)}."] if names else []
    return _items(lines)


def _scores(facts: Facts) -> Iterator[str]:
    if not facts["scores"]:
        yield "None were kept."
        return
    yield (
        "In brackets the 95 % interval over draws of the images with replacement. Shares are in "
        "percent, errors of depth in its units, angles in degrees. A protocol says how pixels and "
        "images are pooled: compare numbers of one protocol and one split alone."
    )
    classes = {task["task"]: task.get("classes", []) for task in facts["predicts"]}
    for at, one in enumerate(facts["scores"]):
        images = f"{UNKNOWN} images" if one["images"] is None else counted(one["images"], "image")
        role = f" (role {one['role']})" if one["role"] else ""
        yield f"### {one['split']}{role}, protocol {one['protocol']}, {images}"
        if rests := rests_on(one["split"], one["images"], one["labelled"]):
            yield rests
        if one["no_intervals"]:
            yield f"No intervals: {one['no_intervals']}."
        if rows := list(_score_rows(one["scores"])):
            yield _table(["task", "score", "value"], rows, left=2)
        for task, names in classes.items() if not at else ():
            yield from _class_table(task, one["scores"].get(task, {}), names)


def _score_rows(scores: LooseScores) -> Iterator[list[str]]:
    for task, metrics in scores.items():
        for name, value in metrics.items():
            if not isinstance(value, list):
                yield [task, f"{name} {arrow(name)}".strip(), _estimate(value)]


def _class_table(task: str, metrics: Facts, names: Sequence[str]) -> Iterator[str]:
    """The scores of each class of a task."""
    lists = {n: v for n, v in metrics.items() if isinstance(v, list) and len(v) == len(names)}
    if lists:
        rows = [[name, *(_estimate(v[i]) for v in lists.values())] for i, name in enumerate(names)]
        yield _table(
            [f"class of {task}", *(f"{n} {arrow(n)}".strip() for n in lists)], rows, left=1
        )


def _estimate(one: Facts) -> str:
    value, low, high = estimate(one["value"], one["low"], one["high"])
    return f"{value} [{low}, {high}]" if low else value


def _selection(selection: Facts) -> str:
    text = f"What chose the checkpoint: {SELECTED.get(selection['select'], UNKNOWN)}."
    if selection["epoch"] is not None:
        text += f" It chose epoch {selection['epoch']}."
    if selection["select"] == "holdout":
        text += f" {selection['holdout']:.0%} of the training images were held out for it."
    if selection["selected_on"]:
        text += f" Chosen on: {selection['selected_on']}."
    return text


def _usage(facts: Facts) -> str:
    run = facts["run"]
    predict = shlex.join(["mtmodels", "predict", run, "photo.jpg", "photos/", "-o", "predicted"])
    export = shlex.join(["mtmodels", "export", run, "-o", f"{run}.onnx"])
    return (
        f"With mtpartial installed and the run folder at `{run}`:\n\n"
        "```console\n"
        f"$ {predict}\n"
        f"$ {export}   # a file that predicts alone\n"
        "```\n\n"
        "```python\nimport mtmodels\n\n"
        f"model = mtmodels.load({json.dumps(run, ensure_ascii=False)})\n"
        "predictions = model(image)  # uint8 [height, width, 3], red first\n```"
    )


def _items(lines: Sequence[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 99) -> str:
    rules = ["---" if at < left else "--:" for at in range(len(header))]
    cells = ([cell.replace("|", r"\|") for cell in row] for row in (header, rules, *rows))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _list(names: Sequence[str]) -> str:
    """Names as a sentence has them."""
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def _machine(host: Facts) -> str:
    if not host:
        return UNKNOWN
    cards = ", ".join(host.get("cards", ())) or "no card"
    return f"{host.get('processor') or UNKNOWN}, {host.get('cores')} cores, {cards}"
