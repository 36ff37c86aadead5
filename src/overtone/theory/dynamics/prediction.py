"""Which frequencies a network will have learned at which step, predicted as the record that a probe would measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn import Field
from overtone.records import derived
from overtone.signals import Signal
from overtone.spectra import Bands, NoiseFloor
from overtone.theory.agreement import Limit, departure
from overtone.theory.dynamics.growth import Growth
from overtone.theory.dynamics.linear import Moment, propagate
from overtone.theory.dynamics.optimizer import Schedule, constant, rate_of, rule_of
from overtone.theory.dynamics.pilot import Pilot
from overtone.theory.dynamics.record import Ledger
from overtone.theory.dynamics.rules import Flow, Rule
from overtone.theory.dynamics.sentences import Findings
from overtone.theory.dynamics.steps import log_steps

if TYPE_CHECKING:
    import xarray

LARGEST = 4096
"""Outputs (samples times channels) up to which a kernel is diagonalised: 128 MiB a matrix, some minutes."""

TRUST = 4.0
"""Largest ratio of learning steps with and without further growth of the kernel at which a band is still told."""

CALM = 0.5
"""Share of the stable limit at which modes beyond it are held after a pilot that did not diverge."""


@final
@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted course of training.

    Attributes:
        record: As a measured one, with `origin` "predicted", `pilot` and `sentences` among its attributes. Rows
            up to the pilot's end are measured on the pilot. NaN where the theory cannot tell.
        pilot: Steps that a copy of the network was trained before it was linearised.
        holds_until: Where the kernel at half the pilot and its growth begin to matter, by the theory's own
            account; None if not until the end, or without a pilot long enough to know.
        diverges_at: The last step before a predicted divergence, or None.
        sentences: What to know about it.
    """

    record: xarray.Dataset
    pilot: int
    holds_until: Limit | None
    diverges_at: int | None
    sentences: tuple[str, ...]


@final
class Normalised(nn.Module):
    """A field's outputs as the training loss sees them."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field

    def forward(self, coords: Tensor) -> Tensor:
        """(N, C) normalised values at (N, d) physical coordinates."""
        return self.field.normalised(coords)


def predict(
    signal: Signal,
    network: Field,
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
    seed: int = 0,
) -> Prediction:
    """Predict the record of a training run from the network's own initial output and its tangent kernel.

    The loss is the mean over samples and channels of (f - y)^2, both normalised, as in `overtone.training`. With
    a pilot, a copy is trained that many steps first and linearised where it arrives, at half way too: what the
    kernel's eigenvalues grew in between is continued as a power of the step. A band whose learning step
    depends on that by more than a factor of `TRUST` is not told: its rows are NaN from where the two ways part.
    Adam's kernel is J D J^T with its second moments where the pilot ends. Neither network nor optimizer is
    changed.

    Args:
        signal: What will be learned.
        network: The field, as training will begin with it.
        optimizer: SGD (with momentum), Adam or AdamW of the field's parameters, without weight decay.
        steps: Last step to predict.
        pilot: Steps to train a copy; 5 % of `steps` at most is what the accuracy table is about. Adam without
            second moments needs at least 1.
        flow: Gradient flow instead of the optimizer's own steps.
        part: The part of the signal to predict, if it is too large as a whole; the signal itself if None. Other
            samples count in the loss's mean, and are taken not to matter for the part's residual.
        batch: Samples per step, for the pilot; all if None. Minibatches are predicted by their mean.
        schedule: Factor of the learning rate per step.
        bands: Bands of the record; the default ones if None.
        noise: The signal's noise floor, if known.
        memory: Budget in GiB.
        seed: Seeds the pilot's batches.

    Returns:
        The prediction.

    Raises:
        InputError: If the signal is too large, the pilot not within the steps, or the optimizer unknown.
        RunError: If the pilot's loss stops being finite.

    Source: Jacot, Gabriel, Hongler 2018 (arXiv 1806.07572); Lee et al. 2019 (arXiv 1902.06720), section 2.
    """
    seen = signal if part is None else part
    _check(seen, steps, pilot)
    device = next(network.parameters()).device
    train = signal.train_index
    copy = Pilot(
        Normalised(network),
        optimizer,
        signal.geometry.coords(train).to(device),
        signal.normalisation.apply(signal.values[train]).to(device, network.dtype),
        batch=batch,
        schedule=schedule,
        seed=seed,
    )
    x = seen.coords.to(device)
    y = signal.normalisation.apply(seen.values).to(device, network.dtype)
    rule: Rule = Flow() if flow else rule_of(optimizer)
    ledger = Ledger(replace(seen, normalisation=signal.normalisation), bands, noise)
    base = float(optimizer.param_groups[0]["lr"])
    rows = log_steps(steps)
    earlier = _walk(copy, rows, pilot, ledger, x, y, seen.train_index.to(device), base, schedule)
    linear = copy.linearise(x, y, seen.train_index.to(device), mean_over=train.numel(), memory=memory)
    rate = rate_of(optimizer, schedule)

    def course(growth: Growth | None) -> Sequence[Moment]:
        after = [pilot, *(step for step in rows if step > pilot)]
        ceiling = CALM if pilot else math.inf
        return list(propagate(linear, rule, rate, after, pilot, growth, ceiling))

    growth = None
    if earlier is not None:
        growth = Growth.between(earlier[1], linear.eigenvalues, linear.modes, earlier[0], pilot)
    moments = course(growth)
    note(ledger, moments, base, schedule)
    attrs = {
        "pilot": pilot,
        "network": network.describe(),
        "parameters": network.parameter_count,
        "optimizer": type(optimizer).__name__,
        "seed": seed,
    }
    record = ledger.record(attrs)
    limit, untold = None, np.zeros(record.sizes["band"], dtype=bool)
    if growth is not None:
        note(ledger, course(None), base, schedule)
        record, limit, untold = _compare(ledger.record(attrs), record, pilot)
    diverges = moments[-1].step if moments[-1].step < steps else None
    findings = Findings(
        steps=steps,
        pilot=pilot,
        sharpness=linear.gain * float(linear.eigenvalues[-1]) / rule.limit(rate(pilot)),
        rate=base,
        diverges_at=diverges,
        clipped=linear.clipped,
        part=None if part is None else seen.geometry.shape,
        whole=signal.geometry.shape,
    )
    sentences = findings.sentences(record, untold)
    return Prediction(
        record.assign_attrs(sentences=list(sentences)), pilot, limit, diverges, tuple(sentences)
    )


def note(ledger: Ledger, moments: Sequence[Moment], base: float, schedule: Schedule) -> None:
    """Write predicted moments into a ledger."""
    for moment in moments:
        ledger.add(moment.step, moment.outputs.cpu(), moment.loss, base * schedule(moment.step))


def _walk(
    copy: Pilot,
    rows: Sequence[int],
    pilot: int,
    ledger: Ledger,
    x: Tensor,
    y: Tensor,
    train: Tensor,
    base: float,
    schedule: Schedule,
) -> tuple[int, Tensor] | None:
    """Take the pilot, noting rows on the way; the kernel of the trained outputs half way, if there is a half way."""
    middle = pilot // 2
    stops = sorted({step for step in rows if step < pilot} | {middle, pilot})
    kernel = None
    for step in stops:
        copy.advance(step - copy.step)
        if step in rows and step < pilot:
            outputs = copy.outputs(x)
            loss = float((outputs - y)[train].square().mean())
            ledger.add(step, outputs.cpu(), loss, base * schedule(step))
        if 1 <= step == middle < pilot:
            samples = x[train]
            kernel = (step, copy.kernel(samples))
    return kernel


def _compare(
    frozen: xarray.Dataset, grown: xarray.Dataset, pilot: int
) -> tuple[xarray.Dataset, Limit | None, np.ndarray]:
    """Where the frozen and the growing kernel part; the grown record without the bands that they do not agree on."""
    parted, _ = departure(frozen, grown, pilot)
    content = derived.has_content(derived.combine_channels(grown)).values
    parted = np.where(content, parted, np.nan)
    limit = None
    if np.isfinite(parted).any():
        band = int(np.nanargmin(parted))
        before = grown.step.values[grown.step.values < parted[band]]
        limit = Limit(int(before[-1]), float(grown.band_low[band]), float(grown.band_high[band]))
    late, soon = (derived.learning_step(derived.combine_channels(r)).values for r in (frozen, grown))
    ratio = np.where(np.isfinite(late), late, np.inf) / np.where(np.isfinite(soon), soon, np.nan)
    untold = content & np.isfinite(parted) & ~(np.maximum(ratio, 1 / ratio) <= TRUST)
    gone = untold[None, :] & (grown.step.values[:, None] >= np.where(untold, parted, np.inf)[None, :])
    hidden = {
        name: grown[name].where(~np.broadcast_to(gone[:, :, None], grown[name].shape))
        for name in ("residual_power", "cross_power")
    }
    return grown.assign(hidden), limit, untold


def _check(signal: Signal, steps: int, pilot: int) -> None:
    outputs = signal.values.numel()
    if outputs > LARGEST:
        raise InputError(
            f"at most {LARGEST} outputs (samples times channels)",
            f"{outputs}",
            "pass a part of the signal to predict",
            "signal",
        )
    if not 0 <= pilot < steps:
        raise InputError(f"a pilot of 0 to {steps - 1} steps", f"{pilot}", "predict more steps", "pilot")
