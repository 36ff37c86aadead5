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
    seconds = np.maximum(shown.seconds.values, 1e-3)
    sides = label_sides(seconds, shown.psnr.values)
    for name, trained, colour, symbol in KINDS:
        index = np.flatnonzero(shown.trained.values == trained)
        one = shown.isel(candidate=index)
        fig.add_scatter(
            x=seconds[index],
            y=one.psnr.values,
            text=one.candidate.values.tolist(),
            name=name,
            mode="markers+text",
            textposition=[sides[i] for i in index],
            marker={"color": colour, "symbol": symbol, "size": 10},
        )
    fig.update_xaxes(**style.log_axis(float(seconds.min()), float(seconds.max()), "Time (s)", 0.4))
    fig.update_yaxes(title={"text": "PSNR on held-out samples (dB)"})
    return fig


SIDES = ("top center", "bottom center", "middle right", "middle left")
"""Where a label may stand, in the order of preference."""


def label_sides(seconds: np.ndarray, psnr: np.ndarray) -> list[str]:
    """The side of each dot on which its label keeps clear of the other dots and of the labels before it.

    Distances are taken in parts of the figure: a label is about 0.12 wide and 0.06 high.

    Args:
        seconds: (candidate,) positive, drawn on a log scale.
        psnr: (candidate,) in dB.
    """
    x, y = (_parts(values) for values in (np.log(seconds), psnr))
    taken: list[tuple[float, float]] = []
    sides = []
    for a, b in zip(x, y, strict=True):
        places = {
            "top center": (a, b + 0.06),
            "bottom center": (a, b - 0.06),
            "middle right": (a + 0.09, b),
            "middle left": (a - 0.09, b),
        }

        def crowded(side: str, places: dict[str, tuple[float, float]] = places) -> int:
            u, v = places[side]
            dots = sum(abs(u - p) < 0.08 and abs(v - q) < 0.035 for p, q in zip(x, y, strict=True))
            return dots + sum(abs(u - p) < 0.14 and abs(v - q) < 0.05 for p, q in taken)

        side = min(SIDES, key=crowded)
        sides.append(side)
        taken.append(places[side])
    return sides


def _parts(values: np.ndarray) -> np.ndarray:
    """Values as parts of their range."""
    width = float(values.max() - values.min())
    return (values - values.min()) / (width if width > 0 else 1.0)
