"""The training loop: batches, interruption, optimizer steps."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import FrameType, TracebackType

import torch
from torch import Tensor

from overtone._config._training import Optimizer, TrainingConfig
from overtone._training._checkpoint import Checkpoint
from overtone._training._weight_average import WeightAverage
from overtone._utils.seeding import derive_seed
from overtone._utils.torch_defaults import standard
from overtone.errors import InputError, RunError
from overtone.nn import Field, parameter_groups
from overtone.nn._networks.field import output_power
from overtone.signals import Geometry, Measured, Signal


class Batches:
    """Normalised coordinates-and-values batches of a signal's training samples, on one device.

    Args:
        signal: The signal to learn; values are normalised by its own map.
        batch: Samples per step. With as many as there are, every step gets all, in order; otherwise samples are drawn
            uniformly with replacement.
        device: Device of the batches.
        seed: Seeds the draws.
    """

    def __init__(self, signal: Signal[Geometry], batch: int, device: torch.device, seed: int) -> None:
        self._geometry = signal.geometry
        self._index = signal.train_index.to(device)
        self._values = signal.values.to(device)
        self._normalise = signal.normalisation.apply
        self._size = batch
        self.generator = torch.Generator(device=device)
        self.generator.manual_seed(derive_seed(seed, "training", "batches"))
        self._fixed = self._gather(self._index) if batch >= self._index.numel() else None

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return the next batch: (B, d) float64 physical coordinates and (B, C) float32 normalised values."""
        if self._fixed is not None:
            return self._fixed
        device = self._index.device
        # A private generator: what dropout or the caller draws does not change which samples a step sees.
        pick = torch.randint(self._index.numel(), (self._size,), generator=self.generator, device=device)
        return self._gather(self._index[pick])

    def _gather(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self._geometry.coords(index), self._normalise(self._values[index]).float()


class WholeLoss:
    """The loss of a field known through functionals, all of them in every step.

    Args:
        problem: The functionals that are trained on, on the CPU.
        network: The field.
        seed: Seeds the generator, which draws nothing.
    """

    def __init__(self, problem: Measured, network: Field, seed: int) -> None:
        self._problem, self._network = problem, network
        self._precision = next(network.parameters()).dtype
        # Of outputs in the field's own size, as the loss of samples is.
        self._size = output_power(network)
        self.generator = torch.Generator(device="cpu")
        self.generator.manual_seed(derive_seed(seed, "training", "batches"))

    def loss(self) -> Tensor:
        """Return the loss of the network as it is."""
        # Places and functionals are float64: phases of high frequencies lose digits in float32.
        return (self._problem.loss(self._network) / self._size).to(self._precision)


class Interrupt:
    """Context in which the first SIGINT or SIGTERM sets `requested`; a second SIGINT interrupts at once.

    A request that came after the last check is raised again on exit. Signals can only be caught in the main thread;
    in others nothing is changed.

    Attributes:
        requested: Whether a signal asked to stop.
        heeded: Whether training stopped for that reason.
    """

    def __init__(self) -> None:
        self.requested = self.heeded = False
        self._number: int | None = None
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        # Training ended by itself between the signal and the next check: the caller has to hear of it.
        if self._number is not None and not self.heeded and error is None:
            signal.raise_signal(self._number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested, self._number = True, number


CHECKPOINT_SECONDS = 30.0
"""Wall-clock time between checkpoints."""

CHECK_EVERY = 16
"""Steps between checks of the loss on a device for which a check has to wait."""


OBSERVED_LIMIT, OBSERVED_ELAPSED = 0.1, 0.3
"""Where seconds limit a training, what observing may take of the limit and of the seconds so far, together: beyond it
observations between the first and the last are left out."""


class Ending(Enum):
    """Why training ended."""

    STEPS = "all steps done"
    SECONDS = "time is up"
    OBSERVER = "nothing more to gain"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Outcome:
    """Outcome of a training.

    Attributes:
        step: Optimizer steps taken.
        seconds: Wall-clock seconds spent, over all sessions of the run.
        ending: Why it ended.
    """

    step: int
    seconds: float
    ending: Ending


Observer = Callable[[int, float, float, bool], bool | None]
"""Called as observer(step, loss, learning_rate, last); the loss is NaN before the first step. True ends the run."""

Criterion = Callable[[Tensor, Tensor], Tensor]
"""Loss of outputs and values, (n, C) each."""


@standard()
def train(
    network: Field,
    signal: Signal[Geometry] | Measured,
    options: TrainingConfig,
    observer: Observer,
    *,
    wants: Callable[[int], bool],
    checkpoint: Path | None = None,
    resume: Checkpoint | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    average: WeightAverage | None = None,
    criterion: Criterion = torch.nn.functional.mse_loss,
) -> Outcome:
    """Minimise the mean square error of the normalised values over the signal's training samples.

    loss = mean over samples and channels of (network.normalised(x) - normalised value)^2. Of a `Measured` field it is
    `problem.loss(network)`, with all functionals in every step.

    The global random generators are forked and left as they were. With a checkpoint, Ctrl-C ends training after the
    current step; without one, there is nothing to go on from, and it interrupts as it does everywhere.

    Args:
        network: The field to train, on the device to train on; changed in place.
        signal: What to learn: samples, or a field known through functionals.
        options: Budget, optimizer and batches.
        observer: Called at step 0, after steps for which `wants` is true, and after the last step.
        wants: Whether the observer is to be called after a step; other steps do not wait for the device. Where seconds
            limit the training and observing has taken more than its share of them, the step is left out.
        checkpoint: File of the checkpoint, if any: written at the beginning, then every half minute.
        resume: State to continue from.
        optimizer: An optimizer that a controller changes as well, by the `pace` of its groups; made from the options if
            None.
        average: Average of the network's weights, updated after every step.
        criterion: The loss of samples instead of the mean square error: from outputs and normalised values (n, C) to a
            number.

    Returns:
        Where and why it ended.

    Raises:
        InputError: If the network is no field.
        RunError: If the loss is not finite; names the step and the last step seen to be good.
    """
    if not isinstance(network, Field):
        raise InputError(
            "an nn.Field, which knows the signal's normalisation",
            type(network).__name__,
            "wrap the network as nn.Field(encoding, body, frame, restore), or train it in a loop of your own, watched "
            "by a Probe",
            "network",
        )
    device = next(network.parameters()).device
    optimizer = optimizer or make_optimizer(network, options)
    batches: Batches | WholeLoss
    if isinstance(signal, Measured):
        batches = WholeLoss(signal, network, options.seed)
    else:
        batches = Batches(signal, options.batch_of(signal.train_index.numel()), device, options.seed)
    with ExitStack() as stack:
        # Layers such as dropout draw from the global generators: forked, they leave the caller's as they were.
        stack.enter_context(torch.random.fork_rng(devices=[device] if device.type == "cuda" else []))
        torch.manual_seed(derive_seed(options.seed, "training"))
        step, spent = 0, 0.0
        if resume is not None:
            resume.restore(network, optimizer, average)
            _set_generators(resume.generators, batches, device)
            step, spent = resume.step, resume.seconds
        interrupt = Interrupt()
        if checkpoint is not None:
            stack.enter_context(interrupt)
        began = saved = time.perf_counter()
        network.train()
        compute = _loss_function(network, batches, options, device, criterion)
        observed = 0.0
        if resume is None:
            observer(0, math.nan, options.learning_rate, False)
            observed = time.perf_counter() - began
            if checkpoint is not None:
                _save(checkpoint, 0, 0.0, network, optimizer, batches, device, average)
        good, ending = step, _ending(options, step, spent, interrupt)
        loss = torch.tensor(math.nan, device="cpu")
        while ending is None:
            elapsed = spent + time.perf_counter() - began
            # The share of the budget, not the step, sets the rate: runs bounded by seconds end their schedule too.
            rate = options.learning_rate * options.decay.factor(options.share(step, elapsed))
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("pace", 1.0)
            optimizer.zero_grad(set_to_none=True)
            loss = compute()
            loss.backward()
            # Reading the loss waits for a GPU, which would idle after each step; the CPU has computed it already.
            if device.type == "cpu" or step % CHECK_EVERY == 0 or wants(step + 1):
                _check_finite(loss, step + 1, good, options)
                good = step
            # The loss is checked before the step: weights are never updated by a gradient that is not finite.
            optimizer.step()
            step += 1
            if average is not None:
                average.update(step)
            now = time.perf_counter()
            ending = _ending(options, step, spent + now - began, interrupt)
            if ending is not None or (wants(step) and observed <= _observable(options, now - began)):
                used = optimizer.param_groups[0]["lr"]
                if observer(step, loss.item(), used, ending is not None):
                    ending = ending or Ending.OBSERVER
                observed += time.perf_counter() - now
            if checkpoint is not None and (ending is not None or now - saved > CHECKPOINT_SECONDS):
                saved = now
                _save(checkpoint, step, spent + now - began, network, optimizer, batches, device, average)
        return Outcome(step, spent + time.perf_counter() - began, ending)


def make_optimizer(network: torch.nn.Module, options: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimizer over the trained parameters of a network, each with its factor of the learning rate.

    Args:
        network: The network.
        options: Optimizer, learning rate, momentum and weight decay.
    """
    rate = options.learning_rate
    groups = parameter_groups(network, rate)
    if options.optimizer is Optimizer.SGD:
        return torch.optim.SGD(groups, rate, options.momentum, weight_decay=options.weight_decay)
    return torch.optim.Adam(groups, rate, weight_decay=options.weight_decay)


def _loss_function(
    network: Field,
    batches: Batches | WholeLoss,
    options: TrainingConfig,
    device: torch.device,
    criterion: Criterion,
) -> Callable[[], Tensor]:
    if isinstance(batches, WholeLoss):
        return batches.loss
    draw = batches.draw
    mixed = options.precision.mixed_on(device.type)

    def loss(coords: Tensor, values: Tensor) -> Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed):
            prediction = network.normalised(coords)
        return criterion(prediction.float(), values)

    # Compiled as a whole, so that encoding, network and loss are fused.
    compiled = torch.compile(loss) if options.compiles_on(device.type) else loss
    return lambda: compiled(*draw())


def _observable(options: TrainingConfig, elapsed: float) -> float:
    """Return the seconds that observing may have taken after so many of the session."""
    # On a machine that is busy with other work a few observations can take all the time that a limit leaves.
    return (
        math.inf if options.seconds is None else OBSERVED_LIMIT * options.seconds + OBSERVED_ELAPSED * elapsed
    )


def _ending(options: TrainingConfig, step: int, seconds: float, interrupt: Interrupt) -> Ending | None:
    if interrupt.requested:
        interrupt.heeded = True
        return Ending.INTERRUPTED
    if options.max_steps is not None and step >= options.max_steps:
        return Ending.STEPS
    return Ending.SECONDS if options.seconds is not None and seconds >= options.seconds else None


def _check_finite(loss: Tensor, step: int, good: int, options: TrainingConfig) -> None:
    value = loss.item()
    if not math.isfinite(value):
        raise RunError(
            "a finite loss",
            f"{value} at step {step} (the last finite one was at step {good})",
            f"lower the learning rate of {options.learning_rate:g}; the record up to there is kept",
            "training",
        )


def _save(
    path: Path,
    step: int,
    seconds: float,
    network: Field,
    optimizer: torch.optim.Optimizer,
    batches: Batches | WholeLoss,
    device: torch.device,
    average: WeightAverage | None,
) -> None:
    # The streams go on where they stopped, so that a resumed run makes the same draws as one never interrupted.
    generators = {"batches": batches.generator.get_state(), "cpu": torch.get_rng_state()}
    if device.type == "cuda":
        generators["cuda"] = torch.cuda.get_rng_state(device)
    averaged = None if average is None else average.state()
    Checkpoint(step, seconds, network.state_dict(), optimizer.state_dict(), generators, averaged).save(path)


def _set_generators(states: dict[str, Tensor], batches: Batches | WholeLoss, device: torch.device) -> None:
    try:
        batches.generator.set_state(states["batches"])
        torch.set_rng_state(states["cpu"])
        if device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], device)
    except (KeyError, RuntimeError, TypeError) as other:
        raise InputError(
            "a checkpoint with random states of this device",
            "one of another device",
            "resume on the device that the run began on (--device), or start again with --overwrite",
            "training",
        ) from other
