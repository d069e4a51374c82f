"""`mtmodels runs`."""

from pathlib import Path

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import FILE

DEFAULT = Path("runs")


@click.command(
    cls=Command,
    epilog=examples("mtmodels runs", "mtmodels runs runs/nyu-* elsewhere", "mtmodels runs --json"),
)
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=FILE)
@json_option
def runs(folders: tuple[Path, ...], *, as_json: bool) -> None:
    """List the runs in some folders, the one written to last first; without any, those in `runs`.

    done: scored and summed up. going: a process writes it. interrupted: stopped or killed;
    `mttrain --out RUN --resume` goes on. broken: a file of it cannot be read, and why.
    """
    from mtmodels.inspecting.runs import find_runs
    from mtmodels.inspecting.show import age_text, progress_text, scores_text

    searched = folders or (DEFAULT,)
    found = find_runs([one for one in searched if folders or one.is_dir()])
    if as_json:
        put_json({"runs": [one.to_json() for one in found]})
        return
    if not found:
        say(f"No runs in {', '.join(map(str, searched))}.")
        return
    from cli.shared.tables import put_table

    header = ["run", "state", "method", "network", "data", "regime", "steps", "scores", "age"]
    rows = [
        [
            one.path, one.state, one.method, one.network, one.dataset, one.regime,
            progress_text(one).removeprefix("step ").partition(" (")[0],
            one.why or scores_text(one), age_text(one.age),
        ]
        for one in found
    ]  # fmt: skip
    put_table(header, rows, left=len(header) - 1)
