"""What a run predicts, for the commands of `mtdata`: torch is imported when it is asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.shared.plugins import use_copies

if TYPE_CHECKING:
    from mtdata.inspecting.show import Predicted


def load_predicted(run: Path, device: str, *, trust: bool) -> "Predicted":
    """Load the network of a run; its predictions have the form of labels.

    Args:
        run: The run folder.
        device: "auto", "cpu" or "cuda".
        trust: Whether to run the plug-ins of a run that is from elsewhere.

    Raises:
        RunFolderError: where there is no run or no checkpoint.
    """
    from mtdata.inspecting.show import Predicted
    from mtmodels.predicting.formats import format_of
    from mtmodels.predicting.opening import load

    use_copies(run, trust=trust)
    predictor = load(run, device=device, trust_plugins=trust)

    def predict(image: Any) -> Mapping[str, Any]:
        given = predictor(image)
        return {task.name: format_of(task).label(given[task.name]) for task in predictor.tasks}

    return Predicted(run.resolve().name, predictor.tasks, predict)
