"""Look at the axes of each figure that an example draws: a missing label or unit is a warning of the build."""

from __future__ import annotations

import re
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sphinx.util import logging

UNITLESS = re.compile(
    r"Step|(Measured |Predicted )?[Ll]earning step|Training step|Relative error|Error rate|Gain|Value|Candidate|"
    r"Library|Units|Rate over"
)
"""Labels of counts, ratios, names and plain numbers; every other label ends with a unit in brackets."""


def figure_faults(figure: Figure) -> list[str]:
    """Return what is wrong with a figure: nothing is drawn in it, or its axes lack a label or a unit."""
    figure.canvas.draw()
    faults = [fault for axes in figure.axes for fault in label_faults(axes)]
    if not any(axes.lines or axes.images or axes.collections or axes.patches for axes in figure.axes):
        faults.append("a figure without content")
    return faults


def label_faults(axes: Axes) -> list[str]:
    """Return which axes lack a label or a unit; pictures without axes have their title."""
    if not axes.axison:
        return [] if axes.get_title() else ["a picture without a title"]
    faults = []
    for axis, sides in ((axes.xaxis, ("labelbottom", "labeltop")), (axes.yaxis, ("labelleft", "labelright"))):
        label, ticks = axis.get_label_text(), axis.get_tick_params()
        # Inner axes of a shared row, and the short side of a colour bar, have neither tick labels nor a label.
        if not label and not any(ticks.get(side, side in ("labelbottom", "labelleft")) for side in sides):
            continue
        if axes.get_label() == "<colorbar>" and axis is axes.xaxis:
            continue
        if not label:
            faults.append(f"an axis without a label: {axis.axis_name}")
        elif not (re.search(r"\(.+\)$", label, re.DOTALL) or UNITLESS.match(label)):
            faults.append(f"a label without a unit: {label}")
    return faults


def warn(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Warn of the faults of the figures of one block; called by sphinx-gallery before it stores them."""
    from matplotlib import pyplot

    for number in pyplot.get_fignums():
        for fault in figure_faults(pyplot.figure(number)):
            logging.getLogger(__name__).warning("%s: %s", block_vars["src_file"], fault)
    return ""
