"""Interface of plots: data, figure and description."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from overtone._utils.display import Displayed
from overtone.plots import _encode as encode
from overtone.plots._paper import checked_path, save_figure, to_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Plot(Displayed, ABC):
    """Figure of one kind.

    The data are computed when the plot is made, so that they can be tested and saved without drawing.

    Attributes:
        data: What is drawn; variables, coordinates and attributes are documented by each plot.

    Example:
        >>> import plotly.graph_objects as go
        >>> import xarray as xr
        >>> from overtone.plots import Plot
        >>> class Mean(Plot):
        ...     def __init__(self, record):
        ...         self.data = xr.Dataset({"mean": record.mean()})
        ...     def plotly(self):
        ...         return go.Figure()
        ...     def describe(self):
        ...         return f"The mean is {float(self.data.to_array()[0])}."
        >>> Mean(xr.DataArray([1.0, 3.0])).describe()
        'The mean is 2.0.'
    """

    data: xr.Dataset
    _display = "plot_display"
    _width: str = "single"
    """Columns of a page that a figure takes unless its user says otherwise."""

    def __repr__(self) -> str:
        sizes = ", ".join(f"{size} {name}" for name, size in self.data.sizes.items())
        return f"<{type(self).__name__} plot of {sizes}>"

    @abstractmethod
    def plotly(self) -> go.Figure:
        """Draw the data as a Plotly figure, for screens."""

    def figure(
        self, ax: Axes | Sequence[Axes] | None = None, *, width: float | str | None = None, **options: Any
    ) -> Figure:
        """Draw the data as a Matplotlib figure, for papers: the same numbers as in `plotly`.

        The style is that of `journal`: text of 8 points, TrueType fonts in PDF files, colours that colour-blind
        readers tell apart, and dashes and markers that tell curves apart in grey.

        Args:
            ax: Axes to draw on; one for each panel, or one that is divided between the panels. A new figure if None.
            width: Of a new figure: "single" (3.5 inches, one column), "double" (7.2 inches, two), or inches. Plots of
                several pictures take two columns by themselves.
            options: Arguments of the plot's `plotly`.

        Returns:
            The figure, or that of `ax`. It is not registered with pyplot and needs no closing.

        Raises:
            InputError: If Matplotlib is not installed, the width is unknown, or the number of axes fits no panels.
        """
        return to_matplotlib(self._printed(**options), ax, width=self._width if width is None else width)

    def save(self, path: str | Path, *, width: float | str | None = None, **options: Any) -> Path:
        """Write the figure as PDF, PNG or SVG, whole or not at all, without a browser.

        Args:
            path: Its suffix decides the format.
            width: As in `figure`.
            options: Arguments of the plot's `plotly`.

        Returns:
            The path.

        Raises:
            InputError: If the suffix is another one, Matplotlib is not installed, or the width is unknown.
            OSError: If the file cannot be written.
        """
        return save_figure(self.figure(width=width, **options), checked_path(path))

    def _printed(self, **options: Any) -> go.Figure:
        """Return the Plotly figure from which the one for papers is drawn."""
        return self.plotly(**options)

    @abstractmethod
    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""


class PicturePlot(Plot):
    """Figure of pictures, which pages embed reduced and compressed, and papers get as they are."""

    def plotly(self) -> go.Figure:
        """Draw the pictures as one figure, reduced and compressed."""
        return self._encoded_with(encode.picture_uri)

    def _printed(self, **_: Any) -> go.Figure:
        return self._encoded_with(encode.exact_uri)

    @abstractmethod
    def _encoded_with(self, encoded: Callable[[np.ndarray], str]) -> go.Figure:
        """Draw the pictures, each encoded by a function of its pixels."""
