"""The shade of an interval around a curve."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb


def shade(fig: go.Figure, at: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, label: str) -> None:
    """Fill between `low` and `high` where both are finite; nothing is drawn where they nowhere are.

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
