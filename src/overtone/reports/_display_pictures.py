"""Small pictures of results in notebooks, as data URIs; none where the packages that draw them are absent."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from overtone._utils.optional import missing_packages
from overtone.plots import _encode as encode

WIDTH = 4.0
"""Width of a picture in inches."""

PIXELS_PER_INCH = 110

PIXELS = 220
"""Longest side of a picture's or a slice's thumbnail in pixels."""

_POINTS = 600
"""Points of a curve; of longer signals the smallest and largest value of each stretch."""

_SCATTERED = 700
"""Scattered samples that are drawn."""

_COLOURS = ("#2f8fd8", "#e08700", "#11a37b", "#c2549a")


def figure_uri(draw: Callable[[], Any]) -> str | None:
    """Return the figure that a function draws as a PNG data URI; None without Matplotlib or Plotly."""
    if missing_packages("figures"):
        return None
    from overtone.plots._paper import on_screen

    content = io.BytesIO()
    # Text of a middle grey on a transparent ground is read on light and on dark paper.
    with on_screen():
        draw().savefig(content, format="png", dpi=PIXELS_PER_INCH, transparent=True)
    # A palette halves the size; figures have few colours.
    small, reduced = Image.open(content).quantize(128, Image.Quantize.FASTOCTREE), io.BytesIO()
    small.save(reduced, "PNG", optimize=True)
    return encode.data_uri(reduced.getvalue(), "image/png")


def _axes(height: float) -> Any:
    from matplotlib.figure import Figure

    ax = Figure(figsize=(WIDTH, height), layout="constrained").subplots()
    ax.grid(True, color="#808080", alpha=0.25, linewidth=0.5)
    return ax


def signal_uri(signal: Any) -> str | None:
    """Return a small picture of a signal: a curve, its pixels, the middle slice, or scattered samples."""
    lattice = signal.geometry.shape if hasattr(signal.geometry, "spacing") else None
    if lattice is None:
        return _scattered(signal)
    wide = [axis for axis, n in enumerate(lattice) if n > 1]
    if len(wide) == 1:
        return figure_uri(lambda: _curve(signal))
    return _pixels(signal, wide) if 2 <= len(wide) <= 3 else None


def _curve(signal: Any) -> Any:
    geometry, values = signal.geometry, signal.values
    axis = int(np.argmax(geometry.shape))
    count, spacing, unit = geometry.shape[axis], geometry.spacing[axis], geometry.units[axis]
    ax = _axes(1.9)
    stretch = -(-count // _POINTS)
    for channel in range(min(values.shape[1], len(_COLOURS))):
        column = values[:, channel].detach()
        if stretch > 1:
            whole = column[: count - count % stretch].reshape(-1, stretch)
            # Every k-th sample alone would show frequencies that are not there.
            pairs = np.stack([whole.amin(1).cpu().numpy(), whole.amax(1).cpu().numpy()], 1)
            y, x = pairs.ravel(), np.repeat(np.arange(len(pairs)) * stretch, 2) * spacing
        else:
            y, x = column.cpu().numpy(), np.arange(count) * spacing
        ax.plot(x, y, color=_COLOURS[channel], linewidth=0.9, label=_label(signal.channels[channel]))
    ax.set_xlabel("Time (s)" if unit == "s" else _label(f"Coordinate ({unit})"))
    ax.set_ylabel(_label(f"Value ({signal.value_unit})" if signal.value_unit else "Value", 24))
    if values.shape[1] > 1:
        ax.legend(loc="upper right", fontsize="small")
    return ax.figure


def _pixels(signal: Any, wide: Sequence[int]) -> str:
    """Return pixels of a picture, or of the middle slice across the shortest axis of a volume."""
    field = signal.grid_values
    shape = list(signal.geometry.shape)
    cut = [axis for axis in range(len(shape)) if axis not in wide]
    if len(wide) == 3:
        cut.append(min(wide, key=lambda axis: shape[axis]))
    for axis in sorted(cut, reverse=True):
        field = field.select(axis, shape[axis] // 2)
    stride = max(1, -(-max(field.shape[:2]) // PIXELS))
    # Means of blocks keep the pattern of fine detail from becoming one of broad waves.
    rows, columns = (max(1, n // stride) for n in field.shape[:2])
    field = field[: rows * stride, : columns * stride] if stride > 1 else field
    colours = 3 if field.shape[-1] == 3 else 1
    blocks = field[..., :colours].detach()
    smallest, largest = float(blocks.amin()), float(blocks.amax())
    if stride > 1:
        blocks = blocks.reshape(rows, stride, columns, stride, colours).float().mean((1, 3))
    values = blocks.cpu().numpy().astype(np.float64)
    # The range of the values, not of their means, which would stretch the remains of fine detail.
    known = signal.kind != "picture" and np.isfinite([smallest, largest]).all()
    pixels = encode.grey(values, *((smallest, largest) if known else (0.0, 1.0)))
    pixels = pixels if colours == 3 else pixels.repeat(3, -1)
    # Pictures of a few pixels are shown larger, each pixel as a square.
    zoom = max(1, 128 // max(pixels.shape[:2]))
    return encode.picture_uri(pixels.repeat(zoom, 0).repeat(zoom, 1), quality=80)


def _scattered(signal: Any) -> str | None:
    coords, values = signal.geometry.coords(), signal.values
    if coords.shape[1] > 3:
        return None
    stride = max(1, -(-values.shape[0] // _SCATTERED))
    at, level = coords[::stride].cpu().numpy(), values[::stride, 0].detach().cpu().numpy()

    def draw() -> Any:
        ax = _axes(2.4)
        if at.shape[1] == 1:
            ax.plot(at[:, 0], level, ".", color=_COLOURS[0], markersize=2)
            ax.set_ylabel(_label(f"Value ({signal.value_unit})" if signal.value_unit else "Value", 24))
        else:
            dots = ax.scatter(at[:, -1], at[:, 0], c=level, s=5, cmap="cividis", linewidths=0)
            ax.figure.colorbar(dots, ax=ax, label=_label(signal.channels[0], 24))
            ax.set_ylabel("First coordinate")
        ax.set_xlabel("Coordinate" if at.shape[1] == 1 else "Last coordinate")
        return ax.figure

    return figure_uri(draw)


def power_uri(
    low: np.ndarray,
    high: np.ndarray,
    power: np.ndarray,
    unit: str,
    channels: Sequence[str] = (),
    bandwidth: float | None = None,
) -> str | None:
    """Return a picture of the power per band, the band of the mean left out; None if nothing is positive.

    Args:
        low: (band,) lower edges.
        high: (band,) upper edges.
        power: (band, channel).
        unit: Of frequency.
        channels: Names of the channels.
        bandwidth: A frequency to mark.
    """
    varying = np.asarray(low) > 0
    if not (power[varying] > 0).any():
        return None
    at = np.sqrt(np.asarray(low)[varying] * np.asarray(high)[varying])

    def draw() -> Any:
        ax = _axes(2.2)
        ax.set_xscale("log")
        ax.set_yscale("log")
        top = float(power[varying].max())
        for channel in range(min(power.shape[1], len(_COLOURS))):
            y = np.where(power[varying, channel] > 1e-12 * top, power[varying, channel], np.nan)
            name = _label(channels[channel]) if channel < len(channels) else f"channel {channel + 1}"
            ax.plot(at, y, "o-", color=_COLOURS[channel], markersize=2.5, linewidth=1, label=name)
        if bandwidth is not None and bandwidth > 0:
            ax.axvline(bandwidth, color="#d9542b", linestyle=":", linewidth=1.2, label="bandwidth")
        ax.set_xlabel(_label(f"Frequency ({unit})"))
        ax.set_ylabel("Power in the band")
        if power.shape[1] > 1 or bandwidth:
            ax.legend(loc="best", fontsize="small")
        return ax.figure

    return figure_uri(draw)


def levels_uri(names: Sequence[str], levels: Sequence[float], title: str) -> str | None:
    """Return a picture with one dot for each name, the first on top; None without finite levels."""
    known = [(name, level) for name, level in zip(names, levels, strict=True) if np.isfinite(level)]
    if not known:
        return None

    def draw() -> Any:
        from matplotlib.ticker import MaxNLocator

        ax = _axes(0.7 + 0.22 * len(known))
        ax.plot([level for _, level in known], range(len(known), 0, -1), "o", color=_COLOURS[0], markersize=5)
        ax.set_yticks(range(len(known), 0, -1), [_label(name, 34) for name, _ in known])
        ax.set_ylim(0.4, len(known) + 0.6)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.set_xlabel(title)
        return ax.figure

    return figure_uri(draw)


def _label(text: str, longest: int = 48) -> str:
    """Return a name from a file as a label that Matplotlib does not interpret."""
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return short.replace("$", r"\$")
