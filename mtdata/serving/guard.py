"""What every page of a local server has around it: who may ask, and what a page may load."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mtdata.serving.answers import Told

NAMES = ("127.0.0.1", "localhost", "[::1]")
"""Names by which a browser of this machine may ask: others are names that lead here by a trick."""
READING = ("GET", "HEAD")
POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{what}-src 'self'" for what in ("script", "style", "connect")),
        "img-src 'self' blob:",
        *(f"{what} 'none'" for what in ("base-uri", "form-action", "frame-ancestors")),
    )
)
HEADERS = {
    "cache-control": "no-store",  # a browser keeps even that a store is gone
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """Refuses other names than this machine's, pages of elsewhere and methods; adds `HEADERS`.

    Args:
        app: What it stands around.
        port: Where it listens.
        methods: What may be asked.
    """

    def __init__(self, app: ASGIApp, *, port: int, methods: Iterable[str] = READING) -> None:
        self._app, self._methods = app, tuple(methods)
        self._hosts = {f"{name}:{port}" for name in NAMES} | ({*NAMES} if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] += [pair for pair in added if pair[0] not in own]
            await send(message)

        refusal = self._refusal(scope)
        # Starlette raises what a site has answered and said, for a server to print its traceback.
        with suppress(Exception):
            await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Told | None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            known = " or ".join(sorted(self._hosts))
            return problem(f"the name of this server should be {known}; found {hosts}.", 421)
        if scope["method"] not in self._methods:
            allowed = ", ".join(self._methods)
            return problem(
                f"the method should be one of {allowed}; found {scope['method']}.",
                405,
                headers={"allow": allowed},
            )
        # A page of elsewhere may lead here by a link, and may embed and send nothing.
        site = [value for name, value in headers if name == b"sec-fetch-site"]
        mode = [value for name, value in headers if name == b"sec-fetch-mode"]
        origins = [value.decode("latin-1").lower() for name, value in headers if name == b"origin"]
        link = mode == [b"navigate"] and scope["method"] in READING
        elsewhere = site in ([b"cross-site"], [b"same-site"]) and not link
        # Older browsers say no site, but where a request that writes comes from.
        if elsewhere or any(origin != f"http://{hosts[0]}" for origin in origins):
            return problem("a page of elsewhere may not ask this server.", 403)
        return None


def problem(text: str, status: int, **options: Any) -> Told:
    """What is wrong, in one paragraph."""
    return Told({"problem": text}, status, **options)
