"""Being told to stop: the step is finished and saved first."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""What asks a run to stop: a person, the system, and SLURM some time before it does."""


class StopRequest:
    """Whether somebody asked the run to stop: by which signal, or 0."""

    def __init__(self) -> None:
        self.by = 0


class Stopped(KeyboardInterrupt):
    """A signal came where there is no step to finish; what catches faults lets it pass.

    Args:
        by: The signal.
    """

    def __init__(self, by: int) -> None:
        super().__init__()
        self.by = by


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Note SIGINT, SIGTERM and SIGUSR1 instead of dying of them; a second one acts as usual."""
    request = StopRequest()

    def note(number: int) -> None:
        request.by = number

    with _answering(note):
        yield request


@contextmanager
def stopping() -> Iterator[None]:
    """Raise `Stopped` at SIGINT, SIGTERM and SIGUSR1; a second one acts as usual."""

    def stop(number: int) -> None:
        raise Stopped(number)

    with _answering(stop):
        yield


@contextmanager
def _answering(answer: Callable[[int], None]) -> Iterator[None]:
    """Call this with the number of a signal that asks to stop, the first time that it comes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()
    before = {number: signal.getsignal(number) for number in STOPS}

    def hear(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            # A worker inherits this: it outlives Ctrl-C, as the run needs it, but may be ended.
            if number == signal.SIGTERM:
                os._exit(0)
            return
        signal.signal(number, before[signal.Signals(number)])
        answer(number)

    for number in before:
        signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
