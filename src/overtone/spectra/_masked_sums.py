"""Powers of fields with missing cells, whose masks may differ from sample to sample and channel to channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from overtone.spectra._band_transform import BandTransform
from overtone.spectra._fill import laplace_fill
from overtone.spectra._masked import MaskedGeometry, unmixing
from overtone.spectra._pair_power import RowSums

DISAGREEMENT, DISAGREEMENT_FLOOR = 0.2, 0.1
"""Difference of two estimators' ratios above which a band is not determined, in units of the larger one; ratios below
the floor count as the floor."""

_STORED_COUPLINGS = 256
"""Couplings of masks that are stored."""

_CELLS = 1 << 21
"""Values that are transformed at once; their differences take several times the memory."""


@final
@dataclass(frozen=True)
class MaskedRows:
    """Measurements of each sample of fields with missing cells.

    All fields of a sample are measured where none of them is missing, in two ways: by `MaskedGeometry`, without the
    correction for the coupling of modes, and filled by Laplace's equation and transformed without a mask. The
    couplings of the masks are part of the rows, so that the mean coupling can be inverted in the end: samples weigh by
    their valid cells.

    Attributes:
        geometries: Prepared geometry of each channel; all have the same bands.
        transform: Transform of fields without gaps, with the same bands.
        periodic: Whether each axis wraps around, for the fill.
    """

    geometries: tuple[MaskedGeometry, ...]
    transform: BandTransform
    periodic: tuple[bool, ...]
    _couplings: dict[tuple[int, bytes], Tensor] = field(default_factory=dict, compare=False, repr=False)

    def rows(self, fields: Sequence[Tensor], members: Tensor | None = None) -> Tensor:
        """Return the (sample, size) float64 row of each sample, on the CPU.

        The powers are those of the first field, then for each other one of its values and of its difference from the
        first one, and of an ensemble the means over the members of both.

        Args:
            fields: (sample, channel, *space) values, NaN where missing.
            members: (sample, member, channel, *space) values of an ensemble, whose mean is among the fields.
        """
        at_once = max(1, _CELLS // max(1, fields[0][0].numel()))
        parts = []
        for first in range(0, len(fields[0]), at_once):
            part = slice(first, first + at_once)
            ensemble = None if members is None else members[part].double()
            parts.append(self._rows([values[part].double() for values in fields], ensemble))
        return torch.cat(parts)

    def _rows(self, fields: Sequence[Tensor], ensemble: Tensor | None) -> Tensor:
        present = [~torch.isnan(values) for values in fields]
        valid = torch.stack(present).all(0)
        samples, channels, bands = len(valid), len(self.geometries), self.transform.bands.count
        quantities = 2 * len(fields) - 1 + (0 if ensemble is None else 2)
        masked = torch.zeros(samples, quantities, bands + 1, channels, dtype=torch.float64, device="cpu")
        filled = torch.zeros(samples, quantities, bands, channels, dtype=torch.float64, device="cpu")
        couplings = torch.zeros(samples, channels, bands, bands, dtype=torch.float64, device="cpu")
        for channel, geometry in enumerate(self.geometries):
            for mask, group in by_mask(valid[:, channel]):
                if not bool(mask.any()):
                    continue
                columns = [values[group, channel].movedim(0, -1) for values in fields]
                further = [] if ensemble is None else ensemble[group, :, channel].unbind(1)
                members = [values.movedim(0, -1) for values in further]

                def whole(values: Tensor, mask: Tensor = mask) -> Tensor:
                    return self.transform.coefficients(laplace_fill(values, mask, self.periodic))

                def partial(
                    values: Tensor, mask: Tensor = mask, geometry: MaskedGeometry = geometry
                ) -> Tensor:
                    return geometry.coefficients(values, mask)

                masked[group, :, :, channel] = _powers(columns, members, partial, geometry.products)
                filled[group, :, :, channel] = _powers(columns, members, whole, self.transform.cross)
                couplings[group, channel] = self._coupling(channel, mask)
        shares = torch.stack([1 - x.double().flatten(1).mean(1) for x in (*present, valid)], 1).cpu()
        nonempty = valid.flatten(2).any(2).double().cpu()
        parts = (masked, filled, couplings, nonempty, shares)
        return torch.cat([part.flatten(1) for part in parts], 1)

    def _coupling(self, channel: int, mask: Tensor) -> Tensor:
        """Return the coupling by a mask, which is stored: masks come again, and couplings take long."""
        key = channel, mask.cpu().numpy().tobytes()
        if key not in self._couplings:
            if len(self._couplings) >= _STORED_COUPLINGS:
                self._couplings.clear()
            self._couplings[key] = self.geometries[channel].coupling(mask).cpu()
        return self._couplings[key]

    def powers(self, sums: RowSums, fields: int, ensemble: bool = False) -> MaskedPowers:
        """Return the powers that follow from sums of rows.

        Args:
            sums: Sums of the rows, to which more may be appended.
            fields: Number of fields per sample.
            ensemble: Whether there are members.
        """
        quantities = 2 * fields - 1 + (2 if ensemble else 0)
        bands, channels = self.transform.bands.count, len(self.geometries)
        sizes = [quantities * (bands + 1) * channels, quantities * bands * channels]
        sizes += [channels * bands * bands, channels, fields + 1]
        masked, filled, couplings, nonempty, shares = sums.mean()[: sum(sizes)].split(sizes)
        matrices = unmixing_of(couplings.reshape(channels, bands, bands), nonempty)
        mean, blocks = (
            torch.einsum(
                "cab,...qbc->...qac", matrices, x.reshape(*x.shape[:-1], quantities, bands + 1, channels)
            )
            for x in (masked, sums.blocks()[:, : sizes[0]])
        )
        check = filled.reshape(quantities, bands, channels)
        return MaskedPowers(sums.samples, mean, blocks, check, tuple(shares.tolist()))


def unmixing_of(couplings: Tensor, nonempty: Tensor) -> Tensor:
    """Return the (channel, band, band + 1) matrices from mean uncorrected powers to powers.

    Args:
        couplings: (channel, band, band) mean couplings.
        nonempty: (channel,) share of the samples with valid cells.
    """
    result = torch.stack([unmixing(coupling) for coupling in couplings])
    result[:, 0, -1] = 1 / nonempty.clamp(min=1e-300)
    return result


@final
@dataclass(frozen=True)
class MaskedPowers:
    """Mean powers of fields with missing cells.

    Attributes:
        samples: Number of samples.
        mean: (quantity, band, channel) powers; estimates below zero are possible.
        blocks: (block, quantity, band, channel) the same over blocks of samples.
        check: (quantity, band, channel) powers of the filled fields.
        shares: Shares of missing cells of each field, and of those missing in at least one of them.
    """

    samples: int
    mean: Tensor
    blocks: Tensor
    check: Tensor
    shares: tuple[float, ...]

    def forecast(self, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return powers of target, prediction and residual, blocks of them, and whether they are determined.

        A band is determined if the error ratio and the power ratio of both ways differ by at most 20 % of the larger
        one, or 2 % of the target's power.

        Args:
            first: Quantity of the prediction's power; the next one is the residual's.

        Returns:
            (3, band, channel), (block, 3, band, channel) and (band, channel).
        """
        columns = [0, first, first + 1]
        power, check = self.mean[columns], self.check[columns]
        target = power[0]
        differs = torch.zeros_like(target)
        for index in (1, 2):
            ours, other = power[index] / target, check[index] / check[0]
            size = torch.maximum(ours.abs(), other.abs()).clamp(min=DISAGREEMENT_FLOOR)
            differs = torch.maximum(differs, (ours - other).abs() / (DISAGREEMENT * size))
        determined = (target > 0) & (differs.nan_to_num(math.inf) <= 1)
        # An estimate below zero within the tolerance says only that the power is small: the fill says how small.
        small = determined & (power <= 0)
        power = torch.where(small, check * (target / check[0]).nan_to_num(0.0), power)
        return power, self.blocks[:, columns], determined


def _powers(
    fields: Sequence[Tensor],
    members: Sequence[Tensor],
    coefficients: Callable[[Tensor], Tensor],
    cross: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Return the (sample, quantity, band) powers of the first field, of the others and of their errors.

    Those of members are averaged.
    """
    truth = coefficients(fields[0])
    powers = [cross(truth, truth)]
    for values in fields[1:]:
        other = coefficients(values)
        powers += [cross(other, other), cross(other - truth, other - truth)]
    if members:
        total, errors = torch.zeros_like(powers[0]), torch.zeros_like(powers[0])
        for values in members:
            member = coefficients(values)
            total, errors = total + cross(member, member), errors + cross(member - truth, member - truth)
        powers += [total / len(members), errors / len(members)]
    return torch.stack(powers).cpu().permute(2, 0, 1)


def by_mask(masks: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each different mask with the indices of its samples.

    Args:
        masks: (sample, *shape) masks.
    """
    groups: dict[bytes, list[int]] = {}
    for sample, mask in enumerate(masks):
        groups.setdefault(mask.cpu().numpy().tobytes(), []).append(sample)
    for samples in groups.values():
        yield masks[samples[0]], torch.tensor(samples, device=masks.device)
