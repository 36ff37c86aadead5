"""Which frequency is learned when: a heat map of relative error, band by band, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from overtone.plots import _bands as bands
from overtone.plots import _labels as text
from overtone.plots import _style as style
from overtone.records import metrics


def data(record: xr.Dataset, threshold: float = 0.5) -> xr.Dataset:
    """Relative error per band and step, channels taken together, and what is marked over it.

    Args:
        record: A record with at least one row.
        threshold: Relative error below which a band counts as learned.

    Returns:
        A dataset with `relative_error` (step, band), `learning_step` of the network handed back (band; NaN where not
        learned), `content` (band;
        whether there is anything to learn), `frequency` (band), `frequency_edge` (band + 1) and
        `step_edge` (step + 1), both positive; attributes `nyquist`, `noise_crossing` and `best_step` (None where
        unknown), `threshold`, `frequency_title` and `mean` (whether the lowest band holds the mean).
    """
    bands.require_rows(record, "learning order")
    together = metrics.combine_channels(record)
    error = metrics.relative_error(together).transpose("step", "band")
    learned = metrics.learning_step(metrics.until_network(together), threshold)
    stop = metrics.stop(record)
    out = xr.Dataset(
        {
            "relative_error": (("step", "band"), np.asarray(error, float)),
            "learning_step": ("band", np.asarray(learned, float)),
            "content": ("band", np.asarray(metrics.has_content(together))),
            "frequency": ("band", bands.centres(record)),
            "frequency_edge": ("edge", bands.edges(record)),
            "step_edge": ("moment", _step_edges(record.step.values)),
        },
        coords={"step": record.step.values},
    )
    return out.assign_attrs(
        nyquist=bands.nyquist(record),
        noise_crossing=bands.noise_crossing(record),
        best_step=None if stop.evidence is metrics.Evidence.NONE else stop.step,
        threshold=threshold,
        frequency_title=bands.title(record),
        mean=bool(record.band_low[0] == 0),
        network_step=metrics.network_step(record),
    )


def _step_edges(steps: np.ndarray) -> np.ndarray:
    where = style.positions(steps)
    if where.size == 1:
        return where[0] * np.array([0.7, 1.4])
    middle = np.sqrt(where[1:] * where[:-1])
    return np.concatenate([[where[0] ** 2 / middle[0]], middle, [where[-1] ** 2 / middle[-1]]])


def figure(record: xr.Dataset, threshold: float = 0.5) -> go.Figure:
    """Steps and frequencies logarithmic; dark is learned, bright is not. Colours end at 0 and 1."""
    d = data(record, threshold)
    fig = style.canvas(460)
    error, x, y = d.relative_error.values.T, d.step_edge.values, d.frequency_edge.values
    fig.add_heatmap(
        z=np.clip(error, 0, 1).astype(np.float32),
        customdata=error.astype(np.float32),
        x=x,
        y=y,
        zmin=0,
        zmax=1,
        colorscale=style.ERROR_SCALE,
        colorbar={"title": {"text": "Relative error", "side": "right"}, "thickness": 12, "outlinewidth": 0},
        hovertemplate="step %{x:.4g}<br>frequency %{y:.3g}<br>relative error %{customdata:.3f}<extra></extra>",
    )
    told = d.content.values
    learned = d.learning_step.values[told]
    where = np.where(learned > 0, learned, np.where(learned == 0, style.positions(d.step.values)[0], np.nan))
    for colour, width, casing in (("#000000", 5, True), ("#ffffff", 2.5, False)):
        fig.add_scatter(
            x=where,
            y=d.frequency.values[told],
            mode="lines+markers",
            line={"color": colour, "width": width},
            marker={"size": width + 2, "color": colour},
            showlegend=False,
            hoverinfo="skip" if casing else None,
            hovertemplate=None if casing else "learned at step %{x:.4g}<br>frequency %{y:.3g}<extra></extra>",
        )
    fig.update_xaxes(style.step_axis(d.step.values, edges=x))
    fig.update_yaxes(_frequency_axis(d))
    fig.update_layout(margin_t=12)
    if d.attrs["nyquist"] and y[0] < d.attrs["nyquist"] < y[-1] * 1.001:
        style.horizontal(fig, d.attrs["nyquist"], "Nyquist")
    if d.attrs["noise_crossing"]:
        style.horizontal(fig, d.attrs["noise_crossing"], "more noise than signal above", "left")
    if d.attrs["best_step"] and d.attrs["best_step"] < d.step.values[-1]:
        style.vertical(fig, d.attrs["best_step"], "best step")
    return fig


def _frequency_axis(d: xr.Dataset) -> dict[str, Any]:
    """The logarithmic axis of the bands; the lowest, which holds the mean, is labelled so."""
    edge = d.frequency_edge.values
    axis = style.log_axis(float(edge[0]), float(edge[-1]), d.attrs["frequency_title"])
    if d.attrs["mean"] and edge.size > 2:
        kept = [v for v in axis["tickvals"] if v > edge[1] * 1.1]
        axis["tickvals"] = [float(np.sqrt(edge[0] * edge[1])), *kept]
        axis["ticktext"] = ["mean", *(text.tick(v) for v in kept)]
    return axis


def describe(d: xr.Dataset) -> str:
    """The figure in one sentence, for those who cannot see it."""
    own = slice(1 if d.attrs["mean"] and d.sizes["band"] > 1 else 0, None)
    learned, whole = int(np.isfinite(d.learning_step[own]).sum()), int(d.content[own].sum())
    rows = text.plural(d.sizes["step"], "recorded step")
    at, last = d.attrs["network_step"], float(d.step[-1])
    stays = (
        "for good" if at == last else f"and stays there up to step {text.count(at)}, whose network was kept"
    )
    mean = "the mean and " if d.attrs["mean"] else ""
    return (
        f"Relative error of {mean}{text.plural(whole, 'frequency band')} at {rows}: dark is learned, bright is not. "
        f"The white line marks where a band's error falls below {d.attrs['threshold']:g} {stays}: "
        f"{learned} of {text.plural(whole, 'band')} by step {text.count(at)}."
    )
