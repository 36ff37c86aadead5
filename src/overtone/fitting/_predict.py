"""`predict`: what `fit` would record, before training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, final

import numpy as np
import torch
from torch import Tensor

from overtone import records
from overtone._config import FitConfig, FitOptions
from overtone._config._training import MAX_COST
from overtone._utils.display import Displayed
from overtone._utils.numbers import whole
from overtone._utils.torch_defaults import standard
from overtone.errors import InputError
from overtone.fitting._prepare import prepare
from overtone.planning._reasons import sentences
from overtone.probes import Window
from overtone.records import metrics
from overtone.records.metrics._errors import Stop
from overtone.signals import Grid, Signal, require_grid
from overtone.theory import barron, risk
from overtone.theory.dynamics import Agreement, Prediction, PredictionOptions
from overtone.theory.dynamics import predict as predict_training
from overtone.theory.dynamics._wording import outlook

if TYPE_CHECKING:
    import xarray

OUTPUTS = 1536
"""Samples times channels that are predicted; of a larger signal a window of about as many."""

MAX_STEPS = 10_000_000
"""Steps that can be predicted."""

WARMUP_SHARE = 0.05
"""Length of the pilot as a share of the steps."""

WIDTH_ERROR = 0.1
"""Root mean square error, as a share of the signal's standard deviation, that the advised width promises."""


@final
@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Displayed):
    """The result of `predict`.

    Attributes:
        signal: The signal, with its held-out samples.
        part: The part of it that was predicted: all, or a window at full resolution.
        prediction: The predicted training.
        stop: The step at which the expected error is least, as `records.metrics.stop` finds it.
        irreducible: Mean square error that no linear shrinkage per band avoids, because signal and noise share
            their frequencies; mean over channels, in squared value units. None if the noise is not known.
        width: Units of one hidden ReLU layer for which the Barron bound promises a tenth of the signal's standard
            deviation, or the noise's if that is larger. It bounds what exists, not what training finds, and may be
            astronomical for signals with edges. None for signals of fewer than four samples along an axis.
        bandwidth: Bandwidth of the network per axis in cycles per unit, or None.
        reasons: Why these settings, in sentences.
        agreement: Comparison with a measured run, if one was given.
    """

    signal: Signal[Grid]
    part: Signal[Grid]
    prediction: Prediction
    stop: Stop
    irreducible: float | None
    width: int | None
    bandwidth: tuple[float, ...] | None
    reasons: tuple[str, ...]
    agreement: Agreement | None

    _display = "forecast_display"

    def __repr__(self) -> str:
        bands = self.record.sizes["band"]
        return f"<Forecast for {self.signal.name!r}: {bands} bands, best step {self.stop.step}>"

    @property
    def record(self) -> xarray.Dataset:
        """The predicted record, of origin "predicted"."""
        return self.prediction.record

    @property
    def learning_steps(self) -> list[dict[str, Any]]:
        """Per band: `low`, `high` in cycles per unit, `learning_step`, `earliest` and `latest`, None where unknown."""
        record = metrics.combine_channels(self.record)
        columns = zip(
            record.band_low.values,
            record.band_high.values,
            metrics.learning_step(record).values,
            self.prediction.earliest,
            self.prediction.latest,
            strict=True,
        )
        return [
            {
                "low": float(low),
                "high": float(high),
                "learning_step": _step(step),
                # Without a known end of the interval (NaN) the other end bounds it alone.
                "earliest": _step(np.fmin(first, last)),
                "latest": _step(np.fmax(first, last) if np.isfinite(last) else last),
            }
            for low, high, step, first, last in columns
        ]

    @property
    def sentences(self) -> list[str]:
        """Sentences on the prediction, then on how a measured run compares."""
        compared = [] if self.agreement is None else self.agreement.sentences
        return [*self.prediction.sentences, *compared]


@standard()
def predict(
    signal: Signal[Grid],
    config: FitConfig | None = None,
    *,
    pilot: int | None = None,
    run: str | Path | None = None,
    max_cost: float = MAX_COST,
    callback: Callable[[str], None] | None = None,
    **overrides: Unpack[FitOptions],
) -> Forecast:
    """Predict what `fit` with the same settings would record.

    Seeds mean what they mean to `fit`: the same one gives the same network, held-out samples and bandwidth. Precision,
    compilation and early stopping do not change which frequencies are learned when, and are ignored.

    Args:
        signal: What would be learned, on a grid.
        config: The settings of `fit`. Of a budget in seconds the steps are found by timing three.
        pilot: Steps that a copy of the network is trained before it is linearised; a twentieth of the steps if
            None, 0 for none.
        run: A run directory or record to compare with.
        max_cost: Largest cost of the prediction as a share of the training's, by a count of operations that is the
            same on every machine; at least a pilot and two kernels are computed. Infinite for no limit, which
            follows plain networks further and can take several times as long as their training.
        callback: Called with a sentence on the largest cost of the prediction before it starts, and on its cost as
            soon as that can be estimated.
        **overrides: Single settings by name, as for `fit`.

    Returns:
        The forecast.

    Raises:
        InputError: If an argument is wrong, a controller or weight decay is asked for, or there is no record at `run`.
        RunError: If the network's output is not finite to begin with.

    Example:
        >>> import overtone as ot
        >>> signal = ot.signals.synthetic.harmonics([1.0, 4.0], samples=32)
        >>> forecast = ot.predict(signal, steps=20, width=16, features=8)
        >>> sorted(forecast.learning_steps[0])
        ['earliest', 'high', 'latest', 'learning_step', 'low']
    """
    config = (config or FitConfig()).replace(**overrides)
    _check_predictable(config)
    if not max_cost >= 0:
        raise InputError("a fraction of at least 0", f"{max_cost}", "pass for instance 0.5", "max_cost")
    measured = None if run is None else records.load(run)
    prepared = prepare(require_grid(signal, "a prediction"), config)
    signal, training = prepared.signal, prepared.config.training
    steps = prepared.expected_steps()
    if steps > MAX_STEPS:
        raise InputError(
            f"at most {MAX_STEPS:,} steps to predict", f"{steps:,}", "pass fewer steps= or seconds=", "steps"
        )
    warmup = max(1, round(WARMUP_SHARE * steps)) if pilot is None else whole(pilot, "pilot", 0)
    part = window(signal, OUTPUTS)
    prediction = predict_training(
        signal,
        prepared.field,
        prepared.optimizer,
        steps,
        pilot=warmup,
        part=part if part is not signal else None,
        batch=prepared.batch,
        schedule=lambda step: training.decay.factor(step / steps),
        noise=prepared.noise,
        seed=training.seed,
        options=PredictionOptions(max_cost=max_cost),
        callback=None if callback is None else lambda cost: callback(outlook(cost)),
    )
    assert prepared.noise is not None  # a grid always has one
    record = prediction.record
    return Forecast(
        signal,
        part,
        prediction,
        metrics.stop(record),
        _irreducible(record),
        _barron_width(signal, prepared.noise.std),
        prepared.bandwidth,
        tuple(sentences(prepared.reasons)),
        None if measured is None else Agreement.between(record, measured),
    )


def _check_predictable(config: FitConfig) -> None:
    """Refuse settings that change the training in a way that is not predicted."""
    for name, used in (
        ("controller", config.stopping.controller),
        ("weight_decay", config.training.weight_decay > 0),
    ):
        if used:
            raise InputError("settings whose training can be predicted", name, "leave it out", name)


def window(signal: Signal[Grid], outputs: int) -> Signal[Grid]:
    """Return a window of a signal, at its full resolution, of at most `outputs` samples times channels.

    It lies in the middle, or, where the values hardly vary there, where they vary most.

    Args:
        signal: The signal.
        outputs: Samples times channels.

    Returns:
        The window as a signal with its own geometry, the same normalisation and masks; the signal itself if it is
        no larger.
    """
    grid = signal.geometry
    # A contiguous block keeps the sampling rate: every band of the signal is still in it.
    block = Window.of_variation(signal.values, grid, max(2, outputs // signal.values.shape[1]))
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
    return float(risk.WienerBound.from_observed(target, noise).total.mean())


def _barron_width(signal: Signal[Grid], noise: Tensor) -> int | None:
    grid = signal.geometry
    if min(grid.shape) < 4:
        return None
    widths = []
    for channel, floor in zip(signal.grid_values.double().unbind(-1), noise.tolist(), strict=True):
        # No width learns below the noise; asking for less would make the bound meaningless.
        target = max(WIDTH_ERROR * float(channel.std()), floor if math.isfinite(floor) else 0.0)
        if target > 0:
            constant = barron.constant_on_grid(channel, grid.spacing, periodic=grid.periodic)
            widths.append(constant.relu_width(target))
    return max(widths, default=1)


def _step(step: np.float64) -> int | None:
    return int(step) if np.isfinite(step) else None
