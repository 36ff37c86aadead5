"""Which samples each step sees. All of them, or a draw with a private generator, so that runs are repeatable."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone._utils.seeding import derive
from overtone.signals import Geometry, Signal


class Batches:
    """Normalised coordinates-and-values batches of a signal's training samples, on one device.

    Args:
        signal: What is learned; values are normalised by its own map.
        batch: Samples per step. With as many as there are, every step gets all, in order; otherwise samples are drawn
            uniformly with replacement.
        device: Where the batches are wanted.
        seed: Seeds the draws.
    """

    def __init__(self, signal: Signal[Geometry], batch: int, device: torch.device, seed: int) -> None:
        self._places = signal.geometry
        self._index = signal.train_index.to(device)
        self._values = signal.values.to(device)
        self._normalise = signal.normalisation.apply
        self._size = batch
        self.generator = torch.Generator(device=device)
        self.generator.manual_seed(derive(seed, "training", "batches"))
        self._fixed = self._gather(self._index) if batch >= self._index.numel() else None

    def draw(self) -> tuple[Tensor, Tensor]:
        """The next batch: (B, d) float64 physical coordinates and (B, C) float32 normalised values."""
        if self._fixed is not None:
            return self._fixed
        device = self._index.device
        pick = torch.randint(self._index.numel(), (self._size,), generator=self.generator, device=device)
        return self._gather(self._index[pick])

    def _gather(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self._places.coords(index), self._normalise(self._values[index]).float()
