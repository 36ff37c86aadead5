"""Fourier heat map of a classifier: error rate over the plane of spatial frequencies."""

from __future__ import annotations

from typing import final

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import ArrayLike

from overtone._utils.text import number, percent
from overtone.errors import InputError
from overtone.plots import _style as style
from overtone.plots._base import Plot


@final
class FourierHeatMap(Plot):
    """Fourier heat map of a classifier: its error rate over the plane of spatial frequencies.

    What is drawn.

    Args:
        error: (height, width) error rates in [0, 1]; NaN where not known.
        frequency_y: (height,) frequencies of the rows, ascending, in cycles per pixel.
        frequency_x: (width,) the same of the columns.
        clean_error: Error rate on unperturbed pictures.
        norm: L2 norm of the perturbation per channel, in units of the pixels.

    Attributes:
        data: A dataset with `error` over `frequency_y` and `frequency_x`; attributes `clean_error` and `norm`.

    Raises:
        InputError: If the shapes do not fit or an error rate is outside [0, 1].

    Example:
        >>> from overtone import plots
        >>> frequencies = [-0.25, 0.0, 0.25]
        >>> error = [[0.4, 0.3, 0.4], [0.3, 0.1, 0.3], [0.4, 0.3, 0.4]]
        >>> plot = plots.FourierHeatMap(error, frequencies, frequencies, clean_error=0.1, norm=1.0)
        >>> float(plot.data.error.max())
        0.4
    """

    def __init__(
        self,
        error: ArrayLike,
        frequency_y: ArrayLike,
        frequency_x: ArrayLike,
        clean_error: float,
        norm: float,
    ) -> None:
        table, rows, columns = (np.asarray(values, float) for values in (error, frequency_y, frequency_x))
        if table.shape != (rows.size, columns.size):
            raise InputError(
                f"error rates of shape {(rows.size, columns.size)}, as there are frequencies",
                f"{table.shape}",
                "pass error and axes of one heat map",
                "heat map",
            )
        known = table[np.isfinite(table)]
        if not known.size or known.min() < 0 or known.max() > 1:
            raise InputError(
                "error rates in [0, 1]", "none, or some outside", "pass fractions of the pictures", "heat map"
            )
        self.data = xr.Dataset(
            {"error": (("frequency_y", "frequency_x"), table)},
            {"frequency_y": rows, "frequency_x": columns},
            {"clean_error": float(clean_error), "norm": float(norm)},
        )

    def plotly(self, highest: float | None = None) -> go.Figure:
        """Draw the map: frequency 0 in the middle, light where the classifier errs.

        Args:
            highest: Error rate at the light end of the scale, the same for maps to be compared; the map's own if None.
        """
        d = self.data
        top = float(np.nanmax(d.error.values)) if highest is None else highest
        fig = style.canvas(440)
        fig.add_heatmap(
            x=d.frequency_x.values,
            y=d.frequency_y.values,
            z=d.error.values,
            zmin=0,
            zmax=top if top > 0 else 1,
            colorscale=style.ERROR_SCALE,
            colorbar={"title": {"text": "Error rate", "side": "right"}, "thickness": 14},
            hovertemplate="f_x %{x:.3g}, f_y %{y:.3g}<br>error rate %{z:.3f}<extra></extra>",
        )
        fig.update_xaxes(title="Horizontal frequency (cycles per pixel)", showgrid=False, constrain="domain")
        # One scale on both axes: circles of equal frequency stay circles.
        fig.update_yaxes(
            title="Vertical frequency (cycles per pixel)", showgrid=False, scaleanchor="x", constrain="domain"
        )
        return fig

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        error = d.error.values
        worst = np.unravel_index(np.nanargmax(error), error.shape)
        f_y, f_x = abs(float(d.frequency_y[worst[0]])), abs(float(d.frequency_x[worst[1]]))
        return (
            f"A perturbation of norm {number(d.attrs['norm'])} raises the error rate from "
            f"{percent(d.attrs['clean_error'])} to {percent(float(np.nanmean(error)))} on average over "
            f"frequencies, and to {percent(float(np.nanmax(error)))} at "
            f"{number(f_y)} vertical and {number(f_x)} horizontal cycles per pixel."
        )
