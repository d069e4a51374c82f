"""A server of files by HTTP, with ranges: on a thread, counting what it is asked, with faults."""

import base64
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

Asked = tuple[str, str, str]
"""Method, name of the file, range."""


@dataclass
class Served:
    """A folder that is served, and how.

    Args:
        folder: What is served.
        ranges: Whether a part can be asked for.
        marked: Whether each file has an ETag, which is looked at where one is asked for.
        status: What is answered in place of every file; 0 for the file.
        cut: Bytes that are missing at the end of each part, of which the length says nothing.
        broken: Whether the connection ends in the middle of each part.
        silent: Seconds before an answer.
        spoilt: How many answers have a status of 503 before they are right.
        until: How many requests are answered before all are refused with 500; 0 for all.
        user: "name:password" that is asked for; empty for none.
    """

    folder: Path
    ranges: bool = True
    marked: bool = True
    status: int = 0
    cut: int = 0
    broken: bool = False
    silent: float = 0.0
    spoilt: int = 0
    until: int = 0
    user: str = ""
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    bytes: int = 0

    def url(self, name: str, *, user: str = "") -> str:
        """Where a file of the folder is."""
        return f"http://{user and user + '@'}127.0.0.1:{self.port}/{name}"

    def gets(self, name: str = "") -> int:
        """How many parts were asked for, of one file or of all."""
        return sum(method == "GET" and name in (path, "") for method, path, _ in self.asked)


@contextmanager
def serving(folder: Path, **how: Any) -> Iterator[Served]:
    """Serve a folder."""
    served = Served(folder, **how)
    handler = type("Handler", (_Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        served.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Served
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """What a file is."""
        self._answer()

    def do_GET(self) -> None:
        """A file, or a part of it."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        served, name = self.served, self.path.partition("?")[0].lstrip("/")
        wanted = self.headers.get("Range", "")
        served.asked.append((self.command, name, wanted))
        time.sleep(served.silent)
        file = served.folder / name
        token = base64.b64encode(served.user.encode()).decode()
        if served.spoilt:
            served.spoilt -= 1
            return self._refuse(503)
        if served.until and len(served.asked) > served.until:
            return self._refuse(500)
        if served.status:
            return self._refuse(served.status)
        if served.user and self.headers.get("Authorization") != f"Basic {token}":
            return self._refuse(401)
        if not file.is_file():
            return self._refuse(404)
        found = file.stat()
        mark = f'"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"'
        if served.marked and self.headers.get("If-Match", mark) != mark:
            return self._refuse(412)
        start, end = 0, found.st_size
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted) if served.ranges else None
        if match:
            start, end = int(match[1]), min(int(match[2]) + 1, end)
            if start >= end:
                return self._refuse(416)
            end = max(start, end - served.cut)
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{found.st_size}")
        if served.marked:
            self.send_header("ETag", mark)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command == "GET":
            with file.open("rb") as opened:
                data = os.pread(opened.fileno(), end - start, start)
            if served.broken:
                data, self.close_connection = data[: len(data) // 2], True
            served.bytes += len(data)
            self.wfile.write(data)
        return None

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
