"""What run folders are there, and how far each is: by what lies in the folder alone."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mtdata.errors import DataError, MtdataError, UsageError
from mtmodels.errors import RunFolderError
from mtmodels.metrics.scores import headline
from mtmodels.training.record.runfolder import SUMMARY_AGAIN, RunFolder, read_facts

State = Literal["done", "going", "interrupted", "broken"]
LEVELS = 3
"""Folders within each other that are searched for runs."""
TAIL = 2**17
"""Bytes of the end of a log that are read to know how far it is."""


@dataclass(frozen=True)
class Found:
    """A run folder.

    Args:
        path: Where it is.
        state: "done" where the summary is there; "going" where a process holds the folder;
            "broken" where a file that says what it is cannot be read: the manifest, and the
            summary of a run that is done, or the configuration of another; else "interrupted".
        why: What is broken.
        age: Seconds since it was written to.
        created: When the run began.
        method: The method.
        network: The network.
        weighting: The weighting.
        dataset: The data set.
        regime: Which labels are seen.
        seed: The seed.
        stage: What comes before the training and is as far as it is; empty for that itself.
        step: Steps that are done of that, as the log says.
        steps: Steps of the whole run, where they are known: the first epoch tells.
        epoch: The epoch that goes on, or was the last.
        epochs: Epochs of the whole run; None for a run whose length is given in steps.
        scores_of: What the scores are of; empty where there are none.
        scores: For each task the score that speaks for it, by its name.
    """

    path: str
    state: State
    why: str = ""
    age: float = 0.0
    created: str = ""
    method: str = ""
    network: str = ""
    weighting: str = ""
    dataset: str = ""
    regime: str = ""
    seed: int | None = None
    stage: str = ""
    step: int | None = None
    steps: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    scores_of: str = ""
    scores: Mapping[str, Mapping[str, float]] | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def find_runs(folders: Sequence[Path]) -> list[Found]:
    """All runs in some folders, and in folders below them; the one written to last comes first.

    Args:
        folders: Run folders, or folders of runs; others hold none, which is no error.

    Raises:
        UsageError: where one is not there.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"FOLDER should be a folder; found no {folder}. Name another.")
    paths = dict.fromkeys(path for folder in folders for path in _below(folder, LEVELS))
    return sorted((look(path) for path in paths), key=lambda found: found.age)


def _below(folder: Path, levels: int) -> Iterator[Path]:
    """The run folders in a folder, or the folder itself; what is in a run is of that run."""
    if (folder / "manifest.json").is_file():
        if RunFolder(folder).is_run() or (folder / "config.yaml").is_file():
            yield folder
        return
    if levels:
        try:
            entries = [one for one in folder.iterdir() if one.is_dir()]
        except PermissionError:
            return
        for entry in sorted(entries):
            if not entry.name.startswith("."):
                yield from _below(entry, levels - 1)


def look(path: Path) -> Found:
    """Look at a run folder.

    Raises:
        RunFolderError: where it is none.
    """
    folder = RunFolder(path)
    if not folder.manifest.is_file():
        raise RunFolderError(
            f"{path} should be a run folder of mttrain; found no manifest in it. `mtmodels runs` "
            "lists those that there are."
        )
    known: dict[str, Any] = {"path": str(path), "age": _age(folder)}
    try:
        known |= _facts(folder)
    except MtdataError as error:
        return Found(**known, state="broken", why=str(error).partition("\n")[0])
    except KeyError as error:
        return Found(**known, state="broken", why=f"its files lack `{error.args[0]}`")
    except (OSError, ValueError, TypeError, AttributeError):
        return Found(**known, state="broken", why="its files hold something else than a run wrote")
    state: State = "interrupted"
    if folder.is_held():
        state = "going"
    elif folder.is_complete():
        state = "done"
    return Found(**known, state=state)


def _facts(folder: RunFolder) -> dict[str, Any]:
    """What the files of a run say."""
    manifest = read_facts(folder.manifest)
    known = {
        "created": manifest["created"],
        "dataset": manifest["store"]["dataset"],
        "regime": manifest.get("regime", ""),
        "seed": manifest.get("seed"),
    }
    if not folder.config.is_file():
        raise DataError("there is no config.yaml")
    if folder.is_complete():
        return known | _of_summary(read_facts(folder.summary, SUMMARY_AGAIN))
    return known | _of_config(folder)


def _of_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "method": summary["method"],
        "network": summary["network"],
        "weighting": summary["weighting"],
        "step": summary["steps"],
        "steps": summary["steps"],
        "epoch": summary["epochs"],
        "epochs": summary["epochs"],
        "scores_of": f"{summary.get('split', 'test')}, protocol {summary.get('protocol', 'mtpsl')}",
        "scores": _headlines(summary["scores"]),
    }


def _of_config(folder: RunFolder) -> dict[str, Any]:
    """What is known of a run without a summary: its configuration, and the end of its log."""
    # Here, as a list of runs that are done needs neither of them.
    from mtdata.yaml_text import YamlError, load_yaml
    from mtmodels.training.config import NetworkPart

    try:
        config = load_yaml(folder.config.read_text(encoding="utf-8"))
    except YamlError as error:
        raise DataError(error.at(folder.config.name)) from None
    except UnicodeDecodeError as error:
        name, byte = folder.config.name, error.start
        raise DataError(f"{name} should be text in UTF-8; its byte {byte} is of none") from None
    rows, stage = _tail(folder.metrics), ""
    if not any("step" in row for row in rows) and (logs := _of_stages(folder)):
        log = max(logs, key=lambda log: log.stat().st_mtime)
        rows, stage = _tail(log), log.parent.name
    last: dict[str, Any] = next((row for row in reversed(rows) if "step" in row), {})
    ended = next((row for row in reversed(rows) if row["kind"] == "epoch"), None)
    scored = next((row for row in reversed(rows) if row.get("scores")), None)
    # How long a stage is stands nowhere.
    steps, epochs = (None, None) if stage else (config.get("steps"), config.get("epochs"))
    if steps is None and ended is not None and epochs is not None:
        steps = round(ended["step"] / ended["epoch"]) * epochs
    return {
        "method": config["method"]["name"],
        "network": NetworkPart.model_validate(config["network"]).label,
        "weighting": config["weighting"]["name"],
        "stage": stage,
        "step": last.get("step", 0),
        "steps": steps,
        "epoch": last.get("epoch"),
        "epochs": epochs,
        "scores_of": "" if scored is None else f"what selects, after epoch {scored['epoch']}",
        "scores": None if scored is None else _headlines(scored["scores"]),
    }


def _of_stages(folder: RunFolder) -> list[Path]:
    """The logs of what comes before the training."""
    return list(folder.stage("").glob("*/metrics.jsonl"))


def _headlines(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    found = {task: headline(scores, task) for task in scores}
    return {task: {one[0]: one[1]} for task, one in found.items() if one is not None}


def _tail(log: Path) -> list[dict[str, Any]]:
    """The last rows of a log; lines that are cut, at either end, are left out."""
    if not log.is_file():
        return []
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        lines = file.read().split(b"\n")
    rows = []
    for line in lines[0 if size <= TAIL else 1 :]:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _age(folder: RunFolder) -> float:
    """Seconds since a run was written to."""
    files = (folder.summary, folder.metrics, folder.manifest, *_of_stages(folder))
    return max(0.0, time.time() - max(file.stat().st_mtime for file in files if file.is_file()))
