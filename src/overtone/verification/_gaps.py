"""Verification of fields with missing cells: their powers, time means, and the note on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.records.metrics._field_scores import FieldScore, Note, NoteCode
from overtone.spectra._fill import laplace_fill
from overtone.spectra._gap_estimator import GapEstimator
from overtone.spectra._masked import unmixing
from overtone.spectra._masked_sums import MaskedPowers, MaskedRows, by_mask
from overtone.spectra._pair_power import RowSums
from overtone.spectra._rounding import rounding_power
from overtone.verification._measure import Executor
from overtone.verification._pairs import Batch, Pairs


@final
@dataclass(frozen=True)
class GapPlan:
    """Measurements of a batch: the rows of `MaskedRows`, and the power of rounding.

    Attributes:
        masked: Rows of the fields.
        climatology: Whether the mean of the truth over the other samples is one more forecast.
        subtracted: Whether time means are subtracted.
        means: Time means and number of values per cell, if either is needed.
    """

    masked: MaskedRows
    climatology: bool = False
    subtracted: bool = False
    means: GapMeans | None = None

    def rows(self, batch: Batch) -> Tensor:
        """Return the (sample, size) float64 rows of samples, on the CPU."""
        rounding = rounding_power(batch.target, self.masked.transform).flatten(1)
        fields, members = _fields(batch), None
        if batch.forecast.ndim > batch.target.ndim:
            members = batch.forecast.double()
        if self.means is not None:
            total, count = self.means.fields[0], self.means.count
            if self.subtracted:
                fields = [values - mean for values, mean in zip(fields, self.means.fields, strict=True)]
                members = None if members is None else members - self.means.fields[1]
                total = torch.zeros_like(total)
            if self.climatology:
                others = (total * count - fields[0]) / (count - 1)
                fields.append(torch.where(count > 1, others, torch.nan))
        return torch.cat([self.masked.rows(fields, members), rounding], 1)


@final
@dataclass(frozen=True)
class GapMeans:
    """Time means over the samples in which no field is missing, cell by cell.

    Attributes:
        fields: (channel, *space) float64 means of truth, forecast (the ensemble's mean) and the others; NaN in cells
            with fewer than two such samples, whose anomalies say nothing.
        count: (channel, *space) number of these samples.
    """

    fields: tuple[Tensor, ...]
    count: Tensor


def _fields(batch: Batch) -> list[Tensor]:
    """Return truth, forecast (of an ensemble its mean) and the others in float64, NaN where any is missing."""
    forecast = batch.forecast.double()
    if forecast.ndim > batch.target.ndim:
        forecast = forecast.mean(1)
    return [batch.target.double(), forecast, *(values.double() for values in batch.others)]


def _sums_of_valid(batch: Batch) -> list[Tensor]:
    """Return the sums over the samples in which no field is missing, and their number."""
    fields = _fields(batch)
    valid = ~torch.isnan(torch.stack(fields)).any(0)
    return [*(torch.where(valid, values, 0.0).sum(0) for values in fields), valid.double().sum(0)]


def gap_means(executor: Executor, pairs: Pairs, lead: int, parts: Sequence[slice]) -> GapMeans:
    """Return the time means of one lead time.

    Args:
        executor: Runs the parts.
        pairs: The pairs.
        lead: Index of the lead time.
        parts: Slices of the samples.
    """
    total: list[Tensor] | None = None
    for sums in executor.run(_sums_of_valid, pairs, lead, parts):
        total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
    assert total is not None
    *fields, count = total
    means = tuple(torch.where(count > 1, values / count.clamp(min=1), torch.nan) for values in fields)
    return GapMeans(means, count)


def gap_powers(
    executor: Executor, pairs: Pairs, lead: int, plan: GapPlan, parts: Sequence[slice]
) -> tuple[MaskedPowers, Tensor]:
    """Return the powers of one lead time, and the (band, channel) power of rounding.

    Args:
        executor: Runs the parts.
        pairs: The pairs.
        lead: Index of the lead time.
        plan: What is measured; its means are those of this lead time.
        parts: Slices of the samples.

    Raises:
        InputError: If no cell is valid in all fields.
    """
    if plan.climatology or plan.subtracted:
        plan = replace(plan, means=gap_means(executor, pairs, lead, parts))
    sums, masked = RowSums(), plan.masked
    for rows in executor.run(plan.rows, pairs, lead, parts):
        for row in rows:
            sums.append(row)
    shape = (masked.transform.bands.count, len(pairs.variables))
    rounding = sums.mean()[-shape[0] * shape[1] :].reshape(shape)
    powers = masked.powers(sums, 2 + len(pairs.others) + plan.climatology, bool(pairs.members))
    if powers.shares[-1] >= 1:
        raise no_valid_cells(pairs.leads[lead] if pairs.leads else None)
    return powers, rounding


def no_valid_cells(lead: str | None) -> InputError:
    """Return the refusal of fields without any cell that is valid in all.

    Args:
        lead: The lead time, or None.
    """
    return InputError(
        "cells that are valid in both fields",
        "none" if lead is None else f"none at lead time {lead}",
        "choose fields that overlap",
        "forecast",
    )


def first_gaps(pairs: Pairs) -> tuple[Tensor, Tensor, int]:
    """Return target, mask and lead time of the first sample that has gaps, and a quarter of its cells or more.

    Args:
        pairs: The pairs, with missing cells.

    Raises:
        InputError: If no sample has a valid cell.
    """
    fallback: tuple[Tensor, Tensor, int] | None = None
    for lead in range(len(pairs.leads or (None,))):
        for sample in range(pairs.count(lead)):
            batch = pairs.read(lead, slice(sample, sample + 1))
            mask = torch.stack([~torch.isnan(values) for values in _fields(batch)]).all(0)[0]
            share = float(mask.double().mean())
            if 0.25 < share < 1:
                return batch.target[0], mask, lead
            if share > 0 and fallback is None:
                fallback = (batch.target[0], mask, lead)
    if fallback is None:
        raise no_valid_cells(None)
    return fallback


def single_powers(gaps: GapEstimator, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (band, field) powers of single fields, and those of the same fields filled.

    Args:
        gaps: Estimator of one channel.
        values: (field, *space) values, NaN where missing; fields without any value have no power, NaN.
    """
    (prepared,) = gaps.geometries
    shape = (prepared.bands.count, len(values))
    power, check = (torch.full(shape, math.nan, dtype=torch.float64, device=values.device) for _ in range(2))
    for mask, group in by_mask(~torch.isnan(values)):
        if not bool(mask.any()):
            continue
        fields = values[group].double().movedim(0, -1)
        coefficients = prepared.coefficients(fields, mask)
        power[:, group] = unmixing(prepared.coupling(mask)) @ prepared.products(coefficients, coefficients)
        filled = gaps.transform.coefficients(laplace_fill(fields, mask, gaps.periodic))
        check[:, group] = gaps.transform.power(filled)
    return power, check


def missing_cells_note(
    scores: Sequence[FieldScore], gaps: GapEstimator, shares: Sequence[Sequence[float]], channels: int
) -> Note:
    """Return the note on missing cells, with the bias that the estimator has on simulated fields.

    Args:
        scores: Scores of all lead times, the variables of each one after the other.
        gaps: The estimator.
        shares: Shares of missing cells of truth, forecast, others, and any of them, per lead time.
        channels: Number of variables.
    """
    reported = [np.any([s.reported for s in scores[c::channels]], axis=0) for c in range(channels)]
    median, largest = gaps.bias(torch.from_numpy(np.stack(reported, 1)))
    target, prediction, *_, either = np.mean(shares, axis=0)
    return Note(
        NoteCode.MISSING_CELLS,
        {
            "truth": float(target),
            "forecast": float(prediction),
            "either": float(either),
            "slopes": [round(slope, 3) for slope in gaps.slopes],
            "bias_median": median if math.isfinite(median) else None,
            "bias_largest": largest if math.isfinite(largest) else None,
        },
    )
