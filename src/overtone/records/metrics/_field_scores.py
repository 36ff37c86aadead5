"""Scores of one variable at one lead time: ratios and coherence per band with intervals, resolution and facts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from overtone._utils.pair_power import amplitude_error, coherence, cross_power
from overtone.records.metrics._intervals import Interval

Array = NDArray[np.float64]


class ResolutionCriterion(Enum):
    """Criterion of lost information; the value is the name in JSON.

    ERROR: the residual's power exceeds half of the target's, which blur, noise and displacement all cause. POWER: the
    prediction's power falls below half of the target's. COHERENCE: the coherence falls below 1 / sqrt(2).
    """

    ERROR = "error power"
    POWER = "power ratio"
    COHERENCE = "coherence"

    @property
    def threshold(self) -> float:
        """The value that is crossed."""
        return math.sqrt(0.5) if self is ResolutionCriterion.COHERENCE else 0.5


class CrossingCode(Enum):
    """Whether a criterion is crossed within the reliable bands.

    NOT_DETERMINED: it is crossed within bands whose figures are not determined, between those next to them.
    """

    CROSSED = "crossed"
    NOT_CROSSED = "not crossed"
    FROM_THE_FIRST_BAND = "from the first band"
    NOT_DETERMINED = "not determined"


class UndeterminedCode(Enum):
    """Why the figures of a band are not determined; the value is the name in JSON.

    GAPS: two estimators of fields with missing cells disagree by more than 20 %. ROUNDING: a fifth or more of the
    target's power may be rounding of its values.
    """

    GAPS = "missing cells"
    ROUNDING = "rounding"


@final
@dataclass(frozen=True)
class Crossing:
    """Frequency at which a criterion is first crossed, coming from low frequencies.

    Attributes:
        criterion: The criterion.
        code: Whether it is crossed.
        frequency: The frequency; NaN if it is not crossed, or crossed already in the first reliable band.
        low: Lower end of its interval; NaN without one.
        high: Upper end of its interval; NaN without one, infinite if it may not be crossed.
    """

    criterion: ResolutionCriterion
    code: CrossingCode
    frequency: float
    low: float = math.nan
    high: float = math.nan


class FactCode(Enum):
    """Property of a range of bands; the value is the name in JSON.

    With r the power ratio, c the coherence and b = c / sqrt(r) the slope of the truth on the forecast, a mean over
    possible outcomes has b = 1. Of the forecasts with r < 0.8 and r <= c^2 + 0.15, HEDGED has b from 0.8 to 1.118,
    OVERSMOOTHED has b > 1.118 (r < 0.8 c^2), and BLURRED leaves open which, or has b < 0.8. NOISY has r > 1.25,
    MISPLACED has power that is not explained by c, GOOD has less than half of the target's power as error and none of
    the others. NO_POWER is a forecast without structure.
    """

    GOOD = "good"
    HEDGED = "hedged"
    BLURRED = "blurred"
    OVERSMOOTHED = "over-smoothed"
    NOISY = "noisy"
    MISPLACED = "misplaced"
    NO_POWER = "no power"


@final
@dataclass(frozen=True)
class Fact:
    """A statement on a range of frequencies.

    Attributes:
        code: What is stated.
        low: Lower edge of the range.
        high: Upper edge of the range.
        power_ratio: Prediction power over target power within the range.
        coherence: Coherence within the range.
        error_ratio: Residual power over target power within the range.
        certain: Whether the intervals of all bands lie beyond the thresholds. Without intervals, a fact
            describes these samples alone.
    """

    code: FactCode
    low: float
    high: float
    power_ratio: float
    coherence: float
    error_ratio: float
    certain: bool


NOISY_ABOVE, BLURRED_BELOW, MISPLACED_BELOW, MARGIN = 1.25, 0.8, 0.8, 0.15
FLATTEST, STEEPEST = 0.8, math.sqrt(1 / BLURRED_BELOW)
"""Slopes of the truth on a hedged forecast. A pure filter with r = 0.8 has the steepest, so it is over-smoothed."""

_EMPTY = 1e-12
"""Power ratio below which a forecast has no structure."""


@final
@dataclass(frozen=True)
class FieldScore:
    """Powers per band of one variable at one lead time, with what follows from them.

    Attributes:
        variable: Name of the variable.
        lead: The lead time, or None.
        samples: Number of samples.
        target: (band,) target power in squared units of the value.
        prediction: (band,) prediction power.
        residual: (band,) residual power.
        error_interval: Interval of the error ratio.
        power_interval: Interval of the power ratio.
        coherence_interval: Interval of the coherence.
        slope_interval: Interval of the slope of the truth on the forecast.
        low: (band,) lower edges.
        high: (band,) upper edges.
        reported: (band,) whether the band is reliable, the target has power in it, and its figures are determined.
        reasons: (band,) why figures of otherwise reliable bands are not determined, None elsewhere; None without any.
    """

    variable: str
    lead: str | None
    samples: int
    target: Array
    prediction: Array
    residual: Array
    error_interval: Interval
    power_interval: Interval
    coherence_interval: Interval
    slope_interval: Interval
    low: Array
    high: Array
    reported: NDArray[np.bool_]
    reasons: tuple[UndeterminedCode | None, ...] | None = None

    @property
    def undetermined(self) -> tuple[tuple[UndeterminedCode, float, float], ...]:
        """Ranges of frequency whose figures are not determined, with the reason."""
        result: list[tuple[UndeterminedCode, float, float]] = []
        for band, reason in enumerate(self.reasons or ()):
            if reason is None:
                continue
            low, high = float(self.low[band]), float(self.high[band])
            if result and result[-1][0] is reason and result[-1][2] == low:
                result[-1] = (reason, result[-1][1], high)
            else:
                result.append((reason, low, high))
        return tuple(result)

    @property
    def error_ratio(self) -> Array:
        """(band,) residual power over target power."""
        return _divided(self.residual, self.target)

    @property
    def power_ratio(self) -> Array:
        """(band,) prediction power over target power."""
        return _divided(self.prediction, self.target)

    @property
    def coherence(self) -> Array:
        """(band,) coherence; NaN where one of the fields has no power."""
        with np.errstate(all="ignore"):
            return coherence(self.target, self.prediction, self.residual)

    @property
    def slope(self) -> Array:
        """(band,) slope of the truth on the forecast, cross power over the forecast's power."""
        return _divided(cross_power(self.target, self.prediction, self.residual), self.prediction)

    @property
    def amplitude_error(self) -> Array:
        """(band,) part of the residual power due to amplitude (Subich et al. 2025)."""
        return amplitude_error(self.target, self.prediction, self.residual)

    @property
    def decorrelation_error(self) -> Array:
        """(band,) part of the residual power due to decorrelation; both parts add up to it."""
        return self.residual - self.amplitude_error

    @property
    def has_intervals(self) -> bool:
        """Whether any reported band has an interval."""
        return bool(np.isfinite(self.error_interval.low[self.reported]).any())

    def crossing(self, criterion: ResolutionCriterion) -> Crossing:
        """Return where a criterion is first crossed; a criterion's curve is interpolated in logarithmic frequency."""
        curve, interval = {
            ResolutionCriterion.ERROR: (self.error_ratio, self.error_interval),
            ResolutionCriterion.POWER: (self.power_ratio, self.power_interval),
            ResolutionCriterion.COHERENCE: (self.coherence, self.coherence_interval),
        }[criterion]
        # Falling curves are negated, so that all rise through their threshold.
        sign = 1.0 if criterion is ResolutionCriterion.ERROR else -1.0
        frequency = np.sqrt(self.low * self.high)[self.reported]
        level = sign * criterion.threshold
        middle = sign * np.nan_to_num(curve[self.reported], nan=0.0)
        ends = [sign * interval.low[self.reported], sign * interval.high[self.reported]]
        if sign < 0:
            ends.reverse()
        code, at = _first_rise(frequency, middle, level)
        # The upper end of the curve crosses first.
        bounds = []
        for end in reversed(ends):
            kind, place = _first_rise(frequency, np.where(np.isfinite(end), end, middle), level)
            bounds.append(
                {
                    CrossingCode.CROSSED: place,
                    CrossingCode.NOT_CROSSED: math.inf,
                    CrossingCode.FROM_THE_FIRST_BAND: float(self.low[self.reported][0])
                    if self.reported.any()
                    else 0,
                }[kind]
            )
        near = np.abs(np.log(frequency / at)).argsort()[:2] if code is CrossingCode.CROSSED else [-1]
        if code is CrossingCode.CROSSED:
            bands = np.flatnonzero(self.reported)
            before = int(np.flatnonzero(frequency < at)[-1])
            if bands[before + 1] != bands[before] + 1:
                # The figures between these two are not determined, so that the place within is not known.
                low, high = float(self.high[bands[before]]), float(self.low[bands[before + 1]])
                return Crossing(criterion, CrossingCode.NOT_DETERMINED, math.nan, low, high)
        honest = bool(len(frequency)) and bool(np.isfinite(ends[0][near]).all())
        low, high = bounds if honest else (math.nan, math.nan)
        return Crossing(criterion, code, at, low, high)

    @property
    def codes(self) -> tuple[FactCode | None, ...]:
        """Property of each band; None where intervals leave it open, and in bands that are not reported."""
        return tuple(self._code(band) if self.reported[band] else None for band in range(len(self.low)))

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Properties by range of bands; bands whose intervals leave it open are in no range."""
        return self._joined(self.codes)

    @property
    def facts_with_one_blur(self) -> tuple[Fact, ...]:
        """As `facts`, with neighbouring kinds of a blur joined."""
        kinds = {FactCode.HEDGED, FactCode.OVERSMOOTHED}
        codes = self.codes
        joined = [FactCode.BLURRED if code in kinds else code for code in codes]
        facts = self._joined(joined)
        # A range of a single kind retains it.
        single = {(fact.low, fact.high): fact for fact in self.facts}
        return tuple(single.get((fact.low, fact.high), fact) for fact in facts)

    def _joined(self, codes: Sequence[FactCode | None]) -> tuple[Fact, ...]:
        """Return one fact for each range of bands with one code."""
        result: list[Fact] = []
        band = 0
        while band < len(codes):
            code = codes[band]
            end = band + 1
            while end < len(codes) and codes[end] is code:
                end += 1
            if code is not None:
                result.append(self._fact(code, slice(band, end)))
            band = end
        return tuple(result)

    def _fact(self, code: FactCode, bands: slice) -> Fact:
        target, prediction, residual = (
            float(power[bands].sum()) for power in (self.target, self.prediction, self.residual)
        )
        cross = (target + prediction - residual) / 2
        return Fact(
            code,
            float(self.low[bands][0]),
            float(self.high[bands][-1]),
            prediction / target,
            cross / math.sqrt(target * prediction) if prediction > 0 else math.nan,
            residual / target,
            bool(np.isfinite(self.error_interval.low[bands]).all()),
        )

    def _code(self, band: int) -> FactCode | None:
        ratio, coherence, error = self.power_ratio[band], self.coherence[band], self.error_ratio[band]
        if ratio < _EMPTY:
            return FactCode.NO_POWER
        if not math.isfinite(self.error_interval.low[band]):
            if self.has_intervals:
                return None
            # Without any interval, the facts describe the samples.
            ends = (ratio, ratio, coherence, error)
        else:
            ends = (
                self.power_interval.low[band],
                self.power_interval.high[band],
                self.coherence_interval.high[band],
                self.error_interval.high[band],
            )
        ratio_low, ratio_high, coherence_high, error_high = ends
        hedged = max(coherence, 0.0) ** 2
        if ratio_low > NOISY_ABOVE:
            return FactCode.NOISY
        if ratio_high < BLURRED_BELOW and ratio <= hedged + MARGIN:
            return self._blur(band)
        if coherence_high < MISPLACED_BELOW and ratio - hedged > MARGIN and ratio <= NOISY_ABOVE:
            return FactCode.MISPLACED
        if (
            error_high < ResolutionCriterion.ERROR.threshold
            and ratio <= NOISY_ABOVE
            and ratio >= BLURRED_BELOW
        ):
            return FactCode.GOOD
        return None

    def _blur(self, band: int) -> FactCode:
        """Return the kind of a blur by the slope of the truth on the forecast."""
        slope = self.slope[band]
        low, high = (
            (self.slope_interval.low[band], self.slope_interval.high[band])
            if math.isfinite(self.error_interval.low[band])
            else (slope, slope)
        )
        if low >= STEEPEST:
            return FactCode.OVERSMOOTHED
        return FactCode.HEDGED if low >= FLATTEST and high <= STEEPEST else FactCode.BLURRED

    def to_json(self) -> dict[str, Any]:
        """All figures as values that JSON can hold."""
        columns = {
            "target_power": self.target,
            "prediction_power": self.prediction,
            "residual_power": self.residual,
            "amplitude_error": self.amplitude_error,
            "decorrelation_error": self.decorrelation_error,
            "error_ratio": self.error_ratio,
            "error_ratio_low": self.error_interval.low,
            "error_ratio_high": self.error_interval.high,
            "power_ratio": self.power_ratio,
            "power_ratio_low": self.power_interval.low,
            "power_ratio_high": self.power_interval.high,
            "coherence": self.coherence,
            "coherence_low": self.coherence_interval.low,
            "coherence_high": self.coherence_interval.high,
            "slope": self.slope,
            "slope_low": self.slope_interval.low,
            "slope_high": self.slope_interval.high,
            "effective_samples": self.error_interval.effective,
        }
        reasons = self.reasons or (None,) * len(self.low)
        bands: list[dict[str, Any]] = [
            {"reported": bool(self.reported[band]), "not_determined": _reason(reasons[band])}
            | {name: _plain(column[band]) for name, column in columns.items()}
            for band in range(len(self.low))
        ]
        return {"variable": self.variable, "lead": self.lead, "samples": self.samples, "bands": bands}


def _reason(code: UndeterminedCode | None) -> str | None:
    return None if code is None else code.value


class FieldPair(Enum):
    """Kind of the compared pair, which determines the names in sentences."""

    FORECAST = "forecast and truth"
    NETWORK = "prediction and target"


class NoteCode(Enum):
    """Kind of a note on a verification; the value is the name in JSON."""

    ONE_SAMPLE = "one sample"
    FEW_SAMPLES = "few effective samples"
    PARTLY_PAIRED = "partly paired"
    LARGE_SCALES = "large scales not reliable"
    CONSTANT_TRUTH = "constant truth"
    REGION = "region as a plane"
    DUPLICATED_COLUMN = "duplicated column"
    MISSING_TARGETS = "cells of targets missing"
    NO_CRPS = "no CRPS with missing cells"
    WINDS = "winds split"
    ABSENT_POLES = "rows of poles absent"
    LIKE_A_GLOBE = "shape of a globe"
    ENSEMBLE_MEAN = "mean of an ensemble"
    ANOMALIES = "time means subtracted"
    CLIMATOLOGY = "climatology of these samples"
    MISSING_CELLS = "missing cells"
    NOT_DETERMINED = "not determined"


@final
@dataclass(frozen=True)
class Note:
    """A note with its numbers."""

    code: NoteCode
    values: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class EffectiveResolution:
    """Finest wavelength at which a forecast holds the truth's information.

    There the residual's power reaches half of the truth's. Finer scales have more error than that.

    Attributes:
        variable: Name of the variable.
        lead: The lead time, or None.
        wavelength: In the unit of the geometry; NaN if the criterion is not crossed in the reliable bands.
        low: Lower end of its interval, a finer wavelength; NaN without an interval, 0 if it may be below the grid.
        high: Upper end of its interval; NaN without one.
        unit: Unit of the wavelengths.
        crossing: The crossing in frequency, with its code.
    """

    variable: str
    lead: str | None
    wavelength: float
    low: float
    high: float
    unit: str
    crossing: Crossing


class FieldPositions(Protocol):
    """Positions of the values of fields, and wavelengths of their bands."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per axis."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the wavelengths."""
        ...

    def wavelength(self, frequency: float) -> float:
        """Return the wavelength in `unit` of a frequency of the bands."""
        ...


class ScoredFields(Protocol):
    """Scores of fields with what sentences on them need."""

    @property
    def scores(self) -> tuple[FieldScore, ...]:
        """One per variable and lead time."""
        ...

    @property
    def geometry(self) -> FieldPositions:
        """The positions of the values."""
        ...

    @property
    def estimator(self) -> str:
        """Name of the estimator of the spectra."""
        ...

    @property
    def pair(self) -> FieldPair:
        """Kind of the compared pair."""
        ...

    @property
    def level(self) -> float:
        """Coverage probability of all intervals."""
        ...

    @property
    def notes(self) -> tuple[Note, ...]:
        """Notes on the measurement."""
        ...

    def resolution(self, score: FieldScore, criterion: ResolutionCriterion) -> EffectiveResolution:
        """Return the wavelength at which a criterion is first crossed."""
        ...


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _divided(upper: Array, lower: Array) -> Array:
    with np.errstate(all="ignore"):
        return upper / lower


def _first_rise(frequency: Array, curve: Array, level: float) -> tuple[CrossingCode, float]:
    """Return whether and at which frequency a curve first rises through a level."""
    # Ends of wide intervals may be infinite, between which nothing is interpolated.
    curve = np.clip(curve, -1e9, 1e9)
    above = np.flatnonzero(curve >= level)
    if not len(above):
        return CrossingCode.NOT_CROSSED, math.nan
    first = int(above[0])
    if first == 0:
        return CrossingCode.FROM_THE_FIRST_BAND, math.nan
    share = (level - curve[first - 1]) / (curve[first] - curve[first - 1])
    ends = np.log(frequency[first - 1 : first + 1])
    return CrossingCode.CROSSED, float(np.exp(ends[0] + share * (ends[1] - ends[0])))
