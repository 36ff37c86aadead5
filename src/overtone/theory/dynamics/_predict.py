"""Which frequencies a network will have learned at which step, predicted as the record that a probe would measure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from overtone.errors import InputError
from overtone.nn import Field
from overtone.records import metrics
from overtone.signals import Grid, Signal
from overtone.spectra import Bands, NoiseFloor
from overtone.theory._mode_dynamics import Flow
from overtone.theory.dynamics._agreement import ValidityLimit
from overtone.theory.dynamics._findings import Continuation, Cost, Findings
from overtone.theory.dynamics._optimizers import Schedule, constant, optimizer_dynamics
from overtone.theory.dynamics._pilot_run import check_network, in_network_values
from overtone.theory.dynamics._prediction_run import PredictionOutcome, PredictionRun
from overtone.theory.dynamics._problem import PredictionProblem

if TYPE_CHECKING:
    import xarray

LARGEST = 4096
"""Outputs (samples times channels) up to which a kernel is diagonalised: 128 MiB a matrix, some minutes."""


def silent(sentence: str) -> None:
    """Tell nobody."""


@final
@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted course of training.

    Attributes:
        record: As a measured one, with `origin` "predicted", `pilot`, `diverges_at`, `largest_stable_rate` and
            `sentences` among its attributes. Rows up to the pilot's end are measured on the pilot. NaN where the
            theory cannot tell.
        pilot: Steps that a copy of the network was trained before it was linearised: as many as asked for, or more
            where a learning rate beyond stability needs more to show whether training diverges.
        earliest: (band,) learning step if the kernel goes on growing as before; NaN if not learned within four
            times the steps asked for. Bands learned by the end of pilot and leaps have but one step.
        latest: (band,) learning step if the kernel stays what it is after pilot and leaps; NaN likewise.
        holds_until: Where these two begin to differ; None if they do not, or without a pilot of two steps to tell.
        largest_rate: The largest learning rate that is stable, by the kernel at the pilot's end, or by the initial one
            if the pilot diverges; infinite for a flow.
        diverges_at: The last step at which the loss is within bounds, a million times that of the start, if training
            diverges; the record then ends there. Else None.
        scatter: (band, channel) power that minibatches add to the residual at the last step on average, in squared
            physical units, if the kernel stays as it is at the pilot's end; None if all samples make a step, or for
            momentum and Adam, whose scatter is not known.
        cost: What it took, and what training would take.
        sentences: What to know about it.
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
    sentences: tuple[str, ...]


def predict(
    signal: Signal,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int,
    *,
    pilot: int = 0,
    flow: bool = False,
    part: Signal | None = None,
    batch: int | None = None,
    schedule: Schedule = constant,
    bands: Bands | None = None,
    noise: NoiseFloor | None = None,
    memory: float = 2.0,
    ratio: float = 1.15,
    seed: int = 0,
    tell: Callable[[str], None] = silent,
) -> Prediction:
    """Predict the record of a training run from the network's own initial output and its tangent kernel.

    The loss is the mean over samples and channels of (f - y)^2: of a `Field` both normalised, as in
    `overtone._training`, of any other module both as they are. With a pilot, a copy is trained that many steps, and
    goes on by `Leaps` as far as these pay, but not on a part of the signal (`Beyond` says why). From there the
    kernel is continued: if it stays, bands are learned at the latest; if its eigenvalues go on as the power of the
    step at which they grew before, at the earliest; the prediction takes half that power, and a quarter on a part
    of the signal. A band whose earliest and latest steps differ by more than a factor of 4 is not told: its rows
    are NaN from where the two part. Training that diverges is predicted as such, up to the last step within bounds.
    Neither network nor optimizer is changed.

    Args:
        signal: What will be learned.
        network: As training will begin with it. A `Field`, or any module that maps physical coordinates (N, d), in its
            parameters' precision, to the signal's values (N, C), and does the same in training and evaluation mode.
        optimizer: SGD (with momentum), Adam or AdamW of the network's parameters, without weight decay.
        steps: Last step to predict.
        pilot: Steps to train a copy; 5 % of `steps` at most is what the accuracy table is about. Adam without
            second moments needs at least 1.
        flow: Gradient flow instead of the optimizer's own steps.
        part: The part of the signal to predict, if it is too large as a whole; the signal itself if None. Other
            samples count in the loss's mean, and are taken not to matter for the part's residual.
        batch: Samples per step; all if None. Leaps follow a run on minibatches that are drawn, of which other draws
            differ; without leaps minibatches are predicted by their mean.
        schedule: Factor of the learning rate per step.
        bands: Bands of the record; the default ones if None.
        noise: The signal's noise floor, if known.
        memory: Budget in GiB.
        ratio: Growth from one recorded step to the next.
        seed: Seeds the batches of pilot and leaps.
        tell: Called with a sentence on what predicting will cost and training would, half way of the pilot, and again
            if it turns out to be twice as much.

    Returns:
        The prediction.

    Raises:
        InputError: If the signal is too large, the pilot not within the steps, the optimizer unknown, or the network
            none that can be predicted.
        RunError: If the network's output is not finite to begin with.

    Source: Jacot, Gabriel, Hongler 2018 (arXiv 1806.07572); Lee et al. 2019 (arXiv 1902.06720), section 2.
    """
    began, seen = time.perf_counter(), signal if part is None else part
    _check(seen, network, optimizer, steps, pilot, batch)
    check_network(network, seen)
    signal, seen = (in_network_values(each, network) for each in (signal, seen))
    base = float(optimizer.param_groups[0]["lr"])
    beyond = Continuation.of(pilot, part is not None)
    found = PredictionRun(
        signal,
        network,
        optimizer,
        PredictionProblem.of(signal, seen, network, lambda step: base * schedule(step), bands, noise),
        part is None,
        Flow() if flow else optimizer_dynamics(optimizer),
        batch,
        schedule,
        steps,
        ratio,
        memory,
        seed,
        _attrs(network, optimizer, seed) | {"continued": beyond.value},
        tell,
    ).run(pilot, beyond)
    ending = found.stability.diverges_at
    training = None if ending is not None or found.seconds is None else found.seconds * steps
    return _told(found, beyond, steps, Cost(time.perf_counter() - began, training), part, signal)


def _told(
    found: PredictionOutcome,
    beyond: Continuation,
    steps: int,
    cost: Cost,
    part: Signal | None,
    signal: Signal,
) -> Prediction:
    """The record up to the last step, with what to know about it."""
    span, ending = found.span, found.stability.diverges_at
    record = span.told(steps)
    sentences = Findings(
        steps=steps,
        pilot=found.pilot,
        since=found.since,
        stability=found.stability,
        clipped=found.clipped,
        beyond=beyond,
        scatter=None if found.scatter is None else _relative(found.scatter, record),
        cost=cost,
        part=None if part is None else (_start(part.geometry, signal.geometry), part.geometry.shape),
        whole=signal.geometry.shape,
    ).sentences(record, span.untold)
    never = np.full(record.sizes["band"], np.nan)
    return Prediction(
        record.assign_attrs(sentences=sentences),
        found.pilot,
        span.earliest if ending is None else never,
        span.latest if ending is None else never,
        span.limit,
        found.stability.largest,
        ending,
        found.scatter,
        cost,
        tuple(sentences),
    )


def _relative(scatter: NDArray[np.float64], record: xarray.Dataset) -> float:
    """The largest root of the scatter over the target power of a band that holds something."""
    together = metrics.combine_channels(record)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.sqrt(scatter.sum(1) / together.target_power.values)
    return float(share[metrics.has_content(together).values].max(initial=0.0))


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
    if outputs > LARGEST:
        raise InputError(
            f"at most {LARGEST} outputs (samples times channels)",
            f"{outputs}",
            "pass a part of the signal to predict",
            "signal",
        )
    if steps < 1:
        raise InputError("at least one step", f"{steps}", "predict further", "steps")
    if not 0 <= pilot < steps:
        raise InputError(f"a pilot of 0 to {steps - 1} steps", f"{pilot}", "predict more steps", "pilot")
    if batch is not None and batch < 1:
        raise InputError("at least one sample per batch", f"{batch}", "pass for instance 64", "batch")
    moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
    left = [name for name, p in network.named_parameters() if p.requires_grad and id(p) not in moved]
    if left:
        raise InputError(
            "an optimizer of all parameters that require gradients",
            f"one without {left[0]}" + (f" and {len(left) - 1} more" if left[1:] else ""),
            "pass the network's own optimizer, or call requires_grad_(False) on what it leaves alone",
            "optimizer",
        )


def _start(part: Grid, whole: Grid) -> tuple[int, ...]:
    """The number per axis of the sample at which a part of a grid begins."""
    return tuple(round((p - o) / s) for p, o, s in zip(part.origin, whole.origin, whole.spacing, strict=True))
