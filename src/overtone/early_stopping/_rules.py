"""Band errors and the noise floor decide."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from overtone.early_stopping._monitor import Row, SmoothedMinimum, StoppingMonitor, StoppingRule
from overtone.errors import InputError

if TYPE_CHECKING:
    import xarray


@final
@dataclass(frozen=True)
class BandErrors(StoppingRule):
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

    def watch(self) -> StoppingMonitor:
        """A fresh watch for one run, of the estimate plus the noise: the error on new noisy samples."""
        noise = float(np.sum(self.noise_power))
        return SmoothedMinimum(
            lambda row: max(self.estimate(row) + noise, 0.01 * noise), self.patience, self.margin
        )


def _needed(row: Row, name: str) -> Any:
    if name not in row:
        raise InputError(
            f"rows with {name}", f"{', '.join(row) or 'nothing'}", "measure bands with a Probe", "stop"
        )
    return np.asarray(row[name], dtype=np.float64)


@final
@dataclass(frozen=True)
class DiscrepancyPrinciple(StoppingRule):
    """Stop when the training error has fallen to the noise's variance: what is left is then as large as the noise.

    Attributes:
        noise: Variance of the noise, in squared value units; positive.

    Source:
        Morozov 1966, "On the solution of functional equations by the method of regularization".
    """

    noise: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise) and self.noise > 0):
            raise InputError(
                "a positive variance", f"{self.noise}", "estimate the noise floor first", "noise"
            )

    def watch(self) -> StoppingMonitor:
        """A fresh watch for one run."""
        return _Crossing(self.noise)


@final
class _Crossing(StoppingMonitor):
    def __init__(self, level: float) -> None:
        self._level, self._best, self._done = level, -1, False

    @property
    def best_step(self) -> int | None:
        return None if self._best < 0 else self._best

    @property
    def keep(self) -> frozenset[int]:
        return frozenset() if self._best < 0 else frozenset({self._best})

    def update(self, step: int, row: Row) -> bool:
        if "train_error" not in row:
            raise InputError("rows with train_error", f"{', '.join(row) or 'nothing'}", "use a Probe", "stop")
        error = float(row["train_error"])
        if not self._done and math.isfinite(error):
            self._best, self._done = step, error <= self._level
        return self._done


@final
@dataclass(frozen=True)
class HeldOut(StoppingRule):
    """Stop where the smoothed error on held-out samples is least.

    Noise in the held-out samples adds the same to every step, so the least error on them is the least error on clean
    ones, up to chance.

    Attributes:
        patience: A run ends at `patience` times its best step.
        margin: And when the error there is that much higher, relatively.
    """

    patience: float = 2.0
    margin: float = 0.02

    def watch(self) -> StoppingMonitor:
        """A fresh watch for one run."""
        return SmoothedMinimum(_error, self.patience, self.margin)


def _error(row: Row) -> float:
    if "held_out_error" not in row:
        raise InputError(
            "rows with held_out_error",
            f"{', '.join(row) or 'nothing'}",
            "hold samples out (signals.masks.random), or use another rule",
            "stop",
        )
    return float(row["held_out_error"])


@final
@dataclass(frozen=True)
class HeldOutAndNoise(StoppingRule):
    """Stop where the held-out error plus half the distance of the training error from the noise's variance is least.

    With few noisy held-out samples their error alone is a matter of chance: the mean of n of them errs by the learned
    noise times 1 / sqrt(n). The training error knows better how much noise was learned. While it is above the noise's
    variance v, train - v is the error of what is not learned yet; below, v - train is the noise learned already (a
    predictor that fits a share p of the noise and all of the signal leaves (1 - p) v and errs by p v). Hence
    |train - v| is a second estimate of the error against the clean target. It rests on v, which is known to some tenths
    of itself, and gets half the weight.

    Attributes:
        noise: Variance of the noise, in squared value units; 0 leaves the held-out error alone to decide.
        patience: A run ends at `patience` times its best step.
        margin: And when the estimate there is that much higher, relatively.
    """

    noise: float
    patience: float = 2.0
    margin: float = 0.02

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise) and self.noise >= 0):
            raise InputError("a variance of 0 or more", f"{self.noise}", "estimate the noise floor", "noise")

    def estimate(self, row: Row) -> float:
        """Held-out error + |training error - noise| / 2, in squared value units.

        Args:
            row: With `held_out_error` and `train_error`.

        Raises:
            InputError: If it lacks one of them.
        """
        for name in ("held_out_error", "train_error"):
            if name not in row:
                raise InputError(
                    f"rows with {name}",
                    f"{', '.join(row) or 'nothing'}",
                    "hold samples out (signals.masks.random), or use another rule",
                    "stop",
                )
        held_out, train = float(row["held_out_error"]), float(row["train_error"])
        return held_out + (abs(train - self.noise) / 2 if self.noise else 0.0)

    def watch(self) -> StoppingMonitor:
        """A fresh watch for one run."""
        return SmoothedMinimum(self.estimate, self.patience, self.margin)


@final
@dataclass(frozen=True)
class WindowedVariance(StoppingRule):
    """Stop where the variance of the last predictions is least: they move least between learning signal and noise.

    Over a window of W rows, VAR = mean over the window of |x_w - mean of the window|^2, per value. The run ends when it
    has not fallen below its least value for `patience` rows; the step to go back to is the first of the window with the
    least variance. Rows hold the `prediction`, and should be evenly spaced in steps. Made for comparison.

    Attributes:
        window: Rows of a window, at least 2.
        patience: Rows without a lower variance.

    Source:
        Wang et al. 2021, "Early Stopping for Deep Image Prior", arXiv 2112.06074, algorithm 1.
    """

    window: int = 100
    patience: int = 1000

    def __post_init__(self) -> None:
        if self.window < 2 or self.patience < 1:
            raise InputError(
                "a window of 2 rows or more and a patience of 1 or more",
                f"{self.window} and {self.patience}",
                "leave them at 100 and 1000",
                "stop",
            )

    def watch(self) -> StoppingMonitor:
        """A fresh watch for one run."""
        return _Variance(self.window, self.patience)


@final
class _Variance(StoppingMonitor):
    def __init__(self, window: int, patience: int) -> None:
        self._patience, self._waited, self._least = patience, 0, np.inf
        self._seen: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=window)
        self._best: int | None = None

    @property
    def best_step(self) -> int | None:
        return self._best

    @property
    def keep(self) -> frozenset[int]:
        best = () if self._best is None else (self._best,)
        return frozenset((*(step for step, _ in self._seen), *best))

    def update(self, step: int, row: Row) -> bool:
        if "prediction" not in row:
            raise InputError(
                "rows with a prediction", f"{', '.join(row) or 'nothing'}", "pass it in the row", "stop"
            )
        self._seen.append((step, np.asarray(row["prediction"], dtype=np.float64).reshape(-1)))
        if len(self._seen) < (self._seen.maxlen or 0):
            return False
        variance = float(np.stack([x for _, x in self._seen]).var(axis=0).mean())
        if variance < self._least:
            self._least, self._best, self._waited = variance, self._seen[0][0], 0
        else:
            self._waited += 1
        return self._waited >= self._patience
