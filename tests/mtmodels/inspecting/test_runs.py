"""`mtmodels runs` and `mtmodels show`, on runs in every state."""

import json
import math
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.mtmodels import mtmodels
from cli.shared.common import run
from mtmodels.errors import InterruptedRun, RunFolderError
from mtmodels.inspecting import show as looking
from mtmodels.inspecting.curves import text_plot
from mtmodels.inspecting.runs import find_runs, look
from mtmodels.inspecting.show import age_text, progress_text, show
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.run import fit, prepare
from tests.paths import ROOT
from tests.runs.small_run import small_layer

Captured = pytest.CaptureFixture[str]
HOLD = """
import sys
from pathlib import Path
from mtmodels.training.record.runfolder import RunFolder
with RunFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds a run, as one that trains does, until its stdin ends."""
    given = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        given, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_run_that_is_done(done: Path) -> None:
    found = look(done)
    summary = json.loads((done / "summary.json").read_text())
    assert (found.state, found.method, found.network) == ("done", "xtc", "unet-resnet18")
    assert (found.dataset, found.regime, found.seed) == ("fake", "one", 0)
    assert (found.step, found.steps, found.epoch, found.epochs) == (6, 6, 2, 2)
    assert found.scores_of == "test, protocol mtpsl"
    assert found.scores is not None
    assert found.scores["semantic"] == {"miou": summary["scores"]["semantic"]["miou"]}
    assert not (done / ".lock").exists()


def test_a_run_that_stopped(halfway: Path) -> None:
    found = look(halfway)
    assert found.state == "interrupted"
    assert (found.method, found.network, found.weighting) == ("xtc", "unet-resnet18", "uncertainty")
    assert (found.step, found.steps, found.epochs) == (4, 6, 2)
    assert found.scores_of == "what selects, after epoch 1"


def test_a_run_before_its_first_step(halfway: Path) -> None:
    (halfway / "metrics.jsonl").unlink()
    found = look(halfway)
    assert (found.state, found.step, found.steps) == ("interrupted", 0, None)
    assert show(halfway).curves == {}


def test_a_run_in_a_stage_before_its_first_step(halfway: Path) -> None:
    stage = RunFolder(halfway).stage("mappings")
    stage.mkdir(parents=True)
    (halfway / "metrics.jsonl").rename(stage / "metrics.jsonl")
    found = show(halfway)
    assert (found.found.stage, found.found.step, found.found.steps) == ("mappings", 4, None)
    assert progress_text(found.found) == "mappings: step 4"
    assert found.curves


def test_a_run_that_goes_is_held_by_its_process(halfway: Path) -> None:
    with held(halfway):
        assert look(halfway).state == "going"
        with pytest.raises(RunFolderError, match="another mttrain writes it"):
            RunFolder(halfway).check("resume")
        with pytest.raises(RunFolderError, match="another mttrain writes it"):
            RunFolder(halfway).held().__enter__()
    assert (halfway / ".lock").exists()  # of a process that was killed
    assert look(halfway).state == "interrupted"
    assert RunFolder(halfway).check("resume")


def test_follow_says_a_line_whenever_a_run_went_on(
    done: Path, halfway: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (done / "metrics.jsonl").read_text().splitlines(keepends=True)
    log, going = halfway / "metrics.jsonl", [True]

    def end() -> None:
        shutil.copy(done / "summary.json", halfway / "summary.json")
        going.clear()

    # What happens while it waits for the next look.
    happens: Iterator[Callable[[], object]] = iter(
        [
            lambda: None,
            lambda: log.write_text("".join(rows[:6])),
            lambda: log.write_text("".join(rows)),
            end,
        ]
    )
    monkeypatch.setattr(RunFolder, "is_held", lambda _: bool(going))
    monkeypatch.setattr(looking, "sleep", lambda _: next(happens)())
    assert run(mtmodels, ["show", str(halfway), "--follow"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "going: step 4 of 6 (epoch 2 of 2)",
        "going: step 5 of 6 (epoch 2 of 2)",
        "going: step 6 of 6 (epoch 2 of 2)",
        "done: step 6 of 6 (epoch 2 of 2)",
    ]
    assert "scores (test, protocol mtpsl): semantic miou" in lines[-1]
    assert next(happens, None) is None


def test_follow_ends_with_a_run_that_was_interrupted(halfway: Path, capsys: Captured) -> None:
    found = list(looking.follow(halfway, every=0.01))
    assert [one.found.state for one in found] == ["interrupted"]
    assert run(mtmodels, ["show", str(halfway), "--follow"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("interrupted: step 4 of 6")
    assert run(mtmodels, ["show", "nowhere", "--follow"]) == 2
    assert run(mtmodels, ["show", str(halfway), "--follow", "--json"]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_moment_in_which_nobody_holds_a_run_is_not_its_end(
    halfway: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between training and scoring a run lets go of its folder."""
    states = iter([False, True, False, True, False, False])
    monkeypatch.setattr(RunFolder, "is_held", lambda _: next(states))
    found = list(looking.follow(halfway, every=0.0))
    assert [one.found.state for one in found] == ["going", "going", "interrupted"]


def test_follow_draws_in_place_and_ctrl_c_ends_it_quietly(halfway: Path) -> None:
    ours, theirs = pty.openpty()
    # What a shell starts in the background ignores Ctrl-C, and so does what that starts.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from cli.mtmodels import main; sys.argv[0] = 'mtmodels'; main()"
    )
    given = [sys.executable, "-c", code, "show", str(halfway), "--follow"]
    with held(halfway), subprocess.Popen(given, cwd=ROOT, stdout=theirs, stderr=theirs) as looker:
        os.close(theirs)
        told, until = b"", time.monotonic() + 60
        while told.count(b"depth: loss over the steps") < 2 and time.monotonic() < until:
            if select.select([ours], [], [], 1)[0]:
                told += os.read(ours, 4096)
        looker.send_signal(signal.SIGINT)
        try:
            while select.select([ours], [], [], 30)[0] and (more := os.read(ours, 4096)):
                told += more
        except OSError:  # its end, where the other side is closed
            pass
        looker.terminate()  # which does nothing where it has ended
        assert looker.wait(30) == 130
    os.close(ours)
    text = told.decode()
    assert text.count("depth: loss over the steps") >= 2
    assert "\x1b[1A" in text  # up a line, to draw over what was drawn
    assert "rror" not in text


def test_a_training_holds_its_folder_until_it_ends(done: Path, tmp_path: Path) -> None:
    layer = small_layer(done.parents[1] / "fake.h5") | {"epochs": 1}
    told: list[str] = []

    class Asks(Watcher):
        def step(self, progress: Any, result: Any) -> None:
            if progress.step == 2:
                code = "import sys; from cli.mtmodels import main; sys.argv[0] = 'mtmodels'; main()"
                command = [sys.executable, "-c", code, "runs", str(tmp_path), "--json"]
                done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
                told.extend(one["state"] for one in json.loads(done.stdout)["runs"])
                raise InterruptedRun(tmp_path, 2)

    job = prepare([layer], out=tmp_path / "b", mode="new")
    with pytest.raises(InterruptedRun):
        fit(job, mode="new", arguments=[], watcher=Asks())
    assert told == ["going"]
    assert look(tmp_path / "b").state == "interrupted"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("config.yaml", None, "there is no config.yaml"),
        ("config.yaml", "a: [", "config.yaml, line"),
        ("config.yaml", "epochs: 3", "its files lack `method`"),
        ("config.yaml", "3", "hold something else"),
        ("config.yaml", "a: \udc90", "its byte 3 is of none"),
        ("config.yaml", "{epochs: 3, method: {name: sl}, network: 3}", "hold something else"),
        ("manifest.json", "{", "manifest.json should hold what the run wrote"),
        ("manifest.json", "[]", "as one JSON object"),
    ],
)
def test_a_run_that_is_broken_says_why(
    halfway: Path, name: str, content: str | None, why: str
) -> None:
    (halfway / name).unlink()
    if content is not None:
        (halfway / name).write_text(content, errors="surrogateescape")
    (found,) = find_runs([halfway.parent])
    assert found.state == "broken"
    assert why in found.why
    assert why in show(halfway).lines()[1]


def test_a_cut_summary_is_broken(done: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    shutil.copytree(done, path)
    (path / "summary.json").write_text('{"method": "xtc"')
    assert look(path).state == "broken"


def test_runs_are_found_below_and_the_newest_is_first(
    done: Path, halfway: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text('{"format": "another"}')
    shutil.copytree(done, tmp_path / "sweep" / "x" / "a")
    for file in (tmp_path / "sweep" / "x" / "a").rglob("*.json*"):
        os.utime(file, (time.time() - 7200, time.time() - 7200))
    assert run(mtmodels, ["runs", str(tmp_path), str(halfway), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    assert [Path(one["path"]).name for one in found] == ["halfway", "a"]
    assert [one["state"] for one in found] == ["interrupted", "done"]
    assert found[1]["age"] == pytest.approx(7200, abs=60)
    assert run(mtmodels, ["runs", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "4 of 6" in told
    assert "2 h" in told


def test_no_runs_is_no_error(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(mtmodels, ["runs"]) == 0
    assert capsys.readouterr().err == "No runs in runs.\n"
    assert run(mtmodels, ["runs", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}
    assert run(mtmodels, ["runs", "nowhere"]) == 2
    assert "FOLDER should be a folder; found no nowhere" in capsys.readouterr().err
    assert run(mtmodels, ["show", "nowhere"]) == 2
    assert "nowhere should be a run folder of mttrain" in capsys.readouterr().err


def test_show_is_what_the_log_says(done: Path, capsys: Captured) -> None:
    rows = [json.loads(line) for line in (done / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if row["kind"] == "step"]
    assert run(mtmodels, ["show", str(done), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = [[r["step"], r["labelled"]["depth"]] for r in steps if "depth" in r["labelled"]]
    assert found["curves"]["depth"] == expected
    assert found["losses"]["depth"] == expected[-1][1]
    assert found["lr"] == steps[-1]["lr"]
    assert Path(found["pictures"]).parent == done / "predictions"
    assert run(mtmodels, ["show", str(done)]) == 0
    told = capsys.readouterr().out
    assert f"{done}: done, step 6 of 6 (epoch 2 of 2)" in told
    assert "scores (test, protocol mtpsl): semantic miou" in told
    assert "depth: loss over the steps" in told


def test_the_curves_of_a_run_have_one_axis(halfway: Path) -> None:
    """A task whose labels come later begins later, and does not fill the width."""
    step = {"kind": "step", "lr": 0.1, "auxiliary": {}}
    rows = [
        step | {"step": n, "tasks": dict.fromkeys(each, 1.0), "labelled": dict.fromkeys(each, 2.0)}
        for n, each in ((1, ["depth"]), (5, ["depth", "semantic"]), (9, ["semantic"]))
    ]
    (halfway / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lines = show(halfway).lines(width=20)
    assert [line.split() for line in lines if line.endswith("    9")] == [["1", "9"]] * 2
    assert "last losses: depth 2  semantic 2" in lines


def test_plain_text_where_the_terminal_has_no_more(done: Path) -> None:
    assert "\n".join(
        show(done).lines(unicode=False)[:1] + text_plot([(0.0, 1.0), (1.0, 2.0)], unicode=False)
    ).isascii()


@pytest.mark.parametrize("unicode", [True, False])
def test_a_curve_goes_the_way_its_values_go(unicode: bool) -> None:
    falling = [(float(x), 100.0 - x) for x in range(100)]
    lines = text_plot(falling, width=20, height=5, unicode=unicode)
    assert len(lines) == 7
    blank = (" ", chr(0x2800))
    drawn = [line.split("│" if unicode else "|")[1] for line in lines[:5]]
    marks = [[at for at, char in enumerate(line) if char not in blank] for line in drawn]
    assert all(marks)
    assert [min(row) for row in marks] == sorted(min(row) for row in marks)
    assert (marks[0][0], marks[-1][-1]) == (0, 19)
    assert lines[-1].split() == ["0", "99"]
    assert float(lines[0].split()[0]) > 95
    assert float(lines[4].split()[0]) < 5


@pytest.mark.parametrize(
    "points",
    [[], [(0.0, math.nan)], [(1.0, 2.0)], [(1.0, 3.0), (2.0, 3.0)], [(1.0, 1.0), (1.0, 2.0)]],
)
def test_a_curve_of_little(points: list[tuple[float, float]]) -> None:
    assert all(len(line) < 90 for line in text_plot(points))


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("points", [[(1.0, 2.5)], [(1.0, 2.5), (9.0, 2.5)]])
def test_a_flat_curve_has_its_value_once(points: list[tuple[float, float]], unicode: bool) -> None:
    lines = text_plot(points, width=20, unicode=unicode)[:6]
    labels, drawn = zip(*(line.split("│" if unicode else "|") for line in lines), strict=True)
    assert [label.strip() for label in labels if label.strip()] == ["2.5"]
    (at,) = [row for row, text in enumerate(drawn) if text.strip(f" {chr(0x2800)}")]
    assert labels[at].strip() == "2.5"


def test_ages_have_one_unit() -> None:
    assert [age_text(x) for x in (5.0, 100.0, 7200.0, 200000.0)] == ["5 s", "2 min", "2 h", "2 d"]


@pytest.mark.parametrize("command", [["runs"], ["show"]])
def test_looking_at_runs_imports_no_torch(done: Path, command: list[str]) -> None:
    code = (
        "import sys; from cli.mtmodels import mtmodels; from cli.shared.common import run\n"
        "assert run(mtmodels, sys.argv[1:]) == 0\n"
        "heavy = {'torch', 'numpy', 'h5py', 'matplotlib', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    given = [sys.executable, "-c", code, *command, str(done)]
    result = subprocess.run(given, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
