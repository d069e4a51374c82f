"""One trial: a command in a process of its own, within limits, and what came of it."""

import re
import resource
import signal
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.processes.forked import command, start

SECONDS = 10
"""Of the processor, after which a command is taken to hang: of the clock it may take more, as the
machine may do other work."""
PATIENCE = 6
"""How many times as many of the clock end it."""
HANGING = (signal.SIGPROF, signal.SIGALRM)
"""What ends a process that takes too long, of the processor and of the clock."""
MEMORY = 2 * 2**30
"""Bytes that a command may take beside what its imports take."""
CODES = (0, 1, 2, 3, 130)
EXACT, REFUSED = "exact", "refused"
WRONG, HANG, CRASH = "WRONG", "HANG", "CRASH"
FOREIGN, LEFT, UNCLEAR = "FOREIGN WORDS", "LEFT BEHIND", "UNCLEAR"
"""What may come of a trial; the last ones must not."""
GOOD = (EXACT, REFUSED)
_FOREIGN = re.compile(
    r"Traceback \(most|Add --debug|\b[A-Za-z]+(?:Error|Exception|Warning)\b|weights_only"
    r"|[Uu]npickl|safetensors_rust|central directory|invalid load key|Expecting value|codec can't"
    r"|\bErrno\b|<class '|object at 0x|NoneType|jaxtyp|beartype|pydantic|errors\.pydantic"
)
"""Words of the interpreter and of libraries, which no person should have to read."""


def foreign(said: str) -> bool:
    """Whether a text has words that are not ours."""
    return _FOREIGN.search(said) is not None


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, None where it hung, what it said, and after how long."""

    code: int | None
    said: str
    seconds: float

    def fault(self, codes: Sequence[int] = CODES) -> str | None:
        """What is wrong with the way it ended, whatever its result; None where nothing is."""
        if self.code is None:
            return HANG
        if self.code not in codes:
            return CRASH
        return FOREIGN if foreign(self.said) else None

    @property
    def told(self) -> str:
        """What it said in one line."""
        return " ".join(self.said.split())


@dataclass(frozen=True)
class Trial:
    """What was done, what came of it, and what was said."""

    what: str
    outcome: str
    told: str = ""


def limit_time(seconds: float = SECONDS) -> None:
    """End this process by a signal when it has taken so much more of the processor; 0: do not."""
    for number in HANGING:
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)


def limited(program: str, arguments: Sequence[str], seconds: float) -> None:
    """Run a program within the limits of memory and time."""
    limit_time(seconds)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    command(program, arguments)


def attempt(
    program: str, arguments: Sequence[str], *, folder: Path, seconds: float = SECONDS
) -> Ended:
    """Run a program in a folder, and see how it ends."""
    told = folder / ".told"
    began = time.monotonic()
    started = start(limited, (program, [*arguments], seconds), folder=folder, told=told)
    try:
        code, said = started.wait(2 * PATIENCE * seconds)
    finally:
        told.unlink()
    hung = code in [-number for number in HANGING]
    return Ended(None if hung else code, said, time.monotonic() - began)


def counted(trials: Iterable[Trial]) -> tuple[Counter[str], list[Trial]]:
    """How many there are of each outcome, and those that must not be."""
    found = list(trials)
    return Counter(each.outcome for each in found), [t for t in found if t.outcome not in GOOD]
