"""Order in which frequencies are learned: over steps, and as a power law of the learning step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from overtone._utils.text import count, plural
from overtone.plots import _bands as bands
from overtone.plots import _style as style
from overtone.plots._base import Plot
from overtone.plots._labels import tick
from overtone.records import concat, metrics
from overtone.records.metrics._bands import corner_bands, has_content
from overtone.records.metrics._errors import Evidence


@final
class LearningOrder(Plot):
    """Heat map of the relative error per band and step: the order in which frequencies are learned.

    Relative error per band and step, channels taken together, and what is marked over it.

    Args:
        record: A record with at least one row.
        threshold: Relative error below which a band counts as learned.

    Attributes:
        data: A dataset with `relative_error` (step, band), `learning_step` of the returned network (band; NaN
            where not learned), `content` (band; whether there is anything to learn), `frequency` (band),
            `frequency_edge` (band + 1) and `step_edge` (step + 1), both positive; attributes `nyquist`,
            `noise_crossing` and `best_step` (None where unknown), `threshold`, `frequency_title` and `mean` (whether
            the lowest band holds the mean).

    Example:
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> header = records.Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"peak": 1.0})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))[..., None]
        >>> record = header.record([0, 10, 100], {"residual_power": residual, "train_error": residual.mean((1, 2))})
        >>> plot = plots.LearningOrder(record)
        >>> plot.data.relative_error.shape, plot.data.learning_step.values.tolist()
        ((3, 3), [nan, 10.0, 100.0])
    """

    def __init__(self, record: xr.Dataset, threshold: float = 0.5) -> None:
        bands.require_rows(record, "learning order")
        together = metrics.combine_channels(record)
        error = metrics.relative_error(together).transpose("step", "band")
        learned = metrics.learning_step(metrics.until_network(together), threshold)
        stop = metrics.stop(record)
        out = xr.Dataset(
            {
                "relative_error": (("step", "band"), np.asarray(error, float)),
                "learning_step": ("band", np.asarray(learned, float)),
                "content": ("band", np.asarray(has_content(together))),
                "frequency": ("band", bands.centres(record)),
                "frequency_edge": ("edge", bands.edges(record)),
                "step_edge": ("moment", _step_edges(record.step.values)),
            },
            coords={"step": record.step.values},
        )
        self.data = out.assign_attrs(
            nyquist=bands.radial_nyquist(record),
            noise_crossing=bands.noise_crossing(record),
            best_step=None if stop.evidence is Evidence.NONE else stop.step,
            threshold=threshold,
            frequency_title=bands.title(record),
            mean=bool(record.band_low[0] == 0),
            network_step=metrics.network_step(record),
        )

    def plotly(self) -> go.Figure:
        """Draw the heat map over logarithmic steps and frequencies; dark is learned. Colours end at 0 and 1."""
        d = self.data
        fig = style.canvas(460)
        error, x, y = d.relative_error.values.T, d.step_edge.values, d.frequency_edge.values
        fig.add_heatmap(
            # Float32 halves the size of the page, and colours end at 1 while the label shows the error itself.
            z=np.clip(error, 0, 1).astype(np.float32),
            customdata=error.astype(np.float32),
            x=x,
            y=y,
            zmin=0,
            zmax=1,
            colorscale=style.ERROR_SCALE,
            colorbar={
                "title": {"text": "Relative error", "side": "right"},
                "thickness": 12,
                "outlinewidth": 0,
            },
            hovertemplate="step %{x:.4g}<br>frequency %{y:.3g}<br>relative error %{customdata:.3f}<extra></extra>",
        )
        content = d.content.values
        learned = d.learning_step.values[content]
        place = np.where(
            learned > 0, learned, np.where(learned == 0, style.step_positions(d.step.values)[0], np.nan)
        )
        # A white line in a black casing is visible on dark and on bright cells alike.
        for colour, width, casing in (("#000000", 5, True), ("#ffffff", 2.5, False)):
            fig.add_scatter(
                x=place,
                y=d.frequency.values[content],
                mode="lines+markers",
                line={"color": colour, "width": width},
                marker={"size": width + 2, "color": colour},
                showlegend=False,
                hoverinfo="skip" if casing else None,
                hovertemplate=None
                if casing
                else "learned at step %{x:.4g}<br>frequency %{y:.3g}<extra></extra>",
            )
        fig.update_xaxes(style.step_axis(d.step.values, edges=x))
        fig.update_yaxes(_frequency_axis(d))
        fig.update_layout(margin_t=12)
        nyquist, crossing = d.attrs["nyquist"], d.attrs["noise_crossing"]
        if nyquist and y[0] < nyquist < y[-1] * 1.001:
            # Close labels would overlap on narrow screens; the corner beyond Nyquist has room for one.
            close = bool(crossing) and nyquist < 1.5 * crossing and y[-1] > 1.3 * nyquist
            style.horizontal(fig, nyquist, "Nyquist", above=close)
        if crossing:
            style.horizontal(fig, crossing, "more noise than signal above", "left")
        if d.attrs["best_step"] and d.attrs["best_step"] < d.step.values[-1]:
            style.vertical(fig, d.attrs["best_step"], "best step")
        return fig

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        varying = slice(1 if d.attrs["mean"] and d.sizes["band"] > 1 else 0, None)
        learned, whole = int(np.isfinite(d.learning_step[varying]).sum()), int(d.content[varying].sum())
        rows = plural(d.sizes["step"], "recorded step")
        at, last = d.attrs["network_step"], float(d.step[-1])
        stays = (
            "for good"
            if at == last
            else f"and stays there up to step {count(at)}, whose network was restored"
        )
        mean = "the mean and " if d.attrs["mean"] else ""
        return (
            f"Relative error of {mean}{plural(whole, 'frequency band')} at {rows}: dark is learned, bright is not. "
            f"The white line marks where a band's error falls below {d.attrs['threshold']:g} {stays}: "
            f"{learned} of {plural(whole, 'band')} by step {count(at)}."
        )


@final
class LearningStep(Plot):
    """Growth of the learning step with frequency, and the power law fitted to it.

    Learning step per band and run, and the exponent p of learning step ~ frequency^p, see `metrics.exponent`.

    Args:
        records: One record, or runs with the same bands (seeds); channels are put together, and the
            mean and bands with nothing to learn are left out.
        threshold: Relative error below which a band counts as learned.

    Attributes:
        data: A dataset with `learning_step` of the returned networks (run, band; NaN where not learned),
            `frequency` (band) and `last_step` (run), the step of those networks; attributes `exponent`, `low`,
            `high` (NaN where they cannot be fitted), `offset` (natural logarithm of the fitted step at frequency 1)
            and `fitted_runs`.

    Example:
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> header = records.Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"peak": 1.0})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))[..., None]
        >>> record = header.record([0, 10, 100], {"residual_power": residual, "train_error": residual.mean((1, 2))})
        >>> plots.LearningStep(record).data.learning_step.values.tolist()
        [[10.0, 100.0]]
    """

    def __init__(self, records: xr.Dataset | Sequence[xr.Dataset], threshold: float = 0.5) -> None:
        runs = _runs(records) if isinstance(records, xr.Dataset) else list(records)
        for record in runs:
            bands.require_rows(record, "learning step")
        # The attributes of joined runs are merged, so that the step of each run's network is not known.
        if not isinstance(records, xr.Dataset) or len(runs) == 1:
            runs = [metrics.until_network(record) for record in runs]
        shown = bands.varying_bands(runs[0])
        frequency = bands.centres(runs[0])[shown]
        learned = np.stack(
            [
                np.asarray(metrics.learning_step(metrics.combine_channels(r), threshold), float)[shown]
                for r in runs
            ]
        )
        law = metrics.exponent(runs[0] if len(runs) == 1 else concat(runs), threshold)
        # Bands that the first row finds learned were so at an unknown earlier step: `exponent` leaves them out, too.
        known = learned > np.array([[int(r.step[0])] for r in runs])
        usable = np.isfinite(learned) & known & ~np.asarray(corner_bands(runs[0]))[shown]
        x, y = np.log(np.broadcast_to(frequency, learned.shape)[usable]), np.log(learned[usable])
        offset = float(np.mean(y - law.value * x)) if y.size and np.isfinite(law.value) else np.nan
        out = xr.Dataset(
            {
                "learning_step": (("run", "band"), learned),
                "frequency": ("band", frequency),
                "last_step": ("run", [int(r.step[-1]) for r in runs]),
            }
        )
        self.data = out.assign_attrs(
            exponent=law.value,
            low=law.low,
            high=law.high,
            offset=offset,
            fitted_runs=law.runs,
            threshold=threshold,
            frequency_title=bands.title(runs[0]),
        )

    def plotly(self) -> go.Figure:
        """Draw the learning step over frequency, both logarithmic; hollow triangles are bands not learned yet."""
        d = self.data
        fig, frequency = style.canvas(), d.frequency.values
        for run in range(d.sizes["run"]):
            steps = d.learning_step.values[run]
            colour = style.RUNS[run % len(style.RUNS)]
            done = np.isfinite(steps)
            name = "learned" if d.sizes["run"] == 1 else f"run {run + 1}"
            if done.any():
                y = style.step_positions(steps[done])
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
                # Bands not learned are drawn at the last step, as a lower bound.
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

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        done = int(np.isfinite(d.learning_step).sum())
        every, last = d.learning_step.size, d.last_step.values
        by = f"step {count(float(last[0]))}" if np.unique(last).size == 1 else "the end of their runs"
        head = (
            f"{done} of {plural(every, 'band')} {'has' if done == 1 else 'have'} reached a relative error below "
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


def _step_edges(steps: np.ndarray) -> np.ndarray:
    place = style.step_positions(steps)
    if place.size == 1:
        return place[0] * np.array([0.7, 1.4])
    # Cells of the heat map meet halfway between steps on the logarithmic axis.
    middle = np.sqrt(place[1:] * place[:-1])
    return np.concatenate([[place[0] ** 2 / middle[0]], middle, [place[-1] ** 2 / middle[-1]]])


def _frequency_axis(d: xr.Dataset) -> dict[str, Any]:
    """Return the logarithmic axis of the bands; the lowest one is labelled "mean" if it holds the mean."""
    edge = d.frequency_edge.values
    axis = style.log_axis(float(edge[0]), float(edge[-1]), d.attrs["frequency_title"])
    if d.attrs["mean"] and edge.size > 2:
        # Ticks inside the band of the mean would read as frequencies that are not there.
        shown = [v for v in axis["tickvals"] if v > edge[1] * 1.1]
        axis["tickvals"] = [float(np.sqrt(edge[0] * edge[1])), *shown]
        axis["ticktext"] = ["mean", *(tick(v) for v in shown)]
    return axis


def _runs(record: xr.Dataset) -> list[xr.Dataset]:
    """Return the runs that `records.concat` joined, or the single one."""
    joined = [str(d) for d in record.residual_power.dims if d not in ("step", "band", "channel")]
    return (
        [record.isel({joined[0]: i}, drop=True) for i in range(record.sizes[joined[0]])]
        if joined
        else [record]
    )


def _draw_fit(fig: go.Figure, d: xr.Dataset) -> None:
    used = (d.learning_step.values > 0).any(axis=0)
    x = d.frequency.values[used][[0, -1]]
    y = np.exp(d.attrs["offset"]) * x ** d.attrs["exponent"]
    name = f"∝ frequency<sup>{d.attrs['exponent']:.2f}</sup>"
    fig.add_scatter(
        x=x, y=y, name=name, mode="lines", line={"color": style.TARGET, "dash": "dash"}, hoverinfo="skip"
    )
