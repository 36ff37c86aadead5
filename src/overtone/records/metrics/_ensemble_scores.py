"""Scores of ensembles, and of two forecasts on the same truth, per band with intervals and facts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from overtone.records.metrics._field_scores import BLURRED_BELOW, NOISY_ABOVE, FieldScore
from overtone.records.metrics._intervals import Interval

Array = NDArray[np.float64]
Code = TypeVar("Code")

COLLAPSED_BELOW = 0.7
"""Spread over error of the mean, as variances, below which an ensemble is collapsed; above 1 / 0.7 it is too wide."""


class EnsembleFactCode(Enum):
    """Property of an ensemble in a range of bands; the value is the name in JSON.

    With s the spread ratio and r the power ratio of the members: COLLAPSED has s < 0.7, TOO_WIDE s > 1 / 0.7, RELIABLE
    s between them; SMOOTH_MEMBERS have r < 0.8, NOISY_MEMBERS r > 1.25.
    """

    COLLAPSED = "collapsed"
    TOO_WIDE = "too wide"
    RELIABLE = "reliable"
    SMOOTH_MEMBERS = "smooth members"
    NOISY_MEMBERS = "noisy members"


class ComparisonFactCode(Enum):
    """Which of two forecasts has less error in a range of bands; the value is the name in JSON."""

    BETTER = "better"
    WORSE = "worse"


@final
@dataclass(frozen=True)
class EnsembleFact:
    """A statement on an ensemble in a range of frequencies.

    Attributes:
        code: What is stated.
        low: Lower edge of the range.
        high: Upper edge of the range.
        value: Spread ratio, or power ratio of the members, within the range.
        certain: Whether the intervals of all bands lie beyond the threshold. Without intervals, a fact describes these
            samples alone.
    """

    code: EnsembleFactCode
    low: float
    high: float
    value: float
    certain: bool


@final
@dataclass(frozen=True)
class ComparisonFact:
    """A statement on two forecasts in a range of frequencies.

    Attributes:
        code: What is stated of the first one.
        low: Lower edge of the range.
        high: Upper edge of the range.
        error_ratio: Error ratio of the first one within the range.
        other_error_ratio: Error ratio of the other one within the range.
    """

    code: ComparisonFactCode
    low: float
    high: float
    error_ratio: float
    other_error_ratio: float


@final
@dataclass(frozen=True)
class EnsembleScore:
    """Powers per band of the members of an ensemble.

    With M members f_m of mean f and the truth t, spread = sum_m |f_m - f|^2 / (M - 1) is the unbiased variance. If
    truth and members are exchangeable, (1 + 1/M) spread has the expectation of |f - t|^2. The CRPS is the fair one
    (Ferro 2014, Q. J. R. Meteorol. Soc. 140), averaged over the real and imaginary parts of the coefficients of a band.

    Attributes:
        variable: Name of the variable.
        lead: The lead time, or None.
        members: Number of members.
        samples: Number of samples.
        target: (band,) power of the truth.
        prediction: (band,) power of the members, their mean.
        residual: (band,) power of the members' errors, their mean.
        spread: (band,) unbiased variance of the members.
        mean_residual: (band,) power of the error of the ensemble's mean.
        crps_ratio: (band,) CRPS over the mean absolute coefficient of the truth, which is the CRPS of a forecast of 0.
        power_interval: Interval of the power ratio of the members.
        spread_interval: Interval of the spread ratio.
        crps_interval: Interval of the CRPS ratio.
        low: (band,) lower edges.
        high: (band,) upper edges.
        reported: (band,) whether the band is reliable and the target has power in it.
    """

    variable: str
    lead: str | None
    members: int
    samples: int
    target: Array
    prediction: Array
    residual: Array
    spread: Array
    mean_residual: Array
    crps_ratio: Array
    power_interval: Interval
    spread_interval: Interval
    crps_interval: Interval
    low: Array
    high: Array
    reported: NDArray[np.bool_]

    @property
    def power_ratio(self) -> Array:
        """(band,) power of the members over that of the truth."""
        with np.errstate(all="ignore"):
            return self.prediction / self.target

    @property
    def spread_ratio(self) -> Array:
        """(band,) (1 + 1/M) spread over the power of the error of the mean; 1 for a reliable ensemble."""
        with np.errstate(all="ignore"):
            return (1 + 1 / self.members) * self.spread / self.mean_residual

    @property
    def has_intervals(self) -> bool:
        """Whether any reported band has an interval."""
        return bool(np.isfinite(self.spread_interval.low[self.reported]).any())

    @property
    def facts(self) -> tuple[EnsembleFact, ...]:
        """Properties by range of bands: of the spread, then of the members' power."""
        spread = _ranges(self._spread_code, len(self.low))
        power = _ranges(self._power_code, len(self.low))
        scale = 1 + 1 / self.members
        return (
            *(self._fact(code, bands, scale * self.spread, self.mean_residual) for code, bands in spread),
            *(self._fact(code, bands, self.prediction, self.target) for code, bands in power),
        )

    def _fact(self, code: EnsembleFactCode, bands: slice, upper: Array, lower: Array) -> EnsembleFact:
        certain = bool(np.isfinite(self.spread_interval.low[bands]).all())
        ratio = float(upper[bands].sum() / lower[bands].sum())
        return EnsembleFact(code, float(self.low[bands][0]), float(self.high[bands][-1]), ratio, certain)

    def _ends(self, band: int, ratio: Array, interval: Interval) -> tuple[float, float] | None:
        """Return the ends of an interval; without any interval, the facts describe the samples."""
        if not self.reported[band] or not math.isfinite(ratio[band]):
            return None
        if math.isfinite(interval.low[band]):
            return float(interval.low[band]), float(interval.high[band])
        return None if self.has_intervals else (float(ratio[band]), float(ratio[band]))

    def _spread_code(self, band: int) -> EnsembleFactCode | None:
        ends = self._ends(band, self.spread_ratio, self.spread_interval)
        if ends is None:
            return None
        if ends[1] < COLLAPSED_BELOW:
            return EnsembleFactCode.COLLAPSED
        if ends[0] > 1 / COLLAPSED_BELOW:
            return EnsembleFactCode.TOO_WIDE
        inside = ends[0] > COLLAPSED_BELOW and ends[1] < 1 / COLLAPSED_BELOW
        return EnsembleFactCode.RELIABLE if inside else None

    def _power_code(self, band: int) -> EnsembleFactCode | None:
        ends = self._ends(band, self.power_ratio, self.power_interval)
        if ends is None:
            return None
        if ends[1] < BLURRED_BELOW:
            return EnsembleFactCode.SMOOTH_MEMBERS
        return EnsembleFactCode.NOISY_MEMBERS if ends[0] > NOISY_ABOVE else None

    def to_json(self) -> dict[str, Any]:
        """All figures as values that JSON can hold."""
        columns = {
            "member_power": self.prediction,
            "member_error_power": self.residual,
            "spread": self.spread,
            "power_ratio": self.power_ratio,
            "power_ratio_low": self.power_interval.low,
            "power_ratio_high": self.power_interval.high,
            "spread_ratio": self.spread_ratio,
            "spread_ratio_low": self.spread_interval.low,
            "spread_ratio_high": self.spread_interval.high,
            "crps_ratio": self.crps_ratio,
            "crps_ratio_low": self.crps_interval.low,
            "crps_ratio_high": self.crps_interval.high,
        }
        facts = [
            {
                "code": f.code.value,
                "low": f.low,
                "high": f.high,
                "value": _plain(f.value),
                "certain": f.certain,
            }
            for f in self.facts
        ]
        return {
            "variable": self.variable,
            "lead": self.lead,
            "members": self.members,
            "bands": _bands(columns, self.reported),
            "facts": facts,
        }


@final
@dataclass(frozen=True)
class ForecastComparison:
    """Paired differences of the errors of two forecasts of the same truth.

    Attributes:
        other: Name of the other forecast, or of the baseline.
        first: Score of the first forecast.
        second: Score of the other one on the same samples.
        difference: Error ratio of the first minus that of the other, with its interval; negative where the first is
            better.
        difference_interval: Interval of the difference, from the differences sample by sample.
    """

    other: str
    first: FieldScore
    second: FieldScore
    difference_interval: Interval

    @property
    def difference(self) -> Array:
        """(band,) error ratio of the first minus that of the other; negative where the first is better."""
        return self.first.error_ratio - self.second.error_ratio

    @property
    def facts(self) -> tuple[ComparisonFact, ...]:
        """Ranges of bands where the interval of the difference excludes 0."""
        return tuple(
            ComparisonFact(
                code,
                float(self.first.low[bands][0]),
                float(self.first.high[bands][-1]),
                float(self.first.residual[bands].sum() / self.first.target[bands].sum()),
                float(self.second.residual[bands].sum() / self.first.target[bands].sum()),
            )
            for code, bands in _ranges(self._code, len(self.first.low))
        )

    def _code(self, band: int) -> ComparisonFactCode | None:
        if not self.first.reported[band]:
            return None
        if self.difference_interval.high[band] < 0:
            return ComparisonFactCode.BETTER
        return ComparisonFactCode.WORSE if self.difference_interval.low[band] > 0 else None

    def to_json(self) -> dict[str, Any]:
        """All figures as values that JSON can hold."""
        columns = {
            "other_error_ratio": self.second.error_ratio,
            "other_power_ratio": self.second.power_ratio,
            "other_coherence": self.second.coherence,
            "difference": self.difference,
            "difference_low": self.difference_interval.low,
            "difference_high": self.difference_interval.high,
        }
        facts = [
            {
                "code": f.code.value,
                "low": f.low,
                "high": f.high,
                "error_ratio": _plain(f.error_ratio),
                "other_error_ratio": _plain(f.other_error_ratio),
            }
            for f in self.facts
        ]
        return {
            "variable": self.first.variable,
            "lead": self.first.lead,
            "other": self.other,
            "bands": _bands(columns, self.first.reported),
            "facts": facts,
        }


def _ranges(code: Callable[[int], Code | None], bands: int) -> list[tuple[Code, slice]]:
    """Return the codes of ranges of neighbouring bands that have the same one."""
    result: list[tuple[Code, slice]] = []
    for band in range(bands):
        this = code(band)
        if this is None:
            continue
        if result and result[-1][0] is this and result[-1][1].stop == band:
            result[-1] = (this, slice(result[-1][1].start, band + 1))
        else:
            result.append((this, slice(band, band + 1)))
    return result


def _bands(columns: dict[str, Array], reported: NDArray[np.bool_]) -> list[dict[str, Any]]:
    return [
        {"reported": bool(reported[band])} | {name: _plain(column[band]) for name, column in columns.items()}
        for band in range(len(reported))
    ]


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
