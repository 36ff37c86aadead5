"""Prediction of a training run as a probe's record: which frequencies are learned at which step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from overtone._utils.display import Result
from overtone.errors import InputError
from overtone.nn import Field
from overtone.records import metrics
from overtone.records.metrics._bands import has_content
from overtone.signals import Grid, Signal
from overtone.spectra import Bands, NoiseFloor
from overtone.theory._mode_dynamics import GradientFlow
from overtone.theory.dynamics._agreement import ValidityLimit
from overtone.theory.dynamics._cost import Cost
from overtone.theory.dynamics._findings import (
    VISIBLE,
    Continuation,
    Finding,
    FindingCode,
    band_findings,
    method_findings,
    stability_findings,
)
from overtone.theory.dynamics._optimizers import Schedule, constant, optimizer_dynamics
from overtone.theory.dynamics._pilot_run import check_network, in_network_values
from overtone.theory.dynamics._prediction_run import PredictionOutcome, PredictionRun
from overtone.theory.dynamics._problem import PredictionProblem
from overtone.theory.dynamics._wording import finding_sentence

if TYPE_CHECKING:
    import xarray

MAX_OUTPUTS = 4096
"""Maximum number of outputs (samples times channels) of a diagonalised kernel: 128 MiB a matrix, some minutes."""


@final
@dataclass(frozen=True)
class PredictionOptions:
    """Options of `predict` that seldom change.

    Attributes:
        flow: Predict gradient flow instead of the optimizer's discrete steps.
        bands: Bands of the record; the default ones if None.
        memory: Memory budget in GiB.
        ratio: Growth from one recorded step to the next.
        max_cost: Largest cost of a prediction with a pilot, as a share of the training's by a count of operations;
            beyond it the last kernel is extrapolated. Infinite for no limit. Pilot and two kernels are computed anyway.

    Example:
        >>> from overtone.theory.dynamics import PredictionOptions
        >>> PredictionOptions(ratio=1.05).memory
        2.0
    """

    flow: bool = False
    bands: Bands | None = None
    memory: float = 2.0
    ratio: float = 1.15
    max_cost: float = math.inf


@final
@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Result):
    """Predicted course of a training run.

    Attributes:
        record: Record with `origin` "predicted", and `pilot`, `diverges_at`, `largest_stable_rate` and `findings`
            among its attributes. Rows up to the pilot's end are measured on the pilot. Undetermined values are NaN.
        pilot: Steps of the copy before it was linearised: the requested number, or more if a learning rate beyond
            stability needs more to show whether training diverges.
        earliest: (band,) learning step if the kernel continues to grow at its earlier rate; NaN if not learned within
            four times the requested steps. Bands learned before the end of pilot and relinearisation have only one
            step.
        latest: (band,) learning step if the kernel is constant after pilot and relinearisation; NaN likewise.
        holds_until: Step and band at which these two begin to differ; None if they do not, or without a pilot of at
            least two steps.
        largest_rate: The largest stable learning rate, by the kernel at the pilot's end, or by the initial kernel if
            the pilot diverges; infinite for a flow.
        diverges_at: If training diverges, the last step at which the loss is within bounds (a million times the
            initial loss), which ends the record; otherwise None.
        scatter: (band, channel) power that minibatches add to the residual at the last step on average, in squared
            physical units, if the kernel is constant after the pilot; None if all samples form one step, or for
            momentum and Adam, for which it is not known.
        cost: Seconds of the prediction, and of the training.
        findings: Facts to consider, most important first.
    """

    record: xarray.Dataset
    pilot: int
    earliest: NDArray[np.float64]
    latest: NDArray[np.float64]
    holds_until: ValidityLimit | None
    largest_rate: float
    diverges_at: int | None
    scatter: NDArray[np.float64] | None
    cost: Cost
    findings: tuple[Finding, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Sentences that describe the findings."""
        return tuple(finding_sentence(finding) for finding in self.findings)


def predict(
    signal: Signal,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int,
    *,
    pilot: int = 0,
    part: Signal | None = None,
    batch: int | None = None,
    schedule: Schedule = constant,
    noise: NoiseFloor | None = None,
    seed: int = 0,
    options: PredictionOptions | None = None,
    callback: Callable[[Cost], None] | None = None,
) -> Prediction:
    """Predict the record of a training run from the network's initial output and its tangent kernel.

    The loss is the mean over samples and channels of (f - y)^2, with normalised values for a `Field`, as in
    `overtone._training`, and unchanged values for any other module. With a pilot, a copy is trained for that many
    steps and then relinearised repeatedly as long as this is efficient, but not on a part of the signal, because the
    other samples change the network too. From there the kernel is extrapolated: with a constant kernel, bands are
    learned at the latest step; with eigenvalues that continue to grow as the same power of the step, at the earliest;
    the prediction uses half that power, and a quarter on a part of the signal. A band whose earliest and latest steps
    differ by more than a factor of 4 is undetermined: its rows are NaN from the step at which the two differ.
    Divergent training is predicted up to the last step within bounds. Neither network nor optimizer is changed.

    Args:
        signal: Signal of the training.
        network: The network at the start of training. A `Field`, or any module that maps physical coordinates (N, d),
            in its parameters' precision, to the signal's values (N, C), and computes the same in training and
            evaluation mode.
        optimizer: SGD (with momentum), Adam or AdamW of the network's parameters, without weight decay.
        steps: Last step to predict.
        pilot: Training steps of the copy; the accuracy table applies to at most 5 % of `steps`. Adam without second
            moments needs at least 1.
        part: The part of the signal to predict, if the whole is too large; the whole signal if None. Other samples
            count in the loss's mean, and are assumed not to affect the part's residual.
        batch: Samples per step; all if None. Relinearisation follows a run on randomly drawn minibatches, and other
            draws result in other runs; without relinearisation minibatches are predicted by their mean.
        schedule: Factor of the learning rate per step.
        noise: The signal's noise floor, if it is known.
        seed: Seed of the batches in pilot and relinearisation.
        options: Further options.
        callback: Function that receives the estimated cost of prediction and training half way through the pilot, and
            again if the estimate doubles.

    Returns:
        The prediction.

    Raises:
        InputError: If the signal is too large, the pilot not within the steps, the optimizer unknown, or the network
            cannot be predicted.
        RunError: If the network's initial output is not finite.

    Source: Jacot, Gabriel, Hongler 2018 (arXiv 1806.07572); Lee et al. 2019 (arXiv 1902.06720), section 2.

    Example:
        >>> import torch
        >>> from overtone.signals import synthetic
        >>> from overtone.theory.dynamics import predict
        >>> signal = synthetic.harmonics([1, 2], samples=16)
        >>> network = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
        >>> prediction = predict(signal, network, torch.optim.SGD(network.parameters(), 0.05), steps=50)
        >>> prediction.record.attrs["origin"], int(prediction.record.step[-1]), prediction.diverges_at
        ('predicted', 50, None)
    """
    options = options or PredictionOptions()
    start, visible = time.perf_counter(), signal if part is None else part
    _check(visible, network, optimizer, steps, pilot, batch)
    check_network(network, visible)
    signal, visible = (in_network_values(values, network) for values in (signal, visible))
    base = float(optimizer.param_groups[0]["lr"])
    continuation = Continuation.of(pilot, part is not None)
    problem = PredictionProblem.of(
        signal, visible, network, lambda step: base * schedule(step), options.bands, noise
    )
    outcome = PredictionRun(
        signal,
        network,
        optimizer,
        problem,
        part is None,
        GradientFlow() if options.flow else optimizer_dynamics(optimizer),
        batch,
        schedule,
        steps,
        options.ratio,
        options.memory,
        seed,
        _attrs(network, optimizer, seed) | {"continued": continuation.value},
        callback or (lambda _: None),
        options.max_cost,
    ).run(pilot, continuation)
    ending = outcome.stability.diverges_at
    training = None if ending is not None or outcome.seconds is None else outcome.seconds * steps
    cost = Cost(time.perf_counter() - start, training)
    return _prediction(outcome, continuation, steps, cost, part, signal, options.max_cost)


def _prediction(
    outcome: PredictionOutcome,
    continuation: Continuation,
    steps: int,
    cost: Cost,
    part: Signal | None,
    signal: Signal,
    max_cost: float,
) -> Prediction:
    """Return the record up to the last step, with its findings."""
    interval, ending = outcome.interval, outcome.stability.diverges_at
    record = interval.determined(steps)
    findings = stability_findings(outcome.stability)
    # If training diverges, no band stays learned: findings on bands would mislead.
    if ending is None:
        findings += band_findings(record, interval.undetermined, interval.earliest, interval.latest, steps)
    if part is not None:
        window = {
            "start": _first_sample(part.geometry, signal.geometry),
            "shape": part.geometry.shape,
            "whole": signal.geometry.shape,
        }
        findings.append(Finding(FindingCode.WINDOW, window))
    limit = max_cost if outcome.limited else None
    findings += method_findings(outcome.pilot, outcome.since, steps, continuation, limit)
    if outcome.scatter is not None:
        error = _relative_scatter(outcome.scatter, record)
        findings.append(Finding(FindingCode.MINIBATCH_SCATTER, {"error": error}))
    if outcome.clipped > VISIBLE:
        findings.append(Finding(FindingCode.NEGATIVE_EIGENVALUES, {"share": outcome.clipped}))
    if cost.training_is_cheaper:
        values = {"predicting": cost.predicting, "training": cost.training}
        findings.append(Finding(FindingCode.TRAINING_CHEAPER, values))
    never = np.full(record.sizes["band"], np.nan)
    return Prediction(
        record.assign_attrs(findings=[finding.to_json() for finding in findings]),
        outcome.pilot,
        interval.earliest if ending is None else never,
        interval.latest if ending is None else never,
        interval.limit,
        outcome.stability.largest,
        ending,
        outcome.scatter,
        cost,
        tuple(findings),
    )


def _relative_scatter(scatter: NDArray[np.float64], record: xarray.Dataset) -> float:
    """Return the largest root of the scatter over the target power of a band with power."""
    together = metrics.combine_channels(record)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.sqrt(scatter.sum(1) / together.target_power.values)
    return float(share[has_content(together).values].max(initial=0.0))


def _attrs(network: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> dict[str, Any]:
    return {
        "network": network.describe() if isinstance(network, Field) else type(network).__name__,
        "parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "optimizer": type(optimizer).__name__,
        "seed": seed,
    }


def _check(
    signal: Signal,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int,
    pilot: int,
    batch: int | None,
) -> None:
    if not isinstance(network, nn.Module):
        raise InputError("a torch.nn.Module", type(network).__name__, "pass the network itself", "network")
    outputs = signal.values.numel()
    if outputs > MAX_OUTPUTS:
        raise InputError(
            f"at most {MAX_OUTPUTS} outputs (samples times channels)",
            f"{outputs}",
            "pass a part of the signal to predict",
            "signal",
        )
    if steps < 1:
        raise InputError("at least one step", f"{steps}", "pass more steps", "steps")
    if not 0 <= pilot < steps:
        raise InputError(f"a pilot of 0 to {steps - 1} steps", f"{pilot}", "predict more steps", "pilot")
    if batch is not None and batch < 1:
        raise InputError("at least one sample per batch", f"{batch}", "pass for instance 64", "batch")
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    missing = [name for name, p in network.named_parameters() if p.requires_grad and id(p) not in trained]
    if missing:
        raise InputError(
            "an optimizer of all parameters that require gradients",
            f"an optimizer without {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""),
            "pass the network's own optimizer, or call requires_grad_(False) on the excluded parameters",
            "optimizer",
        )


def _first_sample(part: Grid, whole: Grid) -> tuple[int, ...]:
    """Return the index per axis of the sample at which a part of a grid begins."""
    return tuple(round((p - o) / s) for p, o, s in zip(part.origin, whole.origin, whole.spacing, strict=True))
