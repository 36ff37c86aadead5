"""On real time series the slow part is learned before the fast part."""

from __future__ import annotations

import math

import numpy as np
import pywt.data

import overtone as ot
from overtone.records import metrics
from overtone.records.metrics._bands import mean_bands
from overtone.signals import Signal
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study


def measure(
    seed: int, series: str, encoding: str, reach: float, samples: int, steps: int, width: int
) -> Measured:
    """How many times as many steps the fast half of the power takes as the slow half, as a logarithm to base 2."""
    signal = SERIES[series](samples)
    nyquist = signal.geometry.nyquist[0]
    run = ot.fit(
        signal,
        encoding=encoding,
        bandwidth=None if encoding == "none" else reach * nyquist,
        width=width,
        depth=3,
        features=128,
        steps=steps if encoding == "gaussian" else 4 * steps,
        held_out=0,
        seed=seed,
    )
    record = metrics.combine_channels(run.record)
    varying = ~mean_bands(record)
    power = record.target_power.where(varying, 0.0).values
    cross = record.cross_power.where(varying, 0.0).transpose("step", "band").values
    border = int(np.searchsorted(np.cumsum(power), power.sum() / 2)) + 1
    at = record.step.values
    curves, times = {}, []
    for name, part in (("slow half", slice(border)), ("fast half", slice(border, None))):
        fraction = cross[:, part].sum(1) / power[part].sum()
        curves[name] = at, fraction
        reached = np.flatnonzero(fraction >= 0.5)
        times.append(max(1, at[reached[0] if len(reached) else -1]))
    return Measured(math.log2(times[1] / times[0]), curves)


def heart(samples: int) -> Signal:
    """An electrocardiogram, 360 samples a second."""
    return ot.signals.array(pywt.data.ecg()[:samples].astype(float), 1 / 360, unit="s")


def sea(samples: int) -> Signal:
    """Surface temperature of the tropical Pacific, its departure from the season's, 4 samples a year."""
    return ot.signals.array(pywt.data.nino()[1][:samples], 0.25, unit="year")


SERIES = {"heart": heart, "sea": sea}


STUDY = Study(
    name="real-series",
    family=Family.FIELDS,
    claim="In real time series the slow part is learned first and the fast part late.",
    source="Spectral bias in time series forecasting 2025 (arXiv:2510.25800), the claim for any series",
    statistic="steps to learn half of the faster half of a series' power over those for its slower half, in octaves",
    criterion=AtLeast(1.0),
    conditions=(
        Condition("electrocardiogram, plain network", {"series": "heart", "encoding": "none"}),
        Condition("electrocardiogram, Fourier features", {"series": "heart", "encoding": "gaussian"}),
        Condition("sea temperature, Fourier features", {"series": "sea", "encoding": "gaussian"}),
    ),
    control=Condition(
        "sea temperature, Fourier features far beyond Nyquist",
        {"series": "sea", "encoding": "gaussian", "reach": 20.0},
    ),
    measure=measure,
    axes=Axes("Step", "Learned fraction", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 64, "steps": 5, "width": 16, "reach": 0.2}),
        Size.QUICK: Effort(5, {"samples": 360, "steps": 200, "width": 64, "reach": 0.2}),
        Size.FULL: Effort(20, {"samples": 1024, "steps": 20_000, "width": 256, "reach": 0.2}),
    },
    depends="how the bandwidth compares with the series' own",
    caveat="One series of each kind, fitted as a function of time; forecasting is another matter, and prices are not "
    "tested, as no such series ships with a library. Fourier features reach a fifth of Nyquist. Of the sea's "
    "temperature a plain network learns little within a thousand steps, which is why it is left out.",
)
