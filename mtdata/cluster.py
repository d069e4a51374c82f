"""A Dask cluster: finding it, or saying in one paragraph what is missing."""

from typing import TYPE_CHECKING

from mtdata.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client

ANSWER = 20.0
"""Seconds in which a scheduler has to answer."""


def connect(address: str) -> "Client":
    """Connect to a scheduler.

    Args:
        address: Of it, such as `tcp://head:8786`.

    Raises:
        UsageError: where it is no address, nobody answers, or the library is missing.
    """
    if "://" not in address:
        raise UsageError(
            f"--scheduler should be the address of Dask (tcp://host:8786); found {address}."
        )
    try:
        from distributed import Client
    except ImportError:
        raise missing(address, "distributed") from None
    try:
        return Client(address, timeout=ANSWER)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--scheduler should be the address of a Dask scheduler; {address} gave "
            f"{type(error).__name__}: {error}. `dask scheduler` prints its address."
        ) from None


def slots(client: "Client") -> int:
    """How many tasks the workers do at a time; 0 where there is none."""
    return sum(client.nthreads().values())


def missing(where: str, library: str) -> UsageError:
    """What to raise for a scheduler whose library is not installed."""
    return UsageError(
        f"--scheduler {where} should find {library}, which is not installed here. Run: "
        "pip install 'mtpartial[cluster]'"
    )
