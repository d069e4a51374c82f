"""A run that ends at any step and is resumed ends as if nothing had happened, bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mtmodels.errors import InterruptedRun, RunFolderError
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.watcher import Standing, Watcher
from mtmodels.training.record import checkpoint, runfolder
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.run import prepare, train
from mtmodels.training.setup import claiming
from tests.mtmodels.training.comparing import assert_equal, assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.processes.forked import Forked, command, start
from tests.quick import SLOW
from tests.runs.small_run import as_arguments


class Killed(BaseException):
    pass


class KillAt(Watcher):
    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, progress: Standing, result: StepResult) -> None:
        if progress.step == self.at:
            raise Killed


class Said(Watcher):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize(
    ("step", "every"),
    [(1, None), (4, 2)]
    + [pytest.param(*each, marks=SLOW) for each in ((2, 1), (3, 1), (5, None), (6, 3), (8, 1))],
)
def test_killed_at_any_step_and_resumed(
    run: Train, whole: Path, tmp_path: Path, step: int, every: int | None
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Killed):
        run(out, watcher=KillAt(step), checkpoint_every=every)
    run(out, mode="resume", checkpoint_every=every)
    assert_same_run(out, whole)


def test_killed_twice(run: Train, whole: Path, tmp_path: Path) -> None:
    for step, mode in ((2, "new"), (5, "resume")):
        with pytest.raises(Killed):
            run(tmp_path / "run", mode=mode, watcher=KillAt(step), checkpoint_every=1)
    run(tmp_path / "run", mode="resume")
    assert_same_run(tmp_path / "run", whole)


def test_killed_before_the_best_epoch_was_kept(
    run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(source: Path, folder: Path) -> None:
        raise Killed

    folder = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "copy", killed)
        with pytest.raises(Killed):
            run(folder.path, epochs=1)
    assert not checkpoint.exists(folder.best)
    run(folder.path, mode="resume", epochs=1)
    assert_equal(
        checkpoint.load_weights(folder.best), checkpoint.load_weights(folder.last), "weights"
    )


def test_tasks_may_be_named_in_another_order(run: Train, whole: Path) -> None:
    before = RunFolder(whole).config.read_bytes()
    trainer = run(whole, mode="resume", tasks=["depth", "semantic"])
    assert trainer.config.tasks == ("semantic", "depth")
    assert RunFolder(whole).config.read_bytes() == before
    with pytest.raises(RunFolderError, match=r"`tasks` is"):
        run(whole, mode="resume", tasks=["depth"])


def test_the_number_of_workers_changes_nothing(run: Train, whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", workers=2)
    assert_same_run(tmp_path / "run", whole)


def test_a_cache_changes_nothing(run: Train, whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", workers=1, cache="memory")
    assert_same_run(tmp_path / "run", whole)


def test_what_a_resumed_run_was_given_anew_is_written_down(run: Train, tmp_path: Path) -> None:
    """So that a job that is put back into the queue goes on as it was, and a report tells it."""
    anew = {"workers": 1, "cache": "memory", "log_every": 2, "checkpoint_every": 2, "log": ["csv"]}
    out = tmp_path / "run"
    with pytest.raises(Killed):
        run(out, watcher=KillAt(1))
    with pytest.raises(Killed):
        run(out, mode="resume", watcher=KillAt(2), **anew)
    stored = yaml.safe_load(RunFolder(out).config.read_text())
    assert {key: stored[key] for key in anew} == anew
    job = prepare([], out=out, mode="resume")
    job.data.store.close()
    assert {key: job.config.to_dict()[key] for key in anew} == anew


class Ask(Watcher):
    """Sends this process a signal, as Ctrl-C does."""

    def step(self, progress: Standing, result: StepResult) -> None:
        if progress.step == 4:
            signal.raise_signal(signal.SIGINT)


def test_asked_to_stop_it_saves_first(run: Train, whole: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(InterruptedRun, match=r"after step 4, which is saved.*--resume") as caught:
        run(tmp_path / "run", watcher=Ask())
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is before
    run(tmp_path / "run", mode="resume")
    assert_same_run(tmp_path / "run", whole)


class StopIn(Watcher):
    """Sends this process a signal where no step is done: in the cache, or the scores at the end."""

    def __init__(self, what: str) -> None:
        self.what, self.said = what, list[str]()

    def say(self, text: str) -> None:
        self.said.append(text)

    def evaluating(self, what: str, done: int, total: int) -> None:
        if what == self.what:
            signal.raise_signal(signal.SIGUSR1)


@pytest.mark.parametrize(
    ("what", "told"),
    [("cache", "nothing but the configuration is saved. Begin"), ("score", "is saved as far as")],
)
def test_asked_to_stop_outside_of_a_step_it_says_how_to_go_on(
    layer: dict[str, Any], tmp_path: Path, what: str, told: str
) -> None:
    out, before = tmp_path / "run", signal.getsignal(signal.SIGUSR1)
    changes = {"epochs": 1, "holdout": 0.0, "cache": "memory"}
    job = prepare([layer, changes], out=out, mode="new")
    with pytest.raises(InterruptedRun, match=rf"{told}.*--out {out} --resume") as caught:
        train(job, mode="new", watcher=StopIn(what))
    assert (caught.value.exit_code, caught.value.by) == (130, signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is before
    again = StopIn("nothing")
    train(prepare([], out=out, mode="resume"), mode="resume", watcher=again)
    assert RunFolder(out).is_complete()
    assert ("All steps are done: scoring again." in again.said) == (what == "score")


def test_asked_to_stop_before_anything_is_written_it_just_ends(
    layer: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("mtmodels.training.run.assemble", asked)
    job = prepare([layer], out=tmp_path / "run", mode="new")
    with pytest.raises(KeyboardInterrupt):
        train(job, mode="new")
    assert not (tmp_path / "run").exists()


class AskInScores(Watcher):
    """Asks to stop in the scores of an epoch, each time that they are made."""

    def __init__(self, epoch: int) -> None:
        self.before = epoch - 1

    def epoch(self, *_: Any, **__: Any) -> None:
        self.before -= 1

    def evaluating(self, what: str, done: int, total: int) -> None:
        if what == "score" and self.before == 0:
            torch.rand(1)  # a random state that is not the one of before
            signal.raise_signal(signal.SIGTERM)


def test_asked_to_stop_while_an_epoch_is_scored_it_saves_at_once(
    run: Train, whole: Path, tmp_path: Path
) -> None:
    """SLURM kills half a minute later, and scores may take longer: they are due."""
    folder, watcher = RunFolder(tmp_path / "run"), AskInScores(2)
    before = signal.getsignal(signal.SIGTERM)
    modes: tuple[runfolder.Mode, ...] = ("new", "resume")
    for mode in modes:
        with pytest.raises(InterruptedRun, match="after step 6, which is saved") as caught:
            run(folder.path, mode=mode, watcher=watcher)
        assert caught.value.by == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is before
        state = checkpoint.load_state(folder.last)
        assert (state["epoch"], state["offset"], "due" in state) == (2, 0, True)
        assert state["selection"]["best_epoch"] == 1
    run(folder.path, mode="resume")
    assert_same_run(folder.path, whole)
    ours, theirs = (checkpoint.load_weights(one.best) for one in (folder, RunFolder(whole)))
    assert_equal(ours, theirs, "best")


def test_asked_to_stop_between_the_last_step_of_an_epoch_and_its_scores(
    run: Train, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Engine.end_epoch

    def asked(engine: Engine, *args: Any, **options: Any) -> None:
        end(engine, *args, **options)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "end_epoch", asked)
        with pytest.raises(InterruptedRun, match="after step 3, which is saved"):
            run(tmp_path / "run")
    run(tmp_path / "run", mode="resume")
    assert_same_run(tmp_path / "run", whole)


def test_asked_to_stop_while_the_last_epoch_is_scored(
    run: Train, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(InterruptedRun, match="after step 9, which is saved"):
        run(tmp_path / "run", watcher=AskInScores(3))
    run(tmp_path / "run", mode="resume")
    assert_same_run(tmp_path / "run", whole)


@pytest.mark.parametrize("written", ["config.yaml", "manifest.json"])
def test_stopped_while_its_beginning_is_written_it_is_no_run(
    run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """Else `--resume` would go on with a run that does not say what it trains."""

    def stopped(path: Path, content: Any) -> None:
        if path.name == written:
            raise Killed
        runfolder.write_bytes(path, str(content).encode())

    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        for name in ("write_text", "write_json"):
            patched.setattr(claiming, name, stopped)
        with pytest.raises(Killed):
            run(out)
    assert list(out.iterdir()) == []
    run(out, epochs=1)


def test_a_folder_is_held_before_it_is_looked_at_and_written(
    run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that begin in one folder at once, one would have the configuration of the other."""
    code = "import sys; from pathlib import Path; from mtmodels.training.record import runfolder;"
    code += "print(runfolder.RunFolder(Path(sys.argv[1])).is_held())"
    seen: list[str] = []

    def look(folder: RunFolder, *args: Any, **options: Any) -> bool:
        for when in ("before", "after"):
            words = [sys.executable, "-c", code, str(folder.path)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            seen.append(done.stdout.strip())
            if when == "before":
                goes_on = claiming.claim(folder, *args, **options)
        return goes_on

    monkeypatch.setattr("mtmodels.training.run.claim", look)
    modes: tuple[runfolder.Mode, ...] = ("new", "overwrite")
    for mode in modes:
        run(tmp_path / "run", mode=mode, epochs=1)
    assert seen == ["True"] * 4


def test_where_there_is_nothing_to_resume_it_says_so(run: Train, tmp_path: Path) -> None:
    out, told = tmp_path / "none", Said()
    run(out, mode="resume", watcher=told, epochs=1)
    assert f"There is nothing to resume in {out}: beginning anew." in told.said
    again = Said()
    run(out, mode="resume", watcher=again, epochs=1)
    assert not [text for text in again.said if "nothing to resume" in text]


def words(layer: dict[str, Any], out: Path) -> list[str]:
    """Of `mttrain`, for many epochs."""
    more = ["--out", str(out), "--checkpoint-every", "1", "--set", "epochs=200"]
    return [*as_arguments(layer), *more]


def begin(layer: dict[str, Any], out: Path) -> Forked:
    """`mttrain` in a process of its own."""
    arguments = ["mttrain", words(layer, out)]
    return start(command, arguments, folder=out.parent, told=out.parent / f"{out.name}.txt")


def wait_for_steps(out: Path, count: int) -> None:
    log, until = RunFolder(out).metrics, time.monotonic() + 120
    while not (log.is_file() and log.read_text().count("\n") >= count):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_killed_process_and_one_that_is_asked_to_stop(
    layer: dict[str, Any], run: Train, tmp_path: Path
) -> None:
    killed = begin(layer, tmp_path / "run")
    wait_for_steps(tmp_path / "run", 4)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait()[0] == -signal.SIGKILL
    with pytest.raises(RunFolderError, match=r"`epochs` is 200 there and 3 here"):
        run(tmp_path / "run", mode="resume", epochs=3)

    asked = begin(layer, tmp_path / "other")
    wait_for_steps(tmp_path / "other", 5)
    os.kill(asked.pid, signal.SIGTERM)
    exit_code, said = asked.wait()
    assert exit_code == 130, said
    assert "which is saved" in said.replace("\n", " ")
    assert "Traceback" not in said

    stop = KillAt(12)
    for out in ("run", "other"):
        with pytest.raises(Killed):
            run(tmp_path / out, mode="resume", epochs=200, watcher=stop, checkpoint_every=1)
    assert_same_run(tmp_path / "run", tmp_path / "other")


def readers(pid: int) -> list[int]:
    """The processes that a process started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_group_that_is_asked_to_stop_saves_and_leaves_nobody(
    layer: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    changes = {"workers": 2, "cache": "memory"}
    # Begun anew, as by a shell: what is forked has its readers from where it was forked itself.
    code = "from cli.mttrain import main; main()"
    asked = subprocess.Popen(
        [sys.executable, "-c", code, *words({**layer, **changes}, tmp_path / "run")],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for_steps(tmp_path / "run", 3)
    started = readers(asked.pid)
    assert len(started) >= 2
    os.killpg(asked.pid, number)
    _, said = asked.communicate(timeout=120)
    assert asked.returncode == 130, said
    assert "which is saved" in said.replace("\n", " ")
    assert checkpoint.exists(RunFolder(tmp_path / "run").last)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


def test_a_complete_run_stays_as_it_is(run: Train, whole: Path) -> None:
    before = RunFolder(whole).metrics.read_bytes()
    trainer = run(whole, mode="resume")
    assert RunFolder(whole).metrics.read_bytes() == before
    assert trainer.position().step == 9


def test_a_run_goes_on_on_another_device(run: Train, tmp_path: Path) -> None:
    """It began on a card, which this machine need not have."""
    folder, watcher = RunFolder(tmp_path / "run"), Said()
    with pytest.raises(Killed):
        run(folder.path, watcher=KillAt(4), checkpoint_every=1)
    folder.config.write_text(folder.config.read_text().replace("device: auto", "device: cuda"))
    weights, state, *_ = checkpoint.load_first(folder.last)
    state["device"] = "cuda"
    state["random"] |= {"method": torch.arange(16, dtype=torch.uint8), "cuda": [torch.zeros(16)]}
    checkpoint.save(folder.last, weights, state)
    trainer = run(folder.path, mode="resume", watcher=watcher, device="cpu", checkpoint_every=1)
    assert trainer.position().step == 9
    assert [text for text in watcher.said if "goes on on cpu, where it was on cuda" in text]
    again = Said()
    run(folder.path, mode="resume", watcher=again, device="cpu", checkpoint_every=1)
    assert not [text for text in again.said if "goes on on" in text]


def test_the_best_epoch_of_a_checkpoint_of_before_is_that_of_the_log(
    run: Train, whole: Path, tmp_path: Path
) -> None:
    """It has the scores of the first epoch in place of those of the best one."""
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(Killed):
        run(folder.path, watcher=KillAt(8), checkpoint_every=1)
    weights, state, *_ = checkpoint.load_first(folder.last)
    scores, best_epoch = state["selection"]["scores"], state["selection"]["best_epoch"]
    assert scores
    state["selection"] = {"first": {}, "best": 1.0, "best_epoch": best_epoch}
    checkpoint.save(folder.last, weights, state)
    trainer = run(folder.path, mode="resume")
    assert_same_run(folder.path, whole)
    if trainer.selection.best_epoch == best_epoch:
        assert trainer.selection.scores == scores


def test_another_configuration_or_store_is_refused(
    run: Train, whole: Path, store: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunFolderError, match=r"`lr` is 0.001 there and 0.1 here"):
        run(whole, mode="resume", lr=0.1)
    manifest = json.loads(RunFolder(whole).manifest.read_text())
    copy = RunFolder(tmp_path / "copy")
    copy.create()
    manifest["store"]["content_digest"] = "0" * 64
    copy.manifest.write_text(json.dumps(manifest))
    copy.config.write_text(RunFolder(whole).config.read_text())
    with pytest.raises(RunFolderError, match=r"store it was begun on, 000000000000"):
        run(copy.path, mode="resume")


def test_overwriting_begins_anew(run: Train, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillAt(4), checkpoint_every=1)
    run(tmp_path / "run", mode="overwrite")
    assert_same_run(tmp_path / "run", whole)
