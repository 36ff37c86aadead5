"""The training loss and the mean square errors over steps."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from overtone.plots import _bands as bands
from overtone.plots import _labels as text
from overtone.plots import _style as style

_ERRORS = (
    ("train_error", "training samples", style.TRAIN),
    ("held_out_error", "held-out samples", style.HELD_OUT),
    ("clean_error", "against the clean reference", style.CLEAN),
)


def data(record: xr.Dataset) -> xr.Dataset:
    """The loss, in the unit it was trained in, and the mean square errors, in the value unit squared.

    Returns:
        A dataset over `step` with `loss`, `train_error`, `held_out_error` and `clean_error`, NaN where unknown.
    """
    bands.require_rows(record, "loss")
    empty = np.full(record.sizes["step"], np.nan)
    names = ("loss", *(name for name, *_ in _ERRORS))
    columns = {name: ("step", np.asarray(record[name], float) if name in record else empty) for name in names}
    unit = text.squared(str(record.attrs.get("value_unit", "")))
    return xr.Dataset(columns, coords={"step": record.step.values}).assign_attrs(unit=unit)


def figure(record: xr.Dataset) -> go.Figure:
    """Loss above, mean square errors below, all axes logarithmic: the two need not share a unit."""
    d = data(record)
    x = style.positions(d.step.values)
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


def describe(d: xr.Dataset) -> str:
    """The figure in one sentence, for those who cannot see it."""
    known = d.loss.dropna("step")
    if not known.sizes["step"]:
        return f"No loss was recorded up to step {text.count(float(d.step[-1]))}."
    if known.sizes["step"] == 1:
        only = f"{text.number(float(known[0]))} at step {text.count(float(known.step[0]))}"
        return f"The training loss is known once: {only}."
    first, last = (
        f"{text.number(float(v)) if np.isfinite(v) else 'no finite number'} at step {text.count(float(v.step))}"
        for v in (known[0], known[-1])
    )
    if np.isinf(float(known[-1])):
        return f"The training loss begins at {first} and is not finite at step {text.count(float(known[-1].step))}."
    return f"The training loss goes from {first} to {last}."
