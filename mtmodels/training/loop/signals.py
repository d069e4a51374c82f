"""Being told to stop: the step is finished and saved first."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""What asks a run to stop: a person, the system, and SLURM some time before it does."""


class StopRequest:
    """Whether somebody asked the run to stop: by which signal, or 0."""

    def __init__(self) -> None:
        self.by = 0


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Note SIGINT, SIGTERM and SIGUSR1 instead of dying of them; a second one acts as usual."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    owner = os.getpid()
    before = {number: signal.getsignal(number) for number in STOPS}

    def note(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            # A worker inherits this: it outlives Ctrl-C, as the run needs it, but may be ended.
            if number == signal.SIGTERM:
                os._exit(0)
            return
        request.by = number
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
