"""Files as somebody publishes them: their size and digest, and who says so."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A file of a download.

    `size` is in bytes and `md5` in hexadecimal, each None where nobody is known to tell; `told_by`
    says where the digest is from.
    """

    name: str
    told_by: str
    md5: str | None = None
    size: int | None = None
