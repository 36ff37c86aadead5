"""Figures for papers: widths, fonts and line styles that a journal takes, drawn with Matplotlib from Plotly figures."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overtone._utils.files import write_atomic
from overtone._utils.optional import OptionalModule, import_optional
from overtone.errors import InputError

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

matplotlib = OptionalModule("matplotlib", "figures")

SINGLE_COLUMN, DOUBLE_COLUMN = 3.5, 7.2
"""Widths in inches of one and of two columns of a page: 89 mm and 183 mm, which most journals take."""

WIDTHS = {"single": SINGLE_COLUMN, "double": DOUBLE_COLUMN}
"""Widths in inches by name."""

SUFFIXES = (".pdf", ".png", ".svg")
"""Suffixes of the files that `save_figure` writes."""

PIXELS = 300
"""Pixels an inch of PNG files and of pictures inside PDF and SVG files."""


def _settings(size: float, family: str) -> dict[str, Any]:
    """Return settings of Matplotlib for text of `size` points."""
    small = size * 0.875
    return {
        "font.family": ["sans-serif"],
        "font.sans-serif": list(dict.fromkeys([family, "DejaVu Sans"])),
        "font.size": size,
        "axes.titlesize": size,
        "axes.labelsize": size,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "figure.titlesize": size,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "grid.color": "#dddddd",
        "grid.linewidth": 0.4,
        "axes.facecolor": "white",
        "axes.edgecolor": "#444444",
        "axes.labelcolor": "black",
        "text.color": "black",
        "xtick.color": "#222222",
        "ytick.color": "#222222",
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "legend.frameon": False,
        "legend.handlelength": 2.4,
        "lines.linewidth": 1.2,
        "lines.markersize": 3.2,
        "text.usetex": False,
        # Type 42 embeds TrueType fonts; submission systems refuse the default, Type 3.
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        # Text as outlines looks the same on machines that lack the font.
        "svg.fonttype": "path",
        # Without a fixed salt two SVG files of the same figure differ.
        "svg.hashsalt": "overtone",
        "savefig.dpi": PIXELS,
        "figure.dpi": 150,
    }


_current: ContextVar[dict[str, Any] | None] = ContextVar("settings of figures for papers", default=None)


@contextmanager
def journal(size: float = 8.0, family: str = "DejaVu Sans") -> Iterator[None]:
    """Draw and save with the text of a journal's figures while the context lasts.

    Every plot's `figure` and `save` use these settings by themselves. The context serves figures of several plots on
    axes of one's own, and another size or typeface. Text has 8 points, numbers at the axes 7; PDF files embed their
    fonts as TrueType (Type 42); lines are 1.2 points wide.

    Args:
        size: Of titles of axes, in points.
        family: Typeface, such as "Arial"; "DejaVu Sans", which comes with Matplotlib, where that is not installed.

    Yields:
        Nothing; Matplotlib's settings are put back afterwards.

    Raises:
        InputError: If Matplotlib is not installed.

    Example:
        >>> import matplotlib as mpl
        >>> from overtone import plots
        >>> with plots.journal():
        ...     mpl.rcParams["font.size"], mpl.rcParams["pdf.fonttype"]
        (8.0, 42)
    """
    with _using(_settings(size, family)):
        yield


@contextmanager
def _using(settings: dict[str, Any]) -> Iterator[None]:
    token = _current.set(settings)
    try:
        with matplotlib.rc_context(settings):
            yield
    finally:
        _current.reset(token)


@contextmanager
def on_screen() -> Iterator[None]:
    """Draw for notebooks, on light paper or dark: text and axes of a middle grey, no ground."""
    grey = "#7a7a7a"
    colours = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    with _using(_settings(8.0, "DejaVu Sans") | dict.fromkeys(colours, grey) | {"grid.color": "#80808050"}):
        yield


@contextmanager
def settings_in_force() -> Iterator[None]:
    """Use the settings of the surrounding `journal`, or its defaults where there is none."""
    import_optional("matplotlib", "figures")
    if _current.get() is None:
        with journal():
            yield
    else:
        yield


def to_matplotlib(
    figure: go.Figure, ax: Axes | Sequence[Axes] | None = None, *, width: float | str = "single"
) -> Figure:
    """Draw a Plotly figure of overtone with Matplotlib: the same numbers, in the style of a journal.

    Curves, shaded intervals, heat maps, pictures, marks and labels are drawn; what only a screen has, the text at the
    pointer and curves that a click shows, is left out. Curves that differ in colour alone get different dashes and
    markers, so that they can be told apart in grey.

    Args:
        figure: From a plot's `plotly`, or from `quality_figure` and the like.
        ax: Axes to draw on; one for each panel, or one that is divided between the panels. A new figure if None.
        width: Of a new figure: "single" (3.5 inches, one column), "double" (7.2 inches), or inches.

    Returns:
        The new figure, or that of `ax`. It is not registered with pyplot and needs no closing.

    Raises:
        InputError: If Matplotlib is not installed, the width is unknown, or the number of axes fits no panels.

    Example:
        >>> from overtone import plots
        >>> plot = plots.ByFrequency([1, 2, 4], {"filter": [1.0, 0.5, 0.25]}, "Hz", "Gain")
        >>> figure = plots.to_matplotlib(plot.plotly())
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [1.0, 0.5, 0.25]
    """
    inches = _inches(width)
    with settings_in_force():
        from overtone.plots._rendering import printed_figure

        return printed_figure(figure, ax, inches)


def side_by_side(figures: Sequence[go.Figure], width: float | str) -> Figure:
    """Draw Plotly figures of one panel side by side, the whole `width` wide."""
    inches = _inches(width)
    with settings_in_force():
        from overtone.plots._rendering import PaperFigure, printed_figure

        page = PaperFigure((inches, 0.9 * inches / len(figures) + 0.4), layout="constrained")
        for figure, ax in zip(figures, page.subplots(1, len(figures)), strict=True):
            printed_figure(figure, ax, inches / len(figures))
        return page


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a Matplotlib figure as PDF, PNG or SVG, whole or not at all, without a browser.

    Files of the same figure are equal byte for byte: they hold no date.

    Args:
        figure: What to write.
        path: Its suffix decides the format.

    Returns:
        The path.

    Raises:
        InputError: If the suffix is another one, or Matplotlib is not installed.
        OSError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from overtone import plots
        >>> plot = plots.ByFrequency([1, 2, 4], {"filter": [1.0, 0.5, 0.25]}, "Hz", "Gain")
        >>> plots.save_figure(plot.figure(), Path(tempfile.mkdtemp()) / "gain.pdf").name
        'gain.pdf'
    """
    path = checked_path(path)
    stamp = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(path.suffix.lower())
    content = io.BytesIO()
    with settings_in_force():
        figure.savefig(content, format=path.suffix.lower()[1:], metadata=stamp)
    return write_atomic(path, content.getvalue())


def checked_path(path: str | Path) -> Path:
    """Return the path of a figure's file once its suffix is known to be one of `SUFFIXES`.

    Raises:
        InputError: If it is another one.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"a file name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}",
            f"{path.name!r}",
            "name it figure.pdf, for instance",
            "figure",
        )
    return path


def _inches(width: float | str) -> float:
    inches = WIDTHS.get(width) if isinstance(width, str) else float(width)
    if inches is None or not 1 <= inches <= 40:
        raise InputError(
            "a width of 'single', 'double', or 1 to 40 inches",
            f"{width!r}",
            "pass width='single' for one column of a page",
            "figure",
        )
    return inches
