"""Page of one run whose targets are fields: what is right at which scale, since when, with pictures."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import xarray as xr

from overtone._utils.text import count, number, plural
from overtone.plots import FieldPictures, LearningOrder
from overtone.plots import _encode as encode
from overtone.plots import _style as style
from overtone.plots._labels import escaped
from overtone.plots._snapshots import snapshot_data
from overtone.records import Snapshots
from overtone.records.metrics._field_runs import FieldRun
from overtone.records.metrics._field_scores import CrossingCode, EffectiveResolution, ResolutionCriterion
from overtone.reports._blocks import (
    Answer,
    AnswersBlock,
    Block,
    PictureBlock,
    PicturesBlock,
    PlotBlock,
    Section,
    Tile,
)
from overtone.reports._field_page import (
    error_block,
    field_table,
    lead_blocks,
    resolution_value,
    scale_sections,
    score_words,
)
from overtone.reports._field_verdict import field_answers
from overtone.reports._field_wording import name_of, note_sentences
from overtone.reports._findings import Findings

Entry = TypeVar("Entry")

_TILES, _LINES = 4, 6


def field_answer_entries(run: FieldRun, findings: Findings, record: xr.Dataset) -> list[tuple[str, Answer]]:
    """Return questions and answers of the first screen.

    Args:
        run: Scores of the run's fields.
        findings: Findings of the record.
        record: Of one run.
    """
    entries: list[tuple[str, Answer]] = [*field_answers(run, findings, record)]
    notes = note_sentences(run)
    return [*entries, ("Notes", notes)] if notes else entries


def resolution_tiles(run: FieldRun) -> list[Tile]:
    """Return the effective resolution of the first scores."""
    shown = [score for score in run.scores if score.reported.any()]
    tiles = []
    for score in _ends(shown, _TILES):
        value, unit = resolution_value(run, score, run.resolution(score, ResolutionCriterion.ERROR))
        name = "Effective resolution"
        if len(run.scores) > 1:
            name = f"Resolution, lead time {score.lead}" if score.lead else f"Resolution, {score.variable}"
        tiles.append(Tile(name, value, unit))
    samples = run.scores[0].samples
    value = count(samples) if samples == run.drawn_from else f"{count(samples)} of {count(run.drawn_from)}"
    return [*tiles, Tile("Samples measured", value)]


def field_lead(record: xr.Dataset) -> PlotBlock:
    """Return the figure of the first screen: which scales are learned, and since when."""
    order = LearningOrder(record)
    return PlotBlock("learning-order", "Error by scale over training", order.describe(), order.plotly())


def field_sections(run: FieldRun) -> list[Section]:
    """Return the sections of a run of fields: figures by scale and lead time, pictures are `field_pictures`.

    Args:
        run: Scores of the run's fields.
    """
    shown = [(index, score) for index, score in enumerate(run.scores) if score.reported.any()]
    if not shown:
        return []
    scores = [score for _, score in shown]
    sections = []
    if len(scores) > 1:
        words = AnswersBlock("Summary", [(name_of(score), score_words(run, score)) for score in scores])
        sections.append(Section("words", "By variable and lead time", [words]))
    over_time = [_resolution_block(run, [index for index, _ in shown]), error_block(run, scores[0], "error")]
    sections.append(Section("resolution", "Effective resolution", over_time, pair=True))
    if len({score.lead for score in scores}) > 1:
        sections.append(Section("lead-times", "Lead times", lead_blocks(run, scores), pair=True))
    sections += scale_sections(run, scores)
    tables: list[Block] = [field_table(run, score) for score in scores]
    return [*sections, Section("wavelengths", "Wavelength by wavelength", tables)]


def field_pictures(record: xr.Dataset, snapshots: Snapshots) -> list[Block]:
    """Return pictures of target, prediction and difference at a few steps; none for volumes and without snapshots.

    Args:
        record: Of one run.
        snapshots: Its snapshots.
    """
    if "target" not in snapshots.names or "prediction" not in snapshots.names:
        return []
    if not record.attrs["fields"]["pictures"]:
        return []
    axes = len(record.attrs["geometry"]["shape"])
    if axes != 2:
        return [_difference_curve(record, snapshots)] if axes == 1 else []
    plot = FieldPictures(record, snapshots)
    d = plot.data
    steps = [f"step {count(float(step))}" for step in d.moment.values]
    blocks: list[Block] = []
    for i, name in enumerate(map(str, d.entry.values)):
        upper = [
            _picture(pixels, f"Prediction, {step}", name)
            for pixels, step in zip(d.prediction.values[i], steps, strict=True)
        ]
        upper.append(_picture(d.target.values[i], "Target", name))
        limit = f"full colour at ±{number(float(d.limit[i]), 2)}"
        lower = [
            _picture(pixels, f"Difference, {step}", limit)
            for pixels, step in zip(d.difference.values[i], steps, strict=True)
        ]
        caption = plot.describe() if i == 0 else ""
        blocks.append(
            PicturesBlock(f"fields-{i}", f"{name[:1].upper()}{name[1:]}", caption, [*upper, *lower])
        )
    return blocks


def _picture(pixels: np.ndarray, title: str, note: str) -> PictureBlock:
    height, width = pixels.shape[:2]
    return PictureBlock(encode.picture_uri(pixels), width, height, title, note, f"{title}, {note}")


def _difference_curve(record: xr.Dataset, snapshots: Snapshots) -> PlotBlock:
    """Return the differences of prediction and target along time, at a few steps."""
    d = snapshot_data(record, snapshots, limit=3).isel(channel=0)
    figure = style.canvas()
    figure.update_layout(showlegend=True)
    for step, values in zip(d.moment.values, d.prediction.values, strict=True):
        last = step == d.moment.values[-1]
        figure.add_scatter(
            x=d.axis_0.values,
            y=values - d.target.values,
            name=f"step {count(float(step))}",
            mode="lines",
            line={"width": 2 if last else 1, "color": style.RESIDUAL if last else None},
        )
    unit = d.attrs["units"][0]
    figure.update_xaxes(title="Time (s)" if unit == "s" else escaped(f"Coordinate ({unit})", 80))
    figure.update_yaxes(title="Prediction minus target")
    caption = f"Difference of prediction and target at {plural(d.sizes['moment'], 'step')}, of the first sample drawn."
    return PlotBlock("fields-difference", "Difference", caption, figure)


def _resolution_block(run: FieldRun, indices: list[int]) -> PlotBlock:
    """Return the figure of the effective resolution over training."""
    figure = style.canvas()
    figure.update_layout(showlegend=len(indices) > 1)
    x, ends = style.step_positions(run.steps), []
    for colour, index in zip(style.RUNS * 2, _ends(indices, _LINES), strict=False):
        score, every = run.scores[index], run.resolutions(index)
        finest = run.geometry.wavelength(float(score.high[score.reported][-1]))
        y = np.array([_plotted(one, finest) for one in every])
        bounds = np.array([[max(one.low, finest), one.high] for one in every])
        style.shade(figure, x, bounds[:, 0], bounds[:, 1], colour, name_of(score))
        figure.add_scatter(
            x=x,
            y=y,
            customdata=run.steps,
            name=name_of(score),
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 4},
            hovertemplate=f"step %{{customdata}}: %{{y:.4g}} {escaped(run.geometry.unit)}<extra></extra>",
        )
        coarsest = run.geometry.wavelength(float(score.low[score.reported][0]))
        ends += [finest, coarsest]
    figure.update_xaxes(style.step_axis(run.steps))
    title = f"Effective resolution ({run.geometry.unit})"
    figure.update_yaxes(style.log_axis(min(ends), max(ends), title, 0.05))
    caption = (
        "The wavelength at which the error has half of the target's power, over training: finer is better. Steps at "
        "which the error has more than that at all wavelengths have no point."
    )
    return PlotBlock("resolution-steps", "Effective resolution over training", caption, figure)


def _plotted(one: EffectiveResolution, finest: float) -> float:
    return finest if one.crossing.code is CrossingCode.NOT_CROSSED else one.wavelength


def _ends(entries: list[Entry], limit: int) -> list[Entry]:
    """Return at most a number of entries, evenly spread, the first and last among them."""
    if len(entries) <= limit:
        return entries
    return [entries[round(i * (len(entries) - 1) / (limit - 1))] for i in range(limit)]
