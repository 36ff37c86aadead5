"""Three orthogonal slices through the middle of a volume: target, prediction, difference."""

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

AXES = ("first", "second", "third")


def data(record: xr.Dataset, snapshots: Snapshots) -> xr.Dataset:
    """The middle slice across each axis, first channel, at the last moment kept.

    Returns:
        A dataset with `target_i`, `prediction_i` and `difference_i` for i = 0, 1, 2 (the axis cut across), in
        the value's unit; attributes `step`, `low` and `high` (the target's range), `limit` (of the difference), `at`
        (the cut's coordinate per axis) and `psnr` in dB over the whole volume.
    """
    d = reconstruction.data(record, snapshots, most=2)
    whole = reconstruction.psnr(d.target.values, d.prediction.isel(moment=-1).values, d.attrs["peak"])
    target, last = d.target.isel(channel=0), d.prediction.isel(channel=0, moment=-1)
    out, at = xr.Dataset(), []
    for i in range(3):
        axis, others = f"axis_{i}", [f"axis_{j}" for j in range(3) if j != i]
        cut = {axis: target.sizes[axis] // 2}
        at.append(float(target[axis][cut[axis]]))
        for name, volume in (("target", target), ("prediction", last), ("difference", last - target)):
            out[f"{name}_{i}"] = volume.isel(cut).transpose(*others).drop_vars(axis)
    limit = max(float(np.nanpercentile(np.abs(out[f"difference_{i}"]), 99.5)) for i in range(3)) or 1.0
    kept = {
        "step": int(d.moment[-1]),
        "low": float(target.min()),
        "high": float(target.max()),
        "limit": limit,
    }
    told = {name: d.attrs[name] for name in ("units", "samples")}
    return out.drop_vars("moment").assign_attrs(kept | told | {"at": at, "psnr": whole})


def pixels(d: xr.Dataset, name: str, axis: int) -> np.ndarray:
    """One slice of `data` as (H, W, 3) uint8: grey over the target's range, or the difference in blue and orange."""
    values = d[f"{name}_{axis}"].values
    if name == "difference":
        return encode.diverging(values, d.attrs["limit"])
    return np.repeat(encode.grey(values, d.attrs["low"], d.attrs["high"])[..., None], 3, -1)


def cut(d: xr.Dataset, axis: int) -> str:
    """Where one slice lies, in words."""
    return f"across the {AXES[axis]} axis at {text.number(d.attrs['at'][axis])} {d.attrs['units'][axis]}"


def figure(record: xr.Dataset, snapshots: Snapshots) -> go.Figure:
    """`draw` of `data`."""
    return draw(data(record, snapshots))


def draw(d: xr.Dataset) -> go.Figure:
    """Nine pictures: one row per axis cut across; target, prediction, difference.

    Args:
        d: What `data` returned.
    """
    names = ("target", "prediction", "difference")
    titles = [f"{name}, {AXES[i]} axis" for i in range(3) for name in names]
    fig = make_subplots(rows=3, cols=3, subplot_titles=titles, horizontal_spacing=0.02, vertical_spacing=0.06)
    fig.update_layout(template=style.TEMPLATE, height=720)
    for i in range(3):
        for j, name in enumerate(names):
            fig.add_trace(
                go.Image(source=encode.picture(pixels(d, name, i)), hoverinfo="skip"), row=i + 1, col=j + 1
            )
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return fig


def describe(d: xr.Dataset) -> str:
    """The slices in one sentence, for those who cannot see them."""
    return (
        f"Slices through the middle of the volume at step {text.count(d.attrs['step'])} "
        f"({text.decibels(d.attrs['psnr'])} PSNR over {d.attrs['samples']}): target, prediction and their difference "
        f"(blue too low, orange too high, full colour at ±{text.number(d.attrs['limit'], 2)})."
    )
