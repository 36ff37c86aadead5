"""Spectra at one step: power per band, and any quantity over frequency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import ArrayLike

from overtone._utils.text import count, number, percent
from overtone.errors import InputError
from overtone.plots import _bands as bands
from overtone.plots import _style as style
from overtone.plots._base import Plot
from overtone.plots._labels import escaped, squared
from overtone.records import metrics

_LINES = (
    ("target", "target", style.TARGET, "solid"),
    ("prediction", "prediction", style.PREDICTION, "solid"),
    ("residual", "residual (target − prediction)", style.RESIDUAL, "solid"),
    ("noise", "noise floor", style.NOISE, "dash"),
)


@final
class Spectra(Plot):
    """Power per band of target, prediction, residual and noise floor, at one step.

    Power per band without the mean, summed over channels, at the recorded step nearest to `step`.

    If that is None, at the step of the returned network (`metrics.network_step`).

    The prediction's power follows from what is recorded: |f|^2 = |f - t|^2 - |t|^2 + 2 Re<f, t>, where t is the
    target.

    Attributes:
        data: A dataset over `band` with `frequency`, `target`, `prediction`, `residual` and `noise` (NaN where
            unknown), all powers in the value unit squared; attribute `step`.

    Example:
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> header = records.Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"peak": 1.0})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))[..., None]
        >>> record = header.record([0, 10, 100], {"residual_power": residual, "train_error": residual.mean((1, 2))})
        >>> plots.Spectra(record, step=10).data.residual.values.round(2).tolist()
        [0.14, 0.82]
    """

    def __init__(self, record: xr.Dataset, step: int | None = None) -> None:
        bands.require_rows(record, "spectra")
        row = record.sel(step=metrics.network_step(record) if step is None else step, method="nearest")
        row = metrics.combine_channels(row)
        target, residual = row.target_power, row.residual_power
        # Rounding can make a vanishing power slightly negative.
        prediction = (residual - target + 2 * row.cross_power).clip(min=0)
        noise = row.noise_power if "noise_power" in row else xr.full_like(target, np.nan)
        columns = {"target": target, "prediction": prediction, "residual": residual, "noise": noise}
        columns["frequency"] = xr.DataArray(bands.centres(record), dims="band")
        shown = bands.varying_bands(record)
        out = xr.Dataset({name: ("band", np.asarray(v, float)[shown]) for name, v in columns.items()})
        self.data = out.assign_attrs(
            step=int(row.step),
            frequency_title=bands.title(record),
            power_unit=squared(str(record.attrs.get("value_unit", ""))),
            nyquist=bands.radial_nyquist(record),
        )

    def plotly(self) -> go.Figure:
        """Draw one point per band on logarithmic axes. The powers add up to the variance of the values."""
        d = self.data
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

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        left, whole = float(d.residual.sum(skipna=False)), float(d.target.sum())
        share = percent(left / whole) if whole > 0 else "an unknown share"
        if not np.isfinite(left):
            return f"Power per frequency band; what is left at step {count(d.attrs['step'])} is not finite."
        return (
            f"Power per frequency band at step {count(d.attrs['step'])}: the residual holds {number(left)} "
            f"{d.attrs['power_unit']}, {share} of the target's {number(whole)}, the mean left out."
        )


@final
class BandPower(Plot):
    """Power per frequency band of several groups side by side, with intervals where they are known.

    What is drawn: the bands that vary, that of the mean left out.

    Args:
        band_low: (band,) lower edges.
        band_high: (band,) upper edges.
        groups: By name, (band,) powers, or three such rows: mean, lower and upper end of its interval.
        frequency_unit: What the edges are in, "cycles per ...".
        value_unit: What the power is the square of; "" if that has no unit.

    Attributes:
        data: A dataset over `group` and `band` with `power`, `low` and `high` (NaN where no interval is known) and
            `frequency`, the bands' centres; attributes `frequency_title` and `power_unit`.

    Raises:
        InputError: If there are no groups, or one is not of the bands' number.

    Example:
        >>> from overtone import plots
        >>> powers = {"data": [9, 2, 1], "samples": [9, 2, 0.5]}
        >>> plot = plots.BandPower([0, 1, 2], [1, 2, 4], powers, "cycles per pixel")
        >>> plot.data.power.sel(group="samples").values.tolist()
        [2.0, 0.5]
    """

    def __init__(
        self,
        band_low: ArrayLike,
        band_high: ArrayLike,
        groups: Mapping[str, ArrayLike | Sequence[ArrayLike]],
        frequency_unit: str,
        value_unit: str = "",
    ) -> None:
        low, high = np.asarray(band_low, float), np.asarray(band_high, float)
        if not groups:
            raise InputError("at least one group", "none", "pass powers by name", "band power")
        table = np.full((3, len(groups), low.size), np.nan)
        for i, (name, values) in enumerate(groups.items()):
            rows = np.asarray(values, float)
            if rows.shape not in ((low.size,), (3, low.size)):
                raise InputError(
                    f"{low.size} powers, or three rows of them (mean, lower, upper)",
                    f"shape {rows.shape}",
                    "pass one channel, or add the channels up",
                    name,
                )
            table[: 1 if rows.ndim == 1 else 3, i] = rows
        edges = xr.Dataset({"band_low": ("band", low), "band_high": ("band", high)})
        varying = low > 0 if low.size > 1 else low >= 0
        self.data = xr.Dataset(
            {
                name: (("group", "band"), values[:, varying])
                for name, values in zip(("power", "low", "high"), table, strict=True)
            },
            {"group": list(groups), "frequency": ("band", bands.centres(edges)[varying])},
            {"frequency_title": f"Frequency ({frequency_unit})", "power_unit": squared(value_unit)},
        )

    def plotly(self) -> go.Figure:
        """Draw one line per group and its interval as a shade; both axes are logarithmic."""
        d = self.data
        fig = style.canvas()
        for i, group in enumerate(d.group.values):
            one = d.sel(group=group)
            colour = style.RUNS[i % len(style.RUNS)]
            label = escaped(str(group))
            style.shade(
                fig, one.frequency.values, style.positive_only(one.low.values), one.high.values, colour, label
            )
            fig.add_scatter(
                x=one.frequency.values,
                y=style.positive_only(one.power.values),
                name=label,
                legendgroup=label,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"size": 5},
                hovertemplate=f"{label}<br>frequency %{{x:.3g}}: power %{{y:.3g}}<extra></extra>",
            )
        at = d.frequency.values
        fig.update_xaxes(style.log_axis(float(at.min()), float(at.max()), d.attrs["frequency_title"], 0.03))
        unit = d.attrs["power_unit"]
        title = f"Power in the band ({unit})" if unit else "Power in the band"
        fig.update_yaxes(style.power_axis([d.power.values, d.low.values, d.high.values], title))
        return fig

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        means = [
            f"{group} {number(float((one.frequency * one.power).sum() / one.power.sum()))}"
            for group, one in d.groupby("group")
        ]
        return f"Power per band; mean frequency over the bands: {', '.join(means)}."


@final
class ByFrequency(Plot):
    """Any quantity over frequency: several curves, with intervals where they are known.

    What is drawn: the positive frequencies.

    Args:
        frequency: (F,) ascending.
        curves: By name, (F,) values, or three such rows: value, lower and upper end of its interval.
        frequency_unit: "Hz" or "cycles per ...".
        value: What the curves show, with its unit, such as "Gain (dB)".

    Attributes:
        data: A dataset over `curve` and `frequency`: `value`, `low` and `high` (NaN where no interval is known);
            attributes `frequency_title` and `value_title`.

    Raises:
        InputError: If there are no curves, one is not of the frequencies' number, or none is positive.

    Example:
        >>> from overtone import plots
        >>> plot = plots.ByFrequency([1, 2, 4], {"filter": [1.0, 0.5, 0.25]}, "Hz", "Gain")
        >>> print(plot.describe())
        Gain from the lowest to the highest frequency: filter 1 to 0.25.
    """

    def __init__(
        self,
        frequency: ArrayLike,
        curves: Mapping[str, ArrayLike | Sequence[ArrayLike]],
        frequency_unit: str,
        value: str,
    ) -> None:
        at = np.asarray(frequency, float)
        if not curves:
            raise InputError("at least one curve", "none", "pass values by name", "by frequency")
        if not (at > 0).any():
            raise InputError(
                "positive frequencies", "none", "pass at least one frequency above 0", "by frequency"
            )
        table = np.full((3, len(curves), at.size), np.nan)
        for i, (name, values) in enumerate(curves.items()):
            rows = np.asarray(values, float)
            if rows.shape not in ((at.size,), (3, at.size)):
                raise InputError(
                    f"{at.size} values, or three rows of them (value, lower, upper)",
                    f"shape {rows.shape}",
                    "pass one channel",
                    name,
                )
            table[: 1 if rows.ndim == 1 else 3, i] = rows
        self.data = xr.Dataset(
            {
                name: (("curve", "frequency"), rows[:, at > 0])
                for name, rows in zip(("value", "low", "high"), table, strict=True)
            },
            {"curve": list(curves), "frequency": at[at > 0]},
            {"frequency_title": f"Frequency ({frequency_unit})", "value_title": value},
        )

    def plotly(self) -> go.Figure:
        """Draw one line per curve and its interval as a shade; only the frequency is logarithmic."""
        d = self.data
        fig, at = style.canvas(), d.frequency.values
        for i, name in enumerate(d.curve.values):
            one = d.sel(curve=name)
            colour, label = style.RUNS[i % len(style.RUNS)], escaped(str(name))
            style.shade(fig, at, one.low.values, one.high.values, colour, label)
            fig.add_scatter(
                x=at,
                y=np.where(np.isfinite(one.value.values), one.value.values, np.nan),
                name=label,
                legendgroup=label,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"size": 5},
                hovertemplate=f"{label}<br>frequency %{{x:.3g}}: %{{y:.3g}}<extra></extra>",
            )
        fig.update_xaxes(style.log_axis(float(at.min()), float(at.max()), d.attrs["frequency_title"], 0.03))
        fig.update_yaxes(title=escaped(d.attrs["value_title"], 80))
        return fig

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        ends = [
            f"{name} {number(float(one.value[0]))} to {number(float(one.value[-1]))}"
            for name, one in ((n, d.sel(curve=n)) for n in d.curve.values)
        ]
        return f"{d.attrs['value_title']} from the lowest to the highest frequency: {', '.join(ends)}."
