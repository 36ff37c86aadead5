"""How much the prediction still moves decides."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from overtone.early_stopping.rule import Rule
from overtone.early_stopping.watch import Row, Watch
from overtone.errors import InputError


@final
@dataclass(frozen=True)
class WindowedVariance(Rule):
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

    def watch(self) -> Watch:
        """A fresh watch for one run."""
        return _Variance(self.window, self.patience)


@final
class _Variance(Watch):
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
