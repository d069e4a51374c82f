"""The processes that read ahead: how they begin, what they heed, what is said when one ends."""

import os
import re
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import torch

from mtdata.errors import MtdataError
from mtdata.reading.memory import keep_freed


def start(closing: Any, worker: int) -> None:
    """One core a worker: the trainer needs the others."""
    keep_freed()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    _leave_signals_to_the_trainer(closing)


def _leave_signals_to_the_trainer(closing: Any) -> None:
    """Read on when the whole group is told to stop: the trainer still needs its batch, then saves.

    It ends its readers itself. Should it be gone, they notice within seconds.
    """

    def terminate(number: int, frame: FrameType | None) -> None:
        if closing.value:
            os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, terminate)


def close(closing: Any) -> None:
    """Have readers end at SIGTERM, from now on."""
    closing.value = True


@dataclass(frozen=True)
class _Told:
    """What torch does when a child of this process has ended, in our words.

    It raises where the process then is, which may be far from a loader: in a step of a training.
    """

    handler: Callable[[int, FrameType | None], None]

    def __call__(self, number: int, frame: FrameType | None) -> None:
        try:
            self.handler(number, frame)
        except RuntimeError as error:
            why = why_ended(str(error))
            if why is None:
                raise
            raise MtdataError(why) from error


def tell_of_deaths() -> None:
    """Put our words around the handler of torch, which is there once it has started a reader."""
    handler = signal.getsignal(signal.SIGCHLD) if hasattr(signal, "SIGCHLD") else None
    here = threading.current_thread() is threading.main_thread()
    if here and callable(handler) and not isinstance(handler, _Told):
        signal.signal(signal.SIGCHLD, _Told(handler))


def why_ended(said: str) -> str | None:
    """What torch's words for a lack of memory or files mean, and the way out; None for others."""
    if any(
        word in said for word in ("shared memory", "Bus error", "No space left", "shm", "/torch_")
    ):
        shared = Path("/dev/shm")
        usage = shutil.disk_usage(shared) if shared.is_dir() else None
        size = "" if usage is None else f"; it has {usage.total / 1e6:.0f} MB"
        return (
            "reading processes should have room in shared memory, /dev/shm, to hand batches over"
            f"{size}, which is too little. Give --workers 0, a smaller --batch, or more of it (in "
            "a container: docker run --shm-size 2g)."
        )
    if "killed by signal: Killed" in said:
        return (
            "reading processes should go on until they are told to end; one was killed, for want "
            "of memory say. Go on with --resume; where that comes again, give fewer --workers or a "
            "smaller --batch."
        )
    if "Too many open files" in said or "ancdata" in said:
        return (
            "reading processes should be able to open files; the limit of this shell is reached. "
            "Raise it (ulimit -n 4096), or give fewer --workers."
        )
    if said.startswith("DataLoader worker"):
        signalled = re.search(r"by signal: ([\w ]+)", said)
        return (
            "reading processes should go on until they are told to end; one ended"
            f"{f' by a signal ({signalled[1]})' if signalled else ''}. Go on with --resume; where "
            "that comes again, --workers 0 may show why."
        )
    return None
