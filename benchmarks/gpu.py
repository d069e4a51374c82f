"""All that only a card can show, in under nine minutes: `make gpu` prints a page for the docs.

It needs this package, torch and a card, and no data: it builds rooms. Every method trains two steps
in fp32, bf16 and fp16 on the card, and its losses are compared with those of the processor in fp32,
with the same weights and images. A generator of the card draws other numbers: methods that draw
classes are compared on the tasks without classes, those that draw more only roughly. Steps are
timed against the rate of matrix products of the card, and compiled against not; a run is trained by
its command, stopped, resumed, scored and exported; batches are made of what the card keeps.

    python -m benchmarks.gpu [--out gpu.md] [--minutes 9] [--device cuda] [--smoke]

`--device cpu --smoke` tries the script where there is no card; its figures mean nothing.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.data.loading import compare as compare_loading
from benchmarks.machine import describe, versions
from benchmarks.training.rates import matrix_rate
from mtdata import open_store
from mtdata.reading.augment import Augmentation
from mtmodels.methods import METHODS
from mtmodels.training.loop import randomness
from mtmodels.training.loop.compiling import Compiled, step_times
from mtmodels.training.loop.schedules import Position
from mtmodels.training.run import prepare
from mtmodels.training.setup import setup

TASKS = ("semantic", "depth", "normals")
PRECISIONS = {"32": torch.float32, "bf16": torch.bfloat16, "16": torch.float16}
FAR = {"32": 1e-3, "bf16": 0.05, "16": 0.02}
"""By how much of the largest of them a loss may differ from that of the processor."""
DRAWING = {"contrastive", "discriminator"}
"""Methods that draw which other images they compare with."""
SMALL: dict[str, dict[str, Any]] = {
    name: {"mapping_width": 0.0625}
    for name in ("mtpsl", "direct-map", "perceptual-map", "contrastive", "discriminator")
} | {
    "xtc": {"transfer_width": 0.125},
    "align": {"transfer_width": 0.125},
    "jtr": {"auto_encoder_width": 0.0625},
    # Gradients of terms are not compared in fp16.
    "x-task": {"mapping_width": 0.0625, "gradient_weights": False},
}
"""Networks that only training needs, made small; all but `xtc` and `align` draw classes."""
SPEED = (
    ("segnet", "sl", "full"),
    ("segnet", "mtpsl", "one"),
    ("xtasc-resnet34", "xtc", "full"),
    ("unet-resnet18", "teacher", "one"),
)
"""Network, method and regime of the steps that are timed."""
COMPILED = (SPEED[0], SPEED[3])
"""Those of which a compiled step is timed as well: each takes a minute to compile."""


@dataclass
class Page:
    """What is printed and kept, as it comes; ends parts that come too late.

    Args:
        until: When no other part is begun, on the monotonic clock.
    """

    until: float
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def say(self, line: str = "") -> None:
        """Print a line and keep it."""
        print(line, flush=True)
        self.lines.append(line)

    @contextmanager
    def part(self, title: str) -> Iterator[bool]:
        """A heading; gives whether there is time. What fails in it is told, and fails no other."""
        self.say(f"\n## {title}\n")
        in_time = time.monotonic() < self.until
        if not in_time:
            self.say("left out: no time was left (`--minutes`)")
        try:
            yield in_time
        except Exception as error:
            self.say(f"\nfailed: {type(error).__name__}: {error}")
            self.wrong.append(title)


def build_rooms(path: Path, images: str, size: str) -> None:
    """A store of rooms with the three tasks."""
    words = f"mtdata build --dataset rooms --images {images} --size {size} --regime one".split()
    run([*words, "--tasks", ",".join(TASKS), "--out", str(path), "--overwrite"])


def run(words: Sequence[str]) -> str:
    """Run one of the commands in a process of its own; returns what it printed."""
    code = f"import sys; sys.argv = {list(words)!r}; from cli.{words[0]} import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def assemble(store: Path, method: str, device: str, precision: str, **more: Any) -> setup.Parts:
    """Everything that a training of a method has, and nothing written."""
    layer = {
        "data": str(store),
        "tasks": list(TASKS),
        "method": {"name": method, "options": more.pop("options", {})},
        "steps": 1000,
        "workers": 0,
        "device": device,
        "precision": precision,
        **more,
    }
    with tempfile.TemporaryDirectory() as folder:
        job = prepare([layer], out=Path(folder) / "run", mode="new")
        parts = setup.assemble(job.config, job.data)
    parts.engine.train()
    randomness.seed_global(job.config.seed)
    for stage in parts.method.stages():
        stage.done()
    return parts


def losses(parts: setup.Parts, steps: int = 2) -> list[dict[str, float]]:
    """The terms of the first steps."""
    found = []
    for number, batch in zip(range(steps), parts.loader.epoch(0), strict=False):
        result = parts.engine.step([batch], Position(number, len(parts.loader), 1, steps))
        found.append({**result.tasks, **result.auxiliary})
    return found


def compare_losses(page: Page, store: Path, device: str, runs: Path) -> None:
    """Every method in every precision against the processor in fp32."""
    there = [p for p in PRECISIONS if device == "cuda" or p != "16"]
    page.say(f"| method | {' | '.join(f'{p}: largest difference' for p in there)} |")
    page.say("|---|" + "--:|" * len(there))
    for method in METHODS:
        options = SMALL.get(method, {})
        if method in ("kd", "self-training"):
            taught = teachers(store, runs)
            options = {"teachers": taught if method == "kd" else list(taught.values())}
        regime = "full" if method in ("align", "x-task") else "one"
        network = {"name": "unet-resnet18", "width": 0.25}
        chosen = {"options": options, "regime": regime, "network": network, "batch": 4}
        if "mapping_width" in options or method == "jtr":
            chosen["tasks"] = list(TASKS[1:])
        own = losses(assemble(store, method, "cpu", "32", **chosen))
        cells = []
        for precision in there:
            found = losses(assemble(store, method, device, precision, **chosen))
            far = difference(own, found)
            fits = far <= (0.5 if method in DRAWING else FAR[precision])
            cells.append(f"{far:.1e}" + ("" if fits else " (!)"))
            if not fits:
                page.wrong.append(f"losses of {method} in {precision}")
        page.say(f"| `{method}` | {' | '.join(cells)} |")


def difference(ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]) -> float:
    """The largest difference of a term of the first step, over the largest of its terms."""
    if set(ours[0]) != set(theirs[0]):
        return math.inf
    # Of the first: behind it rounding has moved the weights, and max pooling chooses otherwise.
    most = max(abs(value) for value in ours[0].values()) or 1.0
    return max(abs(ours[0][name] - theirs[0][name]) for name in ours[0]) / most


def teachers(store: Path, runs: Path) -> dict[str, str]:
    """A run of two steps of each task, which others learn from."""
    found = {task: str(runs / task) for task in TASKS}
    for task, out in found.items():
        if not Path(out).exists():
            words = f"mttrain --data {store} --regime one --tasks {task} --method sl --width 0.25"
            words += f" --network unet-resnet18 --steps 2 --batch 4 --workers 0 --out {out}"
            run([*words.split(), "--device", "cpu"])
    return found


def time_steps(page: Page, store: Path, device: str, *, smoke: bool) -> None:
    """Seconds a step, the share of the rate of the card, and memory."""
    precision = "bf16"
    wait: Callable[[], None] = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    torch.set_default_device(device)
    rate = matrix_rate(PRECISIONS[precision], side=256 if smoke else 8192, wait=wait)
    torch.set_default_device("cpu")
    page.say(f"Products of matrices in bf16: {rate / 1e12:.3g} T/s.\n")
    page.say("| network | method | images | seconds a step | of the rate | memory, MB |")
    page.say("|---|---|--:|--:|--:|--:|")
    for network, method, regime in SPEED:
        width, batch = (0.0625, 2) if smoke else (1.0, 8)
        parts = assemble(
            store,
            method,
            device,
            precision,
            regime=regime,
            network={"name": network, "width": width},
            batch=batch,
        )
        batches = [b for b, _ in zip(parts.loader.epoch(0), range(2), strict=False)]
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()

        def step(number: int, parts: setup.Parts = parts, batches: Any = batches) -> None:
            place = Position(500 + number, len(parts.loader), 1, 1000)
            parts.engine.step([batches[number % len(batches)]], place)

        with FlopCounterMode(display=False) as count:
            step(0)
        times = []
        for number in range(2 if smoke else 12):
            wait()
            start = time.perf_counter()
            step(number)
            wait()
            times.append(time.perf_counter() - start)
        seconds = statistics.median(times[len(times) // 4 :])
        share = count.get_total_flops() / seconds / rate
        memory = torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else math.nan
        page.say(
            f"| `{network}` | `{method}` | {batch} | {seconds:.4f} | {share:.2f} | {memory:.0f} |"
        )


def load_from_card(page: Page, store: Path, device: str, *, smoke: bool) -> None:
    """Samples a second by reading processes, and from what is kept on the card."""
    data = open_store(store).dataset("train", TASKS, "full", transform=Augmentation())
    workers, rounds = (1, 1) if smoke else (8, 5)
    for line in compare_loading(data, torch.device(device), workers=workers, rounds=rounds):
        page.say(f"* {line}")


def time_compiled(page: Page, store: Path, device: str, *, smoke: bool) -> None:
    """What `--compile auto` measures: steps with a compiled network and without."""
    for network, method, regime in SPEED[:1] if smoke else COMPILED:
        width, batch = (0.0625, 2) if smoke else (1.0, 8)
        parts = assemble(
            store,
            method,
            device,
            "bf16",
            regime=regime,
            network={"name": network, "width": width},
            batch=batch,
        )
        steps = [(b,) for b, _ in zip(parts.loader.epoch(0), range(2), strict=False)]
        place = Position(0, len(parts.loader), 1, 1000)
        start = time.monotonic()
        compiled, plain = step_times(parts.engine, steps, place)
        page.say(
            f"* `{network}`, `{method}`: {compiled:.4f} s a step compiled, {plain:.4f} s as it is, "
            f"{plain / compiled:.2f} times as fast; {time.monotonic() - start:.0f} s to find out"
        )
        assert isinstance(parts.engine.compiled, Compiled)
        for why in parts.engine.compiled.failures:
            page.say(f"* it could not be compiled: {why}")
            page.wrong.append(f"compiling {network}")


def run_commands(page: Page, store: Path, device: str, runs: Path, *, smoke: bool) -> None:
    """Train, stop, resume, score and export, as a user does; what the loader made it wait for."""
    out, steps = runs / "command", 8 if smoke else 120
    words = f"mttrain --data {store} --regime one --method mtpsl --network segnet --out {out}"
    words += f" --width {0.0625 if smoke else 1} --mapping-width {0.0625 if smoke else 1}"
    words += f" --batch {2 if smoke else 8} --steps {steps} --device {device} --set log_every=1"
    words += f" --checkpoint-every {steps // 4} --workers {0 if smoke else 8}"
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.argv = {words.split()!r}; "
         "from cli.mttrain import main; main()"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while process.poll() is None and not list(out.glob("checkpoints/last/*")):
        time.sleep(0.1)
    if process.poll() is not None:
        raise RuntimeError(f"{words}: ended before it was stopped, with {process.returncode}")
    process.terminate()
    process.wait()
    page.say(f"* stopped after its first checkpoint: {time.monotonic() - start:.0f} s")
    start = time.monotonic()
    run([*words.split(), "--resume"])
    page.say(f"* resumed and trained to step {steps}: {time.monotonic() - start:.0f} s")
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    told = [row["time"] for row in rows if row["kind"] == "step"][-steps // 2 :]
    waited = sum(one["data_wait"] for one in told) / sum(one["seconds"] for one in told)
    speed = statistics.median(one["images_per_second"] for one in told)
    page.say(f"* {speed:.0f} images a second; {100 * waited:.0f} % of the time waited for data")
    for name, more in {
        "mtmodels eval": ["--split", "test", "--device", device],
        "mtmodels export": ["--format", "torch", "--out", str(runs / "network.pt2")],
    }.items():
        start = time.monotonic()
        run([*name.split(), str(out), *more])
        page.say(f"* `{name}`: {time.monotonic() - start:.0f} s")


def main() -> None:
    """Measure and print; ends with 1 where something failed or was too far off."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="where the page goes as well")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--smoke", action="store_true", help="small: does it run?")
    arguments = parser.parse_args()
    device, smoke = arguments.device, arguments.smoke
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "This should find a card; torch sees none. Look whether the driver fits (nvidia-smi), "
            "or try the script with --device cpu --smoke."
        )
    page = Page(time.monotonic() + 60 * arguments.minutes * 0.8)
    card = torch.cuda.get_device_properties(0) if device == "cuda" else None
    page.say("# On a card")
    if card is not None:
        page.say(f"\n{card.name}, {card.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}")
    page.say(f"\n{describe()}; {versions()}")
    with tempfile.TemporaryDirectory() as folder:
        small, large, runs = (Path(folder) / name for name in ("small.h5", "large.h5", "runs"))
        with page.part("Losses of the first step, against the processor in fp32") as in_time:
            build_rooms(small, "12,1", "64x64")
            if in_time:
                compare_losses(page, small, device, runs)
        with page.part("Steps") as in_time:
            build_rooms(large, "8,2" if smoke else "64,8", "64x64" if smoke else "288x384")
            if in_time:
                time_steps(page, large, device, smoke=smoke)
        with page.part("By the commands") as in_time:
            if in_time:
                run_commands(page, large, device, runs, smoke=smoke)
        with page.part("Kept on the card (`--cache device`)") as in_time:
            if in_time:
                load_from_card(page, large, device, smoke=smoke)
        with page.part("Compiled (`--compile`)") as in_time:
            if in_time:
                time_compiled(page, large, device, smoke=smoke)
    page.say(f"\n{'all as it should be' if not page.wrong else 'wrong: ' + ', '.join(page.wrong)}")
    if arguments.out is not None:
        arguments.out.write_text("\n".join(page.lines) + "\n", encoding="utf-8")
    sys.exit(1 if page.wrong else 0)


if __name__ == "__main__":
    main()
