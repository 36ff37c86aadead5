"""What takes part in a comparison."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone._training import Decay, Ending, Outcome, TrainingConfig, train
from overtone._utils.text import plural
from overtone.baselines import BandLimitedFit, Baseline, Cubic, Linear, Mean, Smoothing
from overtone.baselines._baseline import validation_split
from overtone.comparing._best import Best
from overtone.comparing._task import WIDTH, ComparisonTask, SizeLimits
from overtone.errors import InputError
from overtone.nn import Activation, EncodingKind, Field, ModelConfig, build_field
from overtone.planning import Budget
from overtone.planning._run_size import LEARNING_RATE
from overtone.probes import LogSchedule
from overtone.probes._evaluator import chunk_size, predict_at
from overtone.theory import kernel_regression
from overtone.theory.kernel_regression._krylov import GradientFlowKrylov


@final
@dataclass(frozen=True)
class Attempt:
    """What a candidate came to.

    Attributes:
        prediction: (N, C) values at every sample, in the value unit.
        parameters: Of the network; None for what has none.
        note: How, in a sentence; may be empty.
        steps: Optimizer steps taken; None for what takes none.
    """

    prediction: Tensor
    parameters: int | None = None
    note: str = ""
    steps: int | None = None


class Candidate(ABC):
    """Learns from the training samples of a problem and predicts all others."""

    @property
    @abstractmethod
    def trained(self) -> bool:
        """Whether it is a network that is trained."""

    @property
    @abstractmethod
    def drawn(self) -> bool:
        """Whether a seed enters."""

    def check(self, problem: ComparisonTask, budget: Budget, device: torch.device) -> None:  # noqa: B027 - most take any
        """Whether the budget is enough.

        Raises:
            InputError: If not; says what would be.
        """

    @abstractmethod
    def attempt(self, problem: ComparisonTask, budget: Budget, seed: int, device: torch.device) -> Attempt:
        """Learn and predict."""


NARROWEST = 8
"""Units per hidden layer below which a network is not built to meet a budget."""


@final
@dataclass(frozen=True)
class NetworkCandidate(Candidate):
    """A network with the chosen bandwidth, trained with Adam and a learning rate that falls to 0 on a cosine.

    On noisy samples a tenth of those to train on is set aside and the step of their least error kept; else all are
    trained on to the end.

    Attributes:
        settings: EncodingKind, activation and depth; the width follows from the budget.
        lr: Learning rate.
        extent: What a budget in seconds pays for.
    """

    settings: ModelConfig
    lr: float = LEARNING_RATE
    extent: SizeLimits = dataclasses.field(default_factory=SizeLimits)

    @property
    def trained(self) -> bool:
        """Yes."""
        return True

    @property
    def drawn(self) -> bool:
        """Yes: weights, frequencies and batches are."""
        return True

    def field(self, problem: ComparisonTask, width: int, seed: int) -> Field:
        """The network before training, for the problem's signal."""
        reach = problem.bandwidth if self.settings.has_bandwidth else None
        settings = replace(self.settings, width=width, bandwidth=reach)
        return build_field(problem.signal, settings, seed)

    def width(self, problem: ComparisonTask, budget: Budget) -> int:
        """The most units per hidden layer, up to 1,024, that keep to the budget's parameters.

        Raises:
            InputError: If even 8 units are too many.
        """
        most = self.extent.width
        if budget.parameters is None:
            return most or WIDTH
        low, high = NARROWEST, 1024
        least = _count(self.field(problem, low, 0))
        if least > budget.parameters:
            raise InputError(
                f"a budget of at least {least:,} parameters",
                f"{budget.parameters:,}",
                "raise it",
                "parameters",
            )
        while low < high:
            middle = (low + high + 1) // 2
            fits = _count(self.field(problem, middle, 0)) <= budget.parameters
            low, high = (middle, high) if fits else (low, middle - 1)
        return low if most is None else min(low, most)

    def check(self, problem: ComparisonTask, budget: Budget, device: torch.device) -> None:  # noqa: ARG002
        """See `Candidate.check`."""
        self.width(problem, budget)

    def attempt(self, problem: ComparisonTask, budget: Budget, seed: int, device: torch.device) -> Attempt:
        """See `Candidate.attempt`."""
        field = self.field(problem, self.width(problem, budget), seed).to(device)
        pace = self.extent.pace if self.lr >= LEARNING_RATE else 1.0
        options = TrainingConfig(
            budget.steps,
            budget.seconds,
            batch=self.extent.batch,
            lr=self.lr * pace,
            decay=Decay.COSINE,
            seed=seed,
        )
        signal, due, note = problem.signal, LogSchedule().due, ""
        if problem.noisy:
            present = torch.zeros(signal.geometry.samples, dtype=torch.bool, device="cpu")
            present[signal.train_index.cpu()] = True
            aside = torch.from_numpy(validation_split(present.numpy(), seed))
            signal = signal.with_split(present & ~aside, aside)
            best = Best(field, signal)
            ended = _finish(train(field, signal, options, best, wants=due))
            best.restore()
            note = f"Stopped at step {best.step} by {int(aside.sum()):,} samples set aside."
        else:
            ended = _finish(train(field, signal, options, lambda *_: None, wants=lambda _: False))
            note = f"Trained for {plural(ended.step, 'step')}."
        return Attempt(_everywhere(field, problem), _count(field), note, ended.step)


def _finish(ended: Outcome) -> Outcome:
    if ended.ending is Ending.INTERRUPTED:
        raise KeyboardInterrupt
    return ended


def _everywhere(field: Field, problem: ComparisonTask) -> Tensor:
    with torch.no_grad():
        return predict_at(field, problem.signal.geometry, None, chunk=chunk_size(field, 1.0))


def _count(field: Field) -> int:
    return sum(p.numel() for p in field.parameters())


EFFORT = kernel_regression.SolverOptions(tolerance=0.05, vectors=300, memory=1.0)
"""Enough for the stop; more would move the prediction by less than a twentieth of its error."""


@final
class KernelRegressionCandidate(Candidate):
    """The fit that an infinitely wide network of the same encoding would reach.

    The time to stop is chosen by a tenth of the training samples, then all are fitted for that time. It needs no
    budget.

    Args:
        network: Whose frequencies and depth it has.
    """

    def __init__(self, network: NetworkCandidate) -> None:
        self._network = network

    @property
    def trained(self) -> bool:
        """No: it is a formula."""
        return False

    @property
    def drawn(self) -> bool:
        """Yes: the frequencies are."""
        return True

    def attempt(
        self,
        problem: ComparisonTask,
        budget: Budget,  # noqa: ARG002 - it needs none
        seed: int,
        device: torch.device,  # noqa: ARG002 - on the CPU
    ) -> Attempt:
        """See `Candidate.attempt`."""
        signal = problem.signal
        model = kernel_regression.NTKModel.from_field(
            self._network.field(problem, WIDTH, seed), signal.geometry
        )
        present = torch.zeros(signal.geometry.samples, dtype=torch.bool, device="cpu")
        present[signal.train_index] = True
        aside = torch.from_numpy(validation_split(present.numpy(), seed))
        chosen = kernel_regression.fit(signal.with_split(present & ~aside, aside), model, EFFORT)
        values = signal.normalisation.apply(signal.values.double())[present]
        mean = values.mean(0)
        space = GradientFlowKrylov(
            model.operator(signal.geometry.shape, present.reshape(signal.geometry.shape)),
            values - mean,
            signal.train_index[:1],
        )
        space.extend(min(chosen.vectors, EFFORT.max_vectors(len(values), values.shape[1])))
        fitted = signal.normalisation.restore(space.predict(chosen.time) + mean)
        return Attempt(fitted.reshape(signal.values.shape).to(signal.values), None, " ".join(chosen.notes))


@final
class BaselineCandidate(Candidate):
    """Interpolation or smoothing; it needs no budget and draws nothing.

    Args:
        baseline: Which.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline

    @property
    def trained(self) -> bool:
        """No."""
        return False

    @property
    def drawn(self) -> bool:
        """No."""
        return False

    def attempt(
        self,
        problem: ComparisonTask,
        budget: Budget,  # noqa: ARG002 - it needs none
        seed: int,  # noqa: ARG002 - nothing is drawn
        device: torch.device,  # noqa: ARG002 - on the CPU
    ) -> Attempt:
        """See `Candidate.attempt`."""
        return Attempt(self._baseline.predict(problem.signal))


MEAN = "mean"

ALWAYS = (MEAN, "linear", "cubic", "band-limited", "smoothing-spline", "kernel-twin", "mlp")
"""Those that take part in every comparison."""

USUAL = ("gaussian", "siren")
"""Those that take part where nothing else is asked for."""

GENTLE = 3e-4
"""Learning rate of networks whose activations bring frequencies, which leap at larger ones."""


def network_candidates() -> dict[str, NetworkCandidate]:
    """Every network that can be asked for: an encoding before ReLU, or an activation with frequencies alone."""
    found = {"mlp": NetworkCandidate(ModelConfig(EncodingKind.NONE))}
    for encoding in EncodingKind:
        if encoding not in (EncodingKind.AUTO, EncodingKind.NONE):
            found[encoding.value] = NetworkCandidate(ModelConfig(encoding))
    for activation in Activation:
        settings = ModelConfig(EncodingKind.NONE, activation=(activation,))
        if settings.activation[0].has_bandwidth:
            name = "siren" if activation is Activation.SINE else activation.value
            found[name] = NetworkCandidate(settings, GENTLE)
    return found


def all_candidates() -> dict[str, Candidate]:
    """Every candidate by name."""
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
    """Those that always take part, and those named.

    Raises:
        InputError: If there is none of a name; lists those there are.
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
