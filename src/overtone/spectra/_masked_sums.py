"""Powers of fields with missing cells, whose masks may differ from sample to sample and channel to channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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

_CELLS = 1 << 21
"""Values that are transformed at once; their differences take several times the memory."""


@final
@dataclass(frozen=True)
class MaskedRows:
    """What is measured of each sample of fields with missing cells.

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

    def rows(self, fields: Sequence[Tensor]) -> Tensor:
        """Return the (sample, size) float64 row of each sample, on the CPU.

        The powers are those of the first field, then for each other one of its values and of its difference from the
        first one.

        Args:
            fields: (sample, channel, *space) values, NaN where missing.
        """
        at_once = max(1, _CELLS // max(1, fields[0][0].numel()))
        count = len(fields[0])
        parts = [
            self._rows([values[first : first + at_once].double() for values in fields])
            for first in range(0, count, at_once)
        ]
        return torch.cat(parts)

    def _rows(self, fields: Sequence[Tensor]) -> Tensor:
        present = [~torch.isnan(values) for values in fields]
        valid = torch.stack(present).all(0)
        samples, channels, bands = len(valid), len(self.geometries), self.transform.bands.count
        quantities = 2 * len(fields) - 1
        masked = torch.zeros(samples, quantities, bands + 1, channels, dtype=torch.float64, device="cpu")
        filled = torch.zeros(samples, quantities, bands, channels, dtype=torch.float64, device="cpu")
        couplings = torch.zeros(samples, channels, bands, bands, dtype=torch.float64, device="cpu")
        for channel, geometry in enumerate(self.geometries):
            for mask, members in _by_mask(valid[:, channel]):
                if not bool(mask.any()):
                    continue
                columns = [values[members, channel].movedim(0, -1) for values in fields]
                powers = _powers([geometry.coefficients(x, mask) for x in columns], geometry.products)
                masked[members, :, :, channel] = powers
                smooth = [self.transform.coefficients(laplace_fill(x, mask, self.periodic)) for x in columns]
                filled[members, :, :, channel] = _powers(smooth, self.transform.cross)
                couplings[members, channel] = geometry.coupling(mask).cpu()
        shares = torch.stack([1 - x.double().flatten(1).mean(1) for x in (*present, valid)], 1).cpu()
        nonempty = valid.flatten(2).any(2).double().cpu()
        parts = (masked, filled, couplings, nonempty, shares)
        return torch.cat([part.flatten(1) for part in parts], 1)

    def powers(self, sums: RowSums, fields: int) -> MaskedPowers:
        """Return the powers that follow from sums of rows.

        Args:
            sums: Sums of the rows, to which more may be appended.
            fields: Number of fields per sample.
        """
        quantities, bands, channels = 2 * fields - 1, self.transform.bands.count, len(self.geometries)
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


def _powers(coefficients: Sequence[Tensor], cross: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the (sample, quantity, band) powers of the first field, of the others and of their errors."""
    truth, *others = coefficients
    powers = [cross(truth, truth)]
    for other in others:
        powers += [cross(other, other), cross(other - truth, other - truth)]
    return torch.stack(powers).cpu().permute(2, 0, 1)


def _by_mask(masks: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each different mask of (sample, *shape) masks with the indices of its samples."""
    groups: dict[bytes, list[int]] = {}
    for sample, mask in enumerate(masks):
        groups.setdefault(mask.cpu().numpy().tobytes(), []).append(sample)
    for samples in groups.values():
        yield masks[samples[0]], torch.tensor(samples, device=masks.device)
