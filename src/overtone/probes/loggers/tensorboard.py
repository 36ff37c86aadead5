"""Rows for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from overtone._utils.optional import require
from overtone.probes.loggers.logger import Logger


@final
class TensorBoard(Logger):
    """Scalars and the learning order in a TensorBoard log, needs `pip install "overtone[tensorboard]"`.

    Args:
        writer: A `torch.utils.tensorboard.SummaryWriter` of yours, which stays open, or the directory of a new log.

    Raises:
        InputError: If the package is not installed.
    """

    def __init__(self, writer: Any) -> None:
        super().__init__()
        require("tensorboard", "tensorboard")
        self._own = isinstance(writer, str | Path)
        if self._own:
            writer = require("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(writer))
        self._writer = writer

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """One curve per name."""
        for name, number in numbers.items():
            self._writer.add_scalar(f"overtone/{name}", number, step)

    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """One picture per row, in the tab of images."""
        self._writer.add_image(f"overtone/{name}", pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is held; close a log of our own."""
        self._writer.flush()
        if self._own:
            self._writer.close()
