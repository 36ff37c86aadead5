"""Loggers of experiment trackers: scalars and a picture of the learning order for every row."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from overtone._utils.optional import require
from overtone.probes._view import learned_frequency
from overtone.records import Header

_COLOURS = np.array(
    [(0, 32, 77), (60, 77, 110), (124, 123, 120), (187, 173, 108), (255, 234, 70)], dtype=np.float64
)
"""Cividis at 0, 1/4, 1/2, 3/4 and 1: readable without red and green, and in grey."""
_GREY = (225, 225, 225)
_LEFT, _TOP, _WIDTH, _HEIGHT, _BELOW = 64, 22, 480, 288, 22


def heatmap(
    steps: Sequence[int], edges: NDArray[np.float64], error: NDArray[np.float64], unit: str
) -> NDArray[np.uint8]:
    """Relative error per band and step: dark is learned (0), bright is not (1 and above), grey is unknown.

    Args:
        steps: (S,) recorded steps, ascending; drawn evenly, in order.
        edges: (B + 1,) edges of the bands; drawn evenly, the lowest band at the bottom.
        error: (S, B) relative errors, NaN where unknown.
        unit: Unit of the edges.

    Returns:
        (height, width, 3) pixels with the first and last step below and the lowest and highest edge at the side.
    """
    place = np.clip(np.nan_to_num(error.T[::-1]), 0, 1) * (len(_COLOURS) - 1)
    colours = np.stack([np.interp(place, range(len(_COLOURS)), c) for c in _COLOURS.T], -1)
    colours[np.isnan(error.T[::-1])] = _GREY
    map_ = Image.fromarray(colours.round().astype(np.uint8))
    sheet = Image.new("RGB", (_LEFT + _WIDTH + 8, _TOP + _HEIGHT + _BELOW), "white")
    sheet.paste(map_.resize((_WIDTH, _HEIGHT), Image.Resampling.NEAREST), (_LEFT, _TOP))
    draw = ImageDraw.Draw(sheet)
    below, right = _TOP + _HEIGHT, _LEFT + _WIDTH
    draw.text((_LEFT, 5), f"relative error: dark 0, bright 1; frequency in {unit}", fill="black")
    draw.text((_LEFT - 6, _TOP), f"{edges[-1]:.3g}", fill="black", anchor="ra")
    draw.text((_LEFT - 6, below), f"{edges[0]:.3g}", fill="black", anchor="rd")
    draw.text((_LEFT, below + 5), f"step {steps[0]}", fill="black")
    draw.text((right, below + 5), f"{steps[-1]}", fill="black", anchor="ra")
    return np.asarray(sheet)


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
        numbers["highest_learned"] = learned_frequency(header, residual)
        self.scalars(step, {f"{name}/{k}": v for k, v in numbers.items() if math.isfinite(v)})
        seen = self._seen.setdefault(name, [])
        seen.append((step, band_errors(header, residual)))
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


def band_errors(header: Header, residual_power: NDArray[np.float64]) -> NDArray[np.float64]:
    """(band,) sqrt(residual power / target power), channels together; NaN where the target has next to nothing."""
    target, residual = header.static["target_power"].sum(1), residual_power.sum(1)
    held = target > 1e-10 * target.sum()
    return np.sqrt(np.divide(residual, target, out=np.full_like(target, np.nan), where=held))


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
