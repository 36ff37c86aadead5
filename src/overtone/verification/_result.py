"""The result of a verification."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from overtone._utils.display import Result
from overtone.records.metrics._ensemble_scores import EnsembleScore, ForecastComparison
from overtone.records.metrics._field_runs import resolution_of
from overtone.records.metrics._field_scores import (
    EffectiveResolution,
    FieldPair,
    FieldScore,
    Note,
    ResolutionCriterion,
)
from overtone.spectra._field_geometry import FieldGeometry
from overtone.verification._registration import Registration


@final
@dataclass(frozen=True, repr=False)
class Verification(Result):
    """Errors of a forecast by scale, for each variable and lead time.

    Attributes:
        scores: One per variable and lead time.
        geometry: Geometry of the fields.
        estimator: Name of the estimator of the spectra.
        level: Coverage probability of all intervals.
        notes: What has to be known beside the figures, as codes and numbers.
        ensembles: Power, spread and CRPS of the members, one per variable and lead time; empty without members.
        comparisons: The forecast against others and baselines on the same truth, by variable, lead time and name.
        anomalies: Whether the time means were subtracted.
        registrations: Of scores with structure in the wrong place: whether shifts of tiles restore the coherence.

    Example:
        >>> import numpy as np
        >>> import overtone as ot
        >>> truth = np.random.default_rng(0).standard_normal((4, 1, 32, 32))
        >>> result = ot.verify(0.5 * truth, truth, periodic=True)
        >>> [fact.code.value for fact in result.scores[0].facts], result.sentences[-1]
        (['over-smoothed'], 'With 4 samples there are no intervals: ...')
    """

    scores: tuple[FieldScore, ...]
    geometry: FieldGeometry
    estimator: str
    level: float
    notes: tuple[Note, ...]
    ensembles: tuple[EnsembleScore, ...] = ()
    comparisons: tuple[ForecastComparison, ...] = ()
    anomalies: bool = False
    registrations: tuple[Registration, ...] = ()

    @property
    def pair(self) -> FieldPair:
        """A forecast and the truth."""
        return FieldPair.FORECAST

    @property
    def effective_resolution(self) -> tuple[EffectiveResolution, ...]:
        """The effective resolution of each score, by the power of the error."""
        return tuple(self.resolution(score, ResolutionCriterion.ERROR) for score in self.scores)

    def resolution(self, score: FieldScore, criterion: ResolutionCriterion) -> EffectiveResolution:
        """Return the wavelength at which a criterion is first crossed.

        Args:
            score: One of `scores`.
            criterion: The criterion.
        """
        return resolution_of(self.geometry, score, criterion)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The results in sentences."""
        from overtone.verification._wording import sentences_of

        return sentences_of(self)

    def report(self, out: str | Path) -> Path:
        """Write one self-contained HTML page that works offline: sentences, figures by scale and lead time, tables.

        Args:
            out: The page's path, by custom ending in `.html`. Written whole or not at all.

        Returns:
            The path of the page.

        Raises:
            InputError: If `out` is a folder.
            RunError: If the page cannot be written.
        """
        from overtone.reports._page import render, write_html
        from overtone.verification._page import page_of

        return write_html(Path(out), render(page_of(self)))

    def to_json(self) -> dict[str, Any]:
        """Return all figures, codes and sentences as values that JSON can hold; NaN and infinity are None."""
        first = self.scores[0]
        geometry = self.geometry
        return {
            "geometry": {
                "kind": geometry.kind.value,
                "shape": list(geometry.shape),
                "spacing": list(geometry.spacing),
                "periodic": list(geometry.periodic),
            },
            "estimator": self.estimator,
            "level": self.level,
            "frequency_unit": geometry.frequency_unit,
            "wavelength_unit": geometry.unit,
            "bands": [
                {
                    "low": float(low),
                    "high": float(high),
                    "wavelength": _plain(geometry.wavelength(math.sqrt(low * high))),
                }
                for low, high in zip(first.low, first.high, strict=True)
            ],
            "scores": [
                score.to_json()
                | {
                    "effective_resolution": {
                        criterion.value: self._resolution_json(score, criterion)
                        for criterion in ResolutionCriterion
                    },
                    "facts": [
                        {
                            "code": fact.code.value,
                            "low": fact.low,
                            "high": fact.high,
                            "power_ratio": _plain(fact.power_ratio),
                            "coherence": _plain(fact.coherence),
                            "error_ratio": _plain(fact.error_ratio),
                            "certain": fact.certain,
                        }
                        for fact in score.facts
                    ],
                }
                for score in self.scores
            ],
            "ensembles": [score.to_json() for score in self.ensembles],
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "registrations": [registration.to_json() for registration in self.registrations],
            "time_mean": "subtracted" if self.anomalies else "kept",
            "notes": [{"code": note.code.value, "values": dict(note.values)} for note in self.notes],
            "sentences": list(self.sentences),
        }

    def _resolution_json(self, score: FieldScore, criterion: ResolutionCriterion) -> dict[str, Any]:
        result = self.resolution(score, criterion)
        return {
            "code": result.crossing.code.value,
            "wavelength": _plain(result.wavelength),
            "low": _plain(result.low),
            "high": _plain(result.high),
        }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
