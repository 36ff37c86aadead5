"""Stopping rules: held-out error, band errors, noise level, both, and the variance of the prediction."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from overtone.early_stopping._monitor import Row, SmoothedMinimum, StoppingMonitor, StoppingRule
from overtone.errors import InputError
from overtone.records.metrics._errors import noise_aware_error

if TYPE_CHECKING:
    import xarray


@final
@dataclass(frozen=True)
class BandErrors(StoppingRule):
    """Stop at the minimum of Stein's estimate of the error, summed over bands. Needs no held-out samples.

    For a band with residual power r, noise power n and learned fraction h the expected error against the clean target
    is r - n + 2 n h: Stein's unbiased estimate for a predictor that multiplies each mode of the band by h, whose
    degrees of freedom are h a mode. Exact for a filter that is constant within bands; a network that separates signal
    and noise within a band learns less noise than h says, so the estimate then errs towards an early stop.

    Attributes:
        target_power: (band, channel) power of the noisy target, in squared value units.
        noise_power: (band, channel) power of the noise, in squared value units.
        patience: A run ends at `patience` times its best step.
        margin: And when the estimate there is that much higher, relative to the noise's whole power.

    Example:
        >>> import numpy as np
        >>> rule = BandErrors(np.array([[1.0], [0.5]]), np.array([[0.1], [0.1]]))
        >>> rule.estimate({"residual_power": np.zeros((2, 1)), "cross_power": np.ones((2, 1))})
        0.2

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
                    "finite powers of at least 0",
                    "a negative, infinite or NaN one",
                    "estimate the noise floor first",
                    name,
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
                "a noise power above 0",
                "0 in every band",
                "use HeldOut, which needs no estimate of the noise",
                "noise_power",
            )

    @staticmethod
    def of(record: xarray.Dataset) -> BandErrors:
        """Build the rule from a record that holds target and noise power.

        Raises:
            InputError: If the record has no noise power.
        """
        order = ("band", "channel")
        if "noise_power" not in record or not np.isfinite(record.noise_power.values).all():
            raise InputError(
                "a record with noise_power", "one without", "use HeldOut, which needs none", "stop"
            )
        return BandErrors(
            record.target_power.transpose(*order).values, record.noise_power.transpose(*order).values
        )

    def estimate(self, row: Row) -> float:
        """Estimated mean square error against the clean target, in squared value units; can be slightly negative.

        Args:
            row: With `residual_power` and `cross_power` (band, channel).
        """
        residual, cross = _column(row, "residual_power"), _column(row, "cross_power")
        target, noise = np.asarray(self.target_power), np.asarray(self.noise_power)
        # The learned fraction of a band is the regression of the prediction on the target.
        learned = np.divide(cross, target, out=np.zeros_like(target), where=target > 0)
        # Chance may put the learned fraction outside [0, 1], where no filter has its share of a band.
        return float((residual - noise + 2 * noise * learned.clip(0, 1)).sum())

    def monitor(self) -> StoppingMonitor:
        """A new monitor for one run, of the estimate plus the noise: the error on new noisy samples."""
        noise = float(np.sum(self.noise_power))
        # Its logarithm is smoothed, and the estimate may be negative: the noise and a floor keep it positive.
        return SmoothedMinimum(
            lambda row: max(self.estimate(row) + noise, 0.01 * noise), self.patience, self.margin
        )


def _column(row: Row, name: str) -> Any:
    if name not in row:
        raise InputError(
            f"rows with {name}", f"{', '.join(row) or 'nothing'}", "measure bands with a Probe", "stop"
        )
    return np.asarray(row[name], dtype=np.float64)


@final
@dataclass(frozen=True)
class DiscrepancyPrinciple(StoppingRule):
    """Stop when the training error has fallen to the noise's variance: the residual is then as large as the noise.

    Attributes:
        noise: Variance of the noise, in squared value units; positive.

    Example:
        >>> monitor = DiscrepancyPrinciple(0.04).monitor()
        >>> [monitor.update(step, {"train_error": error}) for step, error in ((1, 1.0), (9, 0.03))]
        [False, True]

    Source:
        Morozov 1966, "On the solution of functional equations by the method of regularization".
    """

    noise: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise) and self.noise > 0):
            raise InputError(
                "a positive variance", f"{self.noise}", "estimate the noise floor first", "noise"
            )

    def monitor(self) -> StoppingMonitor:
        """A new monitor for one run."""
        return _Crossing(self.noise)


@final
class _Crossing(StoppingMonitor):
    def __init__(self, level: float) -> None:
        self._level, self._best, self._done = level, -1, False

    @property
    def best_step(self) -> int | None:
        return None if self._best < 0 else self._best

    @property
    def candidates(self) -> frozenset[int]:
        return frozenset() if self._best < 0 else frozenset({self._best})

    def update(self, step: int, row: Row) -> bool:
        if "train_error" not in row:
            raise InputError("rows with train_error", f"{', '.join(row) or 'nothing'}", "use a Probe", "stop")
        error = float(row["train_error"])
        # The first row at the noise level stays the best one; later rows fit the noise itself.
        if not self._done and math.isfinite(error):
            self._best, self._done = step, error <= self._level
        return self._done


@final
@dataclass(frozen=True)
class HeldOut(StoppingRule):
    """Stop at the minimum of the smoothed error on held-out samples.

    Noise in the held-out samples adds the same to every step, so the minimum of their error is that on clean samples,
    up to chance.

    Attributes:
        patience: A run ends at `patience` times its best step.
        margin: And when the error there is that much higher, relatively.
        below: And when the error has been below this, in squared value units.

    Example:
        >>> monitor = HeldOut().monitor()
        >>> [monitor.update(step, {"held_out_error": error}) for step, error in ((10, 1.0), (200, 2.0))]
        [False, True]
        >>> monitor.best_step
        10
    """

    patience: float = 2.0
    margin: float = 0.02
    below: float = math.inf

    def monitor(self) -> SmoothedMinimum:
        """A new monitor for one run."""
        return SmoothedMinimum(_error, self.patience, self.margin, self.below)


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
    """Stop at the minimum of held-out error plus half the distance of training error and noise variance.

    With few noisy held-out samples their error alone is a matter of chance: the mean of n of them errs by the learned
    noise times 1 / sqrt(n). The training error is a more precise measure of the noise learned. While it is above the
    noise's variance v, train - v is the error not yet learned; below, v - train is the noise learned already (a
    predictor that fits a share p of the noise and all of the signal leaves (1 - p) v and errs by p v). Hence
    |train - v| is a second estimate of the error against the clean target. It rests on v, which is known to some tenths
    of itself, and gets half the weight.

    Attributes:
        noise: Variance of the noise, in squared value units; 0 leaves the held-out error alone to decide.
        patience: A run ends at `patience` times its best step.
        margin: And when the estimate there is that much higher, relatively.
        below: And when the estimate has been below this, in squared value units.

    Example:
        >>> HeldOutAndNoise(0.1).estimate({"held_out_error": 0.5, "train_error": 0.3})
        0.6
    """

    noise: float
    patience: float = 2.0
    margin: float = 0.02
    below: float = math.inf

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
        return noise_aware_error(held_out, train, self.noise) if self.noise else held_out

    def monitor(self) -> SmoothedMinimum:
        """A new monitor for one run."""
        return SmoothedMinimum(self.estimate, self.patience, self.margin, self.below)


@final
@dataclass(frozen=True)
class WindowedVariance(StoppingRule):
    """Stop at the minimum of the variance of recent predictions: they move least between learning signal and noise.

    Over a window of W rows, VAR = mean over the window of |x_w - mean of the window|^2, per value. The run ends when it
    has not fallen below its least value for `patience` rows; the step to go back to is the first of the window with the
    least variance. Rows hold the `prediction`, and should be evenly spaced in steps. Made for comparison.

    Attributes:
        window: Rows of a window, at least 2.
        patience: Rows without a lower variance.

    Example:
        >>> monitor = WindowedVariance(window=2, patience=1).monitor()
        >>> [monitor.update(step, {"prediction": [value]}) for step, value in enumerate((0.0, 1.0, 1.1, 3.0))]
        [False, False, False, True]

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
                "pass for instance 100 and 1000",
                "stop",
            )

    def monitor(self) -> StoppingMonitor:
        """A new monitor for one run."""
        return _Variance(self.window, self.patience)


@final
class _Variance(StoppingMonitor):
    def __init__(self, window: int, patience: int) -> None:
        self._patience, self._waited, self._smallest = patience, 0, np.inf
        self._window: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=window)
        self._best: int | None = None

    @property
    def best_step(self) -> int | None:
        return self._best

    @property
    def candidates(self) -> frozenset[int]:
        best = () if self._best is None else (self._best,)
        return frozenset((*(step for step, _ in self._window), *best))

    def update(self, step: int, row: Row) -> bool:
        if "prediction" not in row:
            raise InputError(
                "rows with a prediction", f"{', '.join(row) or 'nothing'}", "pass it in the row", "stop"
            )
        self._window.append((step, np.asarray(row["prediction"], dtype=np.float64).reshape(-1)))
        # A variance of fewer rows would be smaller by their number alone.
        if len(self._window) < (self._window.maxlen or 0):
            return False
        variance = float(np.stack([x for _, x in self._window]).var(axis=0).mean())
        # The variance belongs to a whole window; its first step is the earliest network of that quality.
        if variance < self._smallest:
            self._smallest, self._best, self._waited = variance, self._window[0][0], 0
        else:
            self._waited += 1
        return self._waited >= self._patience
