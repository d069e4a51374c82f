"""`mttrain` on several devices: starts its processes, ends them together, and lets one speak."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING

import click

from cli.shared.common import paragraph
from mtdata.errors import MtdataError

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

    from mtmodels.training.config import Config

GRACE = 30.0
"""Seconds that the others have to end by themselves where one failed."""
OFTEN = 0.1
STARTER = "MTTRAIN_STARTER"
"""The variable with the file that ends when the process does that started this one."""
AGAIN = "from cli.mttrain import main; main()"


def launch(arguments: Sequence[str], config: "Config") -> int:
    """Start the processes of this machine and wait for them; returns the exit code.

    Args:
        arguments: The command line, which each of them gets.
        config: How many there are.

    Raises:
        UsageError: where there are fewer cards, or nothing says which of several nodes this is.
    """
    from mtdata.reading.memory import cores
    from mtmodels.training.setup.joining import check_cards, place_on_node

    check_cards(config)
    port = _free_port()
    places = [place_on_node(config, i, port=port) for i in range(config.devices)]
    ends, open_end = os.pipe()
    threads = {"OMP_NUM_THREADS": str(max(1, cores() // config.devices))} | dict(os.environ)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", AGAIN, *arguments],
            env={**threads, **place.variables(), STARTER: str(ends)},
            pass_fds=[ends],
            # Ctrl-C comes from here, once, and not from the terminal as well.
            start_new_session=True,
        )
        for place in places
    ]
    os.close(ends)
    try:
        with _passing_on(processes[0]):
            return _end(processes)
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
def _passing_on(first: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Tell the first process to stop where this one is: it tells the others."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = {number: signal.getsignal(number) for number in numbers}

    def pass_on(number: int, frame: FrameType | None) -> None:
        first.send_signal(number)

    for number in numbers:
        signal.signal(number, pass_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(processes: "Sequence[subprocess.Popen[bytes]]") -> int:
    """Wait for all; where one fails the others end with it."""
    latest = None
    while any(process.poll() is None for process in processes):
        if latest is None and any(process.poll() for process in processes):
            latest = time.monotonic() + GRACE
        if latest is not None and time.monotonic() > latest:
            for process in processes:
                process.kill()
        time.sleep(OFTEN)
    first, *others = [process.returncode for process in processes]
    if first < 0:
        click.echo(
            paragraph(
                "Error: the first process of the training should end by itself; signal "
                f"{signal.Signals(-first).name} ended it, for want of memory say. The last "
                "checkpoint is as it was: go on with --resume."
            ),
            err=True,
        )
    # The first knows the code of whichever failed; the others may not.
    code = first or next((code for code in others if code), 0)
    return code if code >= 0 else 1


def end_with_starter() -> None:
    """Stop, as if it were asked to, when the process is gone that started this one."""
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
