"""Rows for Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from overtone._utils.optional import require
from overtone.probes.loggers.logger import Logger


@final
class WandB(Logger):
    """Scalars and the learning order in a run of Weights & Biases, needs `pip install "overtone[wandb]"`.

    Every value is logged beside `overtone/step`, which serves as its axis, so that it does not interfere with the
    steps of the run's other values.

    Args:
        run: What `wandb.init(...)` returned.

    Raises:
        InputError: If the package is not installed.
    """

    def __init__(self, run: Any) -> None:
        super().__init__()
        self._wandb = require("wandb", "wandb")
        self._run = run
        run.define_metric("overtone/step")
        run.define_metric("overtone/*", step_metric="overtone/step")

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """One curve per name."""
        self._run.log({"overtone/step": step} | {f"overtone/{name}": n for name, n in numbers.items()})

    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """One picture per row."""
        self._run.log({"overtone/step": step, f"overtone/{name}": self._wandb.Image(pixels)})

    def close(self) -> None:
        """Nothing: the run is yours to finish."""
