"""Hashes that are the same on every machine and with every version of every library."""

from collections.abc import Sequence
from hashlib import sha256


def digest(*parts: object) -> bytes:
    """SHA-256 of the parts as text, with a zero byte between them."""
    return sha256("\0".join(map(str, parts)).encode()).digest()


def ordered(keys: Sequence[str], *salt: object) -> list[int]:
    """Positions of `keys` in the order of SHA-256(salt, key): shuffled, yet no matter of luck."""
    return sorted(range(len(keys)), key=lambda i: digest(*salt, keys[i]))


def unit(*parts: object) -> float:
    """A number in [0, 1) made of SHA-256 of the parts: 53 bits, the same on every machine."""
    return (int.from_bytes(digest(*parts)[:8], "big") >> 11) / 2**53
