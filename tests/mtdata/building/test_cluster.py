"""Builds by the workers of a Dask cluster: the store of one machine, whoever is lost meanwhile."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.mtdata import mtdata as command
from cli.shared.common import run
from mtdata import cluster as connecting
from mtdata.building.build import RegimeSpec, build
from mtdata.errors import BadSamplesError, MtdataError, UsageError
from mtdata.inspecting.diff import diff
from mtdata.inspecting.verify import verify
from mtdata.store import open_store
from tests.paths import ROOT
from tests.stores.fakes import BrokenSource, FakeSource, SlowSource
from tests.stores.store_files import same_samples

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as made:
        yield made


@pytest.mark.parametrize("sizes", [((24, 32),), ((24, 32), (22, 32))])
def test_the_store_is_that_of_one_process(cluster: Any, tmp_path: Path, sizes: Any) -> None:
    """Where sizes differ, images are padded here."""
    source = FakeSource(images=(9, 3), sizes=sizes)
    regimes = [RegimeSpec("random")]
    here, there = tmp_path / "a.h5", tmp_path / "b.h5"
    build(source, here, size=None, regimes=regimes)
    build(source, there, size=None, regimes=regimes, scheduler=cluster.scheduler_address)
    assert diff(here, there).same
    assert verify(there).ok
    with open_store(here) as one, open_store(there) as other:
        same_samples(one, other)
    again = build(
        source, there, size=None, regimes=regimes, mode="resume",
        scheduler=cluster.scheduler_address,
    )  # fmt: skip
    assert again.complete


def test_a_worker_that_is_killed_costs_its_part(cluster: Any, tmp_path: Path) -> None:
    source = SlowSource(images=(40, 8), pause=0.05)
    with distributed.Client(cluster.scheduler_address) as client:
        before = client.run(os.getpid)
    killed: list[int] = []

    def kill(done: int, total: int, what: str) -> None:
        if what == "reading samples" and done == 8 and not killed:
            killed.append(next(iter(before.values())))
            os.kill(killed[0], signal.SIGKILL)

    out = tmp_path / "a.h5"
    made = build(source, out, scheduler=cluster.scheduler_address, progress=kill)
    assert killed
    assert not Path(f"/proc/{killed[0]}").exists()
    wanted = build(SlowSource(images=(40, 8), pause=0), tmp_path / "b.h5")
    assert made.content_digest == wanted.content_digest
    assert verify(out).ok
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_a_build_that_is_killed_goes_on_without_the_cluster(cluster: Any, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom mtdata.building.build import build\n"
        "from tests.stores.fakes import SlowSource\n"
        "def told(done, total, what):\n    print(done, flush=True)\n"
        "build(SlowSource(images=(30, 5)), sys.argv[1], scheduler=sys.argv[2], progress=told)"
    )
    out = tmp_path / "a.h5"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(out), cluster.scheduler_address],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while process.stdout.readline() != "12\n":
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    source = SlowSource(images=(30, 5))
    made = build(source, out, mode="resume")
    assert made.resumed >= 10
    assert made.content_digest == build(source, tmp_path / "b.h5").content_digest


def test_bad_samples_are_told_as_by_one_process(cluster: Any, tmp_path: Path) -> None:
    source = BrokenSource(images=(8, 2), fault="class")
    told = []
    for scheduler in (None, cluster.scheduler_address):
        with pytest.raises(MtdataError) as caught:
            build(source, tmp_path / f"{scheduler is None}.h5", scheduler=scheduler)
        told.append((type(caught.value), str(caught.value)))
    assert told[0] == told[1]
    assert told[0][0] is BadSamplesError
    made = build(source, tmp_path / "c.h5", on_error="skip", scheduler=cluster.scheduler_address)
    assert [each.key for each in made.skipped] == ["0003"]


def test_workers_of_another_version_are_refused(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtdata.building.cluster.tool", lambda: "mtpartial 9.9")
    with pytest.raises(MtdataError, match=r"should run mtpartial 9\.9"):
        build(FakeSource(), tmp_path / "a.h5", scheduler=cluster.scheduler_address)


class Unknown(FakeSource):
    """Of a module that workers cannot import."""

    def __reduce__(self) -> Any:
        return eval, ("__import__('no_such_module')",)


def test_what_fails_on_a_worker_is_one_paragraph(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(MtdataError, match=r"found ModuleNotFoundError: .*no_such_module") as caught:
        build(Unknown(), tmp_path / "a.h5", scheduler=cluster.scheduler_address)
    assert "\n" not in str(caught.value)


def test_the_command(cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "build",
        "--dataset",
        "rooms",
        "--images",
        "5,2",
        "--size",
        "24x32",
        "--tasks",
        "depth",
    ]
    out = tmp_path / "a.h5"
    scheduler = ["--scheduler", cluster.scheduler_address]
    assert run(command, [*words, "--out", str(out), *scheduler]) == 0
    assert run(command, [*words, "--out", str(tmp_path / "b.h5"), "--jobs", "1"]) == 0
    assert diff(out, tmp_path / "b.h5").same
    assert run(command, [*words, "--out", str(tmp_path / "c.h5"), *scheduler, "--dry-run"]) == 0
    assert not (tmp_path / "c.h5").exists()
    assert run(command, [*words, "--out", str(tmp_path / "c.h5"), "--scheduler", "cloud"]) == 2
    assert "should be the address of Dask" in capsys.readouterr().err


def test_a_scheduler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "ANSWER", 0.5)
    with pytest.raises(UsageError, match="should be the address of a Dask scheduler"):
        build(FakeSource(), tmp_path / "a.h5", scheduler="tcp://127.0.0.1:9")


def test_a_cluster_without_workers(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtdata.building.cluster.slots", lambda client: 0)
    with pytest.raises(UsageError, match="should have workers; it has none"):
        build(FakeSource(), tmp_path / "a.h5", scheduler=cluster.scheduler_address)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"distributed, .* pip install 'mtpartial\[cluster\]'"):
        build(FakeSource(), tmp_path / "a.h5", scheduler="tcp://a:1")
    assert not list(tmp_path.iterdir())
