"""A store on object storage: its bytes, by ranges, through `fsspec`.

HDF5 reads a file in hundreds of small pieces. They come out of blocks that a process keeps, so that
a store is opened by few requests, and a shard that was closed is opened again by none. Samples are
asked for in a range each, of just their bytes (`expect`); where one follows the other, as when all
of a store is read, several at a time.
"""

import gc
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from mtdata.errors import MissingError, StoreError, UnreachableError, UsageError
from mtdata.store.opening.seekable import Seekable
from mtdata.urls import QUOTED, Url

BLOCK = 2**18
"""Bytes of a block."""
BLOCKS = 256
"""Blocks that a process keeps, of all files together."""
GAP = 2**18
"""Bytes that are read and thrown away sooner than asking twice."""
AHEAD = 2**22
"""Bytes of a request, at most; and those that are asked for where one read follows the other."""
SPANS = 8
"""Ranges that a process keeps, each of a sample, or of several that were read ahead."""
CONNECT, SILENCE, ANSWER = 10, 20, 120
"""Seconds until a server is reached, between two of its bytes, and for an answer in all."""
WAITS = (0.5, 2.0)
"""Seconds before each further try, where the reason may pass."""
KNOWN, SURE = 1.0, 30.0
"""Seconds in which a file is not looked at again when it is opened, and while it is read."""
TAGS = ("ETag", "etag", "generation", "Last-Modified", "LastModified", "last_modified", "mtime",
        "created")  # fmt: skip
COPY = "Copy it here (curl -O), or put it where ranges of files can be asked for."

Answer = TypeVar("Answer")


class Tag(NamedTuple):
    """What tells that a file is the same: its length, and the mark of its server if it has one."""

    size: int
    mark: str


class Span(NamedTuple):
    """Bytes of a file, from a place on."""

    url: str
    tag: Tag
    start: int
    data: bytes

    def has(self, file: "RemoteFile", start: int, end: int) -> bool:
        """Whether it holds the bytes of that file from one place to another."""
        inside = self.start <= start and end <= self.start + len(self.data)
        return inside and (self.url, self.tag) == (file.url.text, file.tag)


_blocks: OrderedDict[tuple[str, Tag, int], bytes] = OrderedDict()
_spans: tuple[Span, ...] = ()
_tags: dict[str, tuple[float, Tag]] = {}
_held: set[Any] = set()
"""File systems, also those of the process that this one was forked from: let go, they would close
connections that are not theirs."""
_lock = RLock()
_waiting, _collects = 0, True
"""How many threads wait for a server, and whether Python collected rubbish before."""


def _forked() -> None:
    """No thread of this process waits."""
    global _lock, _waiting
    if _waiting and _collects:
        gc.enable()
    _lock, _waiting = RLock(), 0


os.register_at_fork(after_in_child=_forked)


def tag_of(url: Url, *, anew: bool = False) -> Tag:
    """What lies there now.

    Args:
        url: The file.
        anew: Whether to ask, though it was asked a moment ago.

    Raises:
        UsageError: where no file system for such URLs is installed.
        StoreError: where it is not there, may not be read, or cannot be read by ranges.
        UnreachableError: where the server does not answer.
    """
    asked, known = _tags.get(url.text, (0.0, None))
    if known is not None and not anew and time.monotonic() - asked < KNOWN:
        return known
    system, path = _system(url)
    system.invalidate_cache()
    facts = _tried(url, lambda: system.info(path))
    if facts.get("type") == "directory":
        raise StoreError(f"{url} should be a store, one file; it is a folder. Give its URL.")
    if facts.get("size") is None:
        raise StoreError(f"{url} should be a file whose server tells its length. {COPY}")
    if facts.get("partial") is False:
        raise _without_ranges(url)
    mark = next((str(facts[name]) for name in TAGS if facts.get(name)), "")
    tag = Tag(int(facts["size"]), mark)
    _tags[url.text] = time.monotonic(), tag
    return tag


class RemoteFile(Seekable):
    """A file that HDF5 can read, of one process and for all its threads.

    Args:
        url: Where it lies.

    Raises:
        UsageError, StoreError: as of `tag_of`.
    """

    def __init__(self, url: Url) -> None:
        self.url, self.tag = url, tag_of(url)
        super().__init__(self.tag.size)
        self.fetch: Callable[[int, int], bytes] = self._fetch
        """What gives the bytes from one place to another where none are kept."""
        self._end = -GAP
        self._sure = time.monotonic()
        self._file: Any = None
        self._asking = RLock()

    def readinto(self, buffer: Any) -> int:
        """Read from the place on; raises as `pread`."""
        view = memoryview(buffer).cast("B")
        found = self.pread(len(view), self._place)
        view[: len(found)] = found
        self._place += len(found)
        return len(found)

    def pread(self, count: int, place: int) -> bytes:
        """The bytes at a place; fewer at the end of the file.

        Raises:
            StoreError: where it is not there any more, may not be read, or is another by now.
            UnreachableError: where the server does not answer, or gives other bytes than asked for.
        """
        end = min(place + count, self.size)
        if end <= place:
            return b""
        for span in _spans:
            if span.has(self, place, end):
                return span.data[place - span.start : end - span.start]
        if end - place < BLOCK:
            return self._from_blocks(place, end)
        return self._load(place, end).data[: end - place]

    def expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Ask for what will be read next, by as few requests as can be.

        Args:
            ranges: Where each begins and ends.

        Raises:
            StoreError, UnreachableError: as of `pread`.
        """
        global _spans  # noqa: PLW0603  those of the process
        wanted = sorted(ranges)
        kept = [span for span in _spans if any(span.has(self, *each) for each in wanted)]
        runs: list[tuple[int, int]] = []
        for start, end in wanted:
            if any(span.has(self, start, end) for span in kept):
                continue
            if runs and start - runs[-1][1] < GAP:
                runs[-1] = runs[-1][0], max(end, runs[-1][1])
            else:
                runs.append((start, end))
        for start, end in runs:
            kept.append(self._load(start, end))
        others = [span for span in _spans if span not in kept]
        _spans = (*others, *kept)[-max(SPANS, len(kept)) :]

    def _load(self, start: int, end: int) -> Span:
        """A range, and what lies behind it where it follows on what was read last."""
        global _spans  # noqa: PLW0603
        if 0 <= start - self._end < GAP:
            end = max(end, start + AHEAD)
        end = min(end, self.size)
        parts = [self.fetch(at, min(at + AHEAD, end)) for at in range(start, end, AHEAD)]
        span = Span(self.url.text, self.tag, start, b"".join(parts))
        self._end = end
        _spans = (*_spans, span)[-SPANS:]
        return span

    def _from_blocks(self, start: int, end: int) -> bytes:
        first, last = start // BLOCK, (end - 1) // BLOCK
        data = b"".join(self._block(number) for number in range(first, last + 1))
        return data[start - first * BLOCK : end - first * BLOCK]

    def _block(self, number: int) -> bytes:
        key = self.url.text, self.tag, number
        with _lock:
            if key in _blocks:
                _blocks.move_to_end(key)
                return _blocks[key]
        found = self.fetch(number * BLOCK, min((number + 1) * BLOCK, self.size))
        with _lock:
            _blocks[key] = found
            while len(_blocks) > BLOCKS:
                _blocks.popitem(last=False)
        return found

    def _fetch(self, start: int, end: int) -> bytes:
        if time.monotonic() - self._sure > SURE:
            self._check_same()

        def ask() -> bytes:
            with self._asking:
                if self._file is None:
                    self._file = self._opened()
                self._file.seek(start)
                found: bytes = self._file.read(end - start)
            if len(found) != end - start:
                raise _ShortError(
                    f"it gave {len(found):,} bytes where {end - start:,} were asked for"
                )
            return found

        try:
            return _tried(self.url, ask)
        except StoreError:
            with suppress(UnreachableError):
                self._check_same()
            raise

    def _opened(self) -> Any:
        """The file of `fsspec`, which keeps nothing; servers of HTTP are told which."""
        system, path = _system(self.url)
        if self.url.scheme not in QUOTED:
            return system.open(path, "rb", cache_type="none")
        headers = {"Accept-Encoding": "identity"}
        if self.tag.mark.startswith('"'):  # a weak one, or a date, is no condition
            headers["If-Match"] = self.tag.mark
        return system.open(
            path, "rb", block_size=BLOCK, size=self.size, cache_type="none", headers=headers
        )

    def _check_same(self) -> None:
        """Refuse to read on in another file."""
        found = tag_of(self.url, anew=True)
        if found != self.tag:
            sizes = f": it had {self.tag.size:,} bytes, now {found.size:,}"
            raise StoreError(
                f"{self.url} was replaced on its server while it was in use"
                f"{sizes if found.size != self.tag.size else ''}. Start again."
            )
        self._sure = time.monotonic()


class _ShortError(Exception):
    """An answer of another length."""


def _system(url: Url) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        UsageError: where there is none.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise UsageError(
            f"{url} is read by fsspec, which is not installed. Install it with "
            "`pip install 'mtpartial[remote]'`."
        ) from error
    options: dict[str, Any] = {}
    try:
        if url.scheme in QUOTED:
            from aiohttp import ClientTimeout

            limits = ClientTimeout(total=ANSWER, sock_connect=CONNECT, sock_read=SILENCE)
            # Proxies and passwords as the environment and ~/.netrc have them.
            options["client_kwargs"] = {"timeout": limits, "trust_env": True}
        system, path = url_to_fs(url.text, **options)
    except ImportError as error:
        raise UsageError(
            f"{url} cannot be read, for want of a package: {url.hide(str(error)).rstrip('.')}. "
            "`pip install 'mtpartial[remote]'` is for https; s3 needs s3fs, gs gcsfs, az adlfs."
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{url} should begin as a path, or a URL that fsspec knows (https, s3, gs, az, …); "
            f"found {url.scheme}."
        ) from error
    _held.add(system)
    return system, path


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python from collecting rubbish meanwhile, in any thread.

    HDF5 asks for bytes while h5py holds its one lock, and the thread that `fsspec` fetches them in
    would wait for that lock for ever, were it the one to collect an object of h5py.
    """
    global _waiting, _collects  # noqa: PLW0603
    with _lock:
        if not _waiting:
            _collects = gc.isenabled()
            gc.disable()
        _waiting += 1
    try:
        yield
    finally:
        with _lock:
            _waiting -= 1
            if not _waiting and _collects:
                gc.enable()


def _tried(url: Url, ask: Callable[[], Answer]) -> Answer:
    """What a server answers; asked again where the reason that it does not may pass.

    Raises:
        StoreError, UnreachableError: saying why not.
    """
    with _no_collection():
        for wait in (*WAITS, None):
            try:
                return ask()
            except Exception as error:
                told = _refusal(url, error)
                if wait is None or not isinstance(told, UnreachableError):
                    # The error of the library tells the whole URL.
                    raise told from (None if url.secret else error)
            time.sleep(wait)
    raise AssertionError


def _refusal(url: Url, error: Exception) -> StoreError:
    """What an error of `fsspec`, or of what it is built on, says."""
    # Whatever HTTP fails at, `fsspec` calls a file that is not there.
    wrapped = isinstance(error, FileNotFoundError) and isinstance(error.__cause__, Exception)
    cause = error.__cause__ if wrapped and url.scheme in QUOTED else error
    status = found if isinstance(found := getattr(cause, "status", None), int) else 0
    if status in (404, 410) or isinstance(cause, FileNotFoundError):
        return MissingError(f"{url} should be a store; there is no such file. Look at the URL.")
    if status in (401, 403) or isinstance(cause, PermissionError):
        return StoreError(
            f"{url} should be readable; its server refuses it{f' ({status})' if status else ''}. "
            "Give credentials: ~/.netrc for https, the settings of the storage for others, or a "
            "signed URL that has not expired."
        )
    if "support range requests" in str(cause):
        return _without_ranges(url)
    why = url.hide(str(cause)).strip().rstrip(".") or type(cause).__name__
    if isinstance(cause, TimeoutError):
        why = f"its server does not answer within {SILENCE} s"
    elif status:
        why = f"its server answers with the status {status}"
    library = type(cause).__module__.partition(".")[0]
    passes = isinstance(cause, OSError | EOFError | _ShortError) or library == "aiohttp"
    if not passes or (0 < status < 500 and status != 429):
        return StoreError(f"{url} cannot be read: {why}. Look at the URL and its server.")
    return UnreachableError(
        f"{url} cannot be read at present, after {1 + len(WAITS)} tries: {why}. Look at the "
        "network and the server, then start again; a run goes on with --resume."
    )


def _without_ranges(url: Url) -> StoreError:
    return StoreError(
        f"{url} should be on a server that gives parts of a file (HTTP ranges); this one gives it "
        f"as a whole only. {COPY}"
    )
