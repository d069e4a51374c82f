"""Which process of a training of several this one is, without importing what trains."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from mtdata.errors import UsageError
from mtmodels.training.config import Config

PORTS, MANY, APART = 15000, 10000, 1009
"""The first of those that steps of jobs of SLURM use, how many there are, and how far apart those
of two steps of one job are; jobs that follow each other have ports that do."""
PLACE = frozenset(
    {
        *("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK"),
        *("SLURM_STEP_ID", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS"),
    }
)
"""The variables that say which process this is, of a training or of whatever starts some."""
STARTER = "MTTRAIN_STARTER"
"""The variable with the file that ends when the process does that started this one."""


@dataclass(frozen=True)
class Place:
    """Which process this is.

    Args:
        rank: Its number among all.
        local_rank: Its number on this machine.
        count: How many there are.
        address: Where the first one is.
        port: And at which port.
        training: Which training it is of, where whoever started it names that.
    """

    rank: int
    local_rank: int
    count: int
    address: str
    port: int
    training: str = ""

    def variables(self) -> dict[str, str]:
        """As torchrun says it to a process."""
        return {
            "RANK": str(self.rank),
            "LOCAL_RANK": str(self.local_rank),
            "WORLD_SIZE": str(self.count),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }


def place_of(environment: Mapping[str, str]) -> Place | None:
    """The place that torchrun, `mttrain` or srun gave this process; None where it is alone.

    Raises:
        UsageError: where what they say of it cannot be read.
    """
    try:
        return _torchrun(environment) or _srun(environment)
    except (KeyError, ValueError) as error:
        raise UsageError(
            "the variables by which torchrun (RANK, LOCAL_RANK, WORLD_SIZE, MASTER_PORT) or srun "
            "(SLURM_PROCID, SLURM_LOCALID, SLURM_NTASKS) say which process this is should be "
            f"there, and numbers; found otherwise: {error}. Start it by one of them, or by "
            "`mttrain --devices` alone."
        ) from None


def _torchrun(environment: Mapping[str, str]) -> Place | None:
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return None
    return Place(
        int(environment["RANK"]),
        int(environment["LOCAL_RANK"]),
        int(environment["WORLD_SIZE"]),
        environment.get("MASTER_ADDR", "127.0.0.1"),
        int(environment["MASTER_PORT"]),
        environment.get("TORCHELASTIC_RUN_ID", ""),
    )


def _srun(environment: Mapping[str, str]) -> Place | None:
    """The task of a step; the script of a job is none, and one task alone needs no others."""
    if "SLURM_STEP_ID" not in environment or int(environment.get("SLURM_NTASKS", "1")) == 1:
        return None
    from mtmodels.fabric import SLURMEnvironment

    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_NODELIST", "127.0.0.1")
    first = SLURMEnvironment.resolve_root_node_address(nodes)
    job, step = environment.get("SLURM_JOB_ID", "0"), environment["SLURM_STEP_ID"]
    port = PORTS + (int(job) + APART * int(step)) % MANY
    return Place(
        int(environment["SLURM_PROCID"]),
        int(environment["SLURM_LOCALID"]),
        int(environment["SLURM_NTASKS"]),
        environment.get("MASTER_ADDR", first),
        int(environment.get("MASTER_PORT", port)),
        f"{job}.{step}",
    )


def place_on_node(config: Config, local_rank: int, *, port: int) -> Place:
    """The place of a process that this machine starts, one of several nodes or the only one.

    Args:
        config: How many there are.
        local_rank: Its number on this machine.
        port: One that is free, where the machine is the only one.

    Raises:
        UsageError: where nothing says which of several nodes this is.
    """
    if config.nodes == 1:
        return Place(local_rank, local_rank, config.processes, "127.0.0.1", port)
    try:
        node = int(os.environ["NODE_RANK"])
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"--nodes {config.nodes} should be started by srun or torchrun, or on each node with "
            "NODE_RANK (0 on the first), MASTER_ADDR (the first node) and MASTER_PORT (free there) "
            f"in the environment; found otherwise: {error}."
        ) from None
    rank = node * config.devices + local_rank
    return Place(rank, local_rank, config.processes, address, port)
