"""The mean: what every other prediction has to beat."""

from __future__ import annotations

from typing import final

import numpy as np

from overtone.baselines.baseline import Baseline


@final
class Mean(Baseline):
    """Predicts the mean of the training samples, per channel."""

    def fill(
        self,
        values: np.ndarray,
        present: np.ndarray,
        periodic: tuple[bool, ...],  # noqa: ARG002 - a mean has no borders
    ) -> np.ndarray:
        """See `Baseline.fill`."""
        return np.broadcast_to(values[present].mean(0), values.shape).copy()
