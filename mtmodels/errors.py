"""Errors of networks, methods and training. Each says what was expected, found and what to do."""

from typing import ClassVar

from mtdata.errors import MtdataError


class MtmodelsError(MtdataError):
    """Anything that this package refuses."""


class RunFolderError(MtmodelsError, OSError):
    """A run folder that cannot be used: not empty, not a run, or of another configuration."""

    exit_code: ClassVar[int] = 2


class DivergedError(MtmodelsError, ArithmeticError):
    """A loss that is not finite.

    Args:
        step: The step at which it happened, counted from 0.
        term: The name of the term.
        keys: The images of the batch.
    """

    def __init__(self, step: int, term: str, keys: tuple[str, ...]) -> None:
        super().__init__(
            f"The loss `{term}` should be finite; found NaN or infinity at step {step}, in the "
            f"batch of {', '.join(keys)}. Look at these images with `mtdata show`; a lower --lr or "
            "--precision 32 often helps."
        )
        self.step, self.term, self.keys = step, term, keys
