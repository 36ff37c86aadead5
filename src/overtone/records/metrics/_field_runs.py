"""Scores of fields from the record of a run: at the network that was handed back, and row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from overtone.records.metrics._bands import ROUNDING, mean_bands
from overtone.records.metrics._errors import until_network
from overtone.records.metrics._field_scores import (
    CrossingCode,
    EffectiveResolution,
    Fact,
    FactCode,
    FieldPair,
    FieldPositions,
    FieldScore,
    Note,
    NoteCode,
    ResolutionCriterion,
)
from overtone.records.metrics._intervals import (
    SMALLEST,
    coherence_interval,
    error_ratio_interval,
    power_ratio_interval,
    slope_interval,
)

if TYPE_CHECKING:
    import xarray

Array = NDArray[np.float64]

MAX_SCORES = 12
"""Channels that are scored one by one; of more channels, the sums of their powers are scored."""

BLUR = frozenset({FactCode.HEDGED, FactCode.BLURRED, FactCode.OVERSMOOTHED, FactCode.NO_POWER})
"""Kinds of a blur, among which the intervals may decide differently from row to row."""

_BLOCKS = "blocks"


def field_score(
    name: tuple[str, str | None],
    samples: int,
    powers: Array,
    blocks: Array,
    bands: tuple[Array, Array],
    reported: NDArray[np.bool_],
    level: float,
) -> FieldScore:
    """Return the score of one variable at one lead time.

    Args:
        name: Variable and lead time.
        samples: Number of samples.
        powers: (3, band) mean power of target, prediction and residual.
        blocks: (block, 3, band) means of the same over consecutive samples, for the intervals.
        bands: Lower and upper edges.
        reported: (band,) whether the band is reliable and the target has power in it.
        level: Coverage probability of the intervals.
    """
    (variable, lead), (low, high) = name, bands
    target, prediction, residual = powers
    return FieldScore(
        variable,
        lead,
        samples,
        target,
        prediction,
        residual,
        error_ratio_interval(blocks, level),
        power_ratio_interval(blocks, level),
        coherence_interval(blocks, level),
        slope_interval(blocks, level),
        low,
        high,
        reported,
    )


def resolution_of(
    geometry: FieldPositions, score: FieldScore, criterion: ResolutionCriterion
) -> EffectiveResolution:
    """Return the wavelength at which a criterion is first crossed.

    Args:
        geometry: Wavelengths of the bands.
        score: The score.
        criterion: The criterion.
    """
    crossing = score.crossing(criterion)
    return EffectiveResolution(
        score.variable,
        score.lead,
        geometry.wavelength(crossing.frequency) if math.isfinite(crossing.frequency) else math.nan,
        _end(geometry, crossing.high),
        _end(geometry, crossing.low),
        geometry.unit,
        crossing,
    )


def _end(geometry: FieldPositions, frequency: float) -> float:
    """Return the wavelength of an end of an interval: NaN without one, 0 for one beyond the grid."""
    if math.isnan(frequency):
        return math.nan
    return 0.0 if math.isinf(frequency) else geometry.wavelength(frequency)


@final
@dataclass(frozen=True)
class RunGeometry:
    """Positions of the values of a run's fields.

    Attributes:
        shape: Samples per axis.
        unit: Unit of the wavelengths.
        longest: Longest wavelength.
        sphere: Whether frequencies are degrees on the sphere, whose wavelength is `longest` over the degree.
    """

    shape: tuple[int, ...]
    unit: str
    longest: float
    sphere: bool

    def wavelength(self, frequency: float) -> float:
        """Return the wavelength in `unit` of a frequency of the bands."""
        if self.sphere:
            return self.longest / max(frequency, 1.0)
        return min(1 / frequency, self.longest) if frequency > 0 else self.longest


@final
@dataclass(frozen=True)
class FieldRun:
    """Scores of the fields of a run.

    Attributes:
        scores: One per variable and lead time, of the returned network.
        geometry: Positions of the values.
        estimator: Name of the estimator of the spectra.
        level: Coverage probability of all intervals.
        notes: What has to be known beside the figures.
        drawn_from: Number of samples that the measured ones were drawn from.
        steps: (R,) recorded steps up to that network, whose outputs were finite.
        history: The scores of each of these rows.
        added: Standard deviation of the structure in predictions of targets that are constant, by score; 0 where the
            target is not.
    """

    scores: tuple[FieldScore, ...]
    geometry: RunGeometry
    estimator: str
    level: float
    notes: tuple[Note, ...]
    drawn_from: int
    steps: NDArray[np.int64]
    history: tuple[tuple[FieldScore, ...], ...]
    added: tuple[float, ...]
    pair: FieldPair = FieldPair.NETWORK

    def resolution(self, score: FieldScore, criterion: ResolutionCriterion) -> EffectiveResolution:
        """Return the wavelength at which a criterion is first crossed."""
        return resolution_of(self.geometry, score, criterion)

    def resolutions(self, index: int) -> tuple[EffectiveResolution, ...]:
        """Return the effective resolution of one of the scores at all `steps`."""
        return tuple(self.resolution(row[index], ResolutionCriterion.ERROR) for row in self.history)

    def since(self, index: int, fact: Fact) -> int:
        """Return the step from which on a fact of one of the scores has held in at least half of its bands.

        Args:
            index: Position of the score.
            fact: A fact of it.
        """
        codes = BLUR if fact.code in BLUR else frozenset({fact.code})
        score = self.scores[index]
        inside = (score.low >= fact.low) & (score.high <= fact.high)
        first = len(self.history) - 1
        for row in range(len(self.history) - 1, -1, -1):
            bands = np.array([code in codes for code in self.history[row][index].codes])
            if bands[inside].mean() < 0.5:
                break
            first = row
        return int(self.steps[first])

    def settled(self, index: int, tolerance: float = 0.1) -> int | None:
        """Return the step since which the effective resolution has stayed near that of the last row; None if never.

        Args:
            index: Position of the score.
            tolerance: Relative difference of the wavelengths.
        """
        every = self.resolutions(index)
        last = every[-1]
        if last.crossing.code is CrossingCode.FROM_THE_FIRST_BAND:
            return None
        first = len(every) - 1
        for row in range(len(every) - 1, -1, -1):
            one = every[row]
            if one.crossing.code is not last.crossing.code:
                break
            near = abs(one.wavelength - last.wavelength) <= tolerance * last.wavelength
            if last.crossing.code is CrossingCode.CROSSED and not near:
                break
            first = row
        return int(self.steps[first])


def field_run(record: xarray.Dataset, array: Callable[[str, int], NDArray[Any] | None]) -> FieldRun | None:
    """Return the scores of a record of fields; None for records of another kind, or without a finite row.

    Args:
        record: Of one run.
        array: Function that returns the stored array of a name and step, or None.
    """
    stored = record.attrs.get("fields")
    if not isinstance(stored, dict) or not _fits(stored, record):
        return None
    record = until_network(record)
    finite = np.isfinite(record.residual_power.values).all((1, 2))
    record = record.isel(step=np.flatnonzero(finite))
    if not record.sizes["step"]:
        return None
    low, high = np.asarray(record.band_low, float), np.asarray(record.band_high, float)
    target = np.asarray(record.target_power, float)
    residual, cross = (np.asarray(record[name], float) for name in ("residual_power", "cross_power"))
    # F = R - T + 2 C; what rounding makes negative is zero.
    prediction = np.maximum(residual - target + 2 * cross, 0.0)
    table = np.stack([np.broadcast_to(target, residual.shape), prediction, residual], axis=1)
    groups, names = _groups(stored, record.sizes["channel"])
    table = np.stack([table[..., group].sum(-1) for group in groups], axis=-1)
    usable = np.asarray(stored["reported"], bool)[:, None] & (
        table[0, 0] > ROUNDING * table[:, :2].sum(2).max((0, 1))
    )
    samples = int(record.attrs["geometry"]["samples"])
    steps = np.asarray(record.step, np.int64)
    history = []
    for row, step in enumerate(steps):
        blocks = array(_BLOCKS, int(step))
        fits = blocks is not None and blocks.shape[1:] == (3, len(low), record.sizes["channel"])
        each = (
            np.stack([np.asarray(blocks, float)[..., group].sum(-1) for group in groups], axis=-1)
            if fits
            else table[row][None]
        )
        history.append(
            tuple(
                field_score(
                    name,
                    samples,
                    table[row][..., k],
                    each[..., k],
                    (low, high),
                    usable[:, k],
                    float(stored["level"]),
                )
                for k, name in enumerate(names)
            )
        )
    outside = ~np.asarray(mean_bands(record))
    constant = ~usable.any(0)
    added = np.sqrt(table[-1, 1][outside].sum(0)) * constant
    geometry = RunGeometry(
        tuple(int(n) for n in record.attrs["geometry"]["shape"]),
        str(stored["unit"]),
        float(stored["longest"]),
        stored["kind"] == "sphere",
    )
    return FieldRun(
        history[-1],
        geometry,
        str(record.attrs.get("estimator") or ""),
        float(stored["level"]),
        _notes(history[-1], geometry, record),
        int(stored["drawn_from"]),
        steps,
        tuple(history),
        tuple(float(x) for x in added),
    )


def _fits(stored: dict[str, Any], record: xarray.Dataset) -> bool:
    """Return whether the description of fields is that of this record, and not of one that was cut or combined."""
    geometry, leads = record.attrs.get("geometry"), stored.get("leads")
    if (
        not isinstance(geometry, dict)
        or not geometry.get("shape")
        or not isinstance(geometry.get("samples"), int)
    ):
        return False
    if set(record.dims) != {"step", "band", "channel"} or len(stored["reported"]) != record.sizes["band"]:
        return False
    channels = record.sizes["channel"]
    return len(stored["variables"]) == channels and (leads is None or len(leads) == channels)


def _groups(stored: dict[str, Any], channels: int) -> tuple[list[list[int]], list[tuple[str, str | None]]]:
    """Return the channels of each score, and its variable and lead time."""
    variables, leads = list(stored["variables"]), stored.get("leads")
    unnamed = leads is None and variables == [str(c) for c in range(channels)]
    colours = unnamed and any(len(entry["channels"]) == 3 for entry in stored["pictures"])
    if channels > MAX_SCORES or colours or channels == 1:
        name = "values" if unnamed or channels > 1 else variables[0]
        lead = leads[0] if leads and channels == 1 else None
        return [list(range(channels))], [(name, lead)]
    names = [f"channel {variable}" for variable in variables] if unnamed else variables
    return [[c] for c in range(channels)], [
        (name, None if leads is None else leads[c]) for c, name in enumerate(names)
    ]


def _notes(scores: Sequence[FieldScore], geometry: RunGeometry, record: xarray.Dataset) -> tuple[Note, ...]:
    notes = [
        Note(NoteCode.CONSTANT_TRUTH, {"variable": score.variable, "lead": score.lead})
        for score in scores
        if not score.reported.any()
    ]
    missing = record.attrs["fields"].get("missing")
    if missing:
        notes.insert(0, Note(NoteCode.MISSING_TARGETS, missing))
    shown = [score for score in scores if score.reported.any()]
    periodic = record.attrs["geometry"].get("periodic", [])
    if shown and not geometry.sphere and not all(periodic):
        lowest = min(float(score.low[score.reported][0]) for score in shown)
        notes.append(Note(NoteCode.LARGE_SCALES, {"wavelength": geometry.wavelength(lowest)}))
    samples = scores[0].samples
    if samples == 1:
        notes.append(Note(NoteCode.ONE_SAMPLE))
    elif shown:
        effective = min(float(score.error_interval.effective[score.reported].min()) for score in shown)
        if effective < SMALLEST:
            every = not any(score.has_intervals for score in shown)
            notes.append(
                Note(NoteCode.FEW_SAMPLES, {"samples": samples, "effective": effective, "all": every})
            )
    return tuple(notes)
