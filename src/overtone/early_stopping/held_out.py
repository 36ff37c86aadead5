"""The held-out error decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from overtone.early_stopping.least import Least
from overtone.early_stopping.rule import Rule
from overtone.early_stopping.watch import Row, Watch
from overtone.errors import InputError


@final
@dataclass(frozen=True)
class HeldOut(Rule):
    """Stop where the smoothed error on held-out samples is least.

    Noise in the held-out samples adds the same to every step, so the least error on them is the least error on clean
    ones, up to chance.

    Attributes:
        patience: A run ends at `patience` times its best step.
        margin: And when the error there is that much higher, relatively.
    """

    patience: float = 2.0
    margin: float = 0.02

    def watch(self) -> Watch:
        """A fresh watch for one run."""
        return Least(_error, self.patience, self.margin)


def _error(row: Row) -> float:
    if "held_out_error" not in row:
        raise InputError(
            "rows with held_out_error",
            f"{', '.join(row) or 'nothing'}",
            "hold samples out (signals.masks.random), or use another rule",
            "stop",
        )
    return float(row["held_out_error"])
