"""What a prediction costs beside the training that it foretells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Cost:
    """Wall-clock times.

    Attributes:
        predicting: Seconds that the prediction took.
        training: Seconds that all steps would take, by the pilot's; None without a pilot.
    """

    predicting: float
    training: float | None

    @property
    def warning(self) -> str | None:
        """A sentence if training is the cheaper answer."""
        if self.training is None or self.predicting <= self.training:
            return None
        return (
            f"Predicting took {_rounded(self.predicting)} s; training itself would take about "
            f"{_rounded(self.training)} s, and is the surer answer."
        )


def _rounded(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
