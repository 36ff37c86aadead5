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
            f"Predicting took {self.predicting:.2g} s, training itself would take about {self.training:.2g} s: for a "
            "signal this small, train."
        )
