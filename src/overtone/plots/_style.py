"""Style of all figures: colours, template, logarithmic axes, marks and shaded intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from overtone.plots._labels import escaped, tick

TARGET = "#8a8a8a"
PREDICTION = "#2f8fd8"
RESIDUAL = "#e08700"
NOISE = "#c2549a"
TRAIN = PREDICTION
HELD_OUT = RESIDUAL
CLEAN = "#11a37b"
RUNS = (PREDICTION, RESIDUAL, CLEAN, NOISE, "#d9542b", "#8d6fd1", "#9a9a2a", "#5fb7e5")
"""Colours that stay apart for colour-blind readers and on white and dark paper (after Okabe and Ito)."""

ERROR_SCALE = "Cividis"
"""Perceptually uniform and the same to colour-blind readers."""

_GRID = "rgba(128,128,128,0.25)"
_AXIS: dict[str, Any] = {
    "gridcolor": _GRID,
    "linecolor": "rgba(128,128,128,0.8)",
    "zeroline": False,
    "showline": True,
    "ticks": "outside",
    "ticklen": 4,
    "automargin": True,
    "tickangle": 0,
    "title": {"standoff": 8},
}
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif", "size": 13},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(RUNS),
        "margin": {"l": 56, "r": 12, "t": 36, "b": 48},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "itemwidth": 30},
        "hovermode": "closest",
        "hoverlabel": {"align": "left"},
    }
)


def canvas(height: int = 400) -> go.Figure:
    """Return an empty figure of `height` pixels in the common style, as wide as its container."""
    return go.Figure(layout={"template": TEMPLATE, "height": height})


def step_positions(steps: np.ndarray) -> np.ndarray:
    """Return the positions of steps on a logarithmic axis; step 0 lies at half the first positive step.

    Args:
        steps: (S,) non-negative steps.

    Returns:
        (S,) positive float64.
    """
    steps = np.asarray(steps, dtype=np.float64)
    later = steps[steps > 0]
    return np.where(steps > 0, steps, 0.5 * later.min() if later.size else 0.5)


def ticks(low: float, high: float, limit: int = 6) -> np.ndarray:
    """Return at most `limit` round values (1, 2, 5 times powers of ten, or whole powers) within [low, high]."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    # The densest set of marks that still fits; whole powers are thinned if even they are too many.
    decades = 10.0 ** np.arange(first, last + 1)
    for marks in ((1, 2, 5), (1, 3), (1,)):
        values = np.sort(np.outer(decades, marks).ravel())
        values = values[(values >= low * (1 - 1e-9)) & (values <= high * (1 + 1e-9))]
        if values.size <= limit:
            break
    stride = -(-values.size // limit)
    return values[::stride] if values.size else np.array([low, high])


def log_axis(low: float, high: float, title: str, pad: float = 0.0) -> dict[str, Any]:
    """Return a logarithmic axis from `low` to `high` with round tick labels.

    Args:
        low: Smallest value shown, positive.
        high: Largest value shown.
        title: What it measures, with its unit.
        pad: Margin at both ends, in decades.

    Returns:
        Keyword arguments for `update_xaxes` or `update_yaxes`.
    """
    if not high > low:
        low, high = low / 2, low * 2
    low, high = low * 10**-pad, high * 10**pad
    values = ticks(low, high)
    return {
        "type": "log",
        "range": [float(np.log10(low)), float(np.log10(high))],
        "tickvals": values.tolist(),
        "ticktext": [tick(v) for v in values],
        "title": {"text": escaped(title, 80)},
    }


def step_axis(
    steps: np.ndarray, title: str = "Training step", edges: Sequence[float] = (), pad: float = 0.02
) -> dict[str, Any]:
    """Return a logarithmic axis of training steps; step 0, which has no logarithm, is labelled at its left end."""
    places = step_positions(steps)
    ends = np.asarray(edges if len(edges) else places, dtype=np.float64)
    axis = log_axis(float(ends.min()), float(ends.max()), title, 0.0 if len(edges) else pad)
    if np.asarray(steps).size and float(np.asarray(steps).min()) == 0:
        # Ticks closer to the label "0" than a fifteenth of the axis would overlap it.
        clear = float(places.min()) * (float(ends.max()) / float(places.min())) ** 0.065
        shown = [v for v in axis["tickvals"] if v > clear]
        axis["tickvals"] = [float(places.min()), *shown]
        axis["ticktext"] = ["0", *(tick(v) for v in shown)]
    return axis


def power_axis(values: Sequence[np.ndarray], title: str) -> dict[str, Any]:
    """Return a logarithmic axis for the positive finite numbers of all `values`, at most eight decades of them."""
    flat = np.concatenate([np.ravel(v) for v in values]) if values else np.array([])
    flat = flat[np.isfinite(flat) & (flat > 0)]
    if not flat.size:
        return log_axis(1e-3, 1.0, title)
    high = float(flat.max())
    # Powers at rounding level would stretch the axis and flatten everything else.
    return log_axis(max(float(flat.min()), high * 1e-8), high, title, 0.08)


def vertical(fig: go.Figure, at: float, label: str, **subplot: Any) -> None:
    """Draw a dotted line at x = `at` (as data, also on a logarithmic axis), labelled at the foot."""
    fig.add_vline(x=at, line={"dash": "dot", "width": 1.5, "color": "#d9542b"}, **subplot)
    ends = fig.layout.xaxis.range
    # The label goes to the side of the line with more space.
    left = ends is None or np.log10(at) < (ends[0] + ends[1]) / 2
    _label(fig, label, float(np.log10(at)), 0.0, "left" if left else "right", "bottom", yref="y domain")


def horizontal(fig: go.Figure, at: float, label: str, side: str = "right", above: bool = False) -> None:
    """Draw a dashed line at y = `at` (as data, also on a logarithmic axis), labelled at `side`, below it or above."""
    fig.add_hline(y=at, line={"dash": "dash", "width": 1.5, "color": "#d9542b"})
    x = 1.0 if side == "right" else 0.0
    _label(fig, label, x, float(np.log10(at)), side, "bottom" if above else "top", xref="x domain")


def _label(fig: go.Figure, label: str, x: float, y: float, xanchor: str, yanchor: str, **refs: str) -> None:
    fig.add_annotation(
        text=label,
        x=x,
        y=y,
        xanchor=xanchor,
        yanchor=yanchor,
        showarrow=False,
        bgcolor="rgba(255,255,255,0.85)",
        font={"color": "#222222", "size": 11},
        borderpad=2,
        **({"xref": "x", "yref": "y"} | refs),
    )


def shade(fig: go.Figure, at: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, label: str) -> None:
    """Fill the area between `low` and `high` where both are finite; draw nothing if they never are.

    Args:
        fig: The figure.
        at: (N,) places on the horizontal axis.
        low: (N,) lower ends.
        high: (N,) upper ends.
        colour: Of the curve, "#rrggbb".
        label: The curve's group in the legend.
    """
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return
    fig.add_scatter(
        # There along the lower ends and back along the upper ones: one closed outline.
        x=np.concatenate([at[known], at[known][::-1]]),
        y=np.concatenate([low[known], high[known][::-1]]),
        fill="toself",
        fillcolor=f"rgba({','.join(str(c) for c in hex_to_rgb(colour))},0.2)",
        line={"width": 0},
        mode="lines",
        legendgroup=label,
        showlegend=False,
        hoverinfo="skip",
    )


def positive_only(values: np.ndarray) -> np.ndarray:
    """Replace values that are not positive by NaN, which leaves a gap on a logarithmic axis."""
    return np.where(values > 0, values, np.nan)
