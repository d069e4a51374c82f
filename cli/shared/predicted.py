"""What a run predicts, for the commands of `mtdata`: torch is imported when it is asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.shared.plugins import use_copies
from mtdata.errors import UsageError

if TYPE_CHECKING:
    from mtdata.inspecting.show import Predicted


def names_of(runs: Sequence[Path]) -> list[str]:
    """What each run is called: as much of the end of its path as tells it from the others.

    Raises:
        UsageError: where one folder is given twice.
    """
    paths = [run.resolve() for run in runs]
    twice = next(
        (run for run, path in zip(runs, paths, strict=True) if paths.count(path) > 1), None
    )
    if twice is not None:
        raise UsageError(
            f"--predictions should name each run once; found {twice} twice. Leave one out."
        )
    return [_apart(path, paths) for path in paths]


def _apart(path: Path, every: Sequence[Path]) -> str:
    for length in range(1, len(path.parts)):
        ends = [one.parts[-length:] for one in every]
        if ends.count(path.parts[-length:]) == 1:
            return "/".join(path.parts[-length:])
    return str(path)


def load_predicted(run: Path, name: str, device: str, *, trust: bool) -> "Predicted":
    """Load the network of a run; its predictions have the form of labels.

    Args:
        run: The run folder.
        name: What it is called.
        device: "auto", "cpu" or "cuda".
        trust: Whether to run the plug-ins of a run that is from elsewhere.

    Raises:
        RunFolderError: where there is no run or no checkpoint.
        DamagedCheckpointError: where its weights are not as the run wrote them.
    """
    from mtdata.inspecting.show import Predicted
    from mtmodels.errors import DamagedCheckpointError
    from mtmodels.predicting.formats import format_of
    from mtmodels.predicting.opening import load

    use_copies(run, trust=trust)
    try:
        predictor = load(run, device=device, trust_plugins=trust)
    except DamagedCheckpointError as error:
        # There is no --checkpoint beside --predictions.
        instead = "leave it out of --predictions"
        raise DamagedCheckpointError(error.file, error.found, instead=instead) from error

    def predict(image: Any) -> Mapping[str, Any]:
        given = predictor(image)
        return {task.name: format_of(task).label(given[task.name]) for task in predictor.tasks}

    return Predicted(name, predictor.tasks, predict)
