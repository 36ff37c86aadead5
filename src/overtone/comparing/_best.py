"""The best moment of a training, by samples set aside."""

from __future__ import annotations

import copy
import math
from typing import final

import torch

from overtone.nn import Field
from overtone.signals import Signal

MOST = 8192
"""Samples that are looked at each time."""


@final
class Best:
    """Observes a training and keeps the weights of least mean square error on held-out samples.

    Args:
        field: What is trained.
        signal: Its held-out samples are looked at, at most 8,192 of them, evenly chosen.

    Attributes:
        step: Of the least error.
    """

    def __init__(self, field: Field, signal: Signal) -> None:
        device = next(field.parameters()).device
        index = signal.held_out_index
        index = index[:: max(1, math.ceil(len(index) / MOST))]
        self._field = field
        self._coords = signal.geometry.coords(index.cpu()).to(device)
        self._truth = signal.normalisation.apply(signal.values[index]).to(device)
        self._least = math.inf
        self._state = copy.deepcopy(field.state_dict())
        self.step = 0

    def __call__(self, step: int, *_: object) -> None:
        """Look at the samples; keep the weights if they are the best so far."""
        with torch.no_grad():
            error = float((self._field.normalised(self._coords) - self._truth).square().mean())
        if error < self._least:
            self._least, self.step = error, step
            self._state = copy.deepcopy(self._field.state_dict())

    def restore(self) -> None:
        """Give the network the best weights."""
        self._field.load_state_dict(self._state)
