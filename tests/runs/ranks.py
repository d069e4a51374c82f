"""Several processes that train together, on one machine, for tests."""

import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from socket import socket
from typing import Any

import torch
from torch import distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]

PATIENCE = 1800
"""Seconds after which a process that waits for another is taken to hang."""


def together(
    count: int, work: Callable[..., Any], *args: Any, alone: Callable[..., Any] | None = None
) -> list[Any]:
    """What `work(*args)` gives in each of some processes that know each other.

    Args:
        count: How many.
        work: A function of a module; where there is an `alone`, what that gave comes first.
        args: What both are called with.
        alone: Called by each process before it knows the others, as if it were the only one.
    """
    context = get_context("spawn")
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pipes, processes = [], []
    for rank in range(count):
        here, there = context.Pipe()
        process = context.Process(target=_run, args=(there, rank, count, port, alone, work, args))
        process.start()
        pipes.append(here)
        processes.append(process)
    try:
        answers = [_answer(pipe, rank) for rank, pipe in enumerate(pipes)]
    finally:
        for process in processes:
            process.terminate()
            process.join()
    wrong = [text for good, text in answers if not good]
    assert not wrong, "\n".join(wrong)
    return [answer for _, answer in answers]


def _answer(pipe: Connection, rank: int) -> tuple[bool, Any]:
    if not pipe.poll(PATIENCE):
        return False, f"process {rank} hangs"
    try:
        found: tuple[bool, Any] = pipe.recv()
    except EOFError:
        return False, f"process {rank} ended without a word"
    return found


def _run(
    pipe: Connection,
    rank: int,
    count: int,
    port: int,
    alone: Callable[..., Any] | None,
    work: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    try:
        torch.set_num_threads(1)
        before = () if alone is None else (alone(*args),)
        store = TCPStore("127.0.0.1", port, count, is_master=rank == 0)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=count)
        pipe.send((True, work(*before, *args)))
        dist.barrier()
    except BaseException:
        pipe.send((False, f"process {rank}: {traceback.format_exc()}"))
