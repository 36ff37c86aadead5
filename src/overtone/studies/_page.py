"""Page of all claims with their verdicts, each opening into its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray

from overtone.plots import _style as style
from overtone.reports._blocks import Block, FoldedBlock, Page, PlotBlock, Section, TableBlock, Tile
from overtone.reports._page import render, write_html
from overtone.studies._criteria import SeedInterval, Verdict
from overtone.studies._result import StudyResult
from overtone.studies._study import FigureAxes, SizeSettings, Study, StudySize, Topic
from overtone.studies._wording import caveat_of, interval_wording, verdict_reason

_NOT_RUN = "not run"

_NO_CURVES = (
    "The curves of every measurement are in the folder evidence of the source repository; "
    "in a checkout of it this page draws them."
)

_MEANINGS = (
    (
        "Supported",
        "the whole interval of every condition meets the criterion that was fixed beforehand, at this size.",
    ),
    ("Refuted", "no part of any interval meets it, at the source's own dimensions."),
    (
        "Not reproduced",
        "the same in a smaller run, while a positive control shows that the test can be passed.",
    ),
    ("Depends", "some conditions meet it, others miss it; the sentence says which."),
    (
        "Undecided",
        "the seeds disagree, a control did not do what it must, or a run of this size cannot tell.",
    ),
)


def write_study_page(
    studies: Sequence[Study], results: Mapping[str, StudyResult], size: StudySize, out: str | Path
) -> Path:
    """Write one self-contained page and return its path.

    Args:
        studies: The studies, in order.
        results: Results by name; studies without one are shown as not run.
        size: Size of the results.
        out: Path of the page.

    Raises:
        InputError: If `out` is a folder.
        RunError: If it cannot be written.
    """
    return write_html(Path(out), render(_page(studies, results, size)))


def figure_data(result: StudyResult) -> xarray.Dataset:
    """Return the lines of a study's figure: mean and range over seeds in every condition.

    Args:
        result: Full result of a study.

    Returns:
        `x`, `mean`, `low` and `high` (line, point), NaN beyond a line's end; coords `line` (condition and curve). Where
        seeds disagree about x, each seed is a line of its own.
    """
    lines: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for condition, rows in result.measurements.items():
        names = dict.fromkeys(name for row in rows for name in row.get("curves", {}))
        for name in names:
            label = f"{condition}, {name}" if name else condition
            curves = [_arrays(row["curves"][name]) for row in rows if name in row["curves"]]
            if all(np.array_equal(curves[0][0], x) for x, _ in curves):
                lines[label] = curves[0][0], np.stack([y for _, y in curves])
            else:
                for number, (x, y) in enumerate(curves, 1):
                    lines[f"{label}, run {number}"] = x, y[None]
    # Lines of different lengths in one array: shorter ones are filled up with NaN, which is not drawn.
    longest = max((len(x) for x, _ in lines.values()), default=0)
    table = {key: np.full((len(lines), longest), np.nan) for key in ("x", "mean", "low", "high")}
    for row, (x, ys) in enumerate(lines.values()):
        for key, values in zip(table, (x, ys.mean(0), ys.min(0), ys.max(0)), strict=True):
            table[key][row, : len(x)] = values
    return xarray.Dataset(
        {key: (("line", "point"), values) for key, values in table.items()}, {"line": list(lines)}
    )


def draw_figure(lines: xarray.Dataset, axes: FigureAxes, control: str) -> go.Figure:
    """Draw the lines of a study; those of the control are dashed.

    Args:
        lines: From `figure_data`.
        axes: Titles and scales.
        control: Name of the control's condition.
    """
    fig = style.canvas(380)
    for number, label in enumerate(lines.line.values):
        line = lines.sel(line=label).dropna("point", subset=["x"])
        colour = style.RUNS[number % len(style.RUNS)]
        dash = "dash" if str(label).startswith(control) else "solid"
        if (line.high > line.low).any():
            # The band over seeds is one closed outline: along the upper edge and back along the lower one.
            outline = [
                np.concatenate([line[a].values, line[b].values[::-1]])
                for a, b in (("x", "x"), ("high", "low"))
            ]
            fig.add_scatter(
                x=outline[0], y=outline[1], fill="toself", fillcolor=colour, opacity=0.2, line={"width": 0},
                hoverinfo="skip", showlegend=False,
            )  # fmt: skip
        fig.add_scatter(
            x=line.x.values,
            y=line["mean"].values,
            name=str(label),
            mode="lines+markers" if line.sizes["point"] <= 40 else "lines",
            line={"color": colour, "dash": dash},
            marker={"size": 5},
        )
    fig.update_xaxes(**_axis(axes.x, axes.log_x, lines.x.values))
    fig.update_yaxes(**_axis(axes.y, axes.log_y, np.stack([lines.low.values, lines.high.values])))
    return fig


def _axis(title: str, log: bool, values: np.ndarray) -> dict[str, Any]:
    visible = values[np.isfinite(values) & (values > 0)] if log else values
    if log and visible.size:
        return style.log_axis(float(visible.min()), float(visible.max()), title, 0.05)
    return {"title": {"text": title}}


def _arrays(curve: Mapping[str, Sequence[Any]]) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.asarray(curve[axis], dtype=np.float64) for axis in ("x", "y"))
    return x, y


def _page(studies: Sequence[Study], results: Mapping[str, StudyResult], size: StudySize) -> Page:
    counts = {v: sum(r.judgement.verdict is v for r in results.values()) for v in Verdict}
    tiles = [Tile(verdict.value.capitalize(), str(number)) for verdict, number in counts.items()]
    if len(studies) > len(results):
        tiles.append(Tile(_NOT_RUN.capitalize(), str(len(studies) - len(results))))
    rows = [_overview_row(study, results.get(study.name)) for study in studies]
    table = TableBlock("All claims", rows, ("Verdict", "Claim", "Criterion", "Measured"))
    sections = [Section("claims", "Every claim and its verdict", [table])]
    for topic in Topic:
        members = [study for study in studies if study.topic is topic]
        if members:
            blocks = [_evidence(study, results.get(study.name), size) for study in members]
            sections.append(Section(topic.name.lower(), topic.value, blocks))
    return Page(
        "Claims about spectral bias, tested",
        f"{len(studies)} studies, size {size.value}. Each states its criterion before it is run and has a control "
        "that must miss it.",
        _MEANINGS,
        tiles,
        None,
        sections,
    )


def _overview_row(study: Study, result: StudyResult | None) -> tuple[str, str, str, str]:
    if result is None:
        return _NOT_RUN, study.claim, str(study.criterion), ""
    measured = "; ".join(f"{name}: {interval}" for name, interval in result.intervals.items())
    return result.judgement.verdict.value, study.claim, str(study.criterion), measured


def _evidence(study: Study, result: StudyResult | None, size: StudySize) -> FoldedBlock:
    sentences = [f"Source: {study.source}.", f"Statistic: {study.statistic}. Criterion: {study.criterion}."]
    if result is None:
        command = f"overtone study run {study.name} --size {size.value}"
        return FoldedBlock(study.name, study.claim, _NOT_RUN, [*sentences, f"Not run yet: {command}"], [])
    sentences.append(verdict_reason(study, result))
    sentences.append(
        f"Tests {study.tested.value}. Intervals: {interval_wording(study)}; judgings: {study.judgings}."
    )
    if isinstance(study.positive, str):
        sentences.append(f"No positive control: {study.positive}")
    if caveat := caveat_of(study, size):
        sentences.append(f"Caveat: {caveat}")
    blocks: list[Block] = []
    if result.has_curves:
        seeds = len(study.seeds(size))
        caption = (
            f"Lines are means over {seeds} seeds and bands their range; the control is dashed."
            if seeds > 1
            else "The measurement does not depend on a seed. The control is dashed."
        )
        figure = draw_figure(figure_data(result), study.axes, study.control.name)
        blocks.append(PlotBlock(f"{study.name}-figure", study.axes.y, caption, figure))
    else:
        sentences.append(_NO_CURVES)
    rows = [_interval_row(name, interval, "") for name, interval in result.intervals.items()]
    rows.append(_interval_row(study.control.name, result.control, "control"))
    if study.positive_control is not None and result.positive is not None:
        rows.append(_interval_row(study.positive_control.name, result.positive, "positive control"))
    blocks.append(
        TableBlock(
            "Statistic", rows, ("Condition", study.average.value.capitalize(), "Interval", ""), numeric=True
        )
    )
    blocks.append(TableBlock("How it was run", _settings_rows(study, study.sizes[size], result), folded=True))
    return FoldedBlock(study.name, study.claim, result.judgement.verdict.value, sentences, blocks)


def _interval_row(name: str, interval: SeedInterval, note: str) -> tuple[str, str, str, str]:
    ends = f"{interval.low:.3g} to {interval.high:.3g}" if interval.high > interval.low else ""
    return name, f"{interval.centre:.3g}", ends, note


def _settings_rows(study: Study, settings: SizeSettings, result: StudyResult) -> list[tuple[str, str]]:
    conditions = [(f"Condition: {c.name}", _listed(c.settings)) for c in study.situations]
    # Most seeds leave the same note; each is shown once.
    notes = dict.fromkeys(n for rows in result.measurements.values() for row in rows for n in row["notes"])
    return [
        *conditions,
        ("Settings", _listed(settings.settings)),
        ("Seeds", ", ".join(map(str, study.seeds(result.size)))),
        ("Time", f"{result.seconds:.3g} s"),
        ("Machine", result.machine),
        ("Versions", ", ".join(f"{name} {version}" for name, version in result.versions.items())),
        ("Date", result.created),
        *((("Notes", " ".join(notes)),) if notes else ()),
        ("Command", f"overtone study run {study.name} --size {result.size.value}"),
    ]


def _listed(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "none"
