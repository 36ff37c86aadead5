"""A one-dimensional target and its reconstruction at five moments."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.colors import sample_colorscale

from overtone.plots import _labels as text
from overtone.plots import _snapshots as reconstruction
from overtone.plots import _style as style
from overtone.records import Snapshots

_POINTS = 1000


def data(record: xr.Dataset, snapshots: Snapshots) -> xr.Dataset:
    """First channel of target and predictions; of long signals the 1000 neighbouring samples that vary most.

    Neighbours, not every k-th sample: thinning would show frequencies that are not there.

    Returns:
        A dataset over `x` with `target` (x) and `prediction` (moment, x), in the value's unit; attributes `count`, the
        samples of the whole signal, and `psnr` of the last prediction, in dB, over all of it.
    """
    d = reconstruction.data(record, snapshots)
    samples, last = d.sizes["axis_0"], d.prediction.isel(moment=-1)
    whole = reconstruction.psnr(d.target.values, last.values, d.attrs["peak"])
    first = d.isel(channel=0)
    starts = np.arange(0, max(1, samples - _POINTS + 1), max(1, _POINTS // 2))
    liveliest = max(starts, key=lambda i: float(np.var(first.target.values[i : i + _POINTS])))
    stretch = first.isel(axis_0=slice(liveliest, liveliest + _POINTS)).rename(axis_0="x")
    return stretch.assign_attrs(d.attrs | {"count": samples, "psnr": whole})


def figure(record: xr.Dataset, snapshots: Snapshots) -> go.Figure:
    """`draw` of `data`."""
    return draw(data(record, snapshots))


def draw(d: xr.Dataset) -> go.Figure:
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
    fig.update_xaxes(title="Time (s)" if unit == "s" else text.escaped(f"Coordinate ({unit})", 80))
    value = d.attrs["value_unit"]
    fig.update_yaxes(title=text.escaped(f"Value ({value})" if value else "Value", 80))
    return fig


def describe(d: xr.Dataset) -> str:
    """The figure in one sentence, for those who cannot see it."""
    shown = d.sizes["x"]
    part = (
        f" The {shown:,} of {d.attrs['count']:,} samples that vary most are drawn."
        if shown < d.attrs["count"]
        else ""
    )
    last = text.count(float(d.moment[-1]))
    return (
        f"Target and prediction at {text.plural(d.sizes['moment'], 'moment')}; at step {last} the "
        f"prediction reaches {text.decibels(d.attrs['psnr'])} PSNR over {d.attrs['samples']}.{part}"
    )
