"""From a run to a file that predicts without this package."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtdata.atomic import check_new, replacing
from mtdata.errors import UnknownNameError, UsageError
from mtdata.urls import StorePath
from mtmodels.exporting.facts import facts_of
from mtmodels.exporting.forms import FORMS
from mtmodels.exporting.graph import cases, compare, graph_of, jumping
from mtmodels.predicting.opening import open_network
from mtmodels.training.setup.loading import Which, open_run


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        path: The file.
        form: Its form.
        bytes: Its size.
        difference: How far it is from the network.
        facts: What it says of itself.
    """

    path: Path
    form: str
    bytes: int
    difference: dict[str, float]
    facts: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "out": str(self.path),
            "form": self.form,
            "bytes": self.bytes,
            "largest_difference": self.difference,
            "facts": self.facts,
        }


def export(
    run: Path | str,
    out: Path | str,
    *,
    form: str | None = None,
    which: Which | None = None,
    data: StorePath | None = None,
    overwrite: bool = False,
    trust_plugins: bool = False,
) -> Exported:
    """Write the network of a run as a file, and hold it against the network first.

    The graph takes float32 RGB in [0, 1], `[batch, 3, height, width]` with height and width
    divisible by a multiple that the file says, and normalises it itself. It has an output for
    each task, by its name: what `Network` gives. Facts of tasks, data and run are in the file.

    Args:
        run: The run folder.
        out: The file; it is there whole and checked, or not at all.
        form: "onnx", or "torch" for a program of `torch.export`; None for what `out` ends in.
        which: The checkpoint; None for the one that the run selected.
        data: A store that knows the tasks; only runs of version 0.1 need one.
        overwrite: Replace what `out` is.
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.

    Raises:
        RunFolderError: where there is no run or no such checkpoint.
        UsageError: for a form that is unknown or not what `out` ends in, where its extra is
            missing, and where `out` may not be written.
        ExportError: where the network has no such form, or the file predicts otherwise.
    """
    out = Path(out)
    form = _form_of(out, form)
    FORMS[form].check(form)
    check_new(out, overwrite=overwrite)
    opened = open_run(Path(run), trust_plugins=trust_plugins)
    place = opened.chosen(which)
    network, tasks, trained = open_network(opened, which=which, data=data)
    network.eval()
    facts = facts_of(opened, network, place, trained=trained)
    program = graph_of(network)
    with replacing(out) as temporary:
        FORMS[form].write(program, facts, temporary)
        difference = compare(
            network,
            FORMS[form].open(temporary, facts),
            cases(network.stride, trained),
            jumps=jumping(tasks, program),
        )
    return Exported(out, form, out.stat().st_size, difference, facts)


def _form_of(out: Path, form: str | None) -> str:
    """The form that is asked for, or else the one whose files end so."""
    if form is not None and form not in FORMS:
        raise UnknownNameError("form of an export", form, FORMS)
    ending = next((name for name, one in FORMS.items() if one.suffix == out.suffix.lower()), form)
    if ending is None or form not in (None, ending):
        endings = ", ".join(f"{one.suffix} ({name})" for name, one in FORMS.items())
        asked = "no form was asked for" if form is None else f"the form `{form}` was asked for"
        raise UsageError(
            f"`out` should end in what its form has: {endings}; found {out.name}, and {asked}. "
            "Give another -o or --format."
        )
    return ending
