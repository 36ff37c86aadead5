"""The wall clock of a whole command: what each part took, and what is left for training."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, final

import torch

from overtone.fitting._prepare import PreparedFit
from overtone.planning._duration import machine_seconds

SMALLEST_SHARE = 0.1
"""Share of the limit that training gets however long everything else takes."""

TIMED_SAMPLES = 8192
"""Samples whose prediction is timed."""

EVALUATIONS = 2.2
"""Predictions of all samples after training: those of the last network, and of the best or the averaged one."""

PAGE = 450.0
"""Time of writing the report, in calibrations of `machine_seconds`."""


@final
class WallClock:
    """Wall clock of one command, with or without a limit.

    Args:
        limit: Seconds from `began` to the end of the command; None for no limit.
        began: When the command began, by `now`; the present if None.
        now: The clock, in seconds.

    Attributes:
        limit: The limit.
        parts: Seconds that each part took, in the order in which they ended.
    """

    def __init__(
        self,
        limit: float | None = None,
        began: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self.parts: dict[str, float] = {}
        self._now = now
        self._began = self._marked = now() if began is None else began

    @property
    def elapsed(self) -> float:
        """Seconds since the command began."""
        return self._now() - self._began

    def end(self, part: str) -> None:
        """Add the time since the last part ended to a part.

        Args:
            part: Its name.
        """
        now = self._now()
        self.parts[part] = self.parts.get(part, 0.0) + now - self._marked
        self._marked = now

    def share(self, part: float) -> float | None:
        """Return a part of the seconds that are left; None without a limit.

        Args:
            part: Between 0 and 1.
        """
        return None if self.limit is None else part * max(self.limit - self.elapsed, 0.0)

    def training_seconds(self, reserve: float) -> float | None:
        """Return the seconds left for training, at least a tenth of the limit; None without a limit.

        Args:
            reserve: Seconds that follow the training.
        """
        if self.limit is None:
            return None
        return max(self.limit - self.elapsed - reserve, SMALLEST_SHARE * self.limit)


def seconds_after_training(prepared: PreparedFit[Any]) -> float:
    """Return about how many seconds the measurements and the report after the training take on this machine.

    Args:
        prepared: The fit; the prediction of some samples is timed.
    """
    field, geometry = prepared.field, prepared.signal.geometry
    device = next(field.parameters()).device
    count = prepared.signal.values.shape[0]
    index = torch.arange(min(count, TIMED_SAMPLES), device=device)
    training = field.training
    field.eval()
    times = []
    with torch.no_grad():
        for _ in range(2):
            began = time.perf_counter()
            # Copied to the CPU, so that the time includes the work of a GPU.
            field(geometry.coords(index)).cpu()
            times.append(time.perf_counter() - began)
    field.train(training)
    return EVALUATIONS * min(times) * count / index.numel() + PAGE * machine_seconds()
