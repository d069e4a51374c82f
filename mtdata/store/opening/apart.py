"""Reading in a process apart, which can be stopped: HDF5 reads some broken heaps for ever."""

import os
import signal
import socket
import time
import warnings
from collections.abc import Callable
from io import RawIOBase
from struct import Struct

import h5py

from mtdata.store.opening.remote import RemoteFile

SECONDS = 0.5
"""Of a processor, what reading out of the heap may take."""
PATIENCE = 3
"""Seconds in which it has to be done however busy the machine is."""
OFTEN = 0.001
_RANGE = Struct("<QQ")


def check_end(read: Callable[[], None], raw: RawIOBase) -> None:
    """Read out of the heap in a process that may be stopped: nothing else stops HDF5.

    Args:
        read: Does so.
        raw: The file that it reads. Of one on object storage this process asks for the bytes, since
            a connection does not survive in the other.

    Raises:
        ValueError: where that does not come to an end, or crashes.
        StoreError: where bytes on object storage cannot be read.
    """
    if not hasattr(os, "fork"):
        return
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # Between threads: HDF5 is not in the middle of anything when the process is copied.
        with h5py._objects.phil, warnings.catch_warnings(action="ignore"):
            child = os.fork()
        if child == 0:
            ours.close()  # else nobody would notice that this process is gone
            try:
                # It ends by itself too, should this process be gone before.
                for end in (signal.SIGALRM, signal.SIGPROF):
                    signal.signal(end, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                if isinstance(raw, RemoteFile):
                    raw.fetch = lambda start, end: _asked(theirs, start, end)
                else:
                    signal.alarm(2 * PATIENCE)
                read()
            finally:
                os._exit(0)
        try:
            status = _waited(child, ours, raw)
        except BaseException:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
        raise ValueError("its heap of texts has no end")
    if os.WIFSIGNALED(status):
        raise ValueError("its heap of texts cannot be read")


def _waited(child: int, channel: socket.socket, raw: RawIOBase) -> int:
    """How a process ended that has the bytes which it asks for; time for these does not count."""
    deadline = time.monotonic() + PATIENCE
    channel.settimeout(OFTEN)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > deadline:
            raise ValueError("its heap of texts has no end")
        try:
            asked = channel.recv(_RANGE.size, socket.MSG_WAITALL)
        except TimeoutError:
            continue
        if len(asked) == _RANGE.size and isinstance(raw, RemoteFile):
            before = time.monotonic()
            start, end = _RANGE.unpack(asked)
            data = raw.pread(end - start, start)
            channel.settimeout(PATIENCE)
            channel.sendall(data)
            channel.settimeout(OFTEN)
            deadline += time.monotonic() - before


def _asked(channel: socket.socket, start: int, end: int) -> bytes:
    channel.sendall(_RANGE.pack(start, end))
    data = bytearray()
    while len(data) < end - start:
        part = channel.recv(end - start - len(data))
        if not part:  # the other process is gone
            os._exit(1)
        data += part
    return bytes(data)
