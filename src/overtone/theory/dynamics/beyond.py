"""How a prediction goes on where its pilot ends, and why not otherwise."""

from __future__ import annotations

import enum

import torch


class Beyond(enum.Enum):
    """What follows the pilot; the value goes into the record's `continued`.

    Attributes:
        KERNEL: The initial network's kernel, without a pilot.
        LEAPS: Leaps, and growth where they end.
        WINDOW: Growth alone. What lies outside a window moves the features too, so that leaps on the window's own
            gradient would go elsewhere.
        BATCHES: Growth alone. Adam's second moments are mostly the scatter of its minibatches, which leaps along
            the mean gradient do not see.
    """

    KERNEL = "kernel"
    LEAPS = "leaps"
    WINDOW = "growth, for a window"
    BATCHES = "growth, for Adam on minibatches"

    @staticmethod
    def of(pilot: int, window: bool, batched: bool, optimizer: torch.optim.Optimizer) -> Beyond:
        """What follows.

        Args:
            pilot: Its steps.
            window: Whether a part of the signal is predicted.
            batched: Whether a step sees a part of the samples.
            optimizer: The optimizer.
        """
        if not pilot:
            return Beyond.KERNEL
        if window:
            return Beyond.WINDOW
        return Beyond.BATCHES if batched and isinstance(optimizer, torch.optim.Adam) else Beyond.LEAPS

    @property
    def reason(self) -> str | None:
        """Why there are no leaps, in a sentence."""
        return {
            Beyond.WINDOW: "Without leaps, since what lies outside the window moves the network too: from the pilot's "
            "end the growth of its kernel is extrapolated.",
            Beyond.BATCHES: "Without leaps, since Adam's second moments hold the scatter of minibatches: from the "
            "pilot's end the growth of its kernel is extrapolated.",
        }.get(self)
