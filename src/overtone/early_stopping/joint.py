"""The held-out error and the size of the noise decide together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from overtone.early_stopping.least import Least
from overtone.early_stopping.rule import Rule
from overtone.early_stopping.watch import Row, Watch
from overtone.errors import InputError


@final
@dataclass(frozen=True)
class Joint(Rule):
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

    def watch(self) -> Watch:
        """A fresh watch for one run."""
        return Least(self.estimate, self.patience, self.margin)
