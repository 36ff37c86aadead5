"""Plotly figures drawn with Matplotlib: panels, axes, legend, and the height of a new figure."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from overtone.errors import InputError
from overtone.plots._labels import plain
from overtone.plots._marks import draw_annotation, draw_shape, titles_of_panels
from overtone.plots._paper import settings_in_force
from overtone.plots._traces import Styles, draw_trace, pixels_of

_PANEL_HEIGHT = 0.66
"""Height of one panel as a share of its width, of figures that do not say more."""


class PaperFigure(Figure):
    """Figure that shows itself in a notebook without pyplot."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        with settings_in_force():
            self.savefig(content, format="png", dpi=150)
        return content.getvalue()


@dataclass(frozen=True)
class Panel:
    """Axes of a Plotly figure that hold traces: their names, "x2" and "y2", and their place in a lattice."""

    x: str
    y: str
    row: int
    column: int

    def axis(self, figure: go.Figure, letter: str) -> Any:
        """Return the layout of the horizontal ("x") or vertical ("y") axis."""
        name = getattr(self, letter)
        return figure.layout[f"{letter}axis{name[1:]}"]


def panels_of(figure: go.Figure) -> list[Panel]:
    """Return the panels of a Plotly figure, row by row from the top."""
    names = list(dict.fromkeys((t.xaxis or "x", t.yaxis or "y") for t in figure.data)) or [("x", "y")]
    domains = [
        (figure.layout[f"xaxis{x[1:]}"].domain or (0, 1), figure.layout[f"yaxis{y[1:]}"].domain or (0, 1))
        for x, y in names
    ]
    columns = sorted({round(float(x[0]), 6) for x, _ in domains})
    rows = sorted({round(float(y[1]), 6) for _, y in domains}, reverse=True)
    panels = [
        Panel(x, y, rows.index(round(float(dy[1]), 6)), columns.index(round(float(dx[0]), 6)))
        for (x, y), (dx, dy) in zip(names, domains, strict=True)
    ]
    return sorted(panels, key=lambda panel: (panel.row, panel.column))


def printed_figure(figure: go.Figure, ax: Axes | Sequence[Axes] | None, width: float) -> Figure:
    """Draw a Plotly figure on new axes `width` inches wide, or on `ax`, and return the Matplotlib figure."""
    panels = panels_of(figure)
    canvas, axes = _axes(figure, panels, ax, width)
    handles: dict[str, Any] = {}
    for panel, place in zip(panels, axes, strict=True):
        traces = [t for t in figure.data if (t.xaxis or "x", t.yaxis or "y") == (panel.x, panel.y)]
        # Scales come first: intervals and cells are drawn for the scale that the axes have.
        _scale(place, panel, figure)
        handles |= _traces(place, traces, panel, figure)
        _finish(place, panel, figure)
    named = titles_of_panels(figure, panels)
    for panel, place in zip(panels, axes, strict=True):
        if (panel.x, panel.y) in named:
            place.set_title(plain(named[panel.x, panel.y]), pad=3)
    for shape in figure.layout.shapes:
        draw_shape(_panel_axes(shape, panels, axes), shape)
    for note in figure.layout.annotations:
        if note.text not in named.values():
            draw_annotation(_panel_axes(note, panels, axes), note, plain(note.text))
    _legend(axes[0], handles, figure, width)
    return canvas


def _axes(
    figure: go.Figure, panels: Sequence[Panel], ax: Axes | Sequence[Axes] | None, width: float
) -> tuple[Figure, list[Axes]]:
    """Return the figure and one axes a panel: new ones, those handed in, or parts of the one handed in."""
    rows, columns = (1 + max(getattr(panel, name) for panel in panels) for name in ("row", "column"))
    canvas: Any
    if ax is None:
        # Axes of one scale in both directions are moved together, others stretched.
        layout: Any = "compressed" if panels[0].axis(figure, "y").scaleanchor else "constrained"
        canvas = PaperFigure((width, _height(figure, panels, rows, columns, width)), layout=layout)
        canvas.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
        lattice = canvas.add_gridspec(rows, columns)
        return canvas, [canvas.add_subplot(lattice[p.row, p.column]) for p in panels]
    places = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, dtype=object)))
    if len(places) == len(panels):
        canvas = places[0].get_figure(root=True)
        return canvas, places
    if len(places) != 1:
        raise InputError(
            f"one axes, or {len(panels)} of them", f"{len(places)}", "pass one axes for each panel", "figure"
        )
    outer = places[0]
    outer.set_axis_off()
    high, wide = 1 / rows, 1 / columns
    # Inset axes share the place of the one handed in, whatever layout its figure has.
    inner = [
        outer.inset_axes((p.column * wide, 1 - (p.row + 1) * high, wide * 0.94, high * 0.8)) for p in panels
    ]
    canvas = outer.get_figure(root=True)
    return canvas, inner


def _height(figure: go.Figure, panels: Sequence[Panel], rows: int, columns: int, width: float) -> float:
    """Return the height in inches of a new figure."""
    images = [t for t in figure.data if t.type == "image"]
    if images:
        # Pictures have a shape of their own; a line of text stands above each.
        shape = max(float(p.shape[0] / p.shape[1]) for p in map(pixels_of, images))
        return rows * (width / columns * min(shape, 2.0) + 0.22)
    if panels[0].axis(figure, "y").scaleanchor:
        return width * 0.82
    # Plotly figures in the common style have 400 pixels for one panel.
    share = (figure.layout.height or 400) / 400
    # Wide figures are flatter, so that two still share a page.
    return min(width, 5.0) / columns * _PANEL_HEIGHT * share + 0.15


def _scale(place: Axes, panel: Panel, figure: go.Figure) -> None:
    for letter, change in (("x", place.set_xscale), ("y", place.set_yscale)):
        if panel.axis(figure, letter).type == "log":
            change("log")


def _traces(place: Axes, traces: Sequence[Any], panel: Panel, figure: go.Figure) -> dict[str, Any]:
    styles = Styles(traces)
    handles: dict[str, Any] = {}
    order = list(panel.axis(figure, "y").categoryarray or [])
    for trace in traces:
        # Curves that readers would have to switch on are no part of a printed figure.
        if trace.visible in (False, "legendonly"):
            continue
        handle = draw_trace(place, trace, styles, order, figure)
        if handle is not None and trace.name and trace.showlegend is not False:
            handles.setdefault(plain(trace.name), handle)
    return handles


def _finish(place: Any, panel: Panel, figure: go.Figure) -> None:
    """Set limits, marks and titles of the axes, as the Plotly figure has them."""
    for letter in "xy":
        layout = panel.axis(figure, letter)
        axis = getattr(place, f"{letter}axis")
        if layout.visible is False:
            place.set_axis_off()
        if layout.range is not None:
            ends = [10.0**v for v in layout.range] if layout.type == "log" else list(layout.range)
            getattr(place, f"set_{letter}lim")(*ends)
        if layout.tickvals is not None:
            axis.set_major_locator(FixedLocator(list(layout.tickvals)))
            axis.set_minor_locator(NullLocator())
            axis.set_ticklabels([plain(t) for t in layout.ticktext] if layout.ticktext is not None else [])
        if layout.rangemode == "tozero":
            getattr(place, f"set_{letter}lim")(**{"bottom" if letter == "y" else "left": 0})
        if layout.categoryarray is not None:
            axis.set_ticks(range(len(layout.categoryarray)), [plain(t) for t in layout.categoryarray])
        if layout.showticklabels is False:
            place.tick_params(axis=letter, labelbottom=letter != "x", labelleft=letter != "y")
        title = plain(layout.title.text)
        axis.set_label_text(_wrapped(title, place, letter))
    if not any(t.type in ("heatmap", "image") for t in figure.data):
        place.grid(True)
        place.set_axisbelow(True)
    if panel.axis(figure, "y").scaleanchor:
        place.set_aspect("equal")


def _wrapped(title: str, place: Any, letter: str) -> str:
    """Return a title in lines that are no longer than its axis, which would have no room otherwise."""
    # A letter of 8 points is about 0.056 inches wide.
    box, canvas = place.get_position(), place.get_figure(root=True)
    inches = box.width * canvas.get_figwidth() if letter == "x" else box.height * canvas.get_figheight()
    return textwrap.fill(title, max(16, int(inches / 0.056)))


def _panel_axes(item: Any, panels: Sequence[Panel], axes: Sequence[Axes]) -> Axes:
    """Return the axes to which a shape or an annotation refers; the first where it refers to the whole figure."""
    x, y = ((ref or letter).removesuffix(" domain") for ref, letter in ((item.xref, "x"), (item.yref, "y")))
    for panel, place in zip(panels, axes, strict=True):
        if x in (panel.x, "paper") and y in (panel.y, "paper"):
            return place
    return axes[0]


def _legend(place: Axes, handles: dict[str, Any], figure: go.Figure, width: float) -> None:
    """Draw the legend above the first panel, in as many columns as the width takes."""
    if len(handles) < 2 and not figure.layout.showlegend:
        return
    # A letter of 7 points is about 0.055 inches wide, a line in the legend 0.4.
    longest = max(len(name) for name in handles) * 0.055 + 0.4 if handles else 1.0
    columns = max(1, min(len(handles), int((width - 0.4) / longest)))
    # Matplotlib fills a legend column by column; people read it row by row.
    names = [name for first in range(columns) for name in list(handles)[first::columns]]
    place.legend(
        [handles[name] for name in names],
        names,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        columnspacing=1.2,
        handletextpad=0.5,
        labelspacing=0.3,
    )
