"""Try an installed distribution as its user would: `python .../tried.py BIN` (`make dist`).

It is a script and not a test: it runs where nothing but the distribution and what it requires is
installed. Every command is one of the environment whose `bin` is given, in an empty folder.
"""

import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = ("mtdata", "mttrain", "mtmodels")
RUN = (
    "--data a.h5 --method mtpsl --mapping-width 0.125 --network unet --width 0.25 --regime one "
    "--tasks semantic,depth --epochs 1 --batch 4 --workers 0 --out run"
)
STEPS = (
    "mtdata build --dataset rooms --images 12,2 --size 64x64 --regime one -o a.h5",
    "mtdata verify a.h5",
    "mtdata show a.h5 --first 2 --regime one -o sheet.png",
    f"mttrain {RUN}",
    "mtmodels eval run",
    "mtmodels predict run sheet.png -o predicted",
    "mtmodels export run --format torch -o run.pt2",
)
MADE = ("a.h5", "sheet.png", "run/summary.json", "run/report.html", "run.pt2", "predicted")
EXTRAS = {
    "browse": "mtdata browse a.h5",
    "croissant": "mtdata export a.h5 --to croissant -o exported",
    "export": "mtmodels export run --format onnx -o run.onnx",
    "solvers": f"mttrain {RUN} --weighting cagrad --overwrite",
    "weights": "mttrain --data a.h5 --network unet --encoder tf_efficientnet_lite0 "
    "--encoder-weights package --out other",
}
"""A command that needs each extra, and has to name it."""


def start(words: str, *, folder: Path, programs: Path) -> tuple[int, str]:
    """The exit code of a command, and all that it says."""
    name, *arguments = words.split()
    command = [str(programs / name), *arguments]
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode, done.stdout.decode()


def main() -> None:
    """Run everything; end with 1 and what was said where something is not as it should be."""
    programs = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for words in [f"{program} {flag}" for program in PROGRAMS for flag in ("-h", "--version")]:
            code, said = start(words, folder=folder, programs=programs)
            _expect(code == 0, words, said)
        for words in STEPS:
            print(f"$ {words}", flush=True)
            code, said = start(words, folder=folder, programs=programs)
            _expect(code == 0, words, said)
        _expect(all((folder / file).exists() for file in MADE), "files", str([*folder.iterdir()]))
        scores = json.loads((folder / "run" / "summary.json").read_text())["scores"]
        _expect(set(scores) == {"semantic", "depth"}, "scores", str(scores))
        for extra, words in EXTRAS.items():
            print(f"$ {words}    (without the extra `{extra}`)", flush=True)
            code, said = start(words, folder=folder, programs=programs)
            _expect(code == 2 and f"mtpartial[{extra}]" in said, words, f"{code}: {said}")
            _expect("Traceback" not in said, words, said)
    print(f"mtpartial {importlib.metadata.version('mtpartial')} works where only it is installed.")


def _expect(right: bool, what: str, found: str) -> None:
    if not right:
        sys.exit(f"{what} is not as it should be:\n{found}")


if __name__ == "__main__":
    main()
