"""Errors of networks, methods and training. Each says what was expected, found and what to do."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mtdata.errors import LISTED, DataError, MtdataError, SampleError
from mtdata.wording import counted


class MtmodelsError(MtdataError):
    """Anything that this package refuses."""


class RunFolderError(MtmodelsError, OSError):
    """A run folder that cannot be used: not empty, not a run, or of another configuration."""

    exit_code: ClassVar[int] = 2


def _way_out(*, saved: bool) -> str:
    """What is left of a run that the disk had no room for, and what to do."""
    if saved:
        return "The last checkpoint is as it was: make room, then go on with --resume."
    return "Nothing is saved yet: make room, then begin again with --resume."


class CheckpointError(MtmodelsError, OSError):
    """A checkpoint that could not be written; the one before it is as it was.

    Args:
        folder: Where it should be.
        reason: What went wrong.
        saved: Whether there is one to go on from.
    """

    def __init__(self, folder: Path, reason: object, *, saved: bool) -> None:
        super().__init__(
            f"the checkpoint {folder} should be written; {reason}. {_way_out(saved=saved)}"
        )
        self.folder = folder


class FullDiskError(MtmodelsError, OSError):
    """A disk that has no room for what a run writes; its last checkpoint is as it was.

    Args:
        folder: The folder of the run.
        free: Bytes that are left.
        saved: Whether there is a checkpoint to go on from.
    """

    def __init__(self, folder: Path, free: int, *, saved: bool) -> None:
        super().__init__(
            f"the disk of {folder} should have room for what the run writes; it is full, "
            f"{free / 1e6:.1f} MB are left. {_way_out(saved=saved)}"
        )
        self.folder = folder


class StateError(MtmodelsError, TypeError):
    """A value that a checkpoint would keep, and that none could be read with.

    Args:
        where: Its place in the state.
        value: The value.
    """

    def __init__(self, where: str, value: object) -> None:
        kind = type(value)
        named = (
            kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        )
        super().__init__(
            f"what a checkpoint keeps should be tensors and plain values, which are read without "
            f"running code; found {named} at `{where}`. Make it plain in `get_extra_state` "
            "(`float(x)`, `x.tolist()`), or keep a tensor in a buffer (`register_buffer`)."
        )
        self.where = where


class DamagedCheckpointError(MtmodelsError, DataError):
    """A file of a checkpoint that is not as the run wrote it.

    Args:
        file: The file.
        found: What is wrong with it.
        instead: What the command that reads it can do beside copying the run and training anew.
    """

    exit_code: ClassVar[int] = DataError.exit_code

    def __init__(
        self,
        file: Path,
        found: str,
        *,
        instead: str = "use another checkpoint of it (--checkpoint last or best)",
    ) -> None:
        super().__init__(
            f"{file} should hold the weights or the state that the run wrote; it {found}. Copy the "
            f"run again, {instead}, or begin anew with mttrain --overwrite."
        )
        self.file, self.found = file, found


class DivergedError(MtmodelsError, ArithmeticError):
    """A loss or a gradient that is not finite.

    Args:
        step: The step at which it happened, counted from 0.
        term: The name of the term; that of a gradient begins with "gradient".
        keys: The images of the batch.
        full: Whether the run computes in full precision already.
        own: What has a part in it and is of a plug-in.
    """

    def __init__(
        self,
        step: int,
        term: str,
        keys: tuple[str, ...],
        *,
        full: bool = False,
        own: Sequence[str] = (),
    ) -> None:
        what = f"The {term}" if term.startswith("gradient") else f"The loss `{term}`"
        precise = "" if full else " or --precision 32"
        mine = f" Or look at {' and '.join(own)}." if own else ""
        super().__init__(
            f"{what} should be finite; found NaN or infinity at step {step}, in the batch of "
            f"{', '.join(keys)}. Look at these images with `mtdata show`; a lower --lr{precise} "
            f"often helps.{mine}"
        )
        self.step, self.term, self.keys = step, term, keys


GO_ON = "Start it again with --resume, which goes on from the last checkpoint, where there is one."
"""What to do where it is not known how far a run came."""


class InterruptedRun(MtmodelsError):  # noqa: N818  (it is no fault)
    """Somebody asked a run to stop; it was saved first.

    Args:
        folder: The folder of the run.
        step: Steps that are done; None where it was asked between steps, as while it is scored.
        stage: Of what comes before the training proper; empty for that itself.
        by: The signal that asked; 0 where that is not known.
        saved: Whether there is a checkpoint, where it was asked between steps.
        complete: Whether nothing is missing but the report.
    """

    exit_code: ClassVar[int] = 130

    def __init__(
        self,
        folder: Path,
        step: int | None,
        *,
        stage: str = "",
        by: int = 0,
        saved: bool = True,
        complete: bool = False,
    ) -> None:
        of = f" of the stage `{stage}`" if stage else ""
        what = f"after step {step}{of}, which is saved"
        if step is None:
            what = "outside of a step; the run is saved as far as its last checkpoint"
        if not saved:
            what = "before there was a checkpoint; nothing but the configuration is saved"
        where = shlex.quote(str(folder))
        way_on = f"{'Go on' if saved else 'Begin again'} with `mttrain --out {where} --resume`"
        if complete:
            what = "behind the scores; the run is complete, but for its report"
            way_on = f"Write that with `mtmodels report {where}`"
        super().__init__(f"interrupted {what}. {way_on}.")
        self.folder, self.step, self.by = folder, step, by


class LostProcessError(MtmodelsError):
    """Another process of a training is gone.

    Args:
        rank: The number of this one.
        count: How many there were.
    """

    def __init__(self, rank: int, count: int) -> None:
        super().__init__(
            f"{count} processes should train together; process {rank} lost another one, which says "
            f"why, unless it was killed, for want of memory say. {GO_ON}"
        )


class PredictionError(MtmodelsError, ArithmeticError):
    """A prediction that cannot be scored.

    Args:
        task: The task.
        keys: The images that it is wrong for.
        problem: What is wrong with it.
    """

    def __init__(self, task: str, keys: tuple[str, ...], problem: str) -> None:
        super().__init__(
            f"The prediction of `{task}` should be there and finite; it {problem}, for "
            f"{', '.join(keys)}. Is the task among those of the network, and did training diverge?"
        )
        self.task, self.keys, self.problem = task, keys, problem


class OutputError(MtmodelsError, ValueError):
    """What a network says does not fit its tasks, or the images that it was given.

    Args:
        network: The name of its class.
        problem: What was expected and what was found.
    """

    def __init__(self, network: str, problem: str) -> None:
        super().__init__(
            f"the network `{network}` {problem} A prediction has a channel for each class, one for "
            "depth or a mask and three for normals (`task.channels`), at the size of the image."
        )
        self.network, self.problem = network, problem


class MemberError(MtmodelsError, TypeError):
    """A method or weighting that gives something other than it should, or does not do it.

    Args:
        who: Which it is.
        problem: What was expected, what was found and what to do.
    """

    def __init__(self, who: str, problem: str) -> None:
        super().__init__(f"{who} {problem}")
        self.problem = problem


class ExportError(MtmodelsError):
    """A network that cannot be written in a form, or a file that does not say what it says."""


class SweepError(MtmodelsError):
    """Trainings of a sweep that failed, or that another process writes; the others are done."""


class InterruptedSweep(MtmodelsError):  # noqa: N818  (it is no fault)
    """Somebody asked a sweep to stop.

    Args:
        done: Trainings that are done.
        count: All of the plan.
    """

    exit_code: ClassVar[int] = 130

    def __init__(self, done: int, count: int) -> None:
        super().__init__(
            f"interrupted; {done} of {counted(count, 'training')} of the plan are done. Give the "
            "same command again, which goes on from there."
        )


class UnreadImagesError(MtmodelsError, DataError):
    """Images that could not be read; all others are predicted.

    Args:
        bad: What is wrong with each.
        index: What was written of the others to `predictions.json`; None where there are none.
    """

    exit_code: ClassVar[int] = DataError.exit_code

    def __init__(self, bad: Sequence[SampleError], index: Mapping[str, Any] | None) -> None:
        done = 0 if index is None else len(index["images"])
        others = "no other was given" if index is None else "the others are predicted"
        more = f" And {len(bad) - LISTED} more." if len(bad) > LISTED else ""
        super().__init__(
            f"{len(bad)} of {counted(done + len(bad), 'image')} could not be read; {others}. "
            + " ".join(str(error) for error in bad[:LISTED])
            + more
        )
        self.bad, self.index = tuple(bad), index
