"""Trainings of a sweep: kept, resumed, lost with their worker, stopped; the trainer is a script."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mtdata import cluster
from mtdata.errors import UsageError
from mtdata.urls import without_secrets
from mtmodels.sweeping import Job, Outcome, run_all, running
from mtmodels.sweeping.page import page
from mtmodels.sweeping.running import Scheduler, state_of
from mtmodels.sweeping.schedulers import Here, Slurm, scheduler_of
from mtmodels.training.setup.places import PLACE

TRAINER = """
import json, os, pathlib, sys, time
words = sys.argv[1:]
folder = pathlib.Path(words[words.index("--out") + 1])
folder.mkdir(exist_ok=True)
about = {"format": "mtpartial run", "arguments": words}
(folder / "manifest.json").write_text(json.dumps(about))
times = folder / "times"
with times.open("a") as file:
    file.write(f"{os.getpid()} ")
if "--fail" in words:
    sys.exit("Error: the labels should be there;\\nfound none.")
# The first time it waits to be killed, as long as a test may take.
time.sleep(60 if "--lost" in words and len(times.read_text().split()) == 1 else 0.05)
(folder / "summary.json").touch()
"""


HOLDER = f"""
import pathlib, sys
from cli.mttrain.together import end_with_starter
from mtmodels.training.record.runfolder import RunFolder
end_with_starter()
with RunFolder(pathlib.Path(sys.argv[sys.argv.index("--out") + 1])).held():
    exec({TRAINER!r})
"""
"""A trainer that holds its folder, and ends with who started it."""


def job(folder: Path, name: str, *words: str, trainer: str = TRAINER) -> Job:
    path = str(folder / name)
    return Job(name, (sys.executable, "-c", trainer), ("--name", name, *words), path, 1)


def starts(folder: Path, name: str) -> list[int]:
    """The processes that trained it."""
    times = folder / name / "times"
    return list(map(int, times.read_text().split())) if times.is_file() else []


def wait_for(folder: Path, name: str) -> int:
    """The process that trains it now."""
    last = time.monotonic() + 30
    while not starts(folder, name) and time.monotonic() < last:
        time.sleep(0.02)
    return starts(folder, name)[-1]


def test_what_is_done_stays_and_what_failed_is_tried_again(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "a"), job(tmp_path, "b", "--fail"), job(tmp_path, "c")]
    told: list[str] = []
    for again in (1, 2):
        found = run_all(jobs, Here(2), ended=lambda one, _: told.append(one.name))
        assert [found[name].state for name in "abc"] == ["done", "failed", "done"]
        assert found["b"].why == "the labels should be there; found none."
        assert [len(starts(tmp_path, name)) for name in "abc"] == [1, again, 1]
    assert sorted(told) == sorted("abcabc")


def test_no_more_at_a_time_than_asked_for_and_in_order(tmp_path: Path) -> None:
    going: list[str] = []
    most = []

    def began(one: Job) -> None:
        going.append(one.name)
        most.append(len(going))

    def ended(one: Job, _: Outcome) -> None:
        going.remove(one.name)

    jobs = [job(tmp_path, f"{i}") for i in range(4)]
    run_all(jobs, Here(2), began=began, ended=ended)
    assert max(most) == 2
    assert most[0] == 1


def test_who_is_taught_waits_for_its_teachers(tmp_path: Path) -> None:
    told: list[str] = []

    def run_two(*jobs: Job, until: float = float("inf")) -> dict[str, Outcome]:
        return run_all(
            jobs,
            Here(2),
            begin_until=until,
            began=lambda one: told.append(f"begun {one.name}"),
            ended=lambda one, outcome: told.append(f"{outcome.state} {one.name}"),
        )

    of = {name: str(tmp_path / name) for name in "abcd"}
    taught = job(tmp_path, "c", "--teachers", f"x={of['a']},y={of['b']}")
    run_two(
        job(tmp_path, "d", "--teachers", of["c"]), taught, job(tmp_path, "a"), job(tmp_path, "b")
    )
    order = [one for one in told if one[-1] in "cd"]
    assert order == ["begun c", "done c", "begun d", "done d"]
    assert {"done a", "done b"} <= set(told[: told.index("begun c")])

    bad = job(tmp_path, "bad", "--fail")
    pupil = job(tmp_path, "pupil", "--teachers", str(tmp_path / "bad"))
    last = job(tmp_path, "last", "--teachers", str(tmp_path / "pupil"))
    found = run_two(last, pupil, bad)
    assert [found[name].state for name in ("bad", "pupil", "last")] == ["failed"] * 3
    assert "as bad failed, which should teach it" in found["pupil"].why
    assert not starts(tmp_path, "pupil") + starts(tmp_path, "last")
    assert run_two(pupil, bad, until=0.0)["pupil"] == Outcome("left")
    with pytest.raises(UsageError, match="learn in a circle"):
        run_two(pupil, job(tmp_path, "bad", "--teachers", str(tmp_path / "pupil")))


def test_other_options_than_those_it_was_trained_with_are_refused(tmp_path: Path) -> None:
    run_all([job(tmp_path, "a", "--lr", "1", "--seed", "2")], Here(1))
    run_all([job(tmp_path, "a", "--seed", "2", "--lr", "1")], Here(1))  # the order is no matter
    with pytest.raises(UsageError, match=r"plan \(--lr 3\); found --lr 1"):
        run_all([job(tmp_path, "new"), job(tmp_path, "a", "--lr", "3", "--seed", "2")], Here(1))
    assert starts(tmp_path, "new") == []


def test_what_a_run_may_be_given_anew_makes_no_other_run(tmp_path: Path) -> None:
    def state(*words: str) -> str:
        return state_of(job(tmp_path, "a", "--seed", "2", *words))

    run_all([job(tmp_path, "a", "--seed", "2", "--workers", "0", "--device", "cpu")], Here(1))
    assert state("--workers", "1", "--cache", "memory", "--checkpoint-every", "5") == "done"
    assert state("--set", "log_every=5", "--set", "workers=2") == "done"
    with pytest.raises(UsageError, match=r"plan \(--data b.h5\); found fewer"):
        state("--data", "b.h5")
    with pytest.raises(UsageError, match=r"plan \(--set data=b.h5\); found fewer"):
        state("--set", "data=b.h5")


def test_a_worker_that_is_one_of_several_tasks_starts_whole_trainings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that `srun -n 2` starts: a training would take itself for a part of one."""
    for name in PLACE:
        monkeypatch.setenv(name, "2")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    code = "import os, sys; print('Error:', *sorted(os.environ)); sys.exit(1)"
    one = Job("a", (sys.executable, "-c", code), (), str(tmp_path / "a"), 1)
    told = run_all([one], Here(1))["a"].why.split()
    assert "SLURM_JOB_ID" in told
    assert not PLACE.intersection(told)


def test_a_sweep_that_is_called_by_another_path_knows_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder and its store are the same, whichever way they are named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    run_all([job(Path("runs"), "a", "--data", "r.h5")], Here(1))
    manifest = tmp_path / "runs/a/manifest.json"
    about = json.loads(manifest.read_text())
    about["store_at"] = {"absolute": str(tmp_path / "r.h5"), "relative": "../../r.h5"}
    manifest.write_text(json.dumps(about))
    again = [
        job(Path("runs"), "a", "--data", "r.h5"),
        job(tmp_path / "runs", "a", "--data", str(tmp_path / "r.h5")),
    ]
    monkeypatch.chdir(tmp_path / "sub")
    again.append(job(Path("../runs"), "a", "--data", "../r.h5"))
    assert [state_of(one) for one in again] == ["done"] * 3
    with pytest.raises(
        UsageError, match=rf"--data {tmp_path}/sub/r.h5\); found --data {tmp_path}/r"
    ):
        state_of(job(Path("../runs"), "a", "--data", "r.h5"))
    with pytest.raises(UsageError, match=r"plan \(--data https://host/r.h5\); found"):
        state_of(job(Path("../runs"), "a", "--data", "https://u:p@host/r.h5"))


def test_a_training_on_a_url_with_a_signature_is_known_again(tmp_path: Path) -> None:
    """Its manifest has the URL without what must not be written down."""
    url = "https://u:p@host/a.h5?sig=abc"
    run_all([job(tmp_path, "a", "--data", url)], Here(1))
    manifest = tmp_path / "a" / "manifest.json"
    about = json.loads(manifest.read_text())
    about["arguments"] = [without_secrets(word) for word in about["arguments"]]
    manifest.write_text(json.dumps(about))
    found = run_all([job(tmp_path, "a", "--data", url)], Here(1))
    assert found["a"].state == "done"
    shown = page("a", [], [], [job(tmp_path, "a", "--data", url)], found)
    assert "host/a.h5" in shown
    assert "sig=abc" not in shown
    assert "u:p@" not in shown


def test_none_is_begun_after_the_time(tmp_path: Path) -> None:
    found = run_all([job(tmp_path, "a")], Here(1), begin_until=time.monotonic() - 1)
    assert found == {"a": Outcome("left")}


def test_a_killed_training_costs_itself_alone(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "a", "--lost"), job(tmp_path, "b")]
    killer = threading.Thread(target=lambda: os.kill(wait_for(tmp_path, "a"), signal.SIGKILL))
    killer.start()
    found = run_all(jobs, Here(1))
    killer.join()
    assert found["a"].state == "failed"
    assert "SIGKILL" in found["a"].why
    assert found["b"].state == "done"
    assert run_all(jobs, Here(1))["a"].state == "done"


def test_a_sweep_that_is_killed_leaves_nothing_that_trains(tmp_path: Path) -> None:
    words = ("--name", "a", "--lost")
    code = (
        "import sys; from mtmodels.sweeping.running import Job, run_job\n"
        f"run_job(Job('a', (sys.executable, '-c', {HOLDER!r}), {words!r}, sys.argv[1], 1))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")]) as sweep:
        wait_for(tmp_path, "a")
        sweep.kill()
    assert run_all([job(tmp_path, "a", "--lost")], Here(1))["a"].state == "done"
    assert len(starts(tmp_path, "a")) == 2


@pytest.mark.parametrize("begun", [True, False])
def test_what_another_process_trains_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    """Two sweeps of one plan fail none of each other's trainings, not at their beginning either."""
    monkeypatch.setattr(running, "LOOK", 0.05)
    told: list[str] = []
    one = job(tmp_path, "a", trainer=HOLDER)
    holds = "import sys, time, pathlib; from mtmodels.training.record.runfolder import RunFolder\n"
    holds += "with RunFolder(pathlib.Path(sys.argv[1])).held():\n print(flush=True); input()"
    words = [sys.executable, "-c", holds, str(one.path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        if begun:
            (one.path / "manifest.json").write_text(
                json.dumps({"format": "mtpartial run", "arguments": list(one.words)})
            )
        assert state_of(one) == "going"
        # One that looked before the folder was held is refused by the training itself.
        refused = job(tmp_path, "a", trainer="import sys; sys.exit('Error: another writes it')")
        with monkeypatch.context() as patched:
            patched.setattr(running, "state_of", lambda job: "new")
            assert running.run_job(refused) == Outcome("going")
        found = run_all([one], Here(1), begin_until=time.monotonic() + 0.1)
        assert found == {"a": Outcome("going")}

        def waits(job: Job) -> None:
            told.append(job.name)
            other.communicate(b"\n")

        pupil = job(tmp_path, "c", "--teachers", str(one.path))
        found = run_all([pupil, one, job(tmp_path, "b")], Here(1), waits=waits)
    assert {name: one.state for name, one in found.items()} == dict.fromkeys("abc", "done")
    assert told == ["a"]


def test_a_training_that_is_complete_is_done_whatever_it_ends_with(tmp_path: Path) -> None:
    """One that is told to stop while it writes its report."""
    one = job(tmp_path, "a", trainer=TRAINER + "sys.exit(130)")
    assert run_all([one], Here(1))["a"].state == "done"


def test_an_interrupted_sweep_leaves_nothing_that_trains(tmp_path: Path) -> None:
    def interrupted(_: Job) -> None:
        wait_for(tmp_path, "a")
        raise KeyboardInterrupt

    jobs = [job(tmp_path, "a", "--lost"), job(tmp_path, "b", "--lost")]
    with pytest.raises(KeyboardInterrupt):
        run_all(jobs, Here(2), began=lambda one: interrupted(one) if one.name == "b" else None)
    with pytest.raises(ProcessLookupError):
        os.kill(starts(tmp_path, "a")[0], 0)


LISTENER = """
import json, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
folder.mkdir()
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
(folder / "times").write_text("1")
last = time.monotonic() + 60
while not heard and time.monotonic() < last:
    time.sleep(0.02)
time.sleep(0.5)
(folder / "heard").write_text(str(len(heard)))
"""
SWEEP = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever whoever runs this ignores
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGUSR1, signal.SIG_DFL)
from mtmodels.sweeping import Job, run_all
from mtmodels.sweeping.schedulers import Here
run_all([Job("a", (sys.executable, "-c", {LISTENER!r}), (), sys.argv[1], 1)], Here(1))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_ctrl_c_and_a_closed_terminal_tell_a_training_once(tmp_path: Path, number: int) -> None:
    """Both come to the whole group of processes; a second signal would not wait for the step."""
    words = [sys.executable, "-c", SWEEP, str(tmp_path / "a")]
    with subprocess.Popen(words, start_new_session=True, stderr=subprocess.DEVNULL) as sweep:
        wait_for(tmp_path, "a")
        os.killpg(sweep.pid, number)
    assert (tmp_path / "a/heard").read_text() == "1"


def test_a_worker_of_a_cluster_that_is_killed_costs_one_training(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        scheduler = scheduler_of(cluster.scheduler_address, jobs=0, folder=tmp_path, parameters={})
        assert scheduler.slots == 2
        killed: list[Any] = []

        def kill() -> None:
            trainer = wait_for(tmp_path, "a")
            worker = int(Path(f"/proc/{trainer}/stat").read_text().rpartition(")")[2].split()[1])
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)

        killer = threading.Thread(target=kill)
        killer.start()
        lost = job(tmp_path, "a", "--lost", trainer=HOLDER)
        found = run_all([lost, *(job(tmp_path, name) for name in "bcd")], scheduler)
        killer.join()
        scheduler.stop()
    assert killed
    assert {name: one.state for name, one in found.items()} == dict.fromkeys("abcd", "done")
    assert len(starts(tmp_path, "a")) == 2
    assert [len(starts(tmp_path, name)) for name in "bcd"] == [1, 1, 1]


def test_relative_paths_are_those_of_where_the_sweep_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has a folder of its own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    one = job(Path("runs"), "a")
    monkeypatch.chdir(tmp_path)
    assert run_all([one], Here(1))["a"].state == "done"
    assert len(starts(tmp_path / "here/runs", "a")) == 1
    assert not (tmp_path / "runs").exists()


def test_slurm_by_its_library(tmp_path: Path) -> None:
    """Its jobs, without SLURM: processes that submitit starts."""
    pytest.importorskip("submitit")
    scheduler: Scheduler = Slurm(tmp_path / ".slurm", {"timeout_min": 1}, cluster="local")
    found = run_all([job(tmp_path, "a"), job(tmp_path, "b", "--fail")], scheduler)
    assert {name: one.state for name, one in found.items()} == {"a": "done", "b": "failed"}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("cloud", "should be here, slurm or the address of Dask"),
        ("tcp://127.0.0.1:9", "should be the address of a Dask scheduler"),
        ("slurm", "should find SLURM"),
    ],
)
def test_a_scheduler_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, said: str
) -> None:
    monkeypatch.setattr(cluster, "ANSWER", 0.5)
    for library in ("distributed", "submitit"):
        pytest.importorskip(library)
    with pytest.raises(UsageError, match=said):
        scheduler_of(where, jobs=0, folder=tmp_path, parameters={})


def test_a_parameter_of_another_type_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(UsageError, match="timeout_min"):
        Slurm(tmp_path, {"timeout_min": "an hour"}, cluster="local")


@pytest.mark.parametrize(("where", "name"), [("tcp://a:1", "distributed"), ("slurm", "submitit")])
def test_a_missing_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=rf"{name}, .* pip install 'mtpartial\[cluster\]'"):
        scheduler_of(where, jobs=0, folder=tmp_path, parameters={})


def test_a_manifest_that_is_damaged_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "manifest.json").write_text(json.dumps({"format": "another"}))
    assert run_all([job(tmp_path, "a")], Here(1))["a"].state == "done"
