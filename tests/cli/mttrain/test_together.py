"""`mttrain` on several devices: one run, one voice, one end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch.distributed import HashStore  # type: ignore[attr-defined]

from cli.mttrain import mttrain, together
from cli.mttrain.together import _end, _free_port
from cli.shared.common import run
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.setup.places import MANY, PORTS, place_of
from tests.runs.small_run import small_layer, small_store
from tests.trust.trial import foreign

START = [sys.executable, "-c", "from cli.mttrain import main; main()"]
LONG = {"epochs": 4000}
PATIENCE = 240


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_store(tmp_path_factory.mktemp("together"))


def words(store: Path, out: Path, **changed: Any) -> list[str]:
    """A run of two steps an epoch whose norms keep still, so that one process does the same."""
    layer = {
        **small_layer(store),
        "batch": 4,
        "epochs": 1,
        "precision": "32",
        "device": "cpu",
        "optimizer": {"name": "sgd"},
        "select": "last",
        "sync_norm": True,
        **changed,
    }
    config = out.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(layer))
    return ["--recipe", str(config), "--out", str(out)]


def start(arguments: list[str], **more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*START, *arguments], env={**os.environ, **more}, stderr=subprocess.PIPE, text=True
    )


def wait_for(file: Path) -> None:
    """Until a run has written something."""
    until = time.monotonic() + PATIENCE
    while not (file.is_file() and file.stat().st_size):
        assert time.monotonic() < until, f"{file} is not written"
        time.sleep(0.1)


def processes_of(parent: int) -> list[int]:
    """The processes that train, in the order in which they were started."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sorted(map(int, listed))


def test_two_devices_train_what_one_trains(store: Path, tmp_path: Path) -> None:
    found = {}
    for name, devices in (("one", []), ("two", ["--devices", "2"])):
        out = tmp_path / name
        done = subprocess.run(
            [*START, *words(store, out), *devices, "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found[name] = json.loads(done.stdout)  # one object: one process talks
        assert done.stderr.count("Images: ") == 1
    one, two = (read_rows(tmp_path / name / "metrics.jsonl", "step") for name in found)
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert b["images"] == a["images"]
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4)
        assert b["gradient_norm"] == pytest.approx(a["gradient_norm"], rel=1e-3)
    for task, scores in found["one"]["scores"].items():
        for name, value in scores.items():
            other = found["two"]["scores"][task][name]
            assert other == pytest.approx(value, rel=1e-2, nan_ok=True), name
    resumed = run(mttrain, ["--out", str(tmp_path / "two"), "--resume", "--devices", "1"])
    assert resumed == 0  # another number of devices is the same run


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_one_that_is_killed_ends_all(killed: int, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    training = start([*words(store, out, **LONG), "--devices", "2"])
    wait_for(RunFolder(out).metrics)
    os.kill(processes_of(training.pid)[killed], signal.SIGKILL)
    _, told = training.communicate(timeout=PATIENCE)
    assert training.returncode == 1
    assert sum(line.startswith("Error: ") for line in told.splitlines()) == 1
    assert "--resume" in told
    assert not foreign(told)


@pytest.mark.slow
def test_an_error_of_one_is_said_once(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = subprocess.run(
        [
            *START,
            *words(store, out, lr=1e30, epochs=100, weighting={"name": "equal"}),
            "--devices",
            "2",
        ],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert sum(line.startswith("Error: ") for line in done.stderr.splitlines()) == 1
    assert "should be finite" in " ".join(done.stderr.split())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_requeues(number: signal.Signals, store: Path, tmp_path: Path) -> None:
    fake, asked = tmp_path / "bin" / "scontrol", tmp_path / "asked"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$@" > {asked}\n')
    fake.chmod(0o755)
    out = tmp_path / "run"
    arguments = [*words(store, out, **LONG), "--devices", "2"]
    path = f"{fake.parent}:{os.environ['PATH']}"
    training = start([*arguments, "--requeue"], PATH=path, SLURM_JOB_ID="17")
    wait_for(RunFolder(out).metrics)
    training.send_signal(number)
    _, told = training.communicate(timeout=PATIENCE)
    assert training.returncode == 130, told
    assert told.count("interrupted after step") == 1
    assert RunFolder(out).last.is_dir()
    requeued = asked.read_text().split() if asked.is_file() else []
    assert requeued == ([] if number == signal.SIGINT else ["requeue", "17"])


@pytest.mark.slow
def test_under_torchrun(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    begin = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python"]
    done = subprocess.run(
        [*begin, "--master-port", "29611", *START, *words(store, out), "--devices", "2"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Images: ") == 1
    assert RunFolder(out).is_complete()


@pytest.mark.slow
def test_as_tasks_of_a_step_of_slurm(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    of_all = {"SLURM_NTASKS": "2", "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "4123"}
    of_all["SLURM_STEP_NODELIST"] = "127.0.0.1"
    tasks = [
        start(
            [*words(store, out), "--devices", "2"],
            SLURM_PROCID=str(i),
            SLURM_LOCALID=str(i),
            **of_all,
        )
        for i in range(2)
    ]
    told = [task.communicate(timeout=PATIENCE)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], told
    assert "Images: " in told[0]
    assert told[1] == ""


@pytest.mark.slow
def test_the_others_stay_until_the_job_is_back_in_the_queue(store: Path, tmp_path: Path) -> None:
    """With the first task that ends srun ends all."""
    fake, asked, out = tmp_path / "bin" / "scontrol", tmp_path / "asked", tmp_path / "run"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\nsleep 3\ntouch {asked}\n")
    fake.chmod(0o755)
    of_all = {"SLURM_NTASKS": "2", "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "4125"}
    of_all |= {"SLURM_STEP_NODELIST": "127.0.0.1", "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    arguments = [*words(store, out, **LONG), "--devices", "2", "--requeue"]
    tasks = [
        start(arguments, SLURM_PROCID=str(i), SLURM_LOCALID=str(i), **of_all) for i in range(2)
    ]
    wait_for(RunFolder(out).metrics)
    for task in tasks:
        task.send_signal(signal.SIGUSR1)
    while all(task.poll() is None for task in tasks):
        time.sleep(0.02)
    assert asked.exists()
    told = [task.communicate(timeout=PATIENCE)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [130, 130], told


def test_whoever_waits_for_the_queue_goes_on_without_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = HashStore()
    monkeypatch.setattr(together, "ASKING", timedelta(seconds=0.2))
    together.until_requeued(store)
    store.set(together.REQUEUED, "")
    monkeypatch.setattr(together, "ASKING", timedelta(days=1))
    together.until_requeued(store)


@pytest.mark.parametrize(
    ("changed", "flags", "says"),
    [
        ({"batch": 3}, ["--devices", "2"], "divisible by `devices`"),
        ({"method": {"name": "sl", "options": {"reduction": "pixels"}}}, [], "`reduction` should"),
        ({"weighting": {"name": "pcgrad"}}, [], "`sync_norm` should"),
        ({"nodes": 2}, ["--devices", "2"], "NODE_RANK"),
    ],
)
def test_what_cannot_be_is_refused(
    changed: Mapping[str, Any],
    flags: list[str],
    says: str,
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    dry = [] if flags else ["--devices", "2", "--dry-run"]  # in this process, as a plan is
    assert run(mttrain, [*words(store, out, **changed), *flags, *dry]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


@pytest.mark.parametrize(("number", "memory"), [(signal.SIGTERM, False), (signal.SIGKILL, True)])
def test_a_signal_that_ended_the_first_is_named(
    capsys: pytest.CaptureFixture[str], number: signal.Signals, *, memory: bool
) -> None:
    first = subprocess.Popen(["sleep", "100"])
    first.send_signal(number)
    assert _end([first]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert f"signal {number.name} ended it" in told
    assert ("for want of memory" in told) == memory


@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        # The first is busy, and is ended with the one that was lost.
        (["sleep 100", "kill -9 $$"], 1, "Error: process 1 of this machine should end by itself"),
        (["sleep 100", "exit 3"], 3, ""),
        (["exit 7", "exit 1"], 1, "Error: process 0 of this machine should end by itself, and say"),
        (["exit 1", "kill -9 $$"], 1, "The process that was lost is 1 of this machine: signal"),
        (["exit 130", "exit 130"], 130, ""),
        (["exit 0", "exit 0"], 0, ""),
    ],
)
def test_the_one_that_ended_first_without_a_word_is_named(
    how: list[str],
    code: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(together, "GRACE", 0.3)
    monkeypatch.setattr(together, "OFTEN", 0.2)
    processes = [subprocess.Popen(["sh", "-c", one]) for one in how]
    for process, does in zip(processes, how, strict=True):
        if not does.startswith("sleep"):
            process.wait(PATIENCE)
    assert _end(processes) == code
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith(told) if told else not said


def test_one_that_is_told_to_stop_before_it_hears_is_interrupted() -> None:
    """A signal in its first seconds ends it, as it was asked to: the others do not wait for it."""
    processes = [subprocess.Popen(["sleep", "100"]) for _ in range(2)]
    processes[0].send_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        _end(processes, [signal.SIGTERM])
    processes[1].kill()
    processes[1].wait()


def test_requeue_is_for_jobs(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert run(mttrain, [*words(store, tmp_path / "run"), "--requeue"]) == 2


def test_places() -> None:
    assert place_of({}) is None
    # The script of a job is no task of a step.
    assert place_of({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}) is None
    srun = place_of(
        {
            "SLURM_NTASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_STEP_ID": "0",
            "SLURM_STEP_NODELIST": "node[07-08]", "SLURM_JOB_ID": "71234",
        }
    )  # fmt: skip
    assert srun is not None
    assert (srun.rank, srun.local_rank, srun.count) == (5, 1, 8)
    assert (srun.address, srun.port, srun.training) == ("node07", 16234, "71234.0")


def test_two_steps_of_a_job_meet_at_places_of_their_own() -> None:
    task = {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "9999"}
    task["SLURM_STEP_NODELIST"] = "127.0.0.1"
    found = [place_of({**task, "SLURM_STEP_ID": step}) for step in ("0", "1", "2")]
    ports = {place.port for place in found if place is not None}
    assert len(ports) == 3
    assert all(PORTS <= port < PORTS + MANY for port in ports)


JOIN = """
import sys
from mtmodels.training.setup.joining import join
from mtmodels.training.setup.places import Place
rank, training, port = sys.argv[1:]
join(Place(int(rank), 0, 2, "127.0.0.1", int(port), training), "cpu")
"""


def test_the_first_process_of_another_training_is_not_met() -> None:
    """By a port that two share: the foreign one is refused, and the others meet all the same."""
    port = str(_free_port())

    def begin(rank: str, training: str) -> "subprocess.Popen[str]":
        words = [sys.executable, "-c", JOIN, rank, training, port]
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)

    first, foreign = begin("0", "7.0"), begin("1", "7.1")
    _, told = foreign.communicate(timeout=PATIENCE)
    assert "of the training 7.1 should meet the first of its own" in told
    assert "found that of 7.0" in told
    own = begin("1", "7.0")
    told = "".join(one.communicate(timeout=PATIENCE)[1] for one in (first, own))
    assert [first.returncode, own.returncode] == [0, 0], told
