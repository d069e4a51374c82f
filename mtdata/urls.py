"""Where a store lies: at a path of this machine, or at a URL.

What of a URL may be secret, a password or a signature, is in nothing that is shown or written down:
a `Url` says itself without it. A process that was given one with secrets knows them from then on,
so that the URL without them, as it stands in a configuration, leads to the file again.
"""

import re
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TypeGuard
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mtdata.errors import UsageError

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]+://"
_BESIDE = re.compile(rf"{_SCHEME}[^\s'\"]+")
LOCAL = ("file", "local")
"""Schemes of what is a path of this machine."""
QUOTED = ("http", "https")
"""Schemes under which a name is written with percent signs."""

_known: dict[str, str] = {}
"""URLs with their secrets, by what they are without."""


@dataclass(frozen=True)
class Url:
    """A file on object storage, to be read.

    Args:
        text: The whole URL, with what is secret of it.
    """

    text: str = field(repr=False)

    def __str__(self) -> str:
        parts = urlsplit(self.text)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @property
    def scheme(self) -> str:
        """What stands before `://`."""
        return urlsplit(self.text).scheme

    @property
    def secret(self) -> bool:
        """Whether it has a part that is not shown."""
        return self.text != str(self)

    @property
    def name(self) -> str:
        """The name of the file."""
        last = urlsplit(self.text).path.rpartition("/")[2]
        return unquote(last) if self.scheme in QUOTED else last

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return Path(self.name).stem

    def beside(self, name: str) -> "Url":
        """Another file of its folder, asked for with the same secrets."""
        parts = urlsplit(self.text)
        folder = parts.path.rpartition("/")[0]
        last = quote(name) if self.scheme in QUOTED else name
        return Url(urlunsplit(parts._replace(path=f"{folder}/{last}")))

    def hide(self, told: str) -> str:
        """What somebody else says of it, without its secrets."""
        parts = urlsplit(self.text)
        user = parts.netloc.rpartition("@")[0]
        told = told.replace(self.text, str(self))
        for secret in filter(None, (user, user.partition(":")[2], parts.query)):
            told = told.replace(secret, "…")
        return told


StorePath = Path | Url


def is_url(given: object) -> TypeGuard[str]:
    """Whether a text names something by a URL."""
    return isinstance(given, str) and re.match(_SCHEME, given) is not None


def located(given: str | PathLike[str] | Url) -> StorePath:
    """The path or the URL that somebody gave; `file://…` is a path.

    A URL with secrets is remembered, and one without gets those that are known of it.
    """
    if isinstance(given, Url):
        return given
    if not is_url(given):
        return Path(given)
    scheme, _, rest = given.partition("://")
    if scheme.lower() in LOCAL:
        return Path(unquote(rest))
    url = Url(given)
    if url.secret:
        _known[str(url)] = given
    return Url(_known.get(str(url), given))


def local(path: str | PathLike[str] | Url) -> Path:
    """A path that is written to.

    Raises:
        UsageError: for a URL, since what lies there is read only.
    """
    found = located(path)
    if isinstance(found, Url):
        raise UsageError(
            f"{found} should be a file of this machine; it is on object storage, which is only "
            "read. Copy it here, change or write it here, and put it there again by the tool of "
            "the storage (aws s3 cp, gsutil cp, rsync)."
        )
    return found


def without_secrets(text: str) -> str:
    """A text, such as an argument, with each URL in it as it is shown."""
    return _BESIDE.sub(lambda found: str(Url(found[0])), text)
