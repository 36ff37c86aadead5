"""`predict`: what `fit` would find, before anything is trained."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor

from overtone import records
from overtone._config import EncodingKind, ModelConfig
from overtone._training import Decay, Optimizer, TrainingConfig, make_optimizer
from overtone._utils.numbers import whole
from overtone._utils.torch_defaults import standard
from overtone.errors import InputError
from overtone.fitting._monitor import expected_steps
from overtone.fitting._prepare import Wishes, build, extent, find_device, hold_out
from overtone.nn import Activation
from overtone.planning import measure_noise
from overtone.probes import Window
from overtone.records import metrics
from overtone.signals import Signal, require_grid
from overtone.theory import barron, risk
from overtone.theory.dynamics import Agreement, Prediction, agreement
from overtone.theory.dynamics import predict as foretell
from overtone.theory.dynamics._predict import silent

if TYPE_CHECKING:
    import xarray

OUTPUTS = 1536
"""Samples times channels that are predicted; of a larger signal a window of about as many."""

LONGEST = 10_000_000
"""Steps that can be predicted."""

PILOT = 0.05
"""Length of the pilot as a share of the steps."""

CLOSE = 0.1
"""Root mean square error, as a share of the signal's standard deviation, that the advised width promises."""


@final
@dataclass(frozen=True, eq=False)
class Forecast:
    """What `predict` hands back.

    Attributes:
        signal: What would be learned.
        part: What was predicted of it: all, or a window at full resolution.
        prediction: The predicted course of training.
        stop: The step at which the expected error is least, as `records.metrics.stop` finds it.
        irreducible: Mean square error that no linear shrinkage per band avoids, because signal and noise share
            their frequencies; mean over channels, in squared value units. None if the noise is not known.
        width: Units of one hidden ReLU layer for which the Barron bound promises a tenth of the signal's standard
            deviation, or the noise's if that is larger. It bounds what exists, not what training finds, and may be
            astronomical for signals with edges. None for signals of fewer than four samples along an axis.
        bandwidth: Reach of the network per axis in cycles per unit, or None.
        reasons: Why that bandwidth.
        agreement: How a measured run compares, if one was given.
    """

    signal: Signal
    part: Signal
    prediction: Prediction
    stop: metrics.Stop
    irreducible: float | None
    width: int | None
    bandwidth: tuple[float, ...] | None
    reasons: tuple[str, ...]
    agreement: Agreement | None

    @property
    def record(self) -> xarray.Dataset:
        """The predicted record, of origin "predicted"."""
        return self.prediction.record

    @property
    def sentences(self) -> list[str]:
        """What to know: the prediction's own sentences, then how a measured run compares."""
        compared = [] if self.agreement is None else self.agreement.sentences
        return [*self.prediction.sentences, *compared]


@standard()
def predict(
    signal: Signal,
    *,
    encoding: EncodingKind | str = EncodingKind.AUTO,
    bandwidth: float | Sequence[float] | None = None,
    activation: Activation | str | Sequence[Activation | str] = Activation.RELU,
    width: int | None = None,
    depth: int = 3,
    features: int | None = None,
    residual: bool = False,
    optimizer: Optimizer | str = Optimizer.ADAM,
    lr: float | None = None,
    momentum: float = 0.0,
    decay: Decay | str = Decay.CONSTANT,
    steps: int | None = None,
    seconds: float | None = None,
    batch: int | None = None,
    held_out: float = 0.1,
    pilot: int | None = None,
    run: str | Path | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    tell: Callable[[str], None] = silent,
) -> Forecast:
    """Predict what `fit` with the same arguments would record.

    Seeds mean what they mean to `fit`: the same one gives the same network, held-out samples and bandwidth.

    Args:
        signal: What would be learned.
        encoding: As `fit`.
        bandwidth: As `fit`.
        activation: As `fit`.
        width: As `fit`.
        depth: As `fit`.
        features: As `fit`.
        residual: As `fit`.
        optimizer: As `fit`.
        lr: As `fit`.
        momentum: As `fit`.
        decay: As `fit`.
        steps: As `fit`.
        seconds: As `fit`; the steps that they allow are found by timing three.
        batch: As `fit`.
        held_out: As `fit`.
        pilot: Steps that a copy of the network is trained before it is linearised; a twentieth of the steps if
            None, 0 for none.
        run: A run directory or record to compare with.
        seed: As `fit`.
        device: As `fit`.
        tell: Called with a sentence on what predicting will cost, as soon as that can be estimated.

    Returns:
        The forecast.

    Raises:
        InputError: If an argument is wrong, or there is no record at `run`.
        RunError: If the network's output is not finite to begin with.
    """
    measured = None if run is None else records.load(run)
    options = TrainingConfig(steps, seconds, batch, lr, optimizer, momentum, decay=decay, seed=seed)  # type: ignore[arg-type]
    where = find_device(device)
    signal = hold_out(require_grid(signal, "a prediction"), held_out, seed)
    noise = functools.cache(lambda: measure_noise(signal))
    room = extent(signal, options, Wishes(width, depth, features, lr), where)
    given = ModelConfig(encoding, bandwidth, activation, room.width, depth, room.features, residual)  # type: ignore[arg-type]
    options = replace(options, steps=options.max_steps, batch=room.batch, lr=room.lr)
    built = build(signal, given, seed, noise, room)
    field = built.field.to(where)
    last = expected_steps(field, signal, options)
    if last > LONGEST:
        raise InputError(
            f"at most {LONGEST:,} steps to predict", f"{last:,}", "pass fewer steps= or seconds=", "steps"
        )
    trained_first = max(1, round(PILOT * last)) if pilot is None else whole(pilot, "pilot", 0)
    part = window(signal, OUTPUTS)
    found = foretell(
        signal,
        field,
        make_optimizer(field, options),
        last,
        pilot=trained_first,
        part=part if part is not signal else None,
        batch=options.batch_of(signal.train_index.numel()),
        schedule=lambda step: options.decay.factor(step / last),
        noise=noise(),
        seed=seed,
        tell=tell,
    )
    return Forecast(
        signal,
        part,
        found,
        metrics.stop(found.record),
        _irreducible(found.record),
        _width(signal, noise().std),
        built.bandwidth,
        built.reasons,
        None if measured is None else agreement(found.record, measured),
    )


def window(signal: Signal, outputs: int) -> Signal:
    """A window of a signal, at its full resolution, of at most `outputs` samples times channels.

    It lies in the middle, or, where the values hardly vary there, where they vary most.

    Args:
        signal: The signal.
        outputs: Samples times channels.

    Returns:
        The window as a signal with its own geometry, the same normalisation and masks; the signal itself if it is
        no larger.
    """
    grid = signal.geometry
    block = Window.where_it_varies(signal.values, grid, max(2, outputs // signal.values.shape[1]))
    if block.covers(grid):
        return signal
    index = block.index(grid)

    def cut(values: Tensor | None) -> Tensor | None:
        return None if values is None else values[index]

    return replace(
        signal,
        values=signal.values[index],
        geometry=block.restrict(grid),
        held_out=cut(signal.held_out),
        ignored=cut(signal.ignored),
        clean=cut(signal.clean),
    )


def _irreducible(record: xarray.Dataset) -> float | None:
    target, noise = (torch.from_numpy(record[name].values) for name in ("target_power", "noise_power"))
    if not bool(torch.isfinite(noise).all()):
        return None
    return float(risk.irreducible(risk.excess_signal(target, noise), noise).total.mean())


def _width(signal: Signal, noise: Tensor) -> int | None:
    grid = signal.geometry
    if min(grid.shape) < 4:
        return None
    widths = []
    for channel, floor in zip(signal.grid_values.double().unbind(-1), noise.tolist(), strict=True):
        wanted = max(CLOSE * float(channel.std()), floor if math.isfinite(floor) else 0.0)
        if wanted > 0:
            found = barron.constant_on_grid(channel, grid.spacing, periodic=grid.periodic)
            widths.append(found.relu_width(wanted))
    return max(widths, default=1)


def learning_steps(forecast: Forecast) -> list[dict[str, Any]]:
    """Per band: `low`, `high` in cycles per unit, `learning_step`, `earliest` and `latest`, None where unknown.

    Args:
        forecast: From `predict`.
    """
    record = metrics.combine_channels(forecast.record)
    found = forecast.prediction
    columns = zip(
        record.band_low.values,
        record.band_high.values,
        metrics.learning_step(record).values,
        found.earliest,
        found.latest,
        strict=True,
    )

    def whole(step: np.float64) -> int | None:
        return int(step) if np.isfinite(step) else None

    return [
        {
            "low": float(low),
            "high": float(high),
            "learning_step": whole(step),
            "earliest": whole(np.fmin(first, last)),
            "latest": whole(np.fmax(first, last) if np.isfinite(last) else last),
        }
        for low, high, step, first, last in columns
    ]
