"""How the learning step grows with frequency, and the power law through it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from overtone.plots import _bands as bands
from overtone.plots import _labels as text
from overtone.plots import _style as style
from overtone.records import concat, metrics


def data(records: xr.Dataset | Sequence[xr.Dataset], threshold: float = 0.5) -> xr.Dataset:
    """Learning step per band and run, and the exponent p of learning step ~ frequency^p, see `metrics.exponent`.

    Args:
        records: One record, or several with the same bands (seeds); channels are put together, and the
            mean and bands with nothing to learn are left out.
        threshold: Relative error below which a band counts as learned.

    Returns:
        A dataset with `learning_step` of the networks handed back (run, band; NaN where not learned), `frequency`
        (band) and `last_step` (run), the step of those networks;
        attributes `exponent`, `low`, `high` (NaN where they cannot be fitted), `offset` (natural logarithm of the
        fitted step at frequency 1) and `fitted_runs`.
    """
    several = _runs(records) if isinstance(records, xr.Dataset) else list(records)
    for record in several:
        bands.require_rows(record, "learning step")
    if not isinstance(records, xr.Dataset) or len(several) == 1:
        several = [metrics.until_network(record) for record in several]
    kept = bands.varying(several[0])
    frequency = bands.centres(several[0])[kept]
    learned = np.stack(
        [
            np.asarray(metrics.learning_step(metrics.combine_channels(r), threshold), float)[kept]
            for r in several
        ]
    )
    law = metrics.exponent(several[0] if len(several) == 1 else concat(several), threshold)
    known = learned > np.array([[int(r.step[0])] for r in several])
    usable = np.isfinite(learned) & known & ~np.asarray(metrics.corner_bands(several[0]))[kept]
    x, y = np.log(np.broadcast_to(frequency, learned.shape)[usable]), np.log(learned[usable])
    offset = float(np.mean(y - law.value * x)) if y.size and np.isfinite(law.value) else np.nan
    out = xr.Dataset(
        {
            "learning_step": (("run", "band"), learned),
            "frequency": ("band", frequency),
            "last_step": ("run", [int(r.step[-1]) for r in several]),
        }
    )
    return out.assign_attrs(
        exponent=law.value,
        low=law.low,
        high=law.high,
        offset=offset,
        fitted_runs=law.runs,
        threshold=threshold,
        frequency_title=bands.title(several[0]),
    )


def _runs(record: xr.Dataset) -> list[xr.Dataset]:
    """The runs that `records.concat` joined, or the one there is."""
    joined = [str(d) for d in record.residual_power.dims if d not in ("step", "band", "channel")]
    return (
        [record.isel({joined[0]: i}, drop=True) for i in range(record.sizes[joined[0]])]
        if joined
        else [record]
    )


def figure(records: xr.Dataset | Sequence[xr.Dataset], threshold: float = 0.5) -> go.Figure:
    """Frequency to the right, learning step upwards, both logarithmic; hollow triangles are bands not learned yet."""
    d = data(records, threshold)
    fig, frequency = style.canvas(), d.frequency.values
    for run in range(d.sizes["run"]):
        steps = d.learning_step.values[run]
        colour = style.RUNS[run % len(style.RUNS)]
        done = np.isfinite(steps)
        name = "learned" if d.sizes["run"] == 1 else f"run {run + 1}"
        if done.any():
            y = style.positions(steps[done])
            marker = {"color": colour, "size": 8}
            hover = "frequency %{x:.3g}<br>learned at step %{customdata}<extra></extra>"
            fig.add_scatter(
                x=frequency[done],
                y=y,
                customdata=steps[done],
                name=name,
                mode="markers",
                marker=marker,
                hovertemplate=hover,
            )
        if not done.all():
            last = np.full((~done).sum(), float(max(1, d.last_step.values[run])))
            marker = {"color": colour, "size": 9, "symbol": "triangle-up-open"}
            hover = "frequency %{x:.3g}<br>not learned by step %{y}<extra></extra>"
            fig.add_scatter(
                x=frequency[~done],
                y=last,
                name="not learned yet",
                mode="markers",
                marker=marker,
                hovertemplate=hover,
                showlegend=run == 0,
            )
    if np.isfinite(d.attrs["exponent"]):
        _draw_fit(fig, d)
    steps = d.learning_step.values
    shown = np.append(steps[np.isfinite(steps)], d.last_step.values)
    fig.update_xaxes(style.log_axis(frequency.min(), frequency.max(), d.attrs["frequency_title"], 0.05))
    fig.update_yaxes(style.step_axis(np.unique(shown), "Learning step", pad=0.1))
    return fig


def _draw_fit(fig: go.Figure, d: xr.Dataset) -> None:
    used = (d.learning_step.values > 0).any(axis=0)
    x = d.frequency.values[used][[0, -1]]
    y = np.exp(d.attrs["offset"]) * x ** d.attrs["exponent"]
    name = f"∝ frequency<sup>{d.attrs['exponent']:.2f}</sup>"
    fig.add_scatter(
        x=x, y=y, name=name, mode="lines", line={"color": style.TARGET, "dash": "dash"}, hoverinfo="skip"
    )


def describe(d: xr.Dataset) -> str:
    """The figure in one sentence, for those who cannot see it."""
    done = int(np.isfinite(d.learning_step).sum())
    every, last = d.learning_step.size, d.last_step.values
    by = f"step {text.count(float(last[0]))}" if np.unique(last).size == 1 else "the end of their runs"
    head = (
        f"{done} of {text.plural(every, 'band')} {'has' if done == 1 else 'have'} come to a relative error below "
        f"{d.attrs['threshold']:g} by {by} and stayed there."
    )
    if not np.isfinite(d.attrs["exponent"]):
        return f"{head} Too few of them were learned after the first row for a power law."
    goes = "grows" if d.attrs["exponent"] > 0 else "falls"
    law = f"{head} The learning step {goes} as frequency to the power {d.attrs['exponent']:.2f}"
    if not np.isfinite(d.attrs["low"]):
        return f"{law} (too few bands for an interval)."
    over = "over the runs" if d.attrs["fitted_runs"] > 1 else "over the bands of this run"
    return f"{law} (95 % interval {d.attrs['low']:.2f} to {d.attrs['high']:.2f}, {over})."
