"""What every baseline does: predict all samples of a grid from those to train on."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.signals import Signal


class Baseline(ABC):
    """Predicts a whole grid from its training samples; computes on the CPU in double precision."""

    def predict(self, signal: Signal) -> Tensor:
        """Values at every sample.

        Args:
            signal: Only the values of its training samples are looked at.

        Returns:
            (N, C) in the value unit, precision and device of the signal.

        Raises:
            InputError: If there are fewer than two samples to train on.
        """
        train = signal.train_index.cpu().numpy()
        if len(train) < 2:
            raise InputError("at least 2 samples to train on", f"{len(train)}", "hold out fewer", "held_out")
        present = np.zeros(signal.geometry.samples, dtype=bool)
        present[train] = True
        shape = signal.geometry.shape
        values = signal.values.detach().cpu().double().numpy().reshape(*shape, -1)
        hidden = np.where(present.reshape(shape)[..., None], values, 0.0)
        field = self.fill(hidden, present.reshape(shape), signal.geometry.periodic)
        return torch.from_numpy(np.ascontiguousarray(field).reshape(len(present), -1)).to(signal.values)

    @abstractmethod
    def fill(self, values: np.ndarray, present: np.ndarray, periodic: tuple[bool, ...]) -> np.ndarray:
        """The prediction on the whole grid.

        Args:
            values: (*shape, C) float64, 0 where absent.
            present: (*shape) bool, True for at least two samples.
            periodic: Per axis.

        Returns:
            (*shape, C) float64.
        """
