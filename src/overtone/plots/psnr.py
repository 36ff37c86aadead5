"""Peak signal-to-noise ratio over training, on what was trained, what was held out, and against the clean reference."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from overtone.plots import _bands as bands
from overtone.plots import _labels as text
from overtone.plots import _style as style
from overtone.records import metrics

LINES = (
    ("train", "training samples", style.TRAIN),
    ("held_out", "held-out samples", style.HELD_OUT),
    ("held_out_clean", "against the clean reference", style.CLEAN),
)


def data(record: xr.Dataset) -> xr.Dataset:
    """The curves of `metrics.psnr`, in dB, and the best step.

    Returns:
        A dataset over `step` with `train`, `held_out` and `held_out_clean` (NaN where unknown, and all of them
        where `metrics.has_psnr` says no); attributes `best_step` (None without evidence), `reason`, `levels`
        (`metrics.levels` of the network handed back), `network_step`, and `part`, whether rows are measured on a part
        of the samples.

    Raises:
        InputError: If the record has no rows.
    """
    bands.require_rows(record, "PSNR")
    stop = metrics.stop(record)
    found = (
        metrics.psnr(record)
        if metrics.has_psnr(record)
        else {name: np.full(record.sizes["step"], np.nan) for name, *_ in LINES}
    )
    columns = {name: ("step", np.asarray(found[name], float)) for name, *_ in LINES}
    best = None if stop.evidence is metrics.Evidence.NONE else stop.step
    where = record.attrs.get("geometry")
    return xr.Dataset(columns, coords={"step": record.step.values}).assign_attrs(
        best_step=best,
        reason=stop.reason,
        levels=metrics.levels(record),
        network_step=metrics.network_step(record),
        part=isinstance(where, dict) and where.get("measured_whole") is False,
    )


def figure(record: xr.Dataset) -> go.Figure:
    """Steps logarithmic, dB linear; higher is better."""
    d = data(record)
    fig = style.canvas()
    fig.update_layout(showlegend=True)
    for name, label, colour in LINES:
        y = d[name].values
        if np.isfinite(y).any():
            fig.add_scatter(
                x=style.positions(d.step.values),
                y=np.where(np.isfinite(y), y, np.nan),
                customdata=d.step.values,
                name=label,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"size": 4},
                hovertemplate=f"{label}, step %{{customdata}}: %{{y:.2f}} dB<extra></extra>",
            )
    fig.update_xaxes(style.step_axis(d.step.values))
    fig.update_yaxes(title="PSNR (dB)")
    if d.attrs["best_step"]:
        style.vertical(fig, d.attrs["best_step"], "best step")
    return fig


def describe(d: xr.Dataset) -> str:
    """The figure in one sentence, for those who cannot see it."""
    told = [f"{text.decibels(level.psnr)} on {level.samples}" for level in d.attrs["levels"]]
    part = " The curves are measured on a part of the samples." if d.attrs["part"] else ""
    return (
        f"PSNR over training; the network of step {text.count(d.attrs['network_step'])} has "
        f"{', '.join(told) if told else 'an unknown one'}.{part} Best step: {d.attrs['reason']}."
    )
