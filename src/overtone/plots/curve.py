"""A one-dimensional target and its reconstruction at five moments."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.colors import sample_colorscale

from overtone.plots import reconstruction, style, text

_POINTS = 1500


def data(record: xr.Dataset, snapshots: reconstruction.Snapshots) -> xr.Dataset:
    """First channel of target and predictions, thinned to at most 1500 points by keeping every k-th sample.

    Returns:
        A dataset over `x` with `target` (x) and `prediction` (moment, x), in the value's unit; attribute `every`.
    """
    d = reconstruction.data(record, snapshots).isel(channel=0)
    every = max(1, -(-d.sizes["axis_0"] // _POINTS))
    return d.isel(axis_0=slice(None, None, every)).rename(axis_0="x").assign_attrs(d.attrs | {"every": every})


def figure(d: xr.Dataset) -> go.Figure:
    """The curves of `data`: the target grey and wide beneath, predictions from pale (early) to dark (late).

    Args:
        d: What `data` returned.
    """
    fig = style.canvas()
    x, unit = d.x.values, d.attrs["units"][0]
    fig.add_scatter(
        x=x, y=d.target.values, name="target", mode="lines", line={"color": style.TARGET, "width": 4}
    )
    shades = sample_colorscale("Viridis", list(np.linspace(0.85, 0.2, d.sizes["moment"])))
    for shade, step in zip(shades, d.moment.values, strict=True):
        late = step == d.moment.values[-1]
        fig.add_scatter(
            x=x,
            y=d.prediction.sel(moment=step).values,
            name=f"step {text.count(float(step))}",
            mode="lines",
            line={"color": style.PREDICTION if late else shade, "width": 2 if late else 1.2},
            visible=True
            if late
            else "legendonly"
            if d.sizes["moment"] > 3 and step == d.moment.values[0]
            else True,
        )
    fig.update_xaxes(title=f"Coordinate ({unit})")
    value = d.attrs["value_unit"]
    fig.update_yaxes(title=f"Value ({value})" if value else "Value")
    return fig


def describe(d: xr.Dataset) -> str:
    """The figure in one sentence, for those who cannot see it."""
    last = d.prediction.isel(moment=-1).values
    found = reconstruction.psnr(d.target.values, last, d.attrs["peak"])
    thinned = f" Every {d.attrs['every']}th sample is drawn." if d.attrs["every"] > 1 else ""
    return (
        f"Target and prediction at {d.sizes['moment']} moments; at step {text.count(float(d.moment[-1]))} "
        f"the prediction reaches {text.number(found)} dB PSNR over the samples drawn.{thinned}"
    )
