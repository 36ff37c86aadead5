"""Candidates of a comparison: interpolation, kernel regression and trained networks."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone._config import EncodingKind, ModelConfig
from overtone._training import Decay, Ending, Outcome, TrainingConfig, train
from overtone.baselines import BandLimitedFit, Baseline, Cubic, Linear, Mean, Smoothing
from overtone.baselines._baseline import validation_split
from overtone.comparing._statistics import MEAN
from overtone.comparing._task import WIDTH, ComparisonTask, SizeLimits
from overtone.early_stopping import BestWeights
from overtone.early_stopping._monitor import LowestError
from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn._build import build_field
from overtone.nn.activations import Activation
from overtone.planning import Budget, ReasonCode
from overtone.planning._reasons import Reason
from overtone.planning._run_size import LEARNING_RATE
from overtone.probes import LogSchedule
from overtone.probes._evaluator import chunk_size, predict_at
from overtone.signals import Grid, Signal
from overtone.theory import kernel_regression
from overtone.theory.kernel_regression._krylov import GradientFlowKrylov


@final
@dataclass(frozen=True)
class Attempt:
    """Result of a candidate.

    Attributes:
        prediction: (N, C) values at every sample, in the value unit.
        parameters: Trainable parameters; None for candidates other than networks.
        reason: Reason for the end of the fit, with its numbers; None for candidates without such a choice.
        steps: Optimizer steps taken; None for candidates that are not trained.
    """

    prediction: Tensor
    parameters: int | None = None
    reason: Reason | None = None
    steps: int | None = None


class Candidate(ABC):
    """Method that learns from the training samples of a task and predicts all others."""

    @property
    @abstractmethod
    def trained(self) -> bool:
        """Whether the candidate is a trained network."""

    @property
    @abstractmethod
    def seeded(self) -> bool:
        """Whether the result depends on a seed."""

    def check(self, task: ComparisonTask, budget: Budget, device: torch.device) -> None:  # noqa: B027 - most take any
        """Check that the budget is sufficient.

        Raises:
            InputError: If it is not; the error states a sufficient one.
        """

    @abstractmethod
    def attempt(self, task: ComparisonTask, budget: Budget, seed: int, device: torch.device) -> Attempt:
        """Fit the training samples and predict all samples."""


MIN_WIDTH, MAX_WIDTH = 8, 1024
"""Candidate numbers of units per hidden layer for a budget of parameters."""

MAX_EVALUATED = 8192
"""Maximum number of held-out samples for choosing the best weights."""


@final
@dataclass(frozen=True)
class NetworkCandidate(Candidate):
    """A network with the chosen bandwidth, trained with Adam and a learning rate that falls to 0 on a cosine.

    On noisy samples a tenth of the training samples is used for validation and the weights of the lowest validation
    error are used; on clean samples all are used for training up to the last step.

    Attributes:
        settings: Encoding, activation and depth; the width follows from the budget.
        lr: Learning rate.
        limits: Limits of the network's size from a budget in seconds.
    """

    settings: ModelConfig
    lr: float = LEARNING_RATE
    limits: SizeLimits = dataclasses.field(default_factory=SizeLimits)

    @property
    def trained(self) -> bool:
        """Yes."""
        return True

    @property
    def seeded(self) -> bool:
        """Return True: weights, frequencies and batches are random."""
        return True

    def field(self, task: ComparisonTask, width: int, seed: int) -> Field:
        """Build the untrained network for the task's signal."""
        bandwidth = task.bandwidth if self.settings.has_bandwidth else None
        settings = replace(self.settings, width=width, bandwidth=bandwidth)
        return build_field(task.signal, settings, seed)

    def width(self, task: ComparisonTask, budget: Budget) -> int:
        """Choose the largest width, up to 1,024, within the budget's parameters.

        Raises:
            InputError: If even 8 units exceed the budget.
        """
        limit = self.limits.width
        if budget.parameters is None:
            return limit or WIDTH
        low, high = MIN_WIDTH, MAX_WIDTH
        smallest = _count(self.field(task, low, 0))
        if smallest > budget.parameters:
            raise InputError(
                f"a budget of at least {smallest:,} parameters",
                f"{budget.parameters:,}",
                "increase it",
                "parameters",
            )
        # The number of parameters grows with the width: bisection finds the last width within the budget.
        while low < high:
            middle = (low + high + 1) // 2
            fits = _count(self.field(task, middle, 0)) <= budget.parameters
            low, high = (middle, high) if fits else (low, middle - 1)
        return low if limit is None else min(low, limit)

    def check(self, task: ComparisonTask, budget: Budget, device: torch.device) -> None:  # noqa: ARG002
        """Check that the budget allows the smallest width, see `Candidate.check`."""
        self.width(task, budget)

    def attempt(self, task: ComparisonTask, budget: Budget, seed: int, device: torch.device) -> Attempt:
        """Train the network and predict, see `Candidate.attempt`."""
        field = self.field(task, self.width(task, budget), seed).to(device)
        # Networks with a low default learning rate diverge at the rate of a short run.
        pace = self.limits.pace if self.lr >= LEARNING_RATE else 1.0
        options = TrainingConfig(
            budget.steps,
            budget.seconds,
            batch=self.limits.batch,
            lr=self.lr * pace,
            decay=Decay.COSINE,
            seed=seed,
        )
        signal, due = task.signal, LogSchedule().due
        if task.noisy:
            present = torch.zeros(signal.geometry.samples, dtype=torch.bool, device="cpu")
            present[signal.train_index.cpu()] = True
            validation = torch.from_numpy(validation_split(present.numpy(), seed))
            signal = signal.with_split(present & ~validation, validation)
            weights = BestWeights(LowestError(), field)
            observe = validation_observer(field, signal, weights)
            outcome = _finish(train(field, signal, options, observe, wants=due))
            values = {"step": weights.restore() or 0, "samples": int(validation.sum())}
            reason = Reason(ReasonCode.BEST_STEP, values)
        else:
            outcome = _finish(train(field, signal, options, lambda *_: None, wants=lambda _: False))
            reason = Reason(ReasonCode.LAST_STEP, {"steps": outcome.step})
        return Attempt(_predict_everywhere(field, task), _count(field), reason, outcome.step)


def validation_observer(field: Field, signal: Signal[Grid], weights: BestWeights) -> Callable[..., None]:
    """Return a training observer that passes the error on held-out samples to a store of best weights.

    Args:
        field: The network in training.
        signal: Signal whose held-out samples are evaluated, at most 8,192 of them, evenly spaced.
        weights: The store.
    """
    device = next(field.parameters()).device
    index = signal.held_out_index
    index = index[:: max(1, math.ceil(len(index) / MAX_EVALUATED))]
    coords = signal.geometry.coords(index.cpu()).to(device)
    truth = signal.normalisation.apply(signal.values[index]).to(device)

    def observe(step: int, *_: object) -> None:
        with torch.no_grad():
            error = float((field.normalised(coords) - truth).square().mean())
        weights.update(step, {"held_out_error": error})

    return observe


def _finish(outcome: Outcome) -> Outcome:
    # An interrupted training has no result: the whole comparison is interrupted.
    if outcome.ending is Ending.INTERRUPTED:
        raise KeyboardInterrupt
    return outcome


def _predict_everywhere(field: Field, task: ComparisonTask) -> Tensor:
    with torch.no_grad():
        return predict_at(field, task.signal.geometry, None, chunk=chunk_size(field, 1.0))


def _count(field: Field) -> int:
    return sum(p.numel() for p in field.parameters())


EFFORT = kernel_regression.SolverOptions(tolerance=0.05, vectors=300, memory=1.0)
"""Solver accuracy sufficient for the stop; more would change the prediction by less than a twentieth of its error."""


@final
class KernelRegressionCandidate(Candidate):
    """NTK regression: the fit of an infinitely wide network with the same encoding.

    The stopping time is chosen on a tenth of the training samples, then all are fitted for that time. The candidate
    needs no budget.

    Args:
        network: Network with the same frequencies and depth.
    """

    def __init__(self, network: NetworkCandidate) -> None:
        self._network = network

    @property
    def trained(self) -> bool:
        """Return False: the fit is a closed formula."""
        return False

    @property
    def seeded(self) -> bool:
        """Return True: the frequencies are random."""
        return True

    def attempt(
        self,
        task: ComparisonTask,
        budget: Budget,  # noqa: ARG002 - it needs none
        seed: int,
        device: torch.device,  # noqa: ARG002 - on the CPU
    ) -> Attempt:
        """Fit and predict, see `Candidate.attempt`."""
        signal = task.signal
        model = kernel_regression.NTKModel.from_field(self._network.field(task, WIDTH, seed), signal.geometry)
        present = torch.zeros(signal.geometry.samples, dtype=torch.bool, device="cpu")
        present[signal.train_index] = True
        validation = torch.from_numpy(validation_split(present.numpy(), seed))
        chosen = kernel_regression.fit(signal.with_split(present & ~validation, validation), model, EFFORT)
        values = signal.normalisation.apply(signal.values.double())[present]
        mean = values.mean(0)
        space = GradientFlowKrylov(
            model.operator(signal.geometry.shape, present.reshape(signal.geometry.shape)),
            values - mean,
            signal.train_index[:1],
        )
        # The time was chosen on a split; all training samples are then fitted for that time.
        space.extend(min(chosen.vectors, EFFORT.max_vectors(len(values), values.shape[1])))
        fitted = signal.normalisation.restore(space.predict(chosen.time) + mean)
        return Attempt(
            fitted.reshape(signal.values.shape).to(signal.values),
            None,
            Reason.recorded(" ".join(chosen.notes)),
        )


@final
class BaselineCandidate(Candidate):
    """Interpolation or smoothing, without a budget or randomness.

    Args:
        baseline: The baseline.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline

    @property
    def trained(self) -> bool:
        """No."""
        return False

    @property
    def seeded(self) -> bool:
        """No."""
        return False

    def attempt(
        self,
        task: ComparisonTask,
        budget: Budget,  # noqa: ARG002 - it needs none
        seed: int,  # noqa: ARG002 - nothing is drawn
        device: torch.device,  # noqa: ARG002 - on the CPU
    ) -> Attempt:
        """Interpolate and predict, see `Candidate.attempt`."""
        return Attempt(self._baseline.predict(task.signal))


ALWAYS = (MEAN, "linear", "cubic", "band-limited", "smoothing-spline", "kernel-twin", "mlp")
"""Candidates of every comparison."""

DEFAULT = ("gaussian", "siren")
"""Further candidates by default."""

LOW_LEARNING_RATE = 3e-4
"""Learning rate of networks whose activations have frequencies, which diverge at larger rates."""


def network_candidates() -> dict[str, NetworkCandidate]:
    """Return every available network by name: an encoding before ReLU, or an activation with frequencies alone."""
    networks = {"mlp": NetworkCandidate(ModelConfig(EncodingKind.NONE))}
    for encoding in EncodingKind:
        if encoding not in (EncodingKind.AUTO, EncodingKind.NONE):
            networks[encoding.value] = NetworkCandidate(ModelConfig(encoding))
    for activation in Activation:
        settings = ModelConfig(EncodingKind.NONE, activation=(activation,))
        if settings.activation[0].has_bandwidth:
            name = "siren" if activation is Activation.SINE else activation.value
            networks[name] = NetworkCandidate(settings, LOW_LEARNING_RATE)
    return networks


def all_candidates() -> dict[str, Candidate]:
    """Return every candidate by name."""
    trained = network_candidates()
    return {
        MEAN: BaselineCandidate(Mean()),
        "linear": BaselineCandidate(Linear()),
        "cubic": BaselineCandidate(Cubic()),
        "band-limited": BaselineCandidate(BandLimitedFit()),
        "smoothing-spline": BaselineCandidate(Smoothing()),
        "kernel-twin": KernelRegressionCandidate(trained["gaussian"]),
        **trained,
    }


def select_candidates(names: Sequence[str]) -> dict[str, Candidate]:
    """Return the candidates of every comparison and the named ones.

    Raises:
        InputError: If a name is unknown; the error lists the known ones.
    """
    known = all_candidates()
    for name in names:
        if name not in known:
            raise InputError(
                f"candidates out of {', '.join(network_candidates())}",
                f"{name!r}",
                "choose some of them",
                "candidates",
            )
    return {name: known[name] for name in dict.fromkeys((*ALWAYS, *names))}
