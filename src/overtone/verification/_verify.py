"""`verify`: a forecast against the truth, scale by scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overtone.errors import InputError
from overtone.records.metrics._field_scores import FieldScore, Note, NoteCode
from overtone.records.metrics._intervals import (
    SMALLEST,
    coherence_interval,
    error_ratio_interval,
    power_ratio_interval,
    slope_interval,
)
from overtone.spectra import PairPower, PairSums
from overtone.spectra._field_geometry import FieldGeometry, GeometryKind
from overtone.spectra._spectrum import ROUNDING, check_level
from overtone.verification._datasets import dataset_pairs
from overtone.verification._pairs import Pairs, array_pairs
from overtone.verification._result import Verification


def verify(
    forecast: Any,
    truth: Any,
    *,
    variables: Sequence[str] | None = None,
    space: Sequence[str] | None = None,
    lead: str | None = None,
    latitude: ArrayLike | None = None,
    longitude: ArrayLike | None = None,
    spacing: float | Sequence[float] | None = None,
    periodic: bool | Sequence[bool] = False,
    unit: str | None = None,
    level: float = 0.9,
) -> Verification:
    """Compare a forecast with the truth, scale by scale: where it is right, blurred, noisy or misplaced.

    Per band of wavelengths, the powers of truth, forecast and residual are averaged over the samples. From them follow
    the error ratio E / T, the power ratio F / T, the coherence, and the split of the error into amplitude and
    decorrelation (Subich et al. 2025, arXiv 2501.19374). The effective resolution is the wavelength at which E / T
    first exceeds 1/2.

    Boxes with open borders are measured by the even extension where the spectrum of the truth is not steeper than f^-3,
    and else with plane detrend and a Hann window; scales of less than three waves per box are not reported. Intervals
    are Student's on groups of neighbouring samples, which allows for their dependence; with fewer than ten effective
    samples there are none.

    Args:
        forecast: Array or tensor (sample, channel, *space), a mapping of arrays (sample, *space), or an xarray
            DataArray or Dataset; samples in the order of time.
        truth: The same kind of data. xarray data are paired by their coordinates.
        variables: Names of the variables; all common ones by default.
        space: xarray: names of the 1 to 3 axes of space; by default latitude and longitude, else those of z, y and x
            that exist.
        lead: xarray: the forecast's axis of lead time, which becomes an axis of the answer. A truth without it is taken
            at the initial time plus the lead time.
        latitude: Arrays: latitudes of the rows in degrees, for globes and regions.
        longitude: Arrays: longitudes of the columns in degrees.
        spacing: Distance between neighbouring samples, one value or one per axis; lengths are counted in samples by
            default.
        periodic: Whether the axes wrap around, one value or one per axis. Longitudes around the globe do anyway.
        unit: Unit of the spacing.
        level: Coverage probability of the intervals.

    Returns:
        The result, whose `sentences` say what it shows.

    Raises:
        InputError: If the two cannot be paired, a cell is missing, or the grid is not suitable.

    Example:
        >>> import numpy as np
        >>> import overtone as ot
        >>> truth = np.random.default_rng(0).standard_normal((30, 1, 32, 32))
        >>> noise = np.random.default_rng(1).standard_normal(truth.shape)
        >>> result = ot.verify(truth + noise, truth, periodic=True, spacing=10, unit="km")
        >>> print(result.sentences[0])
        Values: the error has more than half of the truth's power at all wavelengths from 320 km on...
    """
    check_level(level)
    names = None if variables is None else tuple(variables)
    if (latitude is None) != (longitude is None):
        raise InputError("latitude and longitude together", "one of them", "pass both", "latitude")
    labelled = _has_coordinates(forecast), _has_coordinates(truth)
    if any(labelled):
        if not all(labelled):
            raise InputError("xarray data or arrays", "one of each", "pass both in one form", "truth")
        if latitude is not None or spacing is not None or unit is not None:
            raise InputError(
                "no latitude, longitude, spacing or unit beside xarray data, whose coordinates state them",
                "at least one of them",
                "leave it out",
                "verify",
            )
        return measure(dataset_pairs(forecast, truth, names, space, lead, _per_axis(periodic)), level)
    if space is not None or lead is not None:
        raise InputError("space and lead only with xarray data", "arrays", "leave them out", "verify")
    coordinates = None if latitude is None else (latitude, longitude)
    pairs = array_pairs(forecast, truth, names, _per_axis(spacing), _per_axis(periodic), unit, coordinates)
    return measure(pairs, level)


def _has_coordinates(values: Any) -> bool:
    return hasattr(values, "dims") and hasattr(values, "coords")


def _per_axis(value: Any) -> Any:
    return tuple(value) if isinstance(value, Sequence) else value


def measure(pairs: Pairs, level: float) -> Verification:
    """Read all pairs once and return the result.

    Args:
        pairs: The pairs.
        level: Coverage probability of the intervals.

    Raises:
        InputError: If a cell is missing, or the box is too small.
    """
    geometry = pairs.geometry
    scores: list[FieldScore] = []
    transform = estimator = None
    for index, lead in enumerate(pairs.leads or (None,)):
        sums = None
        for prediction, target in pairs.chunks(index):
            if transform is None:
                # The first sample decides, so that the choice does not depend on the size of the chunks.
                transform, estimator = geometry.transform(target[0])
                reported = np.array(geometry.reported(transform))
            if sums is None:
                sums = PairSums(transform, len(pairs.variables), estimator or "")
            sums.update(prediction, target)
        if sums is None:
            raise InputError(
                "at least one pair", f"none at lead time {lead}", "choose other lead times", "lead"
            )
        scores += _scores(pairs.variables, lead, sums.compute(), reported, level)
    notes = _notes(pairs, scores, geometry)
    return Verification(tuple(scores), geometry, estimator or "", level, notes)


def _scores(
    variables: Sequence[str], lead: str | None, power: PairPower, reported: np.ndarray, level: float
) -> list[FieldScore]:
    """Return one score per variable."""
    blocks = power.blocks.numpy()
    result = []
    for channel, variable in enumerate(variables):
        target = power.target[:, channel].numpy()
        # What is below the rounding of float64 is no structure.
        has_power = target > ROUNDING * max(float(target.sum()), float(power.prediction[:, channel].sum()))
        column = blocks[..., channel]
        result.append(
            FieldScore(
                variable,
                lead,
                power.samples,
                target,
                power.prediction[:, channel].numpy(),
                power.residual[:, channel].numpy(),
                error_ratio_interval(column, level),
                power_ratio_interval(column, level),
                coherence_interval(column, level),
                slope_interval(column, level),
                power.bands.low,
                power.bands.high,
                reported & has_power,
            )
        )
    return result


def _notes(pairs: Pairs, scores: Sequence[FieldScore], geometry: FieldGeometry) -> tuple[Note, ...]:
    notes = []
    forecast, truth, paired = pairs.paired
    if paired < max(forecast, truth):
        notes.append(Note(NoteCode.PARTLY_PAIRED, {"forecast": forecast, "truth": truth, "paired": paired}))
    constant = [score for score in scores if not score.reported.any()]
    notes += [
        Note(NoteCode.CONSTANT_TRUTH, {"variable": score.variable, "lead": score.lead}) for score in constant
    ]
    if geometry.sphere is not None and geometry.sphere.duplicated:
        notes.append(Note(NoteCode.DUPLICATED_COLUMN))
    if geometry.kind is GeometryKind.BOX and geometry.unit == "samples" and len(geometry.shape) == 2:
        rows, columns = geometry.shape
        if columns >= 128 and rows in (columns // 2, columns // 2 + 1):
            notes.append(Note(NoteCode.LIKE_A_GLOBE, {"rows": rows, "columns": columns}))
    if geometry.kind is GeometryKind.REGION:
        notes.append(Note(NoteCode.REGION))
    lowest = min((float(s.low[s.reported][0]) for s in scores if s.reported.any()), default=math.nan)
    if geometry.sphere is None and not all(geometry.periodic) and math.isfinite(lowest):
        notes.append(Note(NoteCode.LARGE_SCALES, {"wavelength": geometry.wavelength(lowest)}))
    samples = min(score.samples for score in scores)
    if samples == 1:
        notes.append(Note(NoteCode.ONE_SAMPLE))
    else:
        effective = [float(s.error_interval.effective[s.reported].min()) for s in scores if s.reported.any()]
        if effective and min(effective) < SMALLEST:
            every = not any(score.has_intervals for score in scores)
            notes.append(
                Note(NoteCode.FEW_SAMPLES, {"samples": samples, "effective": min(effective), "all": every})
            )
    return tuple(notes)
