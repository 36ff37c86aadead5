"""Base class of the baselines, the mean as the simplest one, and the split of samples for validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.signals import Signal


class Baseline(ABC):
    """Base class of predictors of a whole grid from its training samples, on the CPU in double precision."""

    def predict(self, signal: Signal) -> Tensor:
        """Predict the values at every sample.

        Args:
            signal: The signal; only the values of its training samples are used.

        Returns:
            (N, C) predictions in the unit, precision and device of the signal's values.

        Raises:
            InputError: If there are fewer than two samples to train on.

        Example:
            >>> from overtone import baselines, signals
            >>> signal = signals.synthetic.harmonics([1], samples=16)
            >>> split = signal.with_held_out(signals.masks.lattice(signal.geometry, 1, 2))
            >>> baselines.Mean().predict(split).shape
            torch.Size([16, 1])
        """
        train = signal.train_index.cpu().numpy()
        if len(train) < 2:
            raise InputError("at least 2 samples to train on", f"{len(train)}", "hold out fewer", "held_out")
        present = np.zeros(signal.geometry.samples, dtype=bool)
        present[train] = True
        shape = signal.geometry.shape
        values = signal.values.detach().cpu().double().numpy().reshape(*shape, -1)
        # Other values are set to 0, so that no baseline can use them by mistake.
        hidden = np.where(present.reshape(shape)[..., None], values, 0.0)
        field = self.fill(hidden, present.reshape(shape), signal.geometry.periodic)
        return torch.from_numpy(np.ascontiguousarray(field).reshape(len(present), -1)).to(signal.values)

    @abstractmethod
    def fill(self, values: np.ndarray, present: np.ndarray, periodic: tuple[bool, ...]) -> np.ndarray:
        """Predict the whole grid.

        Args:
            values: (*shape, C) float64 values, 0 where absent.
            present: (*shape) bool, True for at least two samples.
            periodic: Whether each axis wraps around.

        Returns:
            (*shape, C) float64 predictions.
        """


@final
class Mean(Baseline):
    """Prediction by the mean of the training samples, per channel.

    Example:
        >>> from overtone import baselines, signals
        >>> signal = signals.array([0.0, 1.0, 5.0, 9.0]).with_held_out([False, False, True, True])
        >>> baselines.Mean().predict(signal)[:, 0].tolist()
        [0.5, 0.5, 0.5, 0.5]
    """

    def fill(
        self,
        values: np.ndarray,
        present: np.ndarray,
        periodic: tuple[bool, ...],  # noqa: ARG002 - a mean has no borders
    ) -> np.ndarray:
        """See `Baseline.fill`."""
        return np.broadcast_to(values[present].mean(0), values.shape).copy()


SHARE = 0.1
"""Fraction of the training samples used for validation."""


def validation_split(present: np.ndarray, seed: int = 0) -> np.ndarray:
    """Select a random tenth of the present samples for validation, at least one and at most all but one.

    Args:
        present: Bool array of any shape.
        seed: The same seed gives the same samples.

    Returns:
        Bool array of the same shape.
    """
    index = np.flatnonzero(present)
    count = min(max(1, round(SHARE * len(index))), len(index) - 1)
    chosen = np.zeros(present.size, dtype=bool)
    chosen[numpy_generator(seed, "baselines", "set aside").choice(index, count, replace=False)] = True
    return chosen.reshape(present.shape)
