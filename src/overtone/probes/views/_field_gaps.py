"""Targets of a fields view with missing cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._targets import ProbeTarget
from overtone.spectra import PairPower
from overtone.spectra._field_geometry import FieldGeometry
from overtone.spectra._gap_estimator import GapEstimator, gap_estimator
from overtone.spectra._masked_bias import masked_bias
from overtone.spectra._masked_sums import DISAGREEMENT
from overtone.spectra._pair_power import RowSums

MIN_SHARE = 0.25
"""Share of valid cells from which on a sample may decide on the estimator."""


def without_gaps(targets: Any) -> tuple[Any, Tensor | None]:
    """Return targets with zeros in place of NaN, and where they are valid; None if no value is missing.

    Args:
        targets: Tensor, array, or a target, which has no missing values.
    """
    if isinstance(targets, ProbeTarget) or np.ma.isMaskedArray(targets):
        return targets, None
    if not isinstance(targets, Tensor):
        array = np.asarray(targets)
        if array.dtype.kind != "f" or not np.isnan(array).any():
            return targets, None
        targets = torch.from_numpy(array.copy())
    valid = ~torch.isnan(targets)
    return (targets, None) if bool(valid.all()) else (targets.masked_fill(~valid, 0.0), valid)


@final
class FieldGaps:
    """Fields with missing cells: where they are valid, and their estimator.

    Attributes:
        estimator: Estimator for the gaps of the first sample that has some.
        scale: (N,) cells over valid cells of each sample; 0 without any.
    """

    def __init__(self, estimator: GapEstimator, valid: Tensor) -> None:
        self.estimator, self._valid = estimator, valid
        share = valid.flatten(1).double().mean(1)
        self.scale = torch.where(share > 0, 1 / share.clamp(min=1e-300), 0.0)
        self._plan = estimator.plan
        self._errors = torch.stack(
            [masked_bias(g, m) for g, m in zip(estimator.geometries, estimator.mask, strict=True)]
        )

    @staticmethod
    def of(geometry: FieldGeometry, values: Tensor, valid: Tensor) -> FieldGaps:
        """Return the gaps of (N, *space, C) values.

        Raises:
            InputError: If no sample has a valid cell in each channel.
        """
        shares = valid.flatten(1, -2).double().mean(1).amin(1)
        suitable = ((shares > MIN_SHARE) & ~valid.flatten(1).all(1)).nonzero()[:, 0].tolist()
        suitable = suitable or (shares > 0).nonzero()[:, 0].tolist()
        if not suitable:
            raise InputError(
                "a sample with values in each channel", "NaN alone", "leave out what is missing", "targets"
            )
        first = suitable[0]
        gaps = gap_estimator(geometry, values[first].movedim(-1, 0), valid[first].movedim(-1, 0))
        return FieldGaps(gaps, valid)

    def hidden(self, values: Tensor, fill: float) -> Tensor:
        """Return values with another one in missing cells."""
        return values.masked_fill(~self._valid, fill)

    def peak(self, values: Tensor) -> float:
        """Return the range of the valid values."""
        valid = values[self._valid]
        return float(valid.max() - valid.min())

    def reported(self, usable: Sequence[bool]) -> list[bool]:
        """Return the usable bands in which ratios of simulated fields with these gaps are right."""
        right = (self._errors.nan_to_num(math.inf) <= DISAGREEMENT).all(0).tolist()
        return [bool(a and b) for a, b in zip(usable, right, strict=True)]

    def powers(self, predictions: Tensor, targets: Tensor) -> PairPower:
        """Return the mean powers; estimates below zero are 0."""
        sums = RowSums()
        fields = [self.hidden(values, math.nan).movedim(-1, 1) for values in (targets, predictions)]
        for row in self._plan.rows(fields):
            sums.append(row)
        powers = self._plan.powers(sums, 2)
        target, prediction, residual = powers.mean.clamp(min=0)
        bands, estimator = self.estimator.transform.bands, self.estimator.name
        blocks = powers.blocks
        return PairPower(bands, target, prediction, residual, powers.samples, blocks, sums.length, estimator)

    def to_json(self) -> dict[str, Any]:
        """Return the record's attribute."""
        inner = self._errors[:, 1:]
        known = inner[inner.isfinite()]
        return {
            "share": 1 - float(self._valid.double().mean()),
            "bias_median": float(known.median()) if len(known) else None,
            "slopes": [round(slope, 3) for slope in self.estimator.slopes],
        }
