"""Baselines with one number to choose, by the error on training samples set aside."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from overtone.baselines.baseline import Baseline
from overtone.baselines.validation import set_aside
from overtone.baselines.waves import Waves

ROUGH, FINE = 1e-3, 1e-5
"""Tolerances while choosing, and of the prediction."""


class Tuned(Baseline):
    """Solves for every number of a ladder on nine tenths of the samples, then with the best one on all.

    Ladders go from the smoothest to the roughest; they are left when the error has risen twice in a row.

    Args:
        seed: Seeds which samples are set aside.
    """

    LADDER: ClassVar[tuple[float, ...]]

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def fill(self, values: np.ndarray, present: np.ndarray, periodic: tuple[bool, ...]) -> np.ndarray:
        """See `Baseline.fill`."""
        waves = Waves(present.shape, periodic)
        mean = values[present].mean(0)
        target = np.where(present[..., None], values - mean, 0.0)
        aside = set_aside(present, self._seed)
        rest = present & ~aside
        field, errors = np.zeros_like(target), []
        for cut in self.LADDER:
            field = self.solve(waves, np.where(rest[..., None], target, 0.0), rest, cut, field, ROUGH)
            errors.append(float(np.square(field[aside] - target[aside]).mean()))
            if len(errors) > 2 and errors[-1] > errors[-2] > errors[-3]:
                break
        best = self.LADDER[int(np.argmin(errors))]
        return self.solve(waves, target, present, best, np.zeros_like(target), FINE) + mean

    @abstractmethod
    def solve(
        self,
        waves: Waves,
        target: np.ndarray,
        present: np.ndarray,
        cut: float,
        start: np.ndarray,
        tolerance: float,
    ) -> np.ndarray:
        """The prediction for one number.

        Args:
            waves: Of the grid.
            target: (*shape, C), 0 where absent.
            present: (*shape) bool.
            cut: The number, a frequency in cycles per sample.
            start: First guess.
            tolerance: Of the solution, relative.
        """
