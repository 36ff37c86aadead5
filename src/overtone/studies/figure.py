"""The figure of a study: what was measured in every condition, mean and range over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray

from overtone.plots import _style as style
from overtone.studies.result import Result
from overtone.studies.study import Axes


def data(result: Result) -> xarray.Dataset:
    """What the figure shows.

    Args:
        result: Of a study.

    Returns:
        `x`, `mean`, `low` and `high` (line, point), NaN beyond a line's end; coords `line` (condition and curve). Where
        seeds disagree about x, each seed is a line of its own.
    """
    lines: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for condition, rows in result.measurements.items():
        names = dict.fromkeys(name for row in rows for name in row["curves"])
        for name in names:
            label = f"{condition}, {name}" if name else condition
            found = [_line(row["curves"][name]) for row in rows if name in row["curves"]]
            if all(np.array_equal(found[0][0], x) for x, _ in found):
                lines[label] = found[0][0], np.stack([y for _, y in found])
            else:
                for number, (x, y) in enumerate(found, 1):
                    lines[f"{label}, run {number}"] = x, y[None]
    longest = max((len(x) for x, _ in lines.values()), default=0)
    table = {key: np.full((len(lines), longest), np.nan) for key in ("x", "mean", "low", "high")}
    for row, (x, ys) in enumerate(lines.values()):
        for key, values in zip(table, (x, ys.mean(0), ys.min(0), ys.max(0)), strict=True):
            table[key][row, : len(x)] = values
    return xarray.Dataset(
        {key: (("line", "point"), values) for key, values in table.items()}, {"line": list(lines)}
    )


def figure(shown: xarray.Dataset, axes: Axes, control: str) -> go.Figure:
    """Draw it; lines of the control are dashed.

    Args:
        shown: From `data`.
        axes: Titles and scales.
        control: Name of the control's condition.
    """
    fig = style.canvas(380)
    for number, line in enumerate(shown.line.values):
        one = shown.sel(line=line).dropna("point", subset=["x"])
        colour = style.RUNS[number % len(style.RUNS)]
        dash = "dash" if str(line).startswith(control) else "solid"
        if (one.high > one.low).any():
            ends = [
                np.concatenate([one[a].values, one[b].values[::-1]]) for a, b in (("x", "x"), ("high", "low"))
            ]
            fig.add_scatter(
                x=ends[0], y=ends[1], fill="toself", fillcolor=colour, opacity=0.2, line={"width": 0},
                hoverinfo="skip", showlegend=False,
            )  # fmt: skip
        fig.add_scatter(
            x=one.x.values,
            y=one["mean"].values,
            name=str(line),
            mode="lines+markers" if one.sizes["point"] <= 40 else "lines",
            line={"color": colour, "dash": dash},
            marker={"size": 5},
        )
    fig.update_xaxes(**_axis(axes.x, axes.log_x, shown.x.values))
    fig.update_yaxes(**_axis(axes.y, axes.log_y, np.stack([shown.low.values, shown.high.values])))
    return fig


def _axis(title: str, log: bool, values: np.ndarray) -> dict[str, Any]:
    shown = values[np.isfinite(values) & (values > 0)] if log else values
    if log and shown.size:
        return style.log_axis(float(shown.min()), float(shown.max()), title, 0.05)
    return {"title": {"text": title}}


def _line(curve: Mapping[str, Sequence[Any]]) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.asarray(curve[axis], dtype=np.float64) for axis in ("x", "y"))
    return x, y
