"""Loggers of experiment trackers: scalars and a picture of the learning order for every row."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from overtone._utils.optional import import_optional
from overtone.records import Header
from overtone.records.metrics._rows import highest_learned_of_row, relative_error_of_row

_SCALARS = ("train_error", "held_out_error", "clean_error")

_COLOURS = np.array(
    [(0, 32, 77), (60, 77, 110), (124, 123, 120), (187, 173, 108), (255, 234, 70)], dtype=np.float64
)
"""Cividis at 0, 1/4, 1/2, 3/4 and 1: readable without red and green, and in grey."""
_GREY = (225, 225, 225)
_LEFT, _TOP, _WIDTH, _HEIGHT, _BELOW = 64, 22, 480, 288, 22


class Logger(ABC):
    """Logger of rows to a tracker: errors, the highest learned frequency, and the learning order as a picture."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[int, NDArray[np.float64]]]] = {}

    def row(self, name: str, header: Header, step: int, row: Mapping[str, Any]) -> None:
        """Log a row.

        Args:
            name: Name of the view.
            header: Bands and target power of its record.
            step: The step.
            row: The record's variables at this step.
        """
        residual = np.asarray(row["residual_power"])
        numbers = {key: float(row[key]) for key in _SCALARS if key in row}
        numbers["highest_learned"] = highest_learned_of_row(header, residual)
        # Trackers drop or reject numbers that are not finite, each in a different way.
        self.scalars(step, {f"{name}/{k}": v for k, v in numbers.items() if math.isfinite(v)})
        rows = self._rows.setdefault(name, [])
        rows.append((step, relative_error_of_row(header, residual)))
        edges = np.append(header.band_low, header.band_high[-1])
        unit = str(header.attrs.get("frequency_unit", ""))
        steps, errors = [s for s, _ in rows], np.stack([e for _, e in rows])
        self.picture(step, f"{name}/learning order", heatmap(steps, edges, errors, unit))

    def begin_again(self, step: int) -> None:
        """Drop the rows from a step on, after training has restarted there."""
        self._rows = {name: [row for row in rows if row[0] < step] for name, rows in self._rows.items()}

    @abstractmethod
    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log finite numbers by name."""

    @abstractmethod
    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """Log a picture, (height, width, 3)."""

    @abstractmethod
    def close(self) -> None:
        """Flush the tracker."""


@final
class TensorBoard(Logger):
    """Logger to TensorBoard: scalars and the learning order; needs the package `tensorboard`.

    Args:
        writer: An open `torch.utils.tensorboard.SummaryWriter`, which is not closed, or the directory of a new log.

    Raises:
        InputError: If the package is not installed.

    Example:
        Every row of a probe becomes curves and a picture::

            ot.Probe(watched, network, "run", loggers=[TensorBoard("logs")])
    """

    def __init__(self, writer: Any) -> None:
        super().__init__()
        import_optional("tensorboard", "tensorboard")
        self._closes = isinstance(writer, str | Path)
        if self._closes:
            writer = import_optional("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(writer))
        self._writer = writer

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log one curve per name."""
        for name, number in numbers.items():
            self._writer.add_scalar(f"overtone/{name}", number, step)

    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """Log one picture per row, in the tab of images."""
        self._writer.add_image(f"overtone/{name}", pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Flush the log; close it if it was opened here."""
        self._writer.flush()
        if self._closes:
            self._writer.close()


@final
class WandB(Logger):
    """Logger to a run of Weights & Biases: scalars and the learning order; needs the package `wandb`.

    Every value is logged beside `overtone/step`, which serves as its axis, so that it does not interfere with the
    steps of the run's other values.

    Args:
        run: The run that `wandb.init(...)` returned.

    Raises:
        InputError: If the package is not installed.

    Example:
        Every row of a probe becomes curves and a picture::

            ot.Probe(watched, network, "run", loggers=[WandB(wandb.init(project="mine"))])
    """

    def __init__(self, run: Any) -> None:
        super().__init__()
        self._wandb = import_optional("wandb", "wandb")
        self._run = run
        run.define_metric("overtone/step")
        run.define_metric("overtone/*", step_metric="overtone/step")

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log one curve per name."""
        self._run.log({"overtone/step": step} | {f"overtone/{name}": n for name, n in numbers.items()})

    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """Log one picture per row."""
        self._run.log({"overtone/step": step, f"overtone/{name}": self._wandb.Image(pixels)})

    def close(self) -> None:
        """Do nothing: the caller finishes the run."""


def heatmap(
    steps: Sequence[int], edges: NDArray[np.float64], error: NDArray[np.float64], unit: str
) -> NDArray[np.uint8]:
    """Draw the relative error per band and step: dark is learned (0), bright not learned (1 and above), grey unknown.

    Args:
        steps: (S,) recorded steps, ascending; drawn evenly, in order.
        edges: (B + 1,) edges of the bands; drawn evenly, the lowest band at the bottom.
        error: (S, B) relative errors, NaN where unknown.
        unit: Unit of the edges.

    Returns:
        (height, width, 3) pixels with the first and last step below and the lowest and highest edge at the side.
    """
    # Only loggers use Pillow, and its import would take a large part of the time to import a probe.
    from PIL import Image, ImageDraw

    level = np.clip(np.nan_to_num(error.T[::-1]), 0, 1) * (len(_COLOURS) - 1)
    colours = np.stack([np.interp(level, range(len(_COLOURS)), c) for c in _COLOURS.T], -1)
    colours[np.isnan(error.T[::-1])] = _GREY
    cells = Image.fromarray(colours.round().astype(np.uint8))
    sheet = Image.new("RGB", (_LEFT + _WIDTH + 8, _TOP + _HEIGHT + _BELOW), "white")
    sheet.paste(cells.resize((_WIDTH, _HEIGHT), Image.Resampling.NEAREST), (_LEFT, _TOP))
    draw = ImageDraw.Draw(sheet)
    below, right = _TOP + _HEIGHT, _LEFT + _WIDTH
    draw.text((_LEFT, 5), f"relative error: dark 0, bright 1; frequency in {unit}", fill="black")
    draw.text((_LEFT - 6, _TOP), f"{edges[-1]:.3g}", fill="black", anchor="ra")
    draw.text((_LEFT - 6, below), f"{edges[0]:.3g}", fill="black", anchor="rd")
    draw.text((_LEFT, below + 5), f"step {steps[0]}", fill="black")
    draw.text((right, below + 5), f"{steps[-1]}", fill="black", anchor="ra")
    return np.asarray(sheet)
