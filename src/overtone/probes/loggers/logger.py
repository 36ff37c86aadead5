"""What every experiment tracker is told, and how it reads a row."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone.probes.loggers.heatmap import heatmap
from overtone.probes.view import reach
from overtone.records import Header

SCALARS = ("train_error", "held_out_error", "clean_error")


class Logger(ABC):
    """Passes rows on to a tracker: errors, the highest frequency learned, and the learning order as a picture."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[int, NDArray[np.float64]]]] = {}

    def row(self, name: str, header: Header, step: int, row: Mapping[str, Any]) -> None:
        """Tell the tracker of a row.

        Args:
            name: Name of the view.
            header: Bands and target power of its record.
            step: The step.
            row: The record's variables at this step.
        """
        residual = np.asarray(row["residual_power"])
        numbers = {key: float(row[key]) for key in SCALARS if key in row}
        numbers["highest_learned"] = reach(header, residual)
        self.scalars(step, {f"{name}/{k}": v for k, v in numbers.items() if math.isfinite(v)})
        seen = self._seen.setdefault(name, [])
        seen.append((step, relative_error(header, residual)))
        edges = np.append(header.band_low, header.band_high[-1])
        unit = str(header.attrs.get("frequency_unit", ""))
        steps, errors = [s for s, _ in seen], np.stack([e for _, e in seen])
        self.picture(step, f"{name}/learning order", heatmap(steps, edges, errors, unit))

    def begin_again(self, step: int) -> None:
        """Forget the rows from a step on: training began again there."""
        self._seen = {name: [row for row in rows if row[0] < step] for name, rows in self._seen.items()}

    @abstractmethod
    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log finite numbers by name."""

    @abstractmethod
    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """Log a picture, (height, width, 3)."""

    @abstractmethod
    def close(self) -> None:
        """Let the tracker write what it holds."""


def relative_error(header: Header, residual_power: NDArray[np.float64]) -> NDArray[np.float64]:
    """(band,) sqrt(residual power / target power), channels together; NaN where the target has next to nothing."""
    target, residual = header.static["target_power"].sum(1), residual_power.sum(1)
    held = target > 1e-10 * target.sum()
    return np.sqrt(np.divide(residual, target, out=np.full_like(target, np.nan), where=held))
