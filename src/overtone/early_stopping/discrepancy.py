"""The size of the noise decides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from overtone.early_stopping.rule import Rule
from overtone.early_stopping.watch import Row, Watch
from overtone.errors import InputError


@final
@dataclass(frozen=True)
class Discrepancy(Rule):
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

    def watch(self) -> Watch:
        """A fresh watch for one run."""
        return _Crossing(self.noise)


@final
class _Crossing(Watch):
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
