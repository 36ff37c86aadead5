"""Curves, shades, heat maps and pictures of Plotly figures, drawn with Matplotlib."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from PIL import Image

from overtone.plots._labels import plain

DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
"""Line styles of curves that would differ in colour alone."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
"""Markers of curves that would differ in colour alone."""

_DASH = {"solid": "-", "dash": (0, (5, 2)), "dot": ":", "dashdot": "-."}
_SYMBOL = {"circle": "o", "diamond": "D", "x": "x", "triangle-up": "^", "square": "s"}
_SIDES = {
    "top center": ((0, 3), "center", "bottom"),
    "bottom center": ((0, -3), "center", "top"),
    "middle right": ((4, 0), "left", "center"),
    "middle left": ((-4, 0), "right", "center"),
    "top left": ((-2, 2), "right", "bottom"),
    "top right": ((2, 2), "left", "bottom"),
}


class Styles:
    """Line styles and markers of the curves of one panel, so that they can be told apart in grey.

    Args:
        traces: Of the panel.
    """

    def __init__(self, traces: Sequence[Any]) -> None:
        shown = [t for t in traces if t.type == "scatter" and t.fill != "toself"]
        shown = [t for t in shown if t.visible not in (False, "legendonly")]
        # A curve over its own casing lies at the same place and is told apart by nothing.
        places: dict[bytes, int] = {}
        self._number = {id(t): places.setdefault(_place(t), len(places)) for t in shown}
        lines = [t for t in shown if is_curve(t)]
        self._dashed = any((t.line.dash or "solid") != "solid" for t in lines)
        self._several = len({self._number[id(t)] for t in lines}) > 1

    def dash(self, trace: Any) -> Any:
        """Return the line style of a curve; its own if the figure gives a meaning to dashes."""
        dash = trace.line.dash or "solid"
        if dash != "solid" or self._dashed or not self._several:
            return _DASH.get(dash, "--")
        return DASHES[self._number[id(trace)] % len(DASHES)]

    def marker(self, trace: Any) -> str:
        """Return the marker of a curve; its own if it has one."""
        if trace.marker.symbol:
            return _SYMBOL.get(str(trace.marker.symbol).removesuffix("-open"), "o")
        return MARKERS[self._number.get(id(trace), 0) % len(MARKERS)]


def is_curve(trace: Any) -> bool:
    """Return whether a trace is a line, with markers or without."""
    return trace.type == "scatter" and "lines" in (trace.mode or "lines") and trace.fill != "toself"


def draw_trace(place: Axes, trace: Any, styles: Styles, order: Sequence[str], figure: Any) -> Any:
    """Draw one trace and return what stands for it in the legend, if anything.

    Args:
        place: Axes to draw on.
        trace: Of a Plotly figure.
        styles: Of the panel's curves.
        order: Names along the vertical axis, if it has names.
        figure: The Plotly figure, for colours that its panels share.
    """
    if trace.type == "heatmap":
        return _heat_map(place, trace, figure)
    if trace.type == "image":
        place.imshow(pixels_of(trace), interpolation="nearest", aspect="equal")
        return None
    if trace.fill == "toself":
        return _shade(place, trace)
    return _curve(place, trace, styles, order)


def pixels_of(trace: Any) -> np.ndarray:
    """Return the pixels of a picture, (height, width, 3) uint8."""
    content = base64.b64decode(trace.source.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _curve(place: Axes, trace: Any, styles: Styles, order: Sequence[str]) -> Any:
    x, y = _numbers(trace.x), _numbers(trace.y, order)
    mode = trace.mode or "lines"
    colour = _colour(
        (trace.line.color if "lines" in mode else None) or trace.marker.color or trace.line.color
    )
    options: dict[str, Any] = {"color": colour, "linestyle": "none"}
    if "lines" in mode:
        # 2 pixels on the screen are 1.2 points on paper.
        options |= {"linestyle": styles.dash(trace), "linewidth": 0.6 * (trace.line.width or 2)}
    if "markers" in mode:
        size = trace.marker.size if isinstance(trace.marker.size, int | float) else 6
        marker = styles.marker(trace)
        hollow = str(trace.marker.symbol).endswith("-open")
        options |= {"marker": marker, "markersize": 0.55 * size, "markeredgewidth": 0.8 if hollow else 0.4}
        options |= {"markerfacecolor": "none"} if hollow else {}
    if trace.error_x.array is not None or trace.error_y.array is not None:
        _intervals(place, trace, x, y, colour)
    (line,) = place.plot(x, y, **options)
    if "text" in mode and trace.text is not None:
        _names(place, trace, x, y)
    return line


def _intervals(place: Axes, trace: Any, x: np.ndarray, y: np.ndarray, colour: Any) -> None:
    def ends(error: Any) -> np.ndarray | None:
        if error.array is None:
            return None
        return np.nan_to_num(np.stack([_numbers(error.arrayminus), _numbers(error.array)]))

    place.errorbar(
        x,
        y,
        yerr=ends(trace.error_y),
        xerr=ends(trace.error_x),
        fmt="none",
        ecolor=colour,
        elinewidth=0.8,
        capsize=1.5,
    )


def _names(place: Axes, trace: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Write the names of points beside them."""
    sides = trace.textposition
    for i, text in enumerate(trace.text):
        side = sides if isinstance(sides, str) else sides[i] if sides is not None else "top center"
        offset, ha, va = _SIDES[side]
        place.annotate(
            plain(str(text)),
            (x[i], y[i]),
            offset,
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize="x-small",
        )


def _shade(place: Axes, trace: Any) -> Any:
    opacity = trace.opacity if trace.opacity is not None else 1.0
    *rgb, alpha = (*_colour(trace.fillcolor), 1.0)[:4]
    (area,) = place.fill(
        _numbers(trace.x), _numbers(trace.y), facecolor=(*rgb, alpha * opacity), edgecolor="none", linewidth=0
    )
    return area


def _heat_map(place: Axes, trace: Any, figure: Any) -> None:
    shared = trace.coloraxis is not None
    look = figure.layout.coloraxis if shared else trace
    low, high = (look.cmin, look.cmax) if shared else (trace.zmin, trace.zmax)
    z = np.asarray(trace.z, float)
    x, y = _numbers(trace.x), _numbers(trace.y)
    scale = [(float(value), colour) for value, colour in look.colorscale]
    colours = LinearSegmentedColormap.from_list("scale", scale).with_extremes(bad="#bbbbbb")
    edges = x.size == z.shape[1] + 1
    mesh = place.pcolormesh(
        x,
        y,
        np.ma.masked_invalid(z),
        shading="flat" if edges else "nearest",
        cmap=colours,
        vmin=low,
        vmax=high,
        # Thousands of cells as vectors make files that no journal takes.
        rasterized=True,
    )
    place.tick_params(which="both", direction="out")
    if not shared or (trace.yaxis or "y") == "y":
        _colour_bar(place, mesh, look.colorbar.title.text, shared)


def _colour_bar(place: Axes, mesh: ScalarMappable, title: str | None, shared: bool) -> None:
    canvas: Any = place.get_figure(root=True)
    # The bar of a scale that panels share stands beside all of them.
    beside = canvas.axes if shared and canvas.get_layout_engine() is not None else place
    bar = canvas.colorbar(mesh, ax=beside, pad=0.02, fraction=0.06, aspect=24)
    bar.outline.set_visible(False)
    if title:
        bar.set_label(title)


def _numbers(values: Any, order: Sequence[str] = ()) -> np.ndarray:
    """Return values as float64; names as their places in `order`."""
    if values is None:
        return np.empty(0)
    array = np.asarray(values)
    if array.dtype.kind in "US" or (array.dtype == object and array.size and isinstance(array.flat[0], str)):
        return np.array([list(order).index(str(v)) for v in array], float)
    return array.astype(float)


def _place(trace: Any) -> bytes:
    return _numbers(trace.x).tobytes() + repr(trace.y).encode()


def _colour(text: str | None) -> tuple[float, ...]:
    """Return a colour of Plotly, "#rrggbb", a name, "rgb(...)" or "rgba(...)", as numbers from 0 to 1."""
    if not text:
        return to_rgb("#444444")
    if text.startswith("rgb"):
        *rgb, last = (float(v) for v in text.partition("(")[2].rstrip(")").split(","))
        return (
            (*(v / 255 for v in rgb), last)
            if text.startswith("rgba")
            else tuple(v / 255 for v in (*rgb, last))
        )
    return to_rgb(text)
