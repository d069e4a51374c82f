"""Training, alone or on several devices: processes that end together, of which one speaks."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import paragraph, warn
from cli.shared.general import GIVEN
from mtdata.errors import MtdataError, UsageError
from mtmodels.errors import GO_ON

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

    from mtmodels.training.config import Config
    from mtmodels.training.finish import Finished
    from mtmodels.training.loop.watcher import Watcher
    from mtmodels.training.record.runfolder import Mode
    from mtmodels.training.run import Job

GRACE = 30.0
"""Seconds that the others have to end by themselves where one failed."""
TOLD = (1, 2, 3, 130)
"""What a process ends with that has said why, or heard that another one has."""
OFTEN = 0.1
REQUEUED, ASKING = "requeued", timedelta(minutes=1)
"""What the first process says when the job is back in the queue, and how long the others wait for
it: srun ends a step with the first of its processes that ends."""
AGAIN = "from cli.mttrain import main; main()"


def train(
    prepare: "Callable[[], Job]",
    layers: list[Mapping[str, Any]],
    *,
    out: Path | None,
    mode: "Mode",
    requeue: bool,
) -> "Finished | None":
    """Train in this process, alone or as one of several, or start those; None for the others.

    Raises:
        click.exceptions.Exit: where it started some, with what they ended with.
    """
    from mtmodels.training.setup.places import place_of

    end_with_starter()
    place, config = place_of(os.environ), _wanted(layers, out, mode)
    if place is None and config.processes > 1:
        given: list[str] = click.get_current_context().meta[GIVEN]
        raise click.exceptions.Exit(launch(given, config))
    if place is None:
        return _by_itself(prepare, mode, requeue=requeue)
    from mtmodels.training.run import check_processes
    from mtmodels.training.setup.joining import join

    store = join(place, config.device)
    with one_voice(place.rank, store):
        check_processes(config)
        return _with_others(prepare, store, mode, requeue=requeue)


def _by_itself(prepare: "Callable[[], Job]", mode: "Mode", *, requeue: bool) -> "Finished":
    job = prepare()
    if job.config.processes > 1:
        # Without --out the folder that says so is known when it is too late to start them.
        folder, config = job.folder.path, job.config
        raise UsageError(
            f"{folder} should go on with `--devices {config.devices}` and `--nodes "
            f"{config.nodes}`, as it was begun; found one process. Give `--out {folder} "
            "--resume`, which starts them, or `--devices 1 --nodes 1` beside --resume."
        )
    return _alone(job, mode, requeue=requeue)


def _with_others(
    prepare: "Callable[[], Job]", store: "Store", mode: "Mode", *, requeue: bool
) -> "Finished | None":
    """Be one of several processes, of which the first prepares before the others."""
    from mtmodels import processes
    from mtmodels.errors import InterruptedRun
    from mtmodels.training.run import assist

    if processes.is_first():
        job = prepare()  # which may build a store
        processes.wait()
    else:
        processes.wait()
        job = prepare()
    processes.wait()  # all have seen the folder as it was
    if processes.is_first():
        try:
            return _alone(job, mode, requeue=requeue)
        finally:
            store.set(REQUEUED, "")
    try:
        assist(job, mode=mode)
    except InterruptedRun:
        if requeue:
            until_requeued(store)
        raise
    return None


def until_requeued(store: "Store") -> None:
    """Wait until the first process has put the job back into the queue, or is gone."""
    with suppress(RuntimeError):
        store.wait([REQUEUED], ASKING)


def _wanted(layers: list[Mapping[str, Any]], out: Path | None, mode: "Mode") -> "Config":
    """The configuration as far as the command and a run that is there say it."""
    from mtmodels.training.record.runfolder import RunFolder
    from mtmodels.training.setup.resolve import read_layer, resolve

    begun = out is not None and mode == "resume" and RunFolder(out).config.is_file()
    return resolve(*([read_layer(RunFolder(out).config)] if begun and out else []), *layers)


def _alone(job: "Job", mode: "Mode", *, requeue: bool) -> "Finished":
    from cli.mttrain.watching import watching
    from mtmodels.errors import InterruptedRun
    from mtmodels.training.run import train as run_train

    with watching() as watcher:
        try:
            return run_train(job, mode=mode, arguments=sys.argv[1:], watcher=watcher)
        except InterruptedRun as stopped:
            if requeue and stopped.by != signal.SIGINT:  # a person means it
                _requeue(watcher)
            raise


def _requeue(watcher: "Watcher") -> None:
    """Put the job back into the queue: it begins again by its script, which says --resume."""
    job = os.environ["SLURM_JOB_ID"]
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = (getattr(error, "stderr", "") or str(error)).strip()
        warn(f"job {job} should go back into the queue; scontrol did not do it: {why}.")
        return
    watcher.say(f"Job {job} is back in the queue.")


def launch(arguments: Sequence[str], config: "Config") -> int:
    """Start the processes of this machine and wait for them; returns the exit code.

    Args:
        arguments: The command line, which each of them gets.
        config: How many there are.

    Raises:
        UsageError: where there are fewer cards, or nothing says which of several nodes this is.
    """
    from mtdata.reading.memory import cores
    from mtmodels.training.setup.joining import check_cards
    from mtmodels.training.setup.places import STARTER, place_on_node

    check_cards(config)
    port = _free_port()
    places = [place_on_node(config, i, port=port) for i in range(config.devices)]
    ends, open_end = os.pipe()
    settings = {
        "OMP_NUM_THREADS": str(max(1, cores() // config.devices)),
        # That another process is gone is said here, in words, and not by torch with a trace of C++.
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        **os.environ,
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", AGAIN, *arguments],
            env={**settings, **place.variables(), STARTER: str(ends)},
            pass_fds=[ends],
            # Ctrl-C comes from here, once, and not from the terminal as well.
            start_new_session=True,
        )
        for place in places
    ]
    os.close(ends)
    try:
        with _passing_on(processes[0]) as asked:
            return _end(processes, asked)
    finally:
        for process in processes:
            process.kill()
        os.close(open_end)


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _passing_on(first: "subprocess.Popen[bytes]") -> Iterator[list[int]]:
    """Tell the first process to stop where this one is: it tells the others.

    Yields:
        The signals that have asked so far.
    """
    asked: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = {number: signal.getsignal(number) for number in numbers}

    def pass_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        first.send_signal(number)

    for number in numbers:
        signal.signal(number, pass_on)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(processes: "Sequence[subprocess.Popen[bytes]]", asked: Sequence[int] = ()) -> int:
    """Wait for all; where one fails the others end with it.

    Args:
        processes: All of this machine.
        asked: The signals that the first one was told to stop by.

    Raises:
        KeyboardInterrupt: where that ended it before it could hear.
    """
    failed: list[tuple[int, int]] = []
    latest = float("inf")
    while True:
        codes = [process.poll() for process in processes]
        if codes[0] is not None and -codes[0] in asked:
            raise KeyboardInterrupt
        if not failed and (failed := [(i, code) for i, code in enumerate(codes) if code]):
            latest = time.monotonic() + GRACE
        if None not in codes:
            break
        if time.monotonic() > latest:
            for process in processes:
                process.kill()
        time.sleep(OFTEN)
    if not failed:
        return 0
    # Of those that ended at once the others may have ended because of one that could not say why.
    number, lost = min(failed, key=lambda one: one[1] in TOLD)
    first = processes[0].returncode
    if lost not in TOLD:
        said = first in TOLD  # that it lost another one
        click.echo(paragraph(_how_it_ended(number, lost, said=said)), err=True)
    # The first knows the code of whichever failed; the others may not.
    return next((code for code in (first, lost) if code in TOLD), 1)


def _how_it_ended(number: int, code: int, *, said: bool) -> str:
    """What is to be said of a process that could not say it."""
    why = ", for want of memory say" if -code == signal.SIGKILL else ""
    how = (
        f"signal {signal.Signals(-code).name} ended it{why}"
        if code < 0
        else f"it ended with code {code}"
    )
    if said:
        return f"The process that was lost is {number} of this machine: {how}."
    return (
        f"Error: process {number} of this machine should end by itself, and say why; {how}. {GO_ON}"
    )


def end_with_starter() -> None:
    """Stop, as if it were asked to, when the process is gone that started this one."""
    from mtmodels.training.setup.places import STARTER

    given = os.environ.pop(STARTER, None)
    if given is None:
        return

    def watch(file: int) -> None:
        os.read(file, 1)  # nothing is written: it ends
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, args=(int(given),), daemon=True).start()


@contextmanager
def one_voice(rank: int, store: "Store") -> Iterator[None]:
    """Of several processes the first speaks; of an error whichever has it first.

    Args:
        rank: The number of this one.
        store: What all of them can write to.

    Raises:
        click.exceptions.Exit: in the others, with the exit code of that error.
    """
    loud = sys.stderr
    with open(os.devnull, "w") as nowhere:
        if rank > 0:
            sys.stderr = nowhere
        try:
            yield
        except click.exceptions.Exit:
            raise
        except BaseException as error:
            if (code := _said(store, _code_of(error))) is None:
                sys.stderr = loud
                raise
            raise click.exceptions.Exit(code) from None
        finally:
            if sys.stderr is nowhere:
                sys.stderr = loud


def _code_of(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 130
    return error.exit_code if isinstance(error, MtdataError) else 1


def _said(store: "Store", code: int) -> int | None:
    """The exit code of an error that another process has said; None where this one is to say it."""
    try:
        if store.add("errors", 1) == 1:
            store.set("code", str(code))
            return None
        return int(store.get("code"))
    except RuntimeError:  # the first process keeps the store; it is gone, and has said why
        return code
