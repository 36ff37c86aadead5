"""How a prediction goes on where its pilot ends, and why not otherwise."""

from __future__ import annotations

import enum


class Beyond(enum.Enum):
    """What follows the pilot; the value goes into the record's `continued`.

    Attributes:
        KERNEL: The initial network's kernel, without a pilot.
        LEAPS: Leaps, and growth where they end.
        WINDOW: Growth alone. What lies outside a window moves the features too, so that leaps on the window's own
            gradient would go elsewhere.
    """

    KERNEL = "kernel"
    LEAPS = "leaps"
    WINDOW = "growth, for a window"

    @staticmethod
    def of(pilot: int, window: bool) -> Beyond:
        """What follows.

        Args:
            pilot: Its steps.
            window: Whether a part of the signal is predicted.
        """
        if not pilot:
            return Beyond.KERNEL
        return Beyond.WINDOW if window else Beyond.LEAPS

    @property
    def reason(self) -> str | None:
        """Why there are no leaps, in a sentence."""
        if self is not Beyond.WINDOW:
            return None
        return (
            "Without leaps, since what lies outside the window moves the network too: from the pilot's end the growth "
            "of its kernel is extrapolated."
        )
