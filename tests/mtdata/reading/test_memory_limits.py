"""Limits of the system count, wherever above a process they are set."""

import os
from pathlib import Path

import pytest

from mtdata.reading import memory


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 GB left and 16 processors, and no control groups yet."""
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    put(tmp_path / "proc" / "meminfo", "MemTotal: 16 kB\nMemAvailable: 8000000 kB\n")
    return tmp_path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_machine_without_groups(system: Path) -> None:
    assert memory.available() == 8_000_000 * 1024
    assert memory.cores() == 16


def test_an_affinity_counts(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    assert memory.cores() == 2


@pytest.mark.parametrize("level", ["", "batch", "batch/job/step"])
def test_a_limit_of_any_group_above_counts(system: Path, level: str) -> None:
    put(system / "proc" / "self" / "cgroup", "0::/batch/job/step\n")
    group = system / "groups" / level
    put(system / "groups" / "batch" / "job" / "memory.max", "max\n")
    put(group / "memory.max", "3000000\n")
    put(group / "memory.current", "1000000\n")
    put(group / "cpu.max", "250000 100000\n")
    assert memory.available() == 2_000_000
    assert memory.cores() == 2


def test_the_tightest_limit_counts_and_never_below_zero(system: Path) -> None:
    put(system / "proc" / "self" / "cgroup", "0::/a/b\n")
    for place, limit in (("a", 500), ("a/b", 900)):
        put(system / "groups" / place / "memory.max", f"{limit}\n")
        put(system / "groups" / place / "memory.current", "600\n")
    assert memory.available() == 0
    put(system / "groups" / "a" / "cpu.max", "20000 100000\n")
    assert memory.cores() == 1


def test_groups_of_the_first_version(system: Path) -> None:
    put(system / "proc" / "self" / "cgroup", "4:memory:/job\n7:cpu,cpuacct:/job\n")
    put(system / "groups" / "memory" / "job" / "memory.limit_in_bytes", "5000\n")
    put(system / "groups" / "memory" / "job" / "memory.usage_in_bytes", "1000\n")
    put(system / "groups" / "cpu" / "job" / "cpu.cfs_quota_us", "400000\n")
    put(system / "groups" / "cpu" / "job" / "cpu.cfs_period_us", "100000\n")
    assert memory.available() == 4000
    assert memory.cores() == 4


def test_no_limit_is_no_limit(system: Path) -> None:
    put(system / "proc" / "self" / "cgroup", "0::/\n")
    put(system / "groups" / "memory.max", "max\n")
    put(system / "groups" / "memory.current", "1000\n")
    put(system / "groups" / "cpu.max", "max 100000\n")
    assert memory.available() == 8_000_000 * 1024
    assert memory.cores() == 16
