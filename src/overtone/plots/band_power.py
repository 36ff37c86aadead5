"""Power per frequency band of several groups side by side, with intervals where they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import ArrayLike

from overtone.errors import InputError
from overtone.plots import _bands as bands
from overtone.plots import _labels as text
from overtone.plots import _style as style
from overtone.plots._style import shade


def data(
    band_low: ArrayLike,
    band_high: ArrayLike,
    groups: Mapping[str, ArrayLike | Sequence[ArrayLike]],
    frequency_unit: str,
    value_unit: str = "",
) -> xr.Dataset:
    """What is drawn: the bands that vary, that of the mean left out.

    Args:
        band_low: (band,) lower edges.
        band_high: (band,) upper edges.
        groups: By name, (band,) powers, or three such rows: mean, lower and upper end of its interval.
        frequency_unit: What the edges are in, "cycles per ...".
        value_unit: What the power is the square of; "" if that has no unit.

    Returns:
        A dataset over `group` and `band` with `power`, `low` and `high` (NaN where no interval is known) and
        `frequency`, the bands' centres; attributes `frequency_title` and `power_unit`.

    Raises:
        InputError: If there are no groups, or one is not of the bands' number.
    """
    low, high = np.asarray(band_low, float), np.asarray(band_high, float)
    if not groups:
        raise InputError("at least one group", "none", "pass powers by name", "band power")
    table = np.full((3, len(groups), low.size), np.nan)
    for i, (name, given) in enumerate(groups.items()):
        found = np.asarray(given, float)
        if found.shape not in ((low.size,), (3, low.size)):
            raise InputError(
                f"{low.size} powers, or three rows of them (mean, lower, upper)",
                f"shape {found.shape}",
                "pass one channel, or add the channels up",
                name,
            )
        table[: 1 if found.ndim == 1 else 3, i] = found
    edges = xr.Dataset({"band_low": ("band", low), "band_high": ("band", high)})
    varying = low > 0 if low.size > 1 else low >= 0
    return xr.Dataset(
        {
            name: (("group", "band"), values[:, varying])
            for name, values in zip(("power", "low", "high"), table, strict=True)
        },
        {"group": list(groups), "frequency": ("band", bands.centres(edges)[varying])},
        {"frequency_title": f"Frequency ({frequency_unit})", "power_unit": text.squared(value_unit)},
    )


def figure(d: xr.Dataset) -> go.Figure:
    """One line a group and its interval as a shade; both axes logarithmic.

    Args:
        d: What `data` returned.
    """
    fig = style.canvas()
    for i, group in enumerate(d.group.values):
        one = d.sel(group=group)
        colour = style.RUNS[i % len(style.RUNS)]
        label = text.escaped(str(group))
        shade(fig, one.frequency.values, _positive(one.low.values), one.high.values, colour, label)
        fig.add_scatter(
            x=one.frequency.values,
            y=_positive(one.power.values),
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


def describe(d: xr.Dataset) -> str:
    """The figure in one sentence, for those who cannot see it."""
    means = [
        f"{group} {text.number(float((one.frequency * one.power).sum() / one.power.sum()))}"
        for group, one in d.groupby("group")
    ]
    return f"Power per band; mean frequency over the bands: {', '.join(means)}."


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)
