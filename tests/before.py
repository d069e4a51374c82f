"""What the fixtures of before are, and how they are looked at: by what made them and by the tests.

All goes through the commands and `mtdata.open_store`, which no restructuring may change.
"""

import contextlib
import hashlib
import io
import json
import math
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from mtdata import open_store
from tests.runs.small_run import as_arguments

FOLDER = Path(__file__).parent / "fixtures" / "before"
ROOMS = FOLDER / "rooms.h5"
STORES = ("rooms", "rooms-gzip", "folder")

# With so small a rate and so few steps the sums of other kernels, which differ in the last digit,
# do not grow to other losses; SegNet and mappings with a stride of 32 let them nevertheless, as
# batch norm is over two pixels there.
_RUN: dict[str, Any] = {
    "batch": 2, "lr": 1e-5, "schedule": {"name": "cosine"}, "precision": "32", "workers": 0,
    "log_every": 1, "keep_unlabelled": True,
}  # fmt: skip
_THREE = ["semantic", "depth", "normals"]
_FILM = {"film_rate": 5.0, "film_schedule": {"name": "step", "options": {"every": 2}}}


def _network(name: str, width: float, **options: Any) -> dict[str, Any]:
    return {"name": name, "width": width, "options": options}


def _method(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "options": options}


HALF: dict[str, dict[str, Any]] = {
    "sl": {
        **_RUN, "epochs": 3, "regime": "random", "method": _method("sl"),
        "network": _network("unet-resnet18", 1 / 64), "weighting": {"name": "uncertainty"},
        "holdout": 0.3, "select": "holdout",
    },
    "ssl": {
        **_RUN, "epochs": 3, "regime": "imbalanced", "tasks": _THREE,
        "network": _network("deeplab-resnet18", 1 / 64), "method": _method("ssl", ramp_up=0.5),
    },
    "mtpsl": {
        **_RUN, "epochs": 3, "regime": "one", "tasks": _THREE,
        "network": _network("unet-resnet18", 1 / 64, feature_stride=8),
        "method": _method("mtpsl", mapping_width=1 / 64, **_FILM),
    },
    "xtc": {
        **_RUN, "epochs": 3, "regime": "full", "tasks": ["semantic", "depth"],
        "network": _network("xtasc-resnet18", 1 / 64), "method": _method("xtc", **{"lambda": 0.1}),
    },
    "discriminator": {
        **_RUN, "epochs": 3, "regime": "random", "tasks": ["depth", "saliency"],
        "network": _network("unet-resnet18", 1 / 64),
        "method": _method("discriminator", mapping_width=1 / 64, adversarial=True),
    },
}  # fmt: skip
"""Runs that were stopped in the middle of an epoch."""

FINISHED = {
    **_RUN, "epochs": 8, "lr": 1e-2, "regime": "full", "tasks": ["semantic", "depth"],
    "network": _network("segnet", 1 / 64), "method": _method("sl"),
}  # fmt: skip
"""A run that came to its end."""

TWENTY: dict[str, dict[str, Any]] = {
    "sl": {
        **HALF["sl"], "epochs": 5, "network": _network("unet-resnet18", 1 / 16),
        "holdout": 0.0, "select": "last",
    },
    "ssl": {**HALF["ssl"], "epochs": 5, "network": _network("unet-resnet18", 1 / 16)},
    "mtpsl": {
        **HALF["mtpsl"], "epochs": 5, "regime": "random", "tasks": ["semantic", "depth"],
        "network": _network("unet-resnet18", 1 / 16, feature_stride=8),
        "method": _method("mtpsl", mapping_width=1 / 16, with_ssl=True, **_FILM),
    },
    "xtc": {
        **HALF["xtc"], "epochs": 10, "batch": 4, "network": _network("xtasc-resnet18", 1 / 16),
    },
}  # fmt: skip
"""Runs of 20 steps on the eight images."""


def call(command: click.Command, *arguments: str | Path) -> str:
    """Run a command that must succeed, in this process; returns what it prints on stdout."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as told,
        contextlib.redirect_stderr(io.StringIO()),
    ):
        code = command.main([str(argument) for argument in arguments], standalone_mode=False)
    assert code in (0, None)
    return told.getvalue()


def recorded(name: str) -> Any:
    """What the code of before gave: `stores`, `runs` or `losses`."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def environment() -> dict[str, str]:
    """What decides which kernels compute, and with them the order of sums."""
    return {"torch": str(torch.__version__), "cpu": torch.backends.cpu.get_cpu_capability()}


def contents(store: Path) -> dict[str, Any]:
    """All that can be read: by split, regime and image, its parts as digests or statistics."""
    found: dict[str, Any] = {}
    with open_store(store) as opened:
        for name, split in opened.splits.items():
            for regime in ("full", *(r for r in split.regimes if r != "full")):
                dataset = opened.dataset(name, regime=regime)
                samples = (dataset.read(index) for index in range(len(dataset)))
                found[f"{name}/{regime}"] = {
                    sample.key: {
                        "image": fingerprint(sample.image),
                        **{
                            task: [fingerprint(valid), fingerprint(sample.labels[task], valid)]
                            for task, valid in sorted(sample.valid.items())
                        },
                    }
                    for sample in samples
                }
    return found


def fingerprint(array: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Any:
    """A digest of whole numbers; of others the mean, that of the magnitudes, one by position."""
    if valid is not None:
        array = np.where(valid if array.ndim == 2 else valid[..., None], array, 0).astype(
            array.dtype
        )
    if array.dtype.kind != "f":
        head = f"{array.dtype} {array.shape} ".encode()
        return hashlib.sha256(head + array.tobytes()).hexdigest()[:16]
    flat = array.astype(np.float64).ravel()
    by_position = np.average(flat, weights=np.arange(1, flat.size + 1))
    return [float(flat.mean()), float(np.abs(flat).mean()), float(by_position)]


def rows(run: Path) -> list[dict[str, Any]]:
    """The log of a run without the times."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "time"} for line in lines]


def predictions(run: Path, out: Path) -> dict[str, Any]:
    """Statistics of what a run predicts for one image that no library's codec can change."""
    image = out / "image.png"
    out.mkdir()
    pixels = np.arange(32 * 64 * 3).reshape(32, 64, 3)
    Image.fromarray((pixels * 7 % 251).astype(np.uint8)).save(image)
    call(mtmodels, "predict", run, image, "-o", out / "made", "--npy", "--device", "cpu")
    raw = sorted((out / "made" / "raw").glob("*/image.npy"))
    return {file.parent.name: fingerprint(np.load(file)) for file in raw}


def unpack(name: str, folder: Path) -> Path:
    """A copy of a run folder."""
    with tarfile.open(FOLDER / "runs" / f"{name}.tar.xz") as packed:
        packed.extractall(folder / name, filter="data")
    return folder / name


def end_of(run: Path) -> dict[str, Any]:
    """All that a training came to."""
    scores = json.loads((run / "summary.json").read_text(encoding="utf-8"))["scores"]
    made = predictions(run, run.with_name(f"{run.name}-predicted"))
    return {"rows": rows(run), "scores": scores, "predictions": made}


def resume(run: Path) -> None:
    """Train to the end from where the run was stopped."""
    call(mttrain, "--out", run, "--resume", "--data", ROOMS)


def steps(layer: dict[str, Any], run: Path) -> list[dict[str, Any]]:
    """The rows of the steps of a new run."""
    call(mttrain, *as_arguments(layer), "--data", ROOMS, "--out", run)
    return [row for row in rows(run) if row["kind"] == "step"]


def differences(found: Any, before: Any, tolerance: float, where: str = "") -> Iterator[str]:
    """Each place where two JSON values differ; numbers do by more than a relative tolerance."""
    if isinstance(found, dict) and isinstance(before, dict) and found.keys() == before.keys():
        for key, value in before.items():
            yield from differences(found[key], value, tolerance, f"{where}/{key}")
    elif isinstance(found, list) and isinstance(before, list) and len(found) == len(before):
        for i, value in enumerate(before):
            yield from differences(found[i], value, tolerance, f"{where}/{i}")
    elif isinstance(found, float) and isinstance(before, float):
        # A difference of scores that are near to each other is as uncertain as they are.
        least = tolerance * (1 if where.endswith("/improvement") else 1e-3)
        if not math.isclose(found, before, rel_tol=tolerance, abs_tol=least):
            yield f"{where}: {found}, before {before}"
    elif found != before:
        yield f"{where}: {found}, before {before}"
