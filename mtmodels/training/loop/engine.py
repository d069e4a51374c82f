"""One training step: terms, weighting, gradients, optimiser."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mtdata.reading.batch import Batch
from mtdata.reading.memory import STEPS, keep_freed
from mtmodels import processes
from mtmodels.errors import DivergedError
from mtmodels.fabric import Fabric
from mtmodels.methods.base import Finding, Method, Stage
from mtmodels.methods.parts.helpful_pairs import shared_by_tasks
from mtmodels.networks.base import EncoderOptions, Output, check_features, check_output
from mtmodels.networks.encoders.base import Encoder, check_maps
from mtmodels.scoring.evaluation import evaluation_mode
from mtmodels.training.config import Config
from mtmodels.training.loop import randomness
from mtmodels.training.loop.compiling import Compiled
from mtmodels.training.loop.contract import Contract
from mtmodels.training.loop.everywhere import Told, joined_owners, terms_of_all
from mtmodels.training.loop.groups import Groups, apart
from mtmodels.training.loop.precision import memory_format
from mtmodels.training.loop.result import StepResult, read_terms, result_of, together, unfinite
from mtmodels.training.loop.schedules import Position
from mtmodels.training.loop.sync_norm import reaching
from mtmodels.training.loop.validation import HeldOut
from mtmodels.training.loop.viewing import view_maker
from mtmodels.weightings.base import EpochStatistics, Weighting, reached


class Engine:
    """Holds all that a step changes, and can save and restore it.

    Args:
        config: Rates, schedule, clipping and seed are read from it.
        method: What makes the terms; moved to the device.
        weighting: What weighs them; moved to the device.
        fabric: Device and precision.
        stage: What comes before the training proper; None for that itself.
        held: What the method may ask; None where nothing is held out.
    """

    def __init__(
        self,
        config: Config,
        *,
        method: Method,
        weighting: Weighting,
        fabric: Fabric,
        stage: Stage | None = None,
        held: HeldOut | None = None,
    ) -> None:
        self.config, self.fabric, self.stage = config, fabric, stage
        self.held, self.probe = held, method.probe() if stage is None else None
        if fabric.device.type == "cpu":
            keep_freed(STEPS)
        self.views = view_maker(config, method)
        layout = memory_format(method, fabric)
        self.channels_last = layout == torch.channels_last
        self.method = method.to(fabric.device, memory_format=layout)  # type: ignore[call-overload]
        for teacher in method.teachers.values():  # no part of the method that moves along
            teacher.to(fabric.device, memory_format=layout)  # type: ignore[call-overload]
        self.weighting = weighting.to(fabric.device)
        tasks = [task.name for task in method.network.tasks]
        full = fabric.strategy.precision.precision == "32-true"
        self.contract, self._tried = Contract(config, tasks, full=full), False
        shared = method.network.shared_parameters()
        self.contract.check_shared(shared)
        self.weighting.watch(method.network, shared)
        own = method.parameter_groups() if stage is None else stage.groups()
        self.contract.check_groups(own)
        self.encoder = [p for part in method.network.pretrained() for p in part.parameters()]
        options = method.network.options
        self.frozen = options.freeze_encoder if isinstance(options, EncoderOptions) else 0
        if isinstance(options, EncoderOptions):
            own = apart(own, self.encoder, options.encoder_rate)
        self.groups = Groups([*own, *weighting.parameter_groups()], config, fabric)
        self.optimizer = self.groups.optimizer
        self.rng = torch.Generator(fabric.device).manual_seed(config.seed)
        self._predicted: list[Tensor] = []
        if config.sync_norm:
            method.network.register_forward_hook(self._keep_predictions)
        self._learns = self.groups.parameters
        self.weighting.order = self._learns
        self.compiled: AbstractContextManager[None] = nullcontext()
        self._compiled: Compiled | None = None
        self.compile(on=config.compile == "on")

    def compile(self, *, on: bool) -> None:
        """Run the network compiled within a step, or as it is, as some weightings need it."""
        on = on and not self.weighting.needs_maps
        network = self.method.network
        own = frozenset(network.parameters()) - frozenset(shared_by_tasks(network))
        self.weighting.compiled = own if on else frozenset()
        if on and self._compiled is None:
            self._compiled = Compiled(self.method.network)
        self.compiled = self._compiled if on and self._compiled else nullcontext()

    def step(self, batches: Sequence[Batch], position: Position) -> StepResult:
        """Train on one batch, given in one part or in several whose gradients are added.

        Raises:
            DivergedError: where a term or the gradient is not finite; nothing has changed then.
            OutputError: where the network does not predict what its tasks want.
            MemberError: where method or weighting give something other than they should.
        """
        lr, first = self.groups.set_rates(position), not self._tried
        if first:
            self._try(batches[0])
        self.weighting.begin_step(len(batches))
        try:
            parts = [
                self._part(batch, position, share=1 / len(batches), number=number)
                for number, batch in enumerate(batches)
            ]
        except DivergedError:
            self._forget()
            raise
        result = parts[0] if len(parts) == 1 else together(parts)
        self._average()
        if result.loss is None:
            return replace(result, lr=lr)
        if first:
            self.contract.check_sent(result.loss, [p.grad for p in self._learns])
        if self.weighting.compiled:
            self._leave_unreached()
        if position.step < self.frozen and self.stage is None:
            # Behind the weighting, which may want the gradients of a layer that all tasks share.
            for parameter in self.encoder:
                parameter.grad = None
        norm = self.groups.clip(self.method)
        # Under fp16 an overflow is part of the search for the scale: the scaler skips that step.
        if not math.isfinite(norm) and self.config.precision != "16":
            self._forget()
            keys = tuple(key for batch in batches for key in batch.keys)
            raise self.contract.diverged(position.step, "gradient", keys)
        self.optimizer.step()
        self._forget()
        if self.stage is None:
            self.method.after_step(progress=position.progress)
        return replace(result, lr=lr, gradient_norm=norm)

    @torch.no_grad()
    def _try(self, batch: Batch) -> None:
        """Look once at what the network says: with another number of channels it would train."""
        network, image = self.method.network, self._here(batch).image
        hooks = [
            encoder.register_forward_hook(lambda own, given, maps: check_maps(own, given[0], maps))
            for encoder in network.modules()
            if isinstance(encoder, Encoder)
        ]
        with evaluation_mode(network.predict), self.fabric.autocast():
            output = network(image)
        for hook in hooks:
            hook.remove()
        check_output(type(network).__name__, output, network.tasks, image)
        check_features(network, output, image)
        self.contract.check_weights(self.weights())  # asked for at the first row of the log only
        self._tried = True

    def look(self, batches: Sequence[Batch], position: Position) -> Finding | None:
        """Let the method ask the held-out images, where it wants to and it is time before a step.

        Args:
            batches: Those of the step, one or several parts.
            position: Where the step is.

        Raises:
            DivergedError: where a gradient is not finite.
        """
        if self.probe is None or self.held is None or not is_due(position.step, self.probe.every):
            return None
        drawn = self.held.draw(position.step // self.probe.every, self.probe.batches)
        held = [self._here(batch) for batch in drawn]
        # One after the other, as in the step: that is what parts are for.
        parts = (self.views(self._here(batch), position.epoch, position.step) for batch in batches)
        # Gradients of fp16 would need the scale that the optimiser takes off.
        precise = nullcontext() if self.config.precision == "16" else self.fabric.autocast()
        self._seed("look", position.step, processes.rank())
        with precise:
            found = self.probe.look(parts, held, progress=position.progress, rng=self.rng)
        keys = tuple(key for batch in batches for key in batch.keys)
        for name, cosine in found.cosine.items() if found else ():
            if not math.isfinite(cosine):
                raise self.contract.diverged(position.step, f"gradient of {name}", keys)
        return found

    def _here(self, batch: Batch) -> Batch:
        return batch.to(self.fabric.device, channels_last=self.channels_last)

    def _part(self, batch: Batch, position: Position, *, share: float, number: int) -> StepResult:
        """Send the gradients of a part of a step backwards, as a share of the whole."""
        batch = self._here(batch)
        views = self.views(batch, position.epoch, position.step)
        forward = self.method if self.stage is None else self.stage.forward
        self._seed("terms", position.step, number, processes.rank())
        self._predicted.clear()
        with self.fabric.autocast(), self.compiled:
            terms = forward(views, progress=position.progress, rng=self.rng)
        self.contract.check_terms(terms)
        told = joined_owners(
            processes.gathered(Told(read_terms(terms), dict(terms.owners), batch.keys))
        )
        for one in told:
            for name in unfinite(one.values):
                raise self.contract.diverged(position.step, name, one.keys)
        results = [result_of(one) for one in told]
        result = results[0] if len(results) == 1 else together(results)
        if not result.tasks and not result.auxiliary:
            return result
        if len(told) > 1:
            terms = terms_of_all(terms, vars(result), told)
        shared = self.method.network.shared_parameters()

        def backward(total: Tensor) -> None:
            self.contract.check_learns(total)
            total = reaching(total, self._predicted)
            self.fabric.backward(total if share == 1 else share * total)

        self._seed("weighting", position.step, number)  # what it draws, it draws in all alike
        self.contract.watch_auxiliary(terms)
        total = self.weighting.backward(terms, shared, backward)
        self.contract.check_auxiliary()
        return replace(result, loss=self.contract.number(total))

    def weights(self) -> dict[str, float]:
        """The factors of the weighting, as plain numbers for the log.

        Raises:
            MemberError: where they are none.
        """
        return self.contract.weights(self.weighting.weights())

    def _keep_predictions(self, network: nn.Module, inputs: Any, output: Output) -> None:
        if network.training and torch.is_grad_enabled():
            self._predicted += output.predictions.values()

    def _seed(self, *of: object) -> None:
        """Begin draws that are a function of this, where several processes draw."""
        if processes.count() > 1:
            stage = self.stage.name if self.stage else ""
            randomness.seed_step(self.rng, self.config.seed, stage, *of)

    @torch.no_grad()
    def _average(self) -> None:
        """Make gradients, and what norms know of their batches, the mean over the processes."""
        if processes.count() == 1:
            return
        known = [
            statistic
            for norm in self.method.modules()
            if isinstance(norm, _BatchNorm) and norm.training
            for statistic in (norm.running_mean, norm.running_var)
            if statistic is not None
        ]
        given: dict[Tensor, Tensor] = {p: p.grad for p in self._learns if p.grad is not None}
        means = processes.averaged(
            [*self._learns, *known], given | {statistic: statistic for statistic in known}
        )
        for statistic in known:
            statistic.copy_(means[statistic])
        for parameter in self._learns:
            parameter.grad = means.get(parameter)

    def _leave_unreached(self) -> None:
        """Take the zeros away that a compiled network gives to what no term reached.

        Without a gradient the optimiser leaves such parameters alone; with zeros it goes on to move
        them, by its momentum and decay: the layers of a task that the batch does not show.
        """
        given: dict[Tensor, Tensor] = {p: p.grad for p in self._learns if p.grad is not None}
        left = reached(given, self.weighting.compiled)
        if left:  # the scaler of fp16 asks for one gradient at least
            for parameter in given:
                parameter.grad = left.get(parameter)

    def _forget(self) -> None:
        """Clear the gradients; a stage that trains a part of the method leaves some in the rest."""
        self.optimizer.zero_grad()
        self.method.zero_grad()

    def end_epoch(self, statistics: EpochStatistics, *, progress: float) -> None:
        """Tell weighting and method that an epoch ended."""
        self.weighting.end_epoch(statistics)
        if self.stage is None:
            self.method.after_epoch(progress=progress)

    def train(self) -> None:
        """Put everything into training mode."""
        self.method.train()
        self.weighting.train()

    def state(self) -> dict[str, Any]:
        """Everything but the weights of the method, as tensors and plain values."""
        return {
            "weighting": self.weighting.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "random": randomness.snapshot(self.rng),
            "device": self.fabric.device.type,
        }

    def load_state(self, weights: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go back to what `state` and the weights were."""
        self.method.load_state_dict(weights)
        self.weighting.load_state_dict(state["weighting"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        randomness.restore(state["random"], self.rng)


def is_due(step: int, every: int) -> bool:
    """Whether the method looks before a step: not before the first, when nothing is learnt yet."""
    return step > 0 and step % every == 0
