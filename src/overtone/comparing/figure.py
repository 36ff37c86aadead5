"""Quality of the candidates, with intervals, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import xarray

from overtone.comparing.score import Score
from overtone.plots import style

KINDS = (("network", True, style.PREDICTION, "circle"), ("no network", False, style.RESIDUAL, "diamond"))


def data(scores: Sequence[Score]) -> xarray.Dataset:
    """What the figures show: `psnr`, `low`, `high` in dB, `seconds`, `trained` (candidate), in the order given."""
    columns = {
        "psnr": [s.mean for s in scores],
        "low": [s.low for s in scores],
        "high": [s.high for s in scores],
        "seconds": [s.seconds for s in scores],
        "trained": [s.trained for s in scores],
    }
    return xarray.Dataset(
        {key: ("candidate", np.asarray(value)) for key, value in columns.items()},
        {"candidate": [s.name for s in scores]},
    )


def quality(shown: xarray.Dataset) -> go.Figure:
    """A dot and an interval per candidate, best on top.

    Args:
        shown: From `data`.
    """
    fig = style.canvas(130 + 30 * shown.sizes["candidate"])
    for name, trained, colour, symbol in KINDS:
        one = shown.isel(candidate=np.flatnonzero(shown.trained.values == trained))
        fig.add_scatter(
            x=one.psnr.values,
            y=one.candidate.values.tolist(),
            name=name,
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (one.high - one.psnr).values,
                "arrayminus": (one.psnr - one.low).values,
                "color": colour,
            },
        )
    fig.update_xaxes(title={"text": "PSNR on held-out samples (dB)"})
    order = shown.candidate.values.tolist()[::-1]
    fig.update_yaxes(categoryorder="array", categoryarray=order, ticks="")
    return fig


def cost(shown: xarray.Dataset) -> go.Figure:
    """Quality over time, one dot per candidate.

    Args:
        shown: From `data`.
    """
    fig = style.canvas(400)
    for name, trained, colour, symbol in KINDS:
        one = shown.isel(candidate=np.flatnonzero(shown.trained.values == trained))
        fig.add_scatter(
            x=np.maximum(one.seconds.values, 1e-3),
            y=one.psnr.values,
            text=one.candidate.values.tolist(),
            name=name,
            mode="markers+text",
            textposition="top center",
            marker={"color": colour, "symbol": symbol, "size": 10},
        )
    seconds = np.maximum(shown.seconds.values, 1e-3)
    fig.update_xaxes(**style.log_axis(float(seconds.min()), float(seconds.max()), "Time (s)", 0.4))
    fig.update_yaxes(title={"text": "PSNR on held-out samples (dB)"})
    return fig
