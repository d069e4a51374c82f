"""Every ratio that docs/results.md has of speed, on this machine, one after another.

Each is a command of its own, printed before what it says, so that one can be run again alone. With
`--source`, a folder of NYUv2, what reads and builds does so on real frames; without it on made-up
rooms, and a build is not measured.

    python -m benchmarks.all [--source ~/data/nyuv2] [--smoke] | tee speed.txt
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe, versions

ALWAYS = {
    "share of the rate of matrix products": "training.rates",
    "mtpsl: one pass over all pairs against the released loop": "training.pairs --part step",
    "XTasC-Net: precision auto against fp32": "training.step",
    "channels last against contiguous": "training.layout",
    "depthwise convolutions in fp32 beside bf16": "training.layout --precision bf16",
    "rendering rooms": "data.rooms",
    "--help": "help",
}
OF_A_STORE = {
    "reading against .npy files": "data.read --source {store}",
    "what is kept on the device against reading processes": "data.loading --source {store}",
    "what checks of rows cost": "data.checking --source {store}",
    "scores against numpy, image by image": "metrics.scoring --data {store}",
}
OF_A_SOURCE = {
    "a build against its bare work": "data.build --source {source} --limit 200 --rounds 1"
}


def commands(source: Path | None, store: Path) -> dict[str, str]:
    """What to run, by what it measures."""
    real = OF_A_SOURCE if source is not None else {}
    return {
        title: command.format(source=source, store=store)
        for title, command in {**ALWAYS, **OF_A_STORE, **real}.items()
    }


def make_store(source: Path | None, out: Path, *, smoke: bool) -> None:
    """The store that is read: frames at 288x384, or rooms."""
    words = ["--dataset", "nyu", "--source", str(source), "--size", "288x384"]
    if source is None:
        images, size = ("8,6", "48x64") if smoke else ("200,100", "288x384")
        words = ["--dataset", "rooms", "--images", images, "--size", size]
    arguments = ["mtdata", "build", *words, "--regime", "one", "--out", str(out)]
    code = f"import sys; sys.argv = {arguments!r}; from cli.mtdata import main; main()"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Run them and let them print; ends with 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, help="a folder of NYUv2; made-up rooms without it")
    parser.add_argument("--smoke", action="store_true", help="each in its smoke mode")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="benchmarks of these names")
    arguments = parser.parse_args()
    print(f"{describe()}; {versions()}", flush=True)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "speed.h5"
        for title, command in commands(arguments.source, store).items():
            name, *words = shlex.split(command)
            if arguments.only and name.rpartition(".")[2] not in arguments.only:
                continue
            if str(store) in words and not store.exists():
                make_store(arguments.source, store, smoke=arguments.smoke)
            words += ["--smoke"] if arguments.smoke else []
            told = shlex.join([w if w != str(store) else "STORE" for w in words])
            print(f"\n## {title}\n\n$ python -m benchmarks.{name} {told}".rstrip(), flush=True)
            start = time.monotonic()
            done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words], check=False)
            print(f"({time.monotonic() - start:.0f} s)", flush=True)
            failed += [name] if done.returncode else []
    if failed:
        raise SystemExit(f"These failed, as they say above: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
