"""A two-dimensional target beside its reconstruction at five moments, as pixels."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from overtone.plots import _encode as encode
from overtone.plots import _labels as text
from overtone.plots import _snapshots as reconstruction
from overtone.plots import _style as style
from overtone.records import Snapshots


def data(record: xr.Dataset, snapshots: Snapshots) -> xr.Dataset:
    """Target, predictions and the last difference as 8-bit pixels on one common scale.

    Three channels become red, green and blue; any other number shows the first channel in grey. Pictures map 0..1 to
    black..white; other arrays map the target's smallest to largest value. What lies beyond is clipped.

    Returns:
        A dataset with uint8 `target` (y, x, rgb), `prediction` (moment, y, x, rgb), `difference` (y, x, rgb) of the
        last moment (blue below, orange above the target), `psnr` (moment) in dB over all channels; attribute `limit`,
        the value at which the difference's colour ends.
    """
    d = reconstruction.data(record, snapshots)
    colour = d.sizes["channel"] == 3
    kept = d if colour else d.isel(channel=[0])
    is_picture = record.attrs.get("kind") == "picture"
    low, high = (0.0, 1.0) if is_picture else (float(kept.target.min()), float(kept.target.max()))
    last = kept.prediction.isel(moment=-1)
    difference = (last - kept.target).mean("channel").values
    limit = float(np.nanpercentile(np.abs(difference), 99.5)) or 1.0
    quality = [reconstruction.psnr(d.target.values, p.values, d.attrs["peak"]) for p in d.prediction]
    repeat = 1 if colour else 3
    pixels = ("y", "x", "rgb")
    out = xr.Dataset(
        {
            "target": (pixels, np.repeat(encode.grey(kept.target.values, low, high), repeat, -1)),
            "prediction": (
                ("moment", *pixels),
                np.repeat(encode.grey(kept.prediction.values, low, high), repeat, -1),
            ),
            "difference": (pixels, encode.diverging(difference, limit)),
            "psnr": ("moment", quality),
        },
        coords={"moment": d.moment.values},
    )
    kept_attrs = {name: d.attrs[name] for name in ("value_unit", "samples")}
    return out.assign_attrs(kept_attrs, limit=limit, channels=d.sizes["channel"])


def figure(record: xr.Dataset, snapshots: Snapshots) -> go.Figure:
    """`draw` of `data`."""
    return draw(data(record, snapshots))


def draw(d: xr.Dataset) -> go.Figure:
    """The pictures of `data` as one figure, target first, difference last.

    Args:
        d: What `data` returned.
    """
    shown = [
        ("target", d.target),
        *((_caption(d, i), p) for i, p in enumerate(d.prediction)),
        ("difference", d.difference),
    ]
    rows = -(-len(shown) // 4)
    fig = make_subplots(rows=rows, cols=4, subplot_titles=[t for t, _ in shown], horizontal_spacing=0.02)
    fig.update_layout(template=style.TEMPLATE, height=260 * rows)
    for place, (_, pixels) in enumerate(shown):
        where = {"row": place // 4 + 1, "col": place % 4 + 1}
        fig.add_trace(go.Image(source=encode.picture(pixels.values), hoverinfo="skip"), **where)
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return fig


def _caption(d: xr.Dataset, moment: int) -> str:
    return f"step {text.count(float(d.moment[moment]))}, {text.decibels(float(d.psnr[moment]))}"


def describe(d: xr.Dataset) -> str:
    """The pictures in one sentence, for those who cannot see them."""
    grey = "" if d.attrs["channels"] in (1, 3) else f" The first of {d.attrs['channels']} channels is shown."
    moments = text.plural(d.sizes["moment"], "moment")
    last = text.count(float(d.moment[-1]))
    return (
        f"The target, the prediction at {moments} with its PSNR over {d.attrs['samples']}, and the difference at step "
        f"{last} (blue too low, orange too high, full colour at ±{text.number(d.attrs['limit'], 2)}).{grey}"
    )
