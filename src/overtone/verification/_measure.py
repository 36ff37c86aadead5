"""Powers of paired fields, sample by sample: what is measured of each, and the loop over parts of the data."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra import BandTransform
from overtone.spectra._pair_power import RowSums
from overtone.spectra._rounding import rounding_power
from overtone.verification._pairs import Batch, Pairs, all_finite

_COPIES = 6
"""Copies of the values in memory while a part is transformed: as read, in float64, coefficients and products."""

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@final
class MissingCellsError(Exception):
    """Cells are missing, so that another estimator is needed."""


@final
@dataclass(frozen=True)
class RowPlan:
    """Measurements of each sample.

    The rows hold the power of the truth, then for the forecast (of an ensemble, its mean) and each other one the
    powers of its values and of its error. For an ensemble follow the mean power of its members, that of their errors,
    and the sums of their CRPS and of the truth's absolute coefficients. The last row is the power that the rounding of
    the truth's values may have.

    Attributes:
        transform: Transform of one field with the channels last.
        members: Members of the ensemble; 0 without.
        climatology: Whether the mean of the truth over the other samples is one more forecast.
        samples: Samples of this lead time.
        means: Time means of truth, forecast and the others, each (channel, *space), or None. They are subtracted if
            `subtracted`; the climatology needs the first one.
        subtracted: Whether the time means are subtracted.
    """

    transform: BandTransform
    members: int
    climatology: bool
    samples: int
    means: tuple[Tensor, ...] | None
    subtracted: bool

    def rows(self, batch: Batch) -> Tensor:
        """Return the (sample, quantity, band, channel) float64 powers of samples, on the CPU.

        Raises:
            MissingCellsError: If a cell is missing.
        """
        if not all(all_finite(values) for values in (batch.target, batch.forecast, *batch.others)):
            raise MissingCellsError
        rounding = rounding_power(batch.target, self.transform)
        # Differences are taken in float64, and the coefficients below as well.
        target, ensemble, others = batch.target, batch.forecast, list(batch.others)
        if self.means is not None:
            target, ensemble = target.double(), ensemble.double()
            others = [values.double() for values in others]
        if self.means is not None and self.subtracted:
            target, ensemble = target - self.means[0], ensemble - self.means[1]
            others = [values - mean for values, mean in zip(others, self.means[2:], strict=True)]
        if self.climatology:
            # The mean over all samples but the one that is forecast.
            total = torch.zeros_like(target[0]) if self.subtracted else self._truth_mean() * self.samples
            others.append((total - target) / (self.samples - 1))
        members = ensemble.unbind(1) if self.members else (ensemble,)
        # All fields together: transforms of the sphere compute their Legendre functions once for all.
        truth, *others = self._coefficients([target, *others, *members])
        others, forecasts = others[: -len(members)], others[-len(members) :]
        mean = forecasts[0] if len(forecasts) == 1 else sum(forecasts[1:], forecasts[0]) / len(forecasts)
        powers = [self.transform.power(truth), self.transform.power(mean), self.transform.power(mean - truth)]
        for other in others:
            powers += [self.transform.power(other), self.transform.power(other - truth)]
        if self.members:
            count = len(forecasts)
            powers.append(torch.stack([self.transform.power(f) for f in forecasts]).sum(0) / count)
            powers.append(torch.stack([self.transform.power(f - truth) for f in forecasts]).sum(0) / count)
            powers += self._crps(forecasts, truth)
        table = torch.stack([power.to("cpu", torch.float64) for power in powers])
        rows = table.reshape(len(powers), -1, *target.shape[:2]).permute(2, 0, 1, 3)
        return torch.cat([rows, rounding[:, None]], 1)

    def _truth_mean(self) -> Tensor:
        assert self.means is not None
        return self.means[0]

    def _coefficients(self, fields: Sequence[Tensor]) -> list[Tensor]:
        """Return the coefficients of each of several (sample, channel, *space) fields."""
        count, space = math.prod(fields[0].shape[:2]), fields[0].shape[2:]
        values = fields[0].new_empty(len(fields) * count, *space, dtype=torch.float64)
        for part, field in zip(values.split(count), fields, strict=True):
            part.copy_(field.flatten(0, 1))
        return list(self.transform.coefficients(values.movedim(0, -1)).chunk(len(fields), -1))

    def _crps(self, forecasts: Sequence[Tensor], truth: Tensor) -> list[Tensor]:
        """Return the sums per band of the fair CRPS of the coefficients, and of the truth's absolute ones."""
        parts = torch.stack([_parts(f) for f in forecasts])
        ordered, count = parts.sort(0).values, len(forecasts)
        # sum_{i < j} (x_(j) - x_(i)) = sum_i (2 i - M + 1) x_(i) with i from 0.
        factor = (2 * torch.arange(count, dtype=torch.float64, device=truth.device) - count + 1) / (
            count * (count - 1)
        )
        within = torch.tensordot(factor, ordered, dims=1)
        crps = (parts - _parts(truth)).abs().mean(0) - within
        return [self._sums(crps, truth), self._sums(_parts(truth).abs(), truth)]

    def _sums(self, parts: Tensor, like: Tensor) -> Tensor:
        """Return the weighted sums per band of real and imaginary parts, which may be negative."""
        if not like.is_complex():
            return self.transform.cross(parts[..., 0].contiguous(), torch.ones_like(like))
        # Re a conj(1 + i) = Re a + Im a.
        return self.transform.cross(torch.view_as_complex(parts.contiguous()), torch.full_like(like, 1 + 1j))


def _parts(coefficients: Tensor) -> Tensor:
    """Return real and imaginary parts along a last axis."""
    return (
        torch.view_as_real(coefficients.contiguous())
        if coefficients.is_complex()
        else coefficients.unsqueeze(-1)
    )


class Executor(Protocol):
    """Runs a function on parts of a lead time, in order."""

    def run(
        self, function: Callable[[Batch], Any], pairs: Pairs, lead: int, parts: Sequence[slice]
    ) -> Iterator[Any]:
        """Yield the results in the order of the parts."""
        ...


@final
class LocalExecutor:
    """Runs everything in this process."""

    def run(
        self, function: Callable[[Batch], Any], pairs: Pairs, lead: int, parts: Sequence[slice]
    ) -> Iterator[Any]:
        """Yield the results in the order of the parts."""
        for part in parts:
            yield function(pairs.read(lead, part))


def lead_rows(
    executor: Executor,
    pairs: Pairs,
    lead: int,
    transform: BandTransform,
    climatology: bool,
    subtracted: bool,
    parts: Sequence[slice],
) -> RowSums:
    """Return the sums of the rows of one lead time.

    Args:
        executor: Runs the parts.
        pairs: The pairs.
        lead: Index of the lead time.
        transform: Transform of one field.
        climatology: Whether the climatology is one more forecast.
        subtracted: Whether time means are subtracted; this, as a climatology, takes a second reading.
        parts: Slices of the samples.
    """
    samples, means = pairs.count(lead), None
    if climatology or subtracted:
        total: list[Tensor] | None = None
        for sums in executor.run(_sums_of_fields, pairs, lead, parts):
            total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
        means = tuple(field / samples for field in total or [])
    plan = RowPlan(transform, pairs.members, climatology, samples, means, subtracted)
    result = RowSums()
    for rows in executor.run(plan.rows, pairs, lead, parts):
        for row in rows:
            result.append(row)
    return result


def _sums_of_fields(batch: Batch) -> list[Tensor]:
    """Return the float64 sums over the samples of truth, forecast (the ensemble's mean) and the others."""
    if not all(all_finite(values) for values in (batch.target, batch.forecast, *batch.others)):
        raise MissingCellsError
    forecast = batch.forecast.double()
    if forecast.ndim > batch.target.ndim:
        forecast = forecast.mean(1)
    return [values.double().sum(0) for values in (batch.target, forecast, *batch.others)]


def parts_of(count: int, values: int, memory: int) -> list[slice]:
    """Divide samples into parts that fit into the memory.

    Args:
        count: Number of samples.
        values: Values of all fields of one sample.
        memory: Bytes.

    Returns:
        Slices of equal length, but for the last one; of one sample at least.
    """
    at_once = max(1, memory // (8 * _COPIES * values))
    return [slice(first, min(first + at_once, count)) for first in range(0, count, at_once)]


def byte_count(size: float | str) -> int:
    """Return a number of bytes: a number, or a text such as "500 MB" or "2GiB".

    Raises:
        InputError: If it is no size, or not positive.

    Example:
        >>> byte_count("1.5 kB"), byte_count(2e6)
        (1536, 2000000)
    """
    match = re.fullmatch(r"\s*([\d.]+(?:[eE]\d+)?)\s*([KMGT]?)(?:i?B)?\s*", str(size), re.IGNORECASE)
    try:
        number = float(match[1]) * _UNITS[match[2].upper()] if match else 0.0
    except ValueError:
        number = 0.0
    if not 0 < number < 1 << 60:
        raise InputError("a size such as 500MB or 2GB", repr(size), "write it like that", "memory")
    return int(number)
