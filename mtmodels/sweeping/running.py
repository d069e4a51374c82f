"""The trainings of a sweep: each in a process of its own, here or wherever a scheduler says.

A training that is done is not run again; one that was interrupted goes on from its checkpoint. So a
worker that is killed costs what it had not saved yet, and a sweep that is killed is begun again.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from mtdata.errors import UsageError
from mtdata.urls import Url, located, without_secrets
from mtmodels.training.config import FREE
from mtmodels.training.record.manifest import without_home
from mtmodels.training.record.runfolder import RunFolder, read_facts
from mtmodels.training.setup.places import PLACE, STARTER

POLL = 0.2
"""Seconds between two looks at what goes."""
ENOUGH = 20.0
"""Seconds in which a training that is told to stop should have."""
LOOK = 2.0
"""Seconds between two looks at what another process trains."""
ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
"""What ends a sweep as Ctrl-C does, unless it was told to ignore it, as by nohup."""
DATA, OUT, RESUME, TEACHERS = "--data", "--out", "--resume", "--teachers"
State = Literal["new", "done", "going", "interrupted"]


@dataclass(frozen=True)
class Job:
    """One training as a command; it can be sent to another machine that sees the same files.

    Args:
        name: What it is called.
        program: How `mttrain` is called.
        words: Its options, but for the folder.
        folder: The run folder.
        threads: Of the training; None for what is usual where it runs.
        where: The folder that relative paths are of, wherever it runs.
    """

    name: str
    program: tuple[str, ...]
    words: tuple[str, ...]
    folder: str
    threads: int | None
    where: str = field(default_factory=os.getcwd)

    @property
    def path(self) -> Path:
        """The run folder, from wherever it is looked at."""
        return Path(self.where, self.folder)

    @property
    def log(self) -> Path:
        """Where it talks to."""
        return self.path.with_name(f"{self.path.name}.log")

    @property
    def command(self) -> tuple[str, ...]:
        """The options, with the folder."""
        return (*self.words, OUT, self.folder)


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Args:
        state: "done", "failed", "going" where another process has the folder, "left" where it was
            not begun.
        seconds: What it took now; 0 where it had been done before.
        why: What the training said at its end, where it failed.
    """

    state: Literal["done", "failed", "going", "left"]
    seconds: float = 0.0
    why: str = ""


@runtime_checkable
class Future(Protocol):
    """What every scheduler gives for a job."""

    def done(self) -> bool:
        """Whether it has ended, one way or another."""

    def result(self) -> Any:
        """What came out; raises what went wrong."""


@runtime_checkable
class Scheduler(Protocol):
    """Who runs jobs."""

    slots: int
    """How many it is given at a time."""

    def submit(self, job: Job) -> Future:
        """Have it run by `run_job`, as soon as may be."""

    def stop(self) -> None:
        """End what goes; called when the sweep is interrupted."""


def state_of(job: Job) -> State:
    """How far a training is, by what lies in its folder.

    Raises:
        UsageError: where what is there was trained with other options.
    """
    run = RunFolder(job.path)
    if not run.is_run():
        return "going" if run.is_held() else "new"
    facts = read_facts(run.manifest)
    at = facts.get("store_at")  # of a URL there is none
    trained = _options(facts.get("arguments", []), at and at["absolute"])
    words = [without_home(without_secrets(word)) for word in job.words]
    wanted = _options(words, at and _store(job, at))
    if trained != wanted:
        ours, theirs = (
            " ".join(option for option in one if option not in other)
            for one, other in ((wanted, trained), (trained, wanted))
        )
        raise UsageError(
            f"{job.path} should have been trained with the options of the plan "
            f"({ours or 'fewer'}); found {theirs or 'fewer'}. Give the plan another `out`, or "
            "remove that folder."
        )
    if run.is_complete():
        return "done"
    return "going" if run.is_held() else "interrupted"


def _options(words: Sequence[str], store: str | None) -> list[str]:
    """Each option with its value, in an order of their own.

    The folder is left out: it is the one looked at, however it is called from here; so is what a
    run may be given anew. In place of the path of a store, which depends on here as well, stands
    where it lies.
    """
    options: list[str] = []
    for word in words:
        if word.startswith("--") or not options:
            options.append(word)
        else:
            options[-1] += f" {word}"
    placed = (f"{DATA} {store}" if store and o.startswith(f"{DATA} ") else o for o in options)
    return sorted(option for option in placed if not _is_free(option))


def _is_free(option: str) -> bool:
    """Whether an option changes nothing of what comes out: it may be another, or be missing."""
    name, _, value = option.partition(" ")
    key = value.partition("=")[0] if name == "--set" else name[2:].replace("-", "_")
    return name in (OUT, RESUME) or key in FREE - {"data"}


def _store(job: Job, at: Mapping[str, str]) -> str | None:
    """Where the store of a job lies: in the words of a manifest, if it is the one of that run."""
    if DATA not in job.words:
        return None
    given = located(job.words[job.words.index(DATA) + 1])
    if isinstance(given, Url):
        return str(given)
    place = Path(job.where, given).resolve()
    known = (Path(at["absolute"]).expanduser(), (job.path / at["relative"]).resolve())
    return at["absolute"] if place in known else without_home(str(place))


def run_job(
    job: Job, began: Callable[[subprocess.Popen[bytes]], None] = lambda process: None
) -> Outcome:
    """Train, or go on, or find that it is done; wherever this is called.

    A training ends, and saves, with the process that called this, however that ends.

    Args:
        job: What to train.
        began: Told the process.
    """
    state = state_of(job)
    if state in ("done", "going"):
        return Outcome(state)
    job.path.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    threads = {} if job.threads is None else {"OMP_NUM_THREADS": str(job.threads)}
    # A worker of a cluster may be one of several tasks; what it starts is a training of its own.
    environment = {name: value for name, value in os.environ.items() if name not in PLACE}
    with job.log.open("ab") as log, _ends_with_this() as ends:
        process = subprocess.Popen(
            [*job.program, *job.command, RESUME],
            cwd=job.where,
            env={**environment, **threads, STARTER: str(ends)},
            pass_fds=[ends],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C comes from here, once, and not from the terminal as well.
            start_new_session=True,
        )
        began(process)
        try:
            code = process.wait()
        finally:
            stop_processes([process])
    seconds = time.monotonic() - started
    run = RunFolder(job.path)
    if code == 0 or run.is_complete():  # it may be told to stop when all but its report is there
        return Outcome("done", seconds)
    return Outcome("going") if run.is_held() else Outcome("failed", seconds, _last(job, code))


@contextmanager
def _ends_with_this() -> Iterator[int]:
    """A file that ends with this process, for one that it starts."""
    ends, open_end = os.pipe()
    try:
        yield ends
    finally:
        os.close(ends)
        os.close(open_end)


def stop_processes(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask those that go to stop, as Ctrl-C does, and kill what has not after a while."""
    going = [process for process in processes if process.poll() is None]
    for process in going:
        process.send_signal(signal.SIGINT)
    last = time.monotonic() + ENOUGH
    for process in going:
        try:
            process.wait(max(0.0, last - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            last = 0.0  # who interrupts again waits for none
            process.kill()
            process.wait()


def _last(job: Job, code: int) -> str:
    """The paragraph at the end of its log, or how the process ended."""
    if code < 0:
        return f"ended by the signal {signal.Signals(-code).name}"
    text = job.log.read_text(encoding="utf-8", errors="replace")
    _, error, why = text.rpartition("Error: ")
    return " ".join(why.split()) if error else f"ended with code {code}; {job.log} says more"


def run_all(
    jobs: Sequence[Job],
    scheduler: Scheduler,
    *,
    begin_until: float = float("inf"),
    began: Callable[[Job], None] = lambda job: None,
    ended: Callable[[Job, Outcome], None] = lambda job, outcome: None,
    waits: Callable[[Job], None] = lambda job: None,
) -> dict[str, Outcome]:
    """Run jobs in their order, some at a time; those that another process trains come last.

    A job whose teachers are among them waits until these are done, and fails where one has failed.

    Args:
        jobs: What to train.
        scheduler: Who trains.
        begin_until: The `time.monotonic()` after which none is begun.
        began: Told each job that is handed over.
        ended: Told each job and how it ended.
        waits: Told each job that another process trains, which is waited for.

    Returns:
        How each ended, by its name.

    Raises:
        UsageError: before any is begun, where a folder has a run with other options, or one would
            learn from itself.
    """
    outcomes: dict[str, Outcome] = {}
    teachers = _teachers(jobs)
    for job in jobs:
        if state_of(job) == "done":
            outcomes[job.name] = Outcome("done")
            ended(job, outcomes[job.name])
    waiting = [job for job in jobs if job.name not in outcomes]
    going: dict[str, tuple[Job, Future]] = {}
    held: dict[str, Job] = {}
    with _stopping(scheduler):
        while waiting or going or held:
            done, failed = (
                {name for name, one in outcomes.items() if one.state == state}
                for state in ("done", "failed")
            )
            for job in list(waiting):
                if lost := sorted(teachers[job.name] & failed):
                    waiting.remove(job)
                    why = f"it was not begun, as {lost[0]} failed, which should teach it."
                    outcomes[job.name] = Outcome("failed", why=why)
                    ended(job, outcomes[job.name])
                elif (
                    teachers[job.name] <= done
                    and len(going) < scheduler.slots
                    and time.monotonic() < begin_until
                ):
                    waiting.remove(job)
                    began(job)
                    going[job.name] = job, scheduler.submit(job)
            for name, (job, future) in list(going.items()):
                if future.done():
                    del going[name]
                    outcomes[name] = _result(future)
                    if outcomes[name].state != "going":
                        ended(job, outcomes[name])
                        continue
                    waits(job)
                    held[name] = job
            if not going and time.monotonic() >= begin_until:
                break
            if going:
                time.sleep(POLL)
            elif held:
                time.sleep(LOOK)
                waiting += [one for one in held.values() if not RunFolder(one.path).is_held()]
                held = {name: one for name, one in held.items() if one not in waiting}
    for job in held.values():
        ended(job, outcomes[job.name])
    return outcomes | {job.name: Outcome("left") for job in waiting if job.name not in outcomes}


def _teachers(jobs: Sequence[Job]) -> dict[str, set[str]]:
    """By the name of each job, those of the jobs whose runs teach it.

    Raises:
        UsageError: where one would learn from itself.
    """
    names = {job.path.resolve(): job.name for job in jobs}
    found: dict[str, set[str]] = {}
    for job in jobs:
        given = [value for word, value in pairwise(job.words) if word == TEACHERS]
        parts = [part for value in given for part in value.split(",")]
        folders = [Path(job.where, part.rpartition("=")[2].strip()).resolve() for part in parts]
        found[job.name] = {names[folder] for folder in folders if folder in names}
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        raise UsageError(
            "a training should learn from others that come before it; found "
            f"{', '.join(error.args[1])}, which learn in a circle. Give other `teachers`."
        ) from None
    return found


def _result(future: Future) -> Outcome:
    try:
        outcome: Outcome = future.result()
    except Exception as error:  # of a scheduler, whose errors are its own: a lost worker, a limit
        return Outcome("failed", why=f"{type(error).__name__}: {error}".partition("\n")[0])
    return outcome


@contextmanager
def _stopping(scheduler: Scheduler) -> Iterator[None]:
    """Leave nothing behind that trains, however this ends.

    Trainings have sessions of their own, so a terminal that is closed tells this process alone.
    """
    main = threading.current_thread() is threading.main_thread()
    deadly = [n for n in ENDS if main and signal.getsignal(n) is signal.SIG_DFL]
    for number in deadly:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except BaseException:
        scheduler.stop()
        raise
    finally:
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)
