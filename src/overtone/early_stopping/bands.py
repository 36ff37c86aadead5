"""Band errors and the noise floor decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from overtone.early_stopping.least import Least
from overtone.early_stopping.rule import Rule
from overtone.early_stopping.watch import Row, Watch
from overtone.errors import InputError

if TYPE_CHECKING:
    import xarray


@final
@dataclass(frozen=True)
class BandErrors(Rule):
    """Stop where Stein's estimate of the error, summed over bands, is least. Needs no held-out samples.

    For a band with residual power r, noise power n and learned fraction h the expected error against the clean target
    is r - n + 2 n h: Stein's unbiased estimate for a predictor that multiplies each mode of the band by h, whose
    degrees of freedom are h a mode. Exact for a filter that is even within bands; a network that tells signal and noise
    apart within a band learns less noise than h says, so the estimate then errs towards an early stop.

    Attributes:
        target_power: (band, channel) power of the noisy target, in squared value units.
        noise_power: (band, channel) power of the noise, likewise.
        patience: A run ends at `patience` times its best step.
        margin: And when the estimate there is that much higher, relative to the noise's whole power.

    Source:
        Stein 1981, "Estimation of the Mean of a Multivariate Normal Distribution", Annals of Statistics 9, section 3.
    """

    target_power: NDArray[np.float64]
    noise_power: NDArray[np.float64]
    patience: float = 2.0
    margin: float = 0.02

    def __post_init__(self) -> None:
        for name in ("target_power", "noise_power"):
            value = np.asarray(getattr(self, name))
            if not np.isfinite(value).all() or (value < 0).any():
                raise InputError(
                    "powers, finite and not negative", "others", "estimate the noise floor first", name
                )
        if np.shape(self.target_power) != np.shape(self.noise_power):
            raise InputError(
                f"noise power of shape {np.shape(self.target_power)}",
                f"{np.shape(self.noise_power)}",
                "take both from one record",
                "noise_power",
            )
        if not np.sum(self.noise_power) > 0:
            raise InputError(
                "noise above 0",
                "none",
                "without noise there is nothing to stop for; use HeldOut",
                "noise_power",
            )

    @staticmethod
    def of(record: xarray.Dataset) -> BandErrors:
        """The rule for a record, which knows its target and noise power.

        Raises:
            InputError: If the record does not know its noise.
        """
        order = ("band", "channel")
        if "noise_power" not in record or not np.isfinite(record.noise_power.values).all():
            raise InputError("a record that knows its noise", "none", "use HeldOut", "stop")
        return BandErrors(
            record.target_power.transpose(*order).values, record.noise_power.transpose(*order).values
        )

    def estimate(self, row: Row) -> float:
        """Estimated mean square error against the clean target, in squared value units; can be slightly negative.

        Args:
            row: With `residual_power` and `cross_power` (band, channel).
        """
        residual, cross = _needed(row, "residual_power"), _needed(row, "cross_power")
        target, noise = np.asarray(self.target_power), np.asarray(self.noise_power)
        learned = np.divide(cross, target, out=np.zeros_like(target), where=target > 0)
        return float((residual - noise + 2 * noise * learned.clip(0, 1)).sum())

    def watch(self) -> Watch:
        """A fresh watch for one run, of the estimate plus the noise: the error on new noisy samples."""
        noise = float(np.sum(self.noise_power))
        return Least(lambda row: max(self.estimate(row) + noise, 0.01 * noise), self.patience, self.margin)


def _needed(row: Row, name: str) -> Any:
    if name not in row:
        raise InputError(
            f"rows with {name}", f"{', '.join(row) or 'nothing'}", "measure bands with a Probe", "stop"
        )
    return np.asarray(row[name], dtype=np.float64)
