"""Errors over training: PSNR, the loss and mean square errors."""

from __future__ import annotations

from typing import final

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from overtone._utils.text import count, decibels, number
from overtone.plots import _bands as bands
from overtone.plots import _style as style
from overtone.plots._base import Plot
from overtone.plots._labels import squared
from overtone.plots._wording import level_samples, stop_reason
from overtone.records import metrics
from overtone.records.metrics._errors import Evidence, has_psnr

LINES = (
    ("train", "training samples", style.TRAIN),
    ("held_out", "held-out samples", style.HELD_OUT),
    ("held_out_clean", "against the clean reference", style.CLEAN),
)

_ERRORS = (
    ("train_error", "training samples", style.TRAIN),
    ("held_out_error", "held-out samples", style.HELD_OUT),
    ("clean_error", "against the clean reference", style.CLEAN),
)


@final
class PSNR(Plot):
    """Peak signal-to-noise ratio over training.

    The curves of `metrics.psnr` in dB (training samples, held-out samples, clean reference) and the best step.

    Attributes:
        data: A dataset over `step` with `train`, `held_out` and `held_out_clean`, NaN where unknown, and everywhere in
            records of labels, which have no PSNR; attributes `best_step` (None without evidence), `stop`
            (`metrics.stop`), `levels` (`metrics.levels` of the returned network), `network_step`, and `part`,
            whether rows are measured on a part of the samples.

    Raises:
        InputError: If the record has no rows.

    Example:
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> header = records.Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"peak": 1.0})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))[..., None]
        >>> record = header.record([0, 10, 100], {"residual_power": residual, "train_error": residual.mean((1, 2))})
        >>> plots.PSNR(record).data.train.values.round(1).tolist()
        [0.0, 5.0, 13.5]
    """

    def __init__(self, record: xr.Dataset) -> None:
        bands.require_rows(record, "PSNR")
        stop = metrics.stop(record)
        curves = (
            metrics.psnr(record)
            if has_psnr(record)
            else {name: np.full(record.sizes["step"], np.nan) for name, *_ in LINES}
        )
        columns = {name: ("step", np.asarray(curves[name], float)) for name, *_ in LINES}
        # Without evidence the last step is no finding and gets no mark.
        best = None if stop.evidence is Evidence.NONE else stop.step
        geometry = record.attrs.get("geometry")
        self.data = xr.Dataset(columns, coords={"step": record.step.values}).assign_attrs(
            best_step=best,
            stop=stop,
            levels=metrics.levels(record),
            network_step=metrics.network_step(record),
            part=isinstance(geometry, dict) and geometry.get("measured_whole") is False,
            averaged=record.attrs.get("averaged") is True,
        )

    def plotly(self) -> go.Figure:
        """Draw PSNR in dB over steps, which are logarithmic; higher is better."""
        d = self.data
        fig = style.canvas()
        fig.update_layout(showlegend=True)
        for name, label, colour in LINES:
            y = d[name].values
            if np.isfinite(y).any():
                fig.add_scatter(
                    x=style.step_positions(d.step.values),
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

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        levels = [f"{decibels(level.psnr)} on {level_samples(level)}" for level in d.attrs["levels"]]
        part = " The curves are measured on a part of the samples." if d.attrs["part"] else ""
        if d.attrs["averaged"]:
            part += " They are those of the weights in training; that network has averaged weights."
        return (
            f"PSNR over training; the network of step {count(d.attrs['network_step'])} has "
            f"{', '.join(levels) if levels else 'an unknown one'}.{part} Best step: {stop_reason(d.attrs['stop'])}."
        )


@final
class Loss(Plot):
    """Training loss and mean square errors over steps.

    The loss, in the unit it was trained in, and the mean square errors, in the value unit squared.

    Attributes:
        data: A dataset over `step` with `loss`, `train_error`, `held_out_error` and `clean_error`, NaN where unknown.

    Example:
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> header = records.Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"peak": 1.0})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))[..., None]
        >>> record = header.record([0, 10, 100], {"residual_power": residual, "train_error": residual.mean((1, 2))})
        >>> plots.Loss(record).data.train_error.values.round(2).tolist()
        [1.0, 0.32, 0.05]
    """

    def __init__(self, record: xr.Dataset) -> None:
        bands.require_rows(record, "loss")
        empty = np.full(record.sizes["step"], np.nan)
        names = ("loss", *(name for name, *_ in _ERRORS))
        columns = {
            name: ("step", np.asarray(record[name], float) if name in record else empty) for name in names
        }
        unit = squared(str(record.attrs.get("value_unit", "")))
        self.data = xr.Dataset(columns, coords={"step": record.step.values}).assign_attrs(unit=unit)

    def plotly(self) -> go.Figure:
        """Draw the loss above and mean square errors below, all axes logarithmic: the two need not share a unit."""
        d = self.data
        x = style.step_positions(d.step.values)
        # The loss may be of another kind than a mean square error, so that one axis cannot serve both.
        fig = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06)
        fig.update_layout(template=style.TEMPLATE, height=520)
        line = {"color": style.TARGET, "width": 2}
        hover = "step %{customdata}: %{y:.3g}"
        common = {"x": x, "customdata": d.step.values, "mode": "lines+markers", "marker": {"size": 4}}
        fig.add_scatter(
            y=d.loss.values,
            name="loss",
            line=line,
            row=1,
            col=1,
            hovertemplate=f"loss, {hover}<extra></extra>",
            **common,
        )
        for name, label, colour in _ERRORS:
            if np.isfinite(d[name]).any():
                y, template = d[name].values, f"{label}, {hover}<extra></extra>"
                fig.add_scatter(
                    y=y,
                    name=label,
                    line={"color": colour, "width": 2},
                    row=2,
                    col=1,
                    hovertemplate=template,
                    **common,
                )
        axis = style.step_axis(d.step.values)
        fig.update_xaxes(axis | {"title": {}}, row=1, col=1)
        fig.update_xaxes(axis, row=2, col=1)
        fig.update_yaxes(style.power_axis([d.loss.values], "Loss"), row=1, col=1)
        errors = [d[name].values for name, *_ in _ERRORS]
        fig.update_yaxes(style.power_axis(errors, f"Mean square error ({d.attrs['unit']})"), row=2, col=1)
        return fig

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        known = d.loss.dropna("step")
        if not known.sizes["step"]:
            return f"No loss was recorded up to step {count(float(d.step[-1]))}."
        if known.sizes["step"] == 1:
            only = f"{number(float(known[0]))} at step {count(float(known.step[0]))}"
            return f"The training loss is known once: {only}."
        first, last = (
            f"{number(float(v)) if np.isfinite(v) else 'no finite number'} at step {count(float(v.step))}"
            for v in (known[0], known[-1])
        )
        if np.isinf(float(known[-1])):
            return f"The training loss begins at {first} and is not finite at step {count(float(known[-1].step))}."
        return f"The training loss goes from {first} to {last}."
