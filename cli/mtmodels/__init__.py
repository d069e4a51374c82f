"""The command `mtmodels`: what there is, how good runs are, runs in one table."""

import click

from cli.shared.common import entry_point
from cli.shared.groups import Lazy, LazyGroup, examples

COMMANDS = {
    "list": Lazy("cli.mtmodels.list:list_", "Methods, networks, weightings, recipes, metrics."),
    "sweep": Lazy("cli.mtmodels.sweep:sweep", "Train all that a plan names, and compare it."),
    "runs": Lazy("cli.mtmodels.runs:runs", "List runs: state, method, data, steps, scores."),
    "show": Lazy("cli.mtmodels.show:show", "Look at a run: losses, curves, scores."),
    "report": Lazy(
        "cli.mtmodels.report:report", "Write a run as one page: scores, curves, errors."
    ),
    "card": Lazy("cli.mtmodels.card:card", "Write a model card of a run."),
    "eval": Lazy("cli.mtmodels.eval:eval_", "Score a run on a split."),
    "predict": Lazy("cli.mtmodels.predict:predict", "Predict images of your own."),
    "demo": Lazy("cli.mtmodels.demo:demo", "Predict photos in a web browser."),
    "fill": Lazy("cli.mtmodels.fill:fill", "Predict labels that a store lacks."),
    "export": Lazy("cli.mtmodels.export:export", "Write a network as an ONNX or torch file."),
    "compare": Lazy("cli.mtmodels.compare:compare", "Put runs into one table."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=examples(
        "mtmodels list methods xtc",
        "mtmodels eval runs/nyu-xtc-unet-resnet18-full-s0",
        "mtmodels COMMAND --help",
    ),
)
@click.version_option(package_name="mtpartial", prog_name="mtmodels")
def mtmodels() -> None:
    """Say what networks and methods there are; score and compare runs of mttrain.

    An error is one paragraph; --debug adds the traceback. Exit codes: 0 done, 1 failed, 2 wrong
    usage, 3 bad data, 130 interrupted.
    """


main = entry_point(mtmodels)
