"""torch.compile for the network of a run: whether it pays here, and its use within a step alone."""

import json
import logging
import os
import platform
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from mtdata.reading.batch import Batch
from mtmodels import processes
from mtmodels.errors import MtmodelsError
from mtmodels.networks.base import Network
from mtmodels.training.loop.schedules import Position
from mtmodels.training.record.trusted import state_folder

if TYPE_CHECKING:
    from mtmodels.training.loop.engine import Engine

BACKEND = "inductor"
"""What torch makes of the operations of a network; its tests need no compiler."""
WARM, MEASURED = 2, 5
"""Steps that are not counted, as the first of them compile, and those that are."""
PAYS = 1.03
"""By how much a step has to be faster: a machine that others use too is not exact."""


class Compiled:
    """Within it a network runs compiled; outside of it, it is as it was.

    So scores, pictures and exports see the plain module, and names of weights stay as they are.
    What cannot be compiled runs as it is, and is kept in `failures`.

    Args:
        network: The network.
    """

    def __init__(self, network: Network) -> None:
        # It asks where CUDA is, and says where it is not.
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        import torch._functorch.config

        # Weightings and methods go backwards through the network more than once a step.
        torch._functorch.config.donated_buffer = False
        # Graphs are found again by the address of what compiled them, which may be another by now.
        torch.compiler.reset()
        self.network = network
        self.failures: list[str] = []
        self._call = torch.compile(network._call_impl, backend=self._backend, dynamic=False)

    def __enter__(self) -> None:
        # `nn.Module.compile` sets the same, for ever.
        self.network._compiled_call_impl = self._call

    def __exit__(self, *_: object) -> None:
        self.network._compiled_call_impl = None

    def _backend(self, graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
        try:
            from torch._dynamo.backends.registry import lookup_backend

            return lookup_backend(BACKEND)(graph, inputs)
        except Exception as error:  # whatever a compiler, or the lack of one, brings it to
            lines = str(error).strip().splitlines() or [type(error).__name__]
            self.failures.append(lines[0])
            return graph.forward


@dataclass(frozen=True)
class Verdict:
    """Whether a run compiles its network, and a sentence for people."""

    on: bool
    told: str


def decide(
    engine: "Engine", steps: Sequence[Sequence[Batch]], position: Position, about: Mapping[str, Any]
) -> Verdict:
    """Whether a run that asks for it gets a compiled network; the engine is left as it was.

    Args:
        engine: What does a step; before its first.
        steps: Batches of a few steps, which are done over and over.
        position: Of the first step.
        about: What the answer is a function of, beside the machine.
    """
    if engine.weighting.needs_maps:
        return Verdict(
            False,
            "Compiled: no, as the weighting takes gradients on a map within the network, which a "
            "compiled one does not show.",
        )
    if engine.config.compile == "auto" and (known := _known(about)) is not None:
        return known
    weights = {name: value.clone() for name, value in engine.method.state_dict().items()}
    state = deepcopy(engine.state())
    times = None
    try:
        if engine.config.compile == "auto":
            times = step_times(engine, steps, position)
        else:
            engine.compile(on=True)
            engine.step(steps[0], position)
    except Exception as error:
        # Of several processes the others wait for this one within the step.
        if processes.count() > 1 or isinstance(error, MtmodelsError | MemoryError):
            raise
        return _failed(str(error))
    finally:
        engine.load_state(weights, state)
    assert isinstance(engine.compiled, Compiled)
    failures = [one for found in processes.gathered(engine.compiled.failures) for one in found]
    if failures:
        return _failed(failures[0])
    if times is None:
        return Verdict(True, "Compiled: yes, as asked for.")
    on = times[1] / times[0] >= PAYS
    told = f"as a step takes {times[0]:.3g} s compiled and {times[1]:.3g} s as it is"
    verdict = Verdict(on, f"Compiled: {'yes' if on else 'no'}, {told}.")
    _keep(about, verdict)
    return verdict


def _failed(why: str) -> Verdict:
    return Verdict(
        False,
        f"Compiled: no, as the compiler fails or is missing ({why.strip().splitlines()[0]:.200}); "
        "the network runs as it is.",
    )


def step_times(
    engine: "Engine", steps: Sequence[Sequence[Batch]], position: Position
) -> tuple[float, float]:
    """Seconds of a step with a compiled network and without, in turn; of the slowest process."""
    card = engine.fabric.device.type == "cuda"
    found: dict[bool, list[float]] = {True: [], False: []}
    for number in range(WARM + MEASURED):
        for compiled in (True, False):
            engine.compile(on=compiled)
            batches = steps[number % len(steps)]
            started = time.perf_counter()
            engine.step(batches, position)
            if card:
                torch.cuda.synchronize(engine.fabric.device)
            if number >= WARM:
                found[compiled].append(time.perf_counter() - started)
    engine.compile(on=True)
    both = processes.gathered((median(found[True]), median(found[False])))
    return max(one for one, _ in both), max(other for _, other in both)


def _file() -> Path:
    return state_folder() / "compiled.jsonl"


def _key(about: Mapping[str, Any]) -> str:
    """Of a machine, and of what trains on it."""
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    machine = {
        "processor": [platform.machine(), platform.processor(), *_model(), os.cpu_count()],
        "card": card,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "processes": processes.count(),
    }
    told = json.dumps({**machine, **about}, sort_keys=True, default=str)
    return sha256(told.encode()).hexdigest()


def _model() -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return sorted({line for line in lines if line.startswith(("model name", "flags"))})


def _known(about: Mapping[str, Any]) -> Verdict | None:
    """What was found before; the first process says it to all."""
    key, found = _key(about), None
    if processes.is_first():
        try:
            lines = _file().read_text(encoding="utf-8").splitlines()
        except (OSError, RuntimeError, UnicodeDecodeError):
            lines = []
        for line in lines:
            try:
                one = json.loads(line)
                if one["key"] == key:
                    found = Verdict(bool(one["on"]), str(one["told"]))
            except (ValueError, TypeError, KeyError):
                continue  # a line that was cut is no answer
    return processes.gathered(found)[0]


def _keep(about: Mapping[str, Any], verdict: Verdict) -> None:
    """Write down what was found; where that cannot be, it is asked again next time."""
    if not processes.is_first():
        return
    told = verdict.told.removesuffix(".") + ", as was measured before."
    line = json.dumps({"key": _key(about), "on": verdict.on, "told": told}) + "\n"
    try:
        _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _file().open("a", encoding="utf-8") as file:
            file.write(line)
    except (OSError, RuntimeError):
        return
