"""Any quantity against frequency, several curves side by side, with intervals where they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import ArrayLike

from overtone.errors import InputError
from overtone.plots import _labels as text
from overtone.plots import _style as style
from overtone.plots._style import shade


def data(
    frequency: ArrayLike,
    curves: Mapping[str, ArrayLike | Sequence[ArrayLike]],
    frequency_unit: str,
    value: str,
) -> xr.Dataset:
    """What is drawn: the positive frequencies.

    Args:
        frequency: (F,) ascending.
        curves: By name, (F,) values, or three such rows: value, lower and upper end of its interval.
        frequency_unit: "Hz" or "cycles per ...".
        value: What the curves show, with its unit, such as "Gain (dB)".

    Returns:
        A dataset over `curve` and `frequency`: `value`, `low` and `high` (NaN where no interval is known); attributes
        `frequency_title` and `value_title`.

    Raises:
        InputError: If there are no curves, one is not of the frequencies' number, or none is positive.
    """
    at = np.asarray(frequency, float)
    if not curves:
        raise InputError("at least one curve", "none", "pass values by name", "by frequency")
    if not (at > 0).any():
        raise InputError("positive frequencies", "none", "pass some beside that of the mean", "by frequency")
    table = np.full((3, len(curves), at.size), np.nan)
    for i, (name, given) in enumerate(curves.items()):
        found = np.asarray(given, float)
        if found.shape not in ((at.size,), (3, at.size)):
            raise InputError(
                f"{at.size} values, or three rows of them (value, lower, upper)",
                f"shape {found.shape}",
                "pass one channel",
                name,
            )
        table[: 1 if found.ndim == 1 else 3, i] = found
    return xr.Dataset(
        {
            name: (("curve", "frequency"), rows[:, at > 0])
            for name, rows in zip(("value", "low", "high"), table, strict=True)
        },
        {"curve": list(curves), "frequency": at[at > 0]},
        {"frequency_title": f"Frequency ({frequency_unit})", "value_title": value},
    )


def figure(d: xr.Dataset) -> go.Figure:
    """One line a curve and its interval as a shade; frequency logarithmic, the value not.

    Args:
        d: What `data` returned.
    """
    fig, at = style.canvas(), d.frequency.values
    for i, name in enumerate(d.curve.values):
        one = d.sel(curve=name)
        colour, label = style.RUNS[i % len(style.RUNS)], text.escaped(str(name))
        shade(fig, at, one.low.values, one.high.values, colour, label)
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
    fig.update_yaxes(title=text.escaped(d.attrs["value_title"], 80))
    return fig


def describe(d: xr.Dataset) -> str:
    """The figure in one sentence, for those who cannot see it."""
    ends = [
        f"{name} {text.number(float(one.value[0]))} to {text.number(float(one.value[-1]))}"
        for name, one in ((n, d.sel(curve=n)) for n in d.curve.values)
    ]
    return f"{d.attrs['value_title']} from the lowest to the highest frequency: {', '.join(ends)}."
