"""Who runs the trainings of a sweep: this machine, a Dask cluster, or SLURM."""

import subprocess
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mtdata.cluster import connect, missing
from mtdata.errors import UsageError
from mtmodels.sweeping.running import Future, Job, Scheduler, run_job, stop_processes

SLURM_SLOTS = 1000
"""Jobs that are in the queue at a time; SLURM has limits of its own."""


class Here:
    """Processes of this machine.

    Args:
        slots: Trainings at a time.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._pool: Executor = ThreadPoolExecutor(slots)
        self._processes: list[subprocess.Popen[bytes]] = []

    def submit(self, job: Job) -> Future:
        """In a thread that waits for the process."""
        return self._pool.submit(run_job, job, self._processes.append)

    def stop(self) -> None:
        """Have all save what they save, and end."""
        stop_processes(self._processes)
        self._pool.shutdown(cancel_futures=True)


class Dask:
    """Workers of a Dask cluster, which see the files under the same paths.

    Args:
        address: Of its scheduler.
        slots: Trainings at a time; as many as there are workers where it is 0.
    """

    def __init__(self, address: str, slots: int = 0) -> None:
        self._client = connect(address)
        self.slots = slots or max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        self._futures: list[Any] = []

    def submit(self, job: Job) -> Future:
        """To a worker that is free; to another one where that is lost."""
        future = self._client.submit(run_job, job, pure=False)
        self._futures.append(future)
        return future

    def stop(self) -> None:
        """Take back what waits; a training that goes comes to its end."""
        self._client.cancel(self._futures)
        self._client.close()


class Slurm:
    """Jobs of SLURM.

    Args:
        folder: Where the files of its jobs go.
        parameters: What submitit takes for each: `slurm_partition`, `timeout_min`, `gpus_per_node`.
        cluster: Another way of submitit, such as "local" for a try on one machine.
    """

    def __init__(
        self, folder: Path, parameters: Mapping[str, Any], *, cluster: str = "slurm"
    ) -> None:
        try:
            from submitit import AutoExecutor
        except ImportError:
            raise missing("slurm", "submitit") from None
        self.slots = SLURM_SLOTS
        try:
            self._executor = AutoExecutor(folder=folder, cluster=cluster)
            self._executor.update_parameters(**parameters)
        except (RuntimeError, ValueError, NameError, TypeError, AssertionError) as error:
            raise UsageError(
                f"--scheduler slurm should find SLURM and parameters that it has; found {error}."
            ) from None
        self._jobs: list[Any] = []

    def submit(self, job: Job) -> Future:
        """Into the queue."""
        submitted = self._executor.submit(run_job, job)
        self._jobs.append(submitted)
        return submitted

    def stop(self) -> None:
        """Leave the queue as it is: a cluster goes on when the terminal is closed."""


def scheduler_of(
    where: str, *, jobs: int, folder: Path, parameters: Mapping[str, Any]
) -> Scheduler:
    """Who is meant by `here`, `tcp://host:port` or `slurm`.

    Args:
        where: As given.
        jobs: Trainings at a time; 0 for one here, and for all workers of a cluster.
        folder: Where files of jobs may go.
        parameters: Of SLURM jobs.

    Raises:
        UsageError: where it is none of them, does not answer, or a library is missing.
    """
    if where == "here":
        return Here(max(1, jobs))
    if where == "slurm":
        return Slurm(folder, parameters)
    if "://" in where:
        return Dask(where, jobs)
    raise UsageError(
        f"--scheduler should be here, slurm or the address of Dask (tcp://host:8786); found "
        f"{where}. Give one of them."
    )
