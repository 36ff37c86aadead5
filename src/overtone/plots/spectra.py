"""Power per band of target, prediction, residual and noise floor, at one step."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from overtone.plots import _bands as bands
from overtone.plots import _labels as text
from overtone.plots import _style as style
from overtone.records import metrics

_LINES = (
    ("target", "target", style.TARGET, "solid"),
    ("prediction", "prediction", style.PREDICTION, "solid"),
    ("residual", "residual (target − prediction)", style.RESIDUAL, "solid"),
    ("noise", "noise floor", style.NOISE, "dash"),
)


def data(record: xr.Dataset, step: int | None = None) -> xr.Dataset:
    """Power per band without the mean, summed over channels, at the recorded step nearest to `step`.

    If that is None, at the step of the network handed back (`metrics.network_step`).

    The prediction's power follows from what is recorded: |f|^2 = |f - t|^2 - |t|^2 + 2 Re<f, t>, where t is the target.

    Returns:
        A dataset over `band` with `frequency`, `target`, `prediction`, `residual` and `noise` (NaN where unknown), all
        powers in the value unit squared; attribute `step`.
    """
    bands.require_rows(record, "spectra")
    row = record.sel(step=metrics.network_step(record) if step is None else step, method="nearest")
    row = metrics.combine_channels(row)
    target, residual = row.target_power, row.residual_power
    prediction = (residual - target + 2 * row.cross_power).clip(min=0)
    noise = row.noise_power if "noise_power" in row else xr.full_like(target, np.nan)
    columns = {"target": target, "prediction": prediction, "residual": residual, "noise": noise}
    columns["frequency"] = xr.DataArray(bands.centres(record), dims="band")
    kept = bands.varying(record)
    out = xr.Dataset({name: ("band", np.asarray(v, float)[kept]) for name, v in columns.items()})
    return out.assign_attrs(
        step=int(row.step),
        frequency_title=bands.title(record),
        power_unit=text.squared(str(record.attrs.get("value_unit", ""))),
        nyquist=bands.nyquist(record),
    )


def figure(record: xr.Dataset, step: int | None = None) -> go.Figure:
    """Both axes logarithmic; one point a band. The powers add up to the variance of the values."""
    d = data(record, step)
    fig = style.canvas()
    shown = [d[name].values for name, *_ in _LINES]
    frequency = d.frequency.values
    for (name, label, colour, dash), values in zip(_LINES, shown, strict=True):
        if not np.any(values > 0):
            continue
        line = {"color": colour, "width": 2, "dash": dash}
        mode = "lines" if name == "noise" else "lines+markers"
        y = np.where(values > 0, values, np.nan)
        hover = f"{label}: %{{y:.3g}}<br>frequency %{{x:.3g}}<extra></extra>"
        fig.add_scatter(
            x=frequency, y=y, name=label, mode=mode, line=line, marker={"size": 5}, hovertemplate=hover
        )
    fig.update_xaxes(style.log_axis(frequency.min(), frequency.max(), d.attrs["frequency_title"], 0.03))
    fig.update_yaxes(style.power_axis(shown, f"Power in the band ({d.attrs['power_unit']})"))
    if d.attrs["nyquist"] and d.attrs["nyquist"] < 1.05 * frequency.max():
        style.vertical(fig, d.attrs["nyquist"], "Nyquist")
    return fig


def describe(d: xr.Dataset) -> str:
    """The figure in one sentence, for those who cannot see it."""
    left, whole = float(d.residual.sum(skipna=False)), float(d.target.sum())
    share = text.percent(left / whole) if whole > 0 else "an unknown share"
    if not np.isfinite(left):
        return f"Power per frequency band; what is left at step {text.count(d.attrs['step'])} is not finite."
    return (
        f"Power per frequency band at step {text.count(d.attrs['step'])}: the residual holds {text.number(left)} "
        f"{d.attrs['power_unit']}, {share} of the target's {text.number(whole)}, the mean left out."
    )
