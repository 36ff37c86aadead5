"""The bandwidths that were compared before training: their scores and trials, as a figure and a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import xarray as xr

from overtone._utils.text import count, decibels, format_per_axis, percent, plural
from overtone.plots import _bands as bands
from overtone.plots import _style as style
from overtone.reports._blocks import PlotBlock, Section, TableBlock


def candidates_section(record: xr.Dataset) -> list[Section]:
    """Return the section on the choice of the bandwidth; nothing where no bandwidths were compared.

    Args:
        record: With the attribute `candidates`, see `planning.Plan`.
    """
    entries = record.attrs.get("candidates") or []
    if not entries:
        return []
    unit = bands.bandwidth_unit(record)
    title = "Bandwidths that were compared"
    caption = _caption(
        entries, record.attrs.get("trial_steps"), (record.attrs.get("options") or {}).get("steps")
    )
    plot = PlotBlock("candidates", title, caption, _figure(entries, unit))
    return [Section("choice", "Choice of the bandwidth", [plot, _table(entries, unit)])]


def _middle(entry: Mapping[str, Any]) -> float:
    """Geometric mean of the bandwidths of all axes."""
    return math.exp(sum(map(math.log, entry["bandwidth"])) / len(entry["bandwidth"]))


def _label(entry: Mapping[str, Any]) -> str:
    return " ".join(filter(None, [entry.get("encoding"), format_per_axis(entry["bandwidth"])]))


def _figure(entries: Sequence[Mapping[str, Any]], unit: str) -> go.Figure:
    figure = style.canvas()
    figure.update_layout(showlegend=True)
    for level, spread, name, symbol, colour in (
        ("shortlist_psnr", "shortlist_spread", "regression on untrained copies", "circle-open", style.TRAIN),
        ("trial_psnr", "trial_spread", "short training", "diamond", style.HELD_OUT),
        ("outlook_psnr", "", "extrapolated with its tangent kernel", "triangle-up-open", style.CLEAN),
    ):
        shown = sorted((e for e in entries if e.get(level) is not None), key=_middle)
        if not shown:
            continue
        # Two standard errors to either side.
        bars = [2 * (e.get(spread) or 0.0) for e in shown]
        figure.add_scatter(
            x=[_middle(e) for e in shown],
            y=[e[level] for e in shown],
            error_y={"array": bars, "arrayminus": bars, "thickness": 1} if spread else None,
            customdata=[_label(e) for e in shown],
            name=name,
            mode="markers",
            marker={"size": 8, "symbol": symbol, "color": colour},
            hovertemplate=f"%{{customdata}} {unit}, {name}: %{{y:.1f}} dB<extra></extra>",
        )
    middles = [_middle(entry) for entry in entries]
    figure.update_xaxes(style.log_axis(min(middles), max(middles), f"Bandwidth ({unit})", 0.05))
    figure.update_yaxes(title="PSNR on held-out samples (dB)")
    for entry in entries:
        if entry.get("chosen"):
            style.vertical(figure, _middle(entry), "chosen")
    return figure


def _caption(entries: Sequence[Mapping[str, Any]], spent: Any, steps: Any) -> str:
    tried = [entry for entry in entries if entry.get("trial_steps")]
    text = f"{plural(len(entries), 'bandwidth')} compared before training, {count(len(tried))} by a short training"
    if isinstance(spent, int) and spent and isinstance(steps, int) and steps:
        text += f"; these took {plural(spent, 'step')} in all, {percent(spent / steps)} of the run"
    further = ""
    if any(entry.get("outlook_psnr") is not None for entry in entries):
        further = " Triangles extrapolate a short training by regression with the tangent kernel at its end."
    return (
        f"{text}. A bandwidth per axis is drawn at its geometric mean. Bars are two standard errors.{further}"
    )


def _table(entries: Sequence[Mapping[str, Any]], unit: str) -> TableBlock:
    further = any(entry.get("outlook_psnr") is not None for entry in entries)
    rows = [
        (
            _label(entry),
            _level(entry, "shortlist_psnr", "shortlist_spread"),
            _level(entry, "trial_psnr", "trial_spread"),
            *([_level(entry, "outlook_psnr", "")] if further else []),
            count(entry["trial_steps"]) if entry.get("trial_steps") else "not tried",
            "chosen" if entry.get("chosen") else "",
        )
        for entry in sorted(entries, key=_middle)
    ]
    more = ["Extrapolated (dB)"] if further else []
    head = (f"Bandwidth ({unit})", "Regression (dB)", "Short training (dB)", *more, "Its steps", "")
    return TableBlock("Every bandwidth that was compared, as a table", rows, head, numeric=True, folded=True)


def _level(entry: Mapping[str, Any], level: str, spread: str) -> str:
    if entry.get(level) is None:
        return "–"
    error = entry.get(spread)
    return decibels(entry[level]) + (f" ± {2 * error:.1f}" if error else "")
