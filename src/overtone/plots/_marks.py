"""Lines, areas and notes over Plotly figures, drawn with Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.transforms import Transform, blended_transform_factory

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from overtone.plots._rendering import Panel

_DASH = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


def titles_of_panels(figure: go.Figure, panels: Sequence[Panel]) -> dict[tuple[str, str], str]:
    """Return the titles above the panels, which Plotly holds as notes at their upper ends."""
    titles = {}
    for panel in panels:
        x, y = panel.axis(figure, "x").domain, panel.axis(figure, "y").domain
        for note in figure.layout.annotations:
            if x is None or y is None or (note.xref, note.yref) != ("paper", "paper"):
                continue
            if abs(note.x - (x[0] + x[1]) / 2) < 1e-6 and abs(note.y - y[1]) < 1e-6:
                titles[panel.x, panel.y] = note.text
    return titles


def draw_shape(place: Axes, shape: Any) -> None:
    """Draw a straight line or a rectangle in data, or in shares of the axes where the shape says so."""
    transform = _transform(place, shape)
    colour, dash = shape.line.color or "#444444", _DASH.get(shape.line.dash or "solid", "--")
    if shape.type == "rect":
        left, low = min(shape.x0, shape.x1), min(shape.y0, shape.y1)
        area = Rectangle(
            (left, low),
            abs(shape.x1 - shape.x0),
            abs(shape.y1 - shape.y0),
            transform=transform,
            facecolor=shape.fillcolor or "grey",
            alpha=shape.opacity,
            linewidth=0,
            zorder=0,
        )
        place.add_artist(area)
        return
    place.plot(
        [shape.x0, shape.x1],
        [shape.y0, shape.y1],
        transform=transform,
        color=colour,
        linestyle=dash,
        linewidth=0.6 * (shape.line.width or 1.5),
        scalex=False,
        scaley=False,
        label="_mark",
    )


def draw_annotation(place: Axes, note: Any, text: str) -> None:
    """Write a note at its place."""
    x, y = (
        # Plotly states places of notes on logarithmic axes as logarithms.
        10.0**value if scale == "log" and "domain" not in ref and ref != "paper" else value
        for value, scale, ref in (
            (note.x, place.get_xscale(), note.xref or "x"),
            (note.y, place.get_yscale(), note.yref or "y"),
        )
    )
    written = place.text(
        x,
        y,
        text,
        transform=_transform(place, note),
        ha={"left": "left", "right": "right"}.get(note.xanchor, "center"),
        va={"top": "top", "bottom": "bottom"}.get(note.yanchor, "center"),
        fontsize="small",
        color=note.font.color or "#222222",
        bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 1.0} if note.bgcolor else None,
        clip_on=True,
    )
    # A note outside the limits is cut off; room for it would leave none for the axes.
    written.set_in_layout(False)


def _transform(place: Axes, item: Any) -> Transform:
    def of(ref: str | None) -> Transform:
        return place.transAxes if ref and ("domain" in ref or ref == "paper") else place.transData

    return blended_transform_factory(of(item.xref), of(item.yref))
