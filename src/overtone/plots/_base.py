"""Interface of plots: data, figure and description."""

from __future__ import annotations

from abc import ABC, abstractmethod

import plotly.graph_objects as go
import xarray as xr


class Plot(ABC):
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
        ...     def figure(self):
        ...         return go.Figure()
        ...     def describe(self):
        ...         return f"The mean is {float(self.data.to_array()[0])}."
        >>> Mean(xr.DataArray([1.0, 3.0])).describe()
        'The mean is 2.0.'
    """

    data: xr.Dataset

    @abstractmethod
    def figure(self) -> go.Figure:
        """Draw the data as a Plotly figure, which shows itself in a notebook."""

    @abstractmethod
    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
