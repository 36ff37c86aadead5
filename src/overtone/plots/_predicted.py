"""Predicted learning steps beside measured ones."""

from __future__ import annotations

from typing import final

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import ArrayLike

from overtone._utils.text import count, plural
from overtone.plots import _bands as bands
from overtone.plots import _style as style
from overtone.plots._base import Plot
from overtone.records import metrics

NEAR = 1.5
"""The factor around equality that `against` shades."""


@final
class PredictedSteps(Plot):
    """Predicted learning steps over frequency, beside measured ones or against them.

    Predicted and measured learning steps on the bands of the prediction.

    Args:
        predicted: A record of origin "predicted"; channels are put together, bands without content left out.
        earliest: (band,) earliest learning steps, NaN where unknown; the predicted ones if None.
        latest: (band,) latest ones.
        measured: A measured record of the same signal, or None.

    Attributes:
        data: A dataset over `band` with `predicted`, `earliest`, `latest`, `measured` (NaN where the centre of a
            predicted band lies in no measured one), `frequency` (as drawn) and `centre`; over `measured_band` all of
            `measured_step` and `measured_frequency`. Attributes `pilot`, `last_step` and `frequency_title`.

    Example:
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> header = records.Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"peak": 1.0})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))[..., None]
        >>> record = header.record([0, 10, 100], {"residual_power": residual, "train_error": residual.mean((1, 2))})
        >>> plots.PredictedSteps(record).data.predicted.values.tolist()
        [10.0, 100.0]
    """

    def __init__(
        self,
        predicted: xr.Dataset,
        earliest: ArrayLike | None = None,
        latest: ArrayLike | None = None,
        measured: xr.Dataset | None = None,
    ) -> None:
        bands.require_rows(predicted, "learning step")
        shown = bands.varying_bands(predicted)
        steps = _steps(predicted)
        out = xr.Dataset(
            {
                "frequency": ("band", bands.centres(predicted)[shown]),
                "centre": (
                    "band",
                    0.5
                    * (np.asarray(predicted.band_low, float) + np.asarray(predicted.band_high, float))[shown],
                ),
                "predicted": ("band", steps[shown]),
                "earliest": ("band", (steps if earliest is None else np.asarray(earliest, float))[shown]),
                "latest": ("band", (steps if latest is None else np.asarray(latest, float))[shown]),
                "measured": ("band", np.full(int(shown.sum()), np.nan)),
                "measured_frequency": ("measured_band", np.empty(0)),
                "measured_step": ("measured_band", np.empty(0)),
            }
        )
        attrs = {
            "pilot": int(predicted.attrs.get("pilot") or 0),
            "last_step": int(predicted.step[-1]),
            "frequency_title": bands.title(predicted),
        }
        if measured is not None:
            varying, measured_steps = bands.varying_bands(measured), _steps(measured)
            centres = np.asarray(predicted.band, float)[shown]
            # Measured bands may be others than predicted ones; all are drawn, and pairs are formed by the centres.
            out = out.drop_dims("measured_band").assign(
                measured=("band", _matched(centres, measured, measured_steps)),
                measured_frequency=("measured_band", bands.centres(measured)[varying]),
                measured_step=("measured_band", measured_steps[varying]),
            )
        self.data = out.assign_attrs(attrs)

    def plotly(self) -> go.Figure:
        """Draw the learning step over frequency, both logarithmic; bars from the earliest to the latest step."""
        d = self.data
        fig = style.canvas()
        done = np.isfinite(d.measured_step.values)
        if done.any():
            _points(
                fig,
                "measured",
                d.measured_frequency.values[done],
                d.measured_step.values[done],
                style.RESIDUAL,
            )
        known = np.isfinite(d.predicted.values)
        x, y = d.frequency.values[known], d.predicted.values[known]
        low, high = d.earliest.values[known], d.latest.values[known]
        _points(fig, "predicted", x, y, style.PREDICTION)
        fig.data[-1].error_y = {
            "type": "data",
            "symmetric": False,
            "array": np.where(np.isfinite(high), np.maximum(high - y, 0), 0),
            "arrayminus": np.where(np.isfinite(low), np.maximum(y - low, 0), 0),
            "thickness": 1.2,
        }
        if d.attrs["pilot"] > 1:
            fig.add_hline(y=d.attrs["pilot"], line={"color": style.TARGET, "dash": "dot", "width": 1})
            fig.add_annotation(
                x=1,
                xref="paper",
                xanchor="right",
                y=float(np.log10(d.attrs["pilot"])),
                yanchor="top",
                text="pilot ends",
                showarrow=False,
                font={"color": style.TARGET},
            )
        shown = np.concatenate(
            [y, high[np.isfinite(high)], d.measured_step.values[done], [d.attrs["last_step"]]]
        )
        frequencies = np.concatenate([d.frequency.values, d.measured_frequency.values])
        fig.update_xaxes(
            style.log_axis(frequencies.min(), frequencies.max(), d.attrs["frequency_title"], 0.05)
        )
        fig.update_yaxes(style.step_axis(np.unique(shown), "Learning step", pad=0.1))
        return fig

    def against(self) -> go.Figure:
        """Draw predicted over measured learning steps, both logarithmic, with equality and a factor of 1.5 about it.

        Bands are labelled by their centres; those learned during the pilot are hollow.
        """
        d = self.data
        fig = style.canvas(440)
        both = np.isfinite(d.predicted.values) & np.isfinite(d.measured.values) & (d.measured.values > 0)
        x, y = d.measured.values[both], np.maximum(d.predicted.values[both], 1)
        centre = d.centre.values[both]
        ends = (
            np.array([min(x.min(), y.min()) / 2, max(x.max(), y.max()) * 2])
            if both.any()
            else np.array([1.0, 10.0])
        )
        fig.add_scatter(
            x=np.concatenate([ends, ends[::-1]]),
            y=np.concatenate([ends * NEAR, ends[::-1] / NEAR]),
            fill="toself",
            fillcolor="rgba(128,128,128,0.15)",
            line={"width": 0},
            mode="lines",
            name=f"within a factor of {NEAR:g}",
            hoverinfo="skip",
        )
        fig.add_scatter(
            x=ends, y=ends, mode="lines", name="equal", line={"color": style.TARGET, "dash": "dash"}
        )
        # Bands learned during the pilot are measured in it: their agreement proves nothing, so they are hollow.
        later = x > d.attrs["pilot"]
        for some, name, symbol in (
            (later, "predicted", "circle"),
            (~later, "learned in the pilot", "circle-open"),
        ):
            if some.any():
                fig.add_scatter(
                    x=x[some],
                    y=y[some],
                    customdata=centre[some],
                    text=[
                        f"{c:.3g}" if d.attrs["pilot"] < m else ""
                        for c, m in zip(centre[some], x[some], strict=True)
                    ],
                    textposition="top left",
                    name=name,
                    mode="markers+text",
                    marker={"color": style.PREDICTION, "size": 9, "symbol": symbol},
                    hovertemplate="frequency %{customdata:.3g}<br>measured %{x}, predicted %{y}<extra></extra>",
                )
        fig.update_xaxes(style.log_axis(ends[0], ends[1], "Measured learning step"))
        fig.update_yaxes(style.log_axis(ends[0], ends[1], "Predicted learning step"))
        return fig

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        steps = self.data.predicted.values[np.isfinite(self.data.predicted.values)]
        if not steps.size:
            return f"No band is predicted to be learned by step {count(self.data.attrs['last_step'])}."
        measured = int(np.isfinite(self.data.measured_step.values).sum())
        beside = f", beside {plural(measured, 'measured one')}" if measured else ""
        return (
            f"Predicted learning steps of {plural(steps.size, 'band')}, from step {count(float(steps.min()))} to "
            f"{count(float(steps.max()))}{beside}."
        )


def _points(fig: go.Figure, name: str, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    fig.add_scatter(
        x=x,
        y=style.step_positions(y),
        customdata=y,
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 1},
        marker={"color": colour, "size": 7},
        hovertemplate="frequency %{x:.3g}: step %{customdata}<extra>" + name + "</extra>",
    )


def _steps(record: xr.Dataset) -> np.ndarray:
    return np.asarray(metrics.learning_step(metrics.combine_channels(record)), float)


def _matched(centres: np.ndarray, measured: xr.Dataset, steps: np.ndarray) -> np.ndarray:
    """Return the learning step of the measured band that holds each centre."""
    low, high = np.asarray(measured.band_low, float), np.asarray(measured.band_high, float)
    holds = (low[None] <= centres[:, None]) & (centres[:, None] < high[None])
    return np.where(holds.any(1), steps[holds.argmax(1)], np.nan)
