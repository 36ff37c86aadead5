"""`verify`: a forecast against the truth, scale by scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone.errors import InputError
from overtone.records.metrics._ensemble_scores import EnsembleScore, ForecastComparison
from overtone.records.metrics._field_runs import field_score
from overtone.records.metrics._field_scores import FieldScore, Note, NoteCode, UndeterminedCode
from overtone.records.metrics._intervals import (
    SMALLEST,
    difference_interval,
    ratio_interval,
)
from overtone.spectra import BandTransform
from overtone.spectra._field_geometry import FieldGeometry, GeometryKind
from overtone.spectra._gap_estimator import GapEstimator, gap_estimator
from overtone.spectra._healpix import HealpixGrid
from overtone.spectra._masked_sums import MaskedPowers
from overtone.spectra._pair_power import RowSums
from overtone.spectra._rounding import ROUNDING_SHARE
from overtone.spectra._spectrum import ROUNDING, check_level
from overtone.verification._cluster import ClusterExecutor
from overtone.verification._gaps import (
    GapPlan,
    first_gaps,
    gap_means,
    gap_powers,
    missing_cells_note,
    no_valid_cells,
)
from overtone.verification._measure import (
    Executor,
    LocalExecutor,
    MissingCellsError,
    byte_count,
    lead_rows,
    parts_of,
)
from overtone.verification._pairs import Pairs, PositionOptions, array_pairs, per_axis
from overtone.verification._registration import Registration, registered
from overtone.verification._result import Verification
from overtone.verification._sources import Axes, dataset_pairs

Array = NDArray[np.float64]

_LABELLED = ("periodic", "winds", "healpix")
"""Options on positions that xarray data have as well."""

BASELINES = ("climatology", "persistence")


def verify(
    forecast: Any,
    truth: Any,
    *,
    against: Any = None,
    baselines: Sequence[str] = (),
    variables: Sequence[str] | None = None,
    space: Sequence[str] | None = None,
    lead: str | None = None,
    member: str | int | None = None,
    anomalies: bool = False,
    level: float = 0.9,
    memory: float | str = "1GB",
    dask: Any = None,
    **grid: Unpack[PositionOptions],
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

    Cells that are NaN in either field are left out of both. Differences of the fields are measured then, and the
    coupling of modes by the mask is inverted; bands where filled fields give ratios that differ by more than 20 %
    are not determined.

    Args:
        forecast: Array or tensor (sample, channel, *space), a mapping of arrays (sample, *space), or an xarray
            DataArray or Dataset; samples in the order of time.
        truth: The same kind of data. xarray data are paired by their coordinates.
        against: Another forecast of the same truth, or a mapping of several by name; their errors are compared sample
            by sample. xarray: one without an axis of samples stands for all of them.
        baselines: "climatology", the mean of the truth over the other samples, or "persistence", the truth at the
            initial time, as further forecasts to compare with.
        variables: Names of the variables; all common ones by default.
        space: xarray: names of the 1 to 3 axes of space; by default latitude and longitude, else those of z, y and x
            that exist.
        lead: xarray: the forecast's axis of lead time, which becomes an axis of the answer. A truth without it is taken
            at the initial time plus the lead time.
        member: The forecast's axis of ensemble members: its name in xarray data, its number in arrays.
        anomalies: Whether the time means of forecast and truth are subtracted first, for each lead time.
        level: Coverage probability of the intervals.
        memory: Bytes to use for fields at a time, as a number or a text such as "500MB"; data on disk are read in
            parts.
        dask: Address of a Dask scheduler, or a `distributed.Client`: its workers, which import overtone, read the files
            and measure the parts, each with this memory. The figures are those of one process.
        **grid: Arrays: `latitude` and `longitude` of rows and columns in degrees, for globes and regions; or `spacing`,
            the distance of neighbouring samples (one value or one per axis; counted in samples by default), and its
            `unit`. `periodic`: whether the axes wrap around; longitudes around the globe do anyway. `winds`: names, or
            numbers of channels, of the eastward and northward component of a wind (in boxes, those along the last and
            the first axis), in whose place the kinetic energies of its rotational and its divergent part are verified.
            `healpix`: "ring" or "nested", if the last axis holds the pixels of a HEALPix grid in this order.

    Returns:
        The result, whose `sentences` say what it shows.

    Raises:
        InputError: If the data cannot be paired, no cell is valid in both, or the grid is not suitable.

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
    for name in baselines:
        if name not in BASELINES:
            raise InputError(f"one of {', '.join(BASELINES)}", repr(name), "choose among them", "baselines")
    names = None if variables is None else tuple(variables)
    others = _named(against, forecast)
    options = _Options(level, byte_count(memory), anomalies, "climatology" in baselines)
    labelled = [_has_coordinates(data) for data in (forecast, truth, *others.values())]
    if any(labelled):
        if not all(labelled):
            raise InputError("xarray data or arrays", "one of each", "pass both in one form", "truth")
        if any(value is not None for name, value in grid.items() if name not in _LABELLED):
            raise InputError(
                "no latitude, longitude, spacing or unit beside xarray data, whose coordinates state them",
                "at least one of them",
                "leave it out",
                "verify",
            )
        if member is not None and not isinstance(member, str):
            raise InputError("the name of an axis", repr(member), "name the axis of members", "member")
        periodic, winds = per_axis(grid.get("periodic", False)), grid.get("winds")
        axes = Axes(space, lead, member, periodic, winds, grid.get("healpix"))
        pairs = dataset_pairs(forecast, truth, names, axes, others, "persistence" in baselines)
        return _measured(pairs, options, dask)
    if space is not None or lead is not None:
        raise InputError("space and lead only with xarray data", "arrays", "leave them out", "verify")
    if "persistence" in baselines:
        raise InputError("xarray data with lead times for persistence", "arrays", "leave it out", "baselines")
    if isinstance(member, str):
        raise InputError("the number of an axis", repr(member), "count the axes from 0", "member")
    return _measured(array_pairs(forecast, truth, names, grid, member, others), options, dask)


def _measured(pairs: Pairs, options: _Options, dask: Any) -> Verification:
    """Measure pairs here, or on a Dask cluster."""
    if dask is None:
        return measure(pairs, options, LocalExecutor())
    executor = ClusterExecutor(dask)
    try:
        return measure(pairs, options, executor)
    finally:
        executor.close()


def _named(against: Any, forecast: Any) -> dict[str, Any]:
    """Return forecasts to compare with by name; a single one is called `other`."""
    if against is None:
        return {}
    arrays = isinstance(forecast, Mapping) and not _has_coordinates(forecast)
    several = isinstance(against, Mapping) and not _has_coordinates(against)
    # Beside named arrays, a mapping of arrays is one forecast.
    several = several and not (arrays and not all(isinstance(v, Mapping) for v in against.values()))
    return {str(name): data for name, data in against.items()} if several else {"other": against}


def _has_coordinates(values: Any) -> bool:
    return hasattr(values, "dims") and hasattr(values, "coords")


@final
@dataclass(frozen=True)
class _Options:
    """Settings of a verification: coverage probability, bytes of memory, anomalies, climatology as a baseline."""

    level: float
    memory: int
    anomalies: bool
    climatology: bool


def measure(pairs: Pairs, options: _Options, executor: Executor) -> Verification:
    """Read all pairs and return the result.

    Args:
        pairs: The pairs.
        options: Settings.
        executor: Runs the parts.

    Raises:
        InputError: If a cell is missing, or the box is too small.
    """
    try:
        return _measure(pairs, options, executor, None)
    except MissingCellsError:
        # All lead times get the same estimator, so that the first missing cell begins everything anew.
        _check_gaps(pairs)
        target, mask, lead = first_gaps(pairs)
        if options.anomalies:
            size = (2 + pairs.members) * len(pairs.variables) * math.prod(pairs.geometry.shape)
            means = gap_means(executor, pairs, lead, parts_of(pairs.count(lead), size, options.memory))
            target = target - means.fields[0]
            mask = mask & ~torch.isnan(target)
            if not bool(mask.any()):
                raise no_valid_cells(None) from None
        return _measure(pairs, options, executor, gap_estimator(pairs.geometry, target, mask))


def _check_gaps(pairs: Pairs) -> None:
    """Refuse what is not defined for fields with missing cells.

    Raises:
        InputError: For HEALPix grids and winds.
    """
    if isinstance(pairs.geometry.sphere, HealpixGrid):
        raise InputError(
            "values in every pixel of a HEALPix grid",
            "missing ones",
            "interpolate to latitudes and longitudes, where cells may be missing, or fill the pixels",
            "healpix",
        )
    if pairs.winds is not None:
        raise InputError(
            "values in every cell for winds",
            "missing cells",
            "cut out a box without missing cells, or leave winds out, which verifies both components as scalars",
            "winds",
        )


def _measure(pairs: Pairs, options: _Options, executor: Executor, gaps: GapEstimator | None) -> Verification:
    """Measure pairs with the estimator for missing cells, or without.

    Raises:
        MissingCellsError: If a cell is missing and there is no estimator for them.
    """
    geometry = pairs.geometry
    if gaps is None:
        # The first sample decides, so that the choice does not depend on the size of the parts.
        first = pairs.read(0, slice(0, 1)).target[0]
        if bool(torch.isnan(first).any()):
            raise MissingCellsError
        transform, estimator = geometry.transform(first, pairs.winds)
    else:
        transform, estimator = gaps.transform, f"{gaps.name} and checked by filling them"
    reported = np.array(geometry.reported(transform))
    names = (*pairs.others, *(("climatology",) if options.climatology else ()))
    fields = 1 + max(1, pairs.members) + len(names)
    size = fields * len(pairs.variables) * math.prod(geometry.shape)
    scores: list[FieldScore] = []
    ensembles: list[EnsembleScore] = []
    comparisons: list[ForecastComparison] = []
    registrations: list[Registration | None] = []
    shares: list[tuple[float, ...]] = []
    for index, lead in enumerate(pairs.leads or (None,)):
        count = pairs.count(index)
        if options.climatology and count < 2:
            raise InputError("at least two samples for a climatology", "one", "leave it out", "baselines")
        parts = parts_of(count, size, options.memory)
        if gaps is None:
            rows = lead_rows(executor, pairs, index, transform, options.climatology, options.anomalies, parts)
            measured = _Measured.of(rows)
        else:
            plan = GapPlan(gaps.plan, options.climatology, options.anomalies)
            powers, rounding = gap_powers(executor, pairs, index, plan, parts)
            shares.append(powers.shares)
            measured = _Measured(powers.samples, powers.mean, powers.blocks, rounding, powers)
        for channel, variable in enumerate(pairs.variables):
            columns = _Columns(variable, lead, measured, channel, transform, reported, options.level)
            score = columns.score(1)
            scores.append(score)
            tiles = geometry.sphere is None or geometry.rows_and_columns is not None
            if gaps is None and tiles and channel not in (pairs.winds or ()):
                # Tiles have no estimator for missing cells, nor for parts of winds, and need rows and columns.
                registrations.append(registered(pairs, index, channel, score, options.level))
            comparisons += [
                columns.comparison(name, score, 3 + 2 * other) for other, name in enumerate(names)
            ]
            if pairs.members:
                ensembles.append(columns.ensemble(pairs.members, 3 + 2 * len(names)))
    notes = _notes(pairs, scores, geometry, options)
    if gaps is not None and pairs.members:
        notes = (Note(NoteCode.NO_CRPS), *notes)
    if gaps is not None:
        notes = (missing_cells_note(scores, gaps, shares, len(pairs.variables)), *notes)
    return Verification(
        tuple(scores),
        geometry,
        estimator,
        options.level,
        notes,
        tuple(ensembles),
        tuple(comparisons),
        options.anomalies,
        tuple(registration for registration in registrations if registration is not None),
    )


@final
@dataclass(frozen=True)
class _Measured:
    """Powers of one lead time.

    Attributes:
        samples: Number of samples.
        mean: (quantity, band, channel) powers.
        blocks: (block, quantity, band, channel) powers over blocks of samples.
        rounding: (band, channel) power that the rounding of the truth's values may have.
        masked: Powers with their check, if cells are missing.
    """

    samples: int
    mean: Tensor
    blocks: Tensor
    rounding: Tensor
    masked: MaskedPowers | None = None

    @staticmethod
    def of(rows: RowSums) -> _Measured:
        """Return the powers of rows of `RowPlan`, whose last quantity is the power of rounding."""
        mean = rows.mean()
        return _Measured(rows.samples, mean[:-1], rows.blocks()[:, :-1], mean[-1])


@final
class _Columns:
    """Rows of one variable at one lead time, and the scores that follow from them.

    Args:
        variable: Name of the variable.
        lead: The lead time, or None.
        measured: Powers of the lead time.
        channel: Index of the variable.
        transform: The transform.
        reported: (band,) whether a band is reliable.
        level: Coverage probability.
    """

    def __init__(
        self,
        variable: str,
        lead: str | None,
        measured: _Measured,
        channel: int,
        transform: BandTransform,
        reported: NDArray[np.bool_],
        level: float,
    ) -> None:
        self._name, self._level, self._samples = (variable, lead), level, measured.samples
        self._mean = measured.mean[..., channel].numpy()
        self._blocks = measured.blocks[..., channel].numpy()
        self._masked, self._channel = measured.masked, channel
        self._low, self._high = transform.bands.low, transform.bands.high
        target, prediction = self._mean[:2]
        if self._masked is not None:
            # An estimate below zero is no sign of a truth without structure.
            target = np.maximum(target, self._masked.check[0, :, channel].numpy())
        # What is below the rounding of float64 is no structure.
        has_power = target > ROUNDING * max(float(target.sum()), float(prediction.sum()))
        self._rounded = (
            reported & has_power & (measured.rounding[:, channel].numpy() > ROUNDING_SHARE * target)
        )
        self._reported = reported & has_power & ~self._rounded

    def score(self, first: int) -> FieldScore:
        """Return the score of the forecast whose power and error stand from a column on."""
        columns = [0, first, first + 1]
        powers, blocks, reported = self._mean[columns], self._blocks[:, columns], self._reported
        unclear = np.zeros_like(reported)
        if self._masked is not None:
            power, _, determined = self._masked.forecast(first)
            # Estimates below zero are left in bands that are not determined.
            powers = np.where(power[..., self._channel] < 0, np.nan, power[..., self._channel].numpy())
            unclear = reported & ~determined[:, self._channel].numpy()
        score = field_score(
            self._name,
            self._samples,
            powers,
            blocks,
            (self._low, self._high),
            reported & ~unclear,
            self._level,
        )
        if not (unclear | self._rounded).any():
            return score
        reasons = tuple(
            UndeterminedCode.ROUNDING if small else UndeterminedCode.GAPS if open_ else None
            for small, open_ in zip(self._rounded, unclear, strict=True)
        )
        return replace(score, reasons=reasons)

    def comparison(self, name: str, score: FieldScore, first: int) -> ForecastComparison:
        """Return the comparison with the forecast whose power and error stand from a column on."""
        error, other_error, truth = (self._blocks[:, column] for column in (2, first + 1, 0))
        interval = difference_interval(error, other_error, truth, self._level)
        return ForecastComparison(name, score, self.score(first), interval)

    def ensemble(self, members: int, first: int) -> EnsembleScore:
        """Return the score of an ensemble whose figures stand from a column on."""
        unbiased = members / (members - 1)
        mean, blocks, reported = self._mean, self._blocks, self._reported
        if self._masked is not None:
            mean, blocks, determined = self._without_crps(first)
            reported = reported & determined
        target, mean_power, mean_residual = mean[:3]
        prediction, residual, crps, absolute = mean[first : first + 4]
        # The rounding of equal members is no spread.
        spread = unbiased * (blocks[:, first] - blocks[:, 1]).clip(min=0)
        level = self._level
        with np.errstate(all="ignore"):
            return EnsembleScore(
                *self._name,
                members,
                self._samples,
                target,
                prediction,
                residual,
                unbiased * (prediction - mean_power).clip(min=0),
                mean_residual,
                crps / absolute,
                ratio_interval(blocks[:, first], blocks[:, 0], level),
                ratio_interval((1 + 1 / members) * spread, blocks[:, 2], level),
                ratio_interval(blocks[:, first + 2], blocks[:, first + 3], level),
                self._low,
                self._high,
                reported,
            )

    def _without_crps(self, first: int) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return powers and blocks of fields with missing cells, where the CRPS is NaN, and determined bands."""
        assert self._masked is not None
        mean, determined = self._mean.copy(), np.ones_like(self._reported)
        for column in (1, first):
            power, _, clear = self._masked.forecast(column)
            mean[[0, column, column + 1]] = power[..., self._channel].numpy()
            determined &= clear[:, self._channel].numpy()
        unknown = np.full((2, mean.shape[1]), np.nan)
        blocks = np.concatenate(
            [self._blocks, np.broadcast_to(unknown, (len(self._blocks), *unknown.shape))], 1
        )
        return np.concatenate([mean, unknown]), blocks, determined


def _notes(
    pairs: Pairs, scores: Sequence[FieldScore], geometry: FieldGeometry, options: _Options
) -> tuple[Note, ...]:
    notes = []
    if pairs.winds is not None:
        notes.append(Note(NoteCode.WINDS, {"mean": geometry.sphere is None}))
    if pairs.members:
        notes.append(Note(NoteCode.ENSEMBLE_MEAN, {"members": pairs.members}))
    if options.anomalies:
        notes.append(Note(NoteCode.ANOMALIES, {"samples": min(score.samples for score in scores)}))
    if options.climatology:
        notes.append(Note(NoteCode.CLIMATOLOGY))
    forecast, truth, paired = pairs.paired
    if paired < max(forecast, truth):
        notes.append(Note(NoteCode.PARTLY_PAIRED, {"forecast": forecast, "truth": truth, "paired": paired}))
    constant = [score for score in scores if not score.reported.any() and not score.undetermined]
    notes += [
        Note(NoteCode.CONSTANT_TRUTH, {"variable": score.variable, "lead": score.lead}) for score in constant
    ]
    notes += [
        Note(
            NoteCode.NOT_DETERMINED,
            {
                "variable": score.variable,
                "lead": score.lead,
                "reason": reason.value,
                "longest": geometry.wavelength(low),
                "shortest": geometry.wavelength(high),
            },
        )
        for score in scores
        for reason, low, high in score.undetermined
    ]
    grid = geometry.rows_and_columns
    if grid is not None and grid.duplicated:
        notes.append(Note(NoteCode.DUPLICATED_COLUMN))
    if grid is not None and any(grid.absent):
        notes.append(Note(NoteCode.ABSENT_POLES, {"poles": sum(grid.absent)}))
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
