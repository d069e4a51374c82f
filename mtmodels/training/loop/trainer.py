"""The training loop: steps, epochs, checkpoints, the log."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from mtdata.reading.batch import Batch
from mtdata.reading.loader import Loader
from mtmodels import processes
from mtmodels.errors import InterruptedRun, MemberError
from mtmodels.methods.base import Finding
from mtmodels.metrics.scores import Scores
from mtmodels.training.loop.clock import Clock
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.means import EpochMeans
from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.schedules import Position
from mtmodels.training.loop.selection import Selection
from mtmodels.training.loop.signals import Stopped, StopRequest, listening, stopping
from mtmodels.training.loop.watcher import Standing, Watcher
from mtmodels.training.record import checkpoint
from mtmodels.training.record.logs import Logs
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import NoLog, Row, RunLog, read_rows

Validate = Callable[[], Scores]


class Trainer:
    """Trains to the end, from wherever it is.

    Of several processes the first writes and scores; the others do its steps along.

    Args:
        engine: What does a step.
        batches: The training data.
        folder: Where checkpoints and the log go.
        validate: Scores the held-out images; None where nothing is held out.
        selects: Whether these scores choose the checkpoint `best`.
        watcher: Who is told.
        logs: What hears the rows of the log as well; those of the configuration by itself.
    """

    def __init__(
        self,
        engine: Engine,
        batches: Loader,
        *,
        folder: RunFolder,
        validate: Validate | None = None,
        selects: bool = False,
        watcher: Watcher | None = None,
        logs: Logs | None = None,
    ) -> None:
        self.engine, self.batches, self.folder = engine, batches, folder
        self.validate, self.selects = validate, selects
        self.config = engine.config
        self.watcher = watcher or Watcher()
        self.first = processes.is_first()
        self.logs = logs or Logs(self.config, folder, say=self.watcher.say)
        self.runlog = RunLog(folder.metrics) if self.first else NoLog()
        self._lost = list[dict[str, Any]]()
        tasks = [task.name for task in engine.method.network.tasks]
        self.selection, self.means, self.clock = Selection(), EpochMeans(tasks), Clock()
        self.epoch = self.offset = 0
        self.due: dict[str, Any] | None = None
        """The means of an epoch whose steps are done and whose scores are due."""

    def fit(self) -> None:
        """Train until the last epoch is done, or the last step within it.

        Raises:
            InterruptedRun: where somebody asked to stop; the run is saved then.
            DivergedError: where a loss is not finite; the last checkpoint stays as it is.
            MemberError: where no step had a term.
        """
        self.engine.train()
        self.logs.start(self.position().step, self._lost)
        if self.offset == 0 and self.due is None:
            self.logs.draw(self.epoch, self.position().step)
        with listening() as stop:
            while self.due is not None or self.epoch < self.config.epochs:
                for batches in self.clock.watch(self._left()):
                    self._look(batches)
                    result = self.engine.step(batches, self.position())
                    self._after_step(result, sum(map(len, batches)) * processes.count())
                    # All stop behind one step, whoever was asked to.
                    asked = max(processes.gathered(stop.by))
                    if asked or self._is_due():
                        self.save()
                    if asked:
                        processes.wait()  # for the one that saves
                        raise InterruptedRun(self.folder.path, self.position().step, by=asked)
                self._end_epoch(stop)
                if asked := max(processes.gathered(stop.by)):
                    raise InterruptedRun(self.folder.path, self.position().step, by=asked)
        if self.engine.stage is None and self.first:
            self._check_learnt()

    def _check_learnt(self) -> None:
        """Refuse to score what never learnt: a step without a term leaves all as it is."""
        rows = read_rows(self.folder.metrics, "epoch")
        if not any(row.get("means") or row.get("auxiliary") for row in rows):
            raise MemberError(
                f"the method `{self.config.method.name}`",
                "should make a term in some of its steps; no step of the training had one, and "
                "nothing was learnt. Look at what its `forward` makes of a batch with labels.",
            )

    def close(self) -> None:
        """Close the log."""
        self.runlog.close()

    def position(self) -> Position:
        """Where the next step is."""
        config, per_epoch = self.config, len(self.batches)
        done = self.epoch * per_epoch + self.offset
        if config.steps is not None:
            done = min(done, config.steps)  # the last epoch may have ended early
        return Position(done, per_epoch, config.epochs, config.steps)

    def _left(self) -> Iterator[tuple[Batch, ...]]:
        """The steps of the epoch that are left, each the batches that it takes."""
        position = self.position()
        left = position.total - position.step if self.due is None else 0
        return islice(self.batches.steps(self.epoch, self.offset), left)

    def save(self) -> None:
        """Write the checkpoint `last`."""
        if self.first:
            self._save(self._state())

    def _state(self) -> dict[str, Any]:
        """Everything but the weights, as it is now."""
        return {
            "epoch": self.epoch,
            "offset": self.offset,
            "seconds": self.clock.total(),
            "means": self.means.state(),
            "selection": self.selection.state(),
            "log": self.runlog.position(),
            **({} if self.due is None else {"due": self.due}),
            **self.engine.state(),
        }

    def _save(self, state: dict[str, Any]) -> None:
        checkpoint.save(self.folder.last, self.engine.method.state_dict(), state)

    def resume(self) -> bool:
        """Go back to the checkpoint `last`; without one, start anew.

        Where it is damaged, the run goes on from the newest one that is whole, and says so.

        Returns:
            Whether there was a checkpoint.

        Raises:
            DamagedCheckpointError: where none is whole.
        """
        last, best = self.folder.last, self.folder.best
        if not checkpoint.exists(last, best):
            self._lost = self.runlog.rewind(0)
            return False
        weights, state, place, damage = checkpoint.load_first(last, best)
        self.engine.load_state(weights, state)
        processes.wait()  # until all have read what is put right now
        if place != last and self.first:
            lost = "is missing" if damage is None else f"is damaged: {damage.file} {damage.found}"
            self.watcher.say(
                f"{last} {lost}. The run goes back to {place}, which is whole, and does the steps "
                "since then again."
            )
            checkpoint.copy(place, last)
        here = self.engine.fabric.device.type
        before = state.get("device", here)  # checkpoints of before do not say it
        if before != here:
            self.watcher.say(
                f"The run goes on on {here}, where it was on {before}: its last digits will differ "
                "from those of a run on one of them alone."
            )
        self.epoch, self.offset = state["epoch"], state["offset"]
        self.due = state.get("due")
        self.means.load_state(state["means"])
        self.clock = Clock(state["seconds"])
        self._lost = self.runlog.rewind(state["log"])
        selection = state["selection"]
        if "scores" not in selection:  # until 0.2.0 it kept those of the first epoch
            selection |= {"scores": self._logged(selection["best_epoch"])}
        self.selection.load_state(selection)
        if (
            self.first
            and self.selects
            and self.offset == 0
            and self.epoch == self.selection.best_epoch
        ):
            # A kill between saving an epoch and keeping it as the best left `best` behind.
            checkpoint.copy(self.folder.last, self.folder.best)
        return True

    def _logged(self, epoch: int) -> Scores | None:
        """The scores of an epoch by the log."""
        rows = read_rows(self.folder.metrics, "epoch")
        return next((row.get("scores") for row in rows if row["epoch"] == epoch), None)

    def _look(self, batches: Sequence[Batch]) -> None:
        """Write down and tell what the method found among held-out images, where it looked."""
        found = self.engine.look(batches, self.position())
        if found is not None:
            step = self.position().step
            self._write("probe", {"step": step, **asdict(found)})
            self.watcher.say(f"After step {step}: {told(found)}")

    def _after_step(self, result: StepResult, images: int) -> None:
        self.offset += 1
        self.clock.count(images)
        if self.clock.steps == 1 and self.first:  # the first checkpoint may be hours away
            checkpoint.check_state(self.engine.method.state_dict(), self.engine.state())
        self.means.add(result)
        position = self.position()
        last = self.offset == len(self.batches) or position.done
        if position.step % self.config.log_every == 0 or last:
            self._write("step", self._row(result))
        self.watcher.step(self._progress(), result)

    def _write(self, kind: str, row: Row) -> None:
        self.runlog.write(kind, row)
        self.logs.row(kind, row)

    def _row(self, result: StepResult) -> dict[str, Any]:
        return {
            "step": self.position().step,
            "epoch": self.epoch + 1,
            "lr": result.lr,
            "loss": result.loss,
            "tasks": result.tasks,
            "auxiliary": result.auxiliary,
            "parts": result.parts,
            "images": result.images,
            "labelled": result.labelled,
            "weights": self.engine.weights(),
            "gradient_norm": result.gradient_norm,
            "time": self.clock.lap(),
        }

    def _end_epoch(self, stop: StopRequest) -> None:
        """Score the epoch and write it down; where somebody asks to stop, save that this is due."""
        if self.due is None:
            self.engine.end_epoch(self.means.statistics(), progress=self.position().progress)
            self.due = self.means.take()
            self.epoch, self.offset = self.epoch + 1, 0
        scores = self._scores(stop) if self.validate else {}
        if scores is None:
            return
        means, self.due = self.due, None
        row: dict[str, Any] = {"epoch": self.epoch, "step": self.position().step, **means}
        is_best = False
        if self.validate:
            improvement, is_best = self.selection.offer(scores, self.epoch)
            row |= {"scores": scores, "improvement": improvement, "best": is_best}
        self._write("epoch", row | {"time": {"seconds": self.clock.total()}})
        self.save()
        if is_best and self.selects and self.first:
            checkpoint.copy(self.folder.last, self.folder.best)
        shown = means["means"] | means["labelled"]  # as the curves draw them
        self.watcher.epoch(self._progress(), shown, scores, auxiliary=means["auxiliary"])
        self.logs.draw(self.epoch, self.position().step)

    def _scores(self, stop: StopRequest) -> Scores | None:
        """Score the epoch; None where somebody asks to stop, and the run is saved as it was before.

        What asks ends a run soon, and scores may take long.
        """
        assert self.validate is not None
        state = self._state()  # scoring changes nothing of it but random states, which are copies
        try:
            with stopping():
                if stop.by:
                    raise Stopped(stop.by)
                return self.validate()
        except Stopped as stopped:
            stop.by = stopped.by
            self._save(state)
            return None

    def _is_due(self) -> bool:
        every = self.config.checkpoint_every
        return every is not None and self.position().step % every == 0

    def _progress(self) -> Standing:
        done, steps = self.position().step, self.position().total
        left = self.clock.seconds_a_step() * (steps - done)
        epochs = self.config.epochs
        stage = self.engine.stage.name if self.engine.stage else ""
        return Standing(min(self.epoch + 1, epochs), done, steps, epochs, self.epoch, left, stage)


def told(found: Finding) -> str:
    """What a look found, in one line."""
    resting = [name for name, kept in found.kept.items() if not kept]
    line = f"{len(found.kept) - len(resting)} of {len(found.kept)} pairs go on"
    if not resting:
        return f"{line}."
    each = ", ".join(f"{name} ({found.agreement[name]:+.3f})" for name in resting)
    return f"{line}; these disagree with held-out labels and rest until the next look: {each}."
