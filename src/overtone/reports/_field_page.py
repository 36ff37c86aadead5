"""The page of a verification: sentences, effective resolution, figures by scale and lead time, and tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from overtone._utils.text import number, percent, plural
from overtone.plots import _style as style
from overtone.plots._labels import escaped
from overtone.records.metrics._field_scores import (
    CrossingCode,
    EffectiveResolution,
    FieldPair,
    FieldPositions,
    FieldScore,
    ResolutionCriterion,
    ScoredFields,
)
from overtone.reports._blocks import (
    Answer,
    AnswersBlock,
    Block,
    FoldedBlock,
    Glossary,
    Page,
    PlotBlock,
    Section,
    TableBlock,
    Tile,
)
from overtone.reports._field_wording import name_of, names_of, note_sentences, score_sentences

Array = NDArray[np.float64]

_FIRST, _TILES, _OPEN = 6, 6, 1


def glossary_entries(pair: FieldPair) -> list[tuple[str, str]]:
    """Return the words of a page on scored fields and their meanings.

    Args:
        pair: What is compared.
    """
    forecast, truth = names_of(pair)
    return [
        (
            "Error ratio",
            f"Power of the difference of {forecast} and {truth} over that of the {truth}: 0 is perfect.",
        ),
        ("Effective resolution", "The wavelength at which the error ratio first exceeds one half."),
        (
            "Power ratio",
            f"Power of the {forecast} over that of the {truth}: below 1 it is too smooth, above 1 too rough.",
        ),
        (
            "Coherence",
            f"1 where structures are in the right place, 0 where they are unrelated to the {truth}'s.",
        ),
        ("Amplitude error", "The part of the error that a gain per band would remove."),
        ("Decorrelation error", "The other part of the error; both parts add up to it."),
    ]


def verification_page(result: ScoredFields) -> Page:
    """Return the page of a verification.

    Args:
        result: The verification.
    """
    shown = [score for score in result.scores if score.reported.any()]
    shape = " x ".join(map(str, result.geometry.shape))
    samples = plural(min(score.samples for score in result.scores), "sample")
    # One score says everything at once; of several, the first screen has the effective resolutions.
    answers: list[tuple[str, Answer]] = [
        (name_of(s), score_words(result, s, None if len(shown) == 1 else 1)) for s in shown[:_FIRST]
    ]
    notes = note_sentences(result)
    if notes or not answers:
        answers.append(("Notes", notes))
    sections = []
    if len({score.lead for score in shown}) > 1:
        sections.append(Section("lead-times", "Lead times", lead_blocks(result, shown), pair=True))
    sections += scale_sections(result, shown)
    if len(shown) > 1:
        words = AnswersBlock(
            "By variable and lead time", [(name_of(score), score_words(result, score)) for score in shown]
        )
        sections.insert(0, Section("words", "Summary", [words]))
    sections.append(Section("bands", "Band by band", [field_table(result, score) for score in shown]))
    sections.append(Section("glossary", "Glossary", [Glossary(glossary_entries(result.pair))]))
    return Page(
        "Forecast against truth",
        f"{samples} of {shape} values; spectra: {result.estimator}; {percent(result.level)} intervals",
        answers,
        [_tile(result, score) for score in shown[:_TILES]],
        error_block(result, shown[0], "lead") if shown else None,
        sections,
    )


def score_words(result: ScoredFields, score: FieldScore, first: int | None = None) -> list[str]:
    """Return the sentences on a score without its name, which stands above them; all, or the first ones."""
    texts = [text.removeprefix(f"{name_of(score)}: ") for text in score_sentences(result, score)[:first]]
    return [text[:1].upper() + text[1:] for text in texts]


def _tile(result: ScoredFields, score: FieldScore) -> Tile:
    resolution = result.resolution(score, ResolutionCriterion.ERROR)
    name = (
        "Effective resolution" if len(result.scores) == 1 else f"Resolution, {score.lead or score.variable}"
    )
    value, unit = resolution_value(result, score, resolution)
    return Tile(name, value, unit)


def resolution_value(
    result: ScoredFields, score: FieldScore, resolution: EffectiveResolution
) -> tuple[str, str]:
    finest = number(result.geometry.wavelength(float(score.high[score.reported][-1])))
    match resolution.crossing.code:
        case CrossingCode.CROSSED:
            return number(resolution.wavelength), resolution.unit
        case CrossingCode.NOT_CROSSED:
            return f"{finest} or finer", resolution.unit
        case CrossingCode.NOT_DETERMINED:
            return "not determined", ""
        case _:
            return "none", ""


def scale_sections(result: ScoredFields, scores: Sequence[FieldScore]) -> list[Section]:
    """Return figures by wavelength of every score; all but the first are folded."""
    blocks: list[Block] = []
    for index, score in enumerate(scores):
        anchor = f"score-{index}"
        figures: list[Block] = [power_block(result, score, f"{anchor}-power")]
        if index:
            figures.append(error_block(result, score, f"{anchor}-error"))
        figures.append(coherence_block(result, score, f"{anchor}-coherence"))
        if index < _OPEN:
            blocks += figures
        else:
            value = " ".join(
                resolution_value(result, score, result.resolution(score, ResolutionCriterion.ERROR))
            ).strip()
            blocks.append(FoldedBlock(anchor, name_of(score), value, (), figures))
    opened = [block for block in blocks if isinstance(block, PlotBlock)]
    folded = [block for block in blocks if isinstance(block, FoldedBlock)]
    sections = [Section("scales", "Scale by scale", opened, pair=True)] if opened else []
    return sections + ([Section("others", "Other variables and lead times", folded)] if folded else [])


def _shown(score: FieldScore) -> NDArray[np.bool_]:
    """Return which bands have a place in figures and tables: those reported, and those that are not determined."""
    if score.reasons is None:
        return score.reported
    return score.reported | np.array([reason is not None for reason in score.reasons])


def _curve(score: FieldScore, values: Array) -> Array:
    """Return values of the bands in figures, NaN where they are not determined."""
    return np.where(score.reported, values, np.nan)[_shown(score)]


def _places(geometry: FieldPositions, score: FieldScore) -> Array:
    """Return the wavelengths of the bands in figures."""
    shown = _shown(score)
    low, high = score.low[shown], score.high[shown]
    return np.array([geometry.wavelength(float(f)) for f in np.sqrt(low * high)])


def wavelength_canvas(geometry: FieldPositions, score: FieldScore) -> tuple[go.Figure, Array]:
    """Return an empty figure over wavelengths, and the wavelengths of its bands."""
    figure, x = style.canvas(), _places(geometry, score)
    axis = style.log_axis(float(x.min()), float(x.max()), f"Wavelength ({geometry.unit})", 0.02)
    # Large scales stand on the left, as frequencies do that rise to the right.
    axis["range"] = axis["range"][::-1]
    figure.update_xaxes(axis)
    figure.update_layout(showlegend=True)
    return figure, x


def curve_line(
    figure: go.Figure, x: Array, y: Array, name: str, colour: str, unit: str, dash: str = "solid"
) -> None:
    """Draw a curve over wavelengths.

    Args:
        figure: The figure.
        x: Wavelengths.
        y: Values.
        name: Name in the legend.
        colour: Colour of the line.
        unit: Unit of the wavelengths.
        dash: Pattern of the line.
    """
    figure.add_scatter(
        x=x,
        y=y,
        name=name,
        legendgroup=name,
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": dash},
        marker={"size": 4},
        hovertemplate=f"{name} at %{{x:.4g}} {escaped(unit)}: %{{y:.3g}}<extra></extra>",
    )


def power_block(result: ScoredFields, score: FieldScore, anchor: str) -> PlotBlock:
    figure, x = wavelength_canvas(result.geometry, score)
    unit = result.geometry.unit
    forecast, truth = names_of(result.pair)
    curves = (
        (truth, score.target, style.TARGET, "solid"),
        (forecast, score.prediction, style.PREDICTION, "solid"),
        ("error", score.residual, style.RESIDUAL, "dot"),
    )
    for name, power, colour, dash in curves:
        curve_line(figure, x, style.positive_only(_curve(score, power)), name, colour, unit, dash)
    figure.update_yaxes(
        style.power_axis([power[score.reported] for _, power, _, _ in curves], "Power per band")
    )
    caption = f"Power of the {truth}, of the {forecast} and of their difference, by wavelength."
    return PlotBlock(anchor, f"{name_of(score)}: power", caption, figure)


def error_block(result: ScoredFields, score: FieldScore, anchor: str) -> PlotBlock:
    """Return the figure of the error ratio with its interval and the threshold one half.

    Args:
        result: The verification.
        score: One of its scores with reported bands.
        anchor: Anchor of the figure.
    """
    figure, x = wavelength_canvas(result.geometry, score)
    _, truth = names_of(result.pair)
    interval = score.error_interval
    ratio, low, high = (
        style.positive_only(_curve(score, values))
        for values in (score.error_ratio, interval.low, interval.high)
    )
    style.shade(figure, x, low, high, style.RESIDUAL, "error ratio")
    curve_line(figure, x, ratio, "error ratio", style.RESIDUAL, result.geometry.unit)
    figure.update_yaxes(
        style.power_axis([ratio, low, high, np.array([0.5, 1.0])], f"Error power / {truth} power")
    )
    style.horizontal(figure, 0.5, "one half")
    resolution = result.resolution(score, ResolutionCriterion.ERROR)
    text = ""
    if resolution.crossing.code is CrossingCode.CROSSED:
        figure.add_vline(x=resolution.wavelength, line={"dash": "dot", "width": 1.5, "color": style.RUNS[4]})
        text = f" The dotted line is the effective resolution, {number(resolution.wavelength)} {resolution.unit}."
    shaded = f" The shaded area is the {percent(result.level)} interval." if score.has_intervals else ""
    caption = f"Power of the error over that of the {truth}, by wavelength.{text}{shaded}"
    return PlotBlock(anchor, f"{name_of(score)}: error ratio", caption, figure)


def coherence_block(result: ScoredFields, score: FieldScore, anchor: str) -> PlotBlock:
    figure, x = wavelength_canvas(result.geometry, score)
    unit = result.geometry.unit
    forecast, truth = names_of(result.pair)
    curves = (
        ("coherence", _curve(score, score.coherence), score.coherence_interval, style.CLEAN, "solid"),
        ("power ratio", _curve(score, score.power_ratio), score.power_interval, style.PREDICTION, "dash"),
    )
    top = 1.25
    for name, values, interval, colour, dash in curves:
        style.shade(
            figure,
            x,
            np.clip(_curve(score, interval.low), -1, 2),
            np.clip(_curve(score, interval.high), -1, 2),
            colour,
            name,
        )
        curve_line(figure, x, np.where(values <= 2, values, np.nan), name, colour, unit, dash)
        top = max(top, min(2.0, float(np.nanmax(values, initial=0.0))))
    lowest = min(0.0, float(np.nanmin(curves[0][1], initial=0.0)))
    figure.update_yaxes(title="Coherence, power ratio", range=[lowest - 0.02, top + 0.05])
    caption = "Coherence: 1 is in the right place. "
    caption += f"Power of the {forecast} over that of the {truth}: 1 is as rough as it."
    if bool((curves[1][1] > 2).any()):
        caption += " Power ratios above 2 are left out."
    return PlotBlock(anchor, f"{name_of(score)}: coherence", caption, figure)


def lead_blocks(result: ScoredFields, scores: Sequence[FieldScore]) -> list[Block]:
    """Return one heat map of the error ratio by lead time and wavelength per variable."""
    blocks: list[Block] = []
    for index, variable in enumerate(dict.fromkeys(score.variable for score in scores)):
        rows = [score for score in scores if score.variable == variable]
        bands = np.flatnonzero(np.any([score.reported for score in rows], axis=0))
        low, high = rows[0].low[bands], rows[0].high[bands]
        x = [number(result.geometry.wavelength(float(f))) for f in np.sqrt(low * high)]
        z = np.array([np.where(s.reported, s.error_ratio, np.nan)[bands] for s in rows])
        figure = style.canvas(max(260, min(700, 130 + 30 * len(rows))))
        figure.add_heatmap(
            x=np.arange(len(bands)),
            y=[str(score.lead) for score in rows],
            z=z,
            zmin=0,
            zmax=1,
            colorscale=style.ERROR_SCALE,
            colorbar={"title": {"text": "error ratio", "side": "right"}, "thickness": 12},
            customdata=np.tile(np.array(x), (len(rows), 1)),
            hovertemplate=f"%{{customdata}} {escaped(result.geometry.unit)}, %{{y}}: %{{z:.3g}}<extra></extra>",
        )
        stride = max(1, -(-len(bands) // 5))
        places = list(range(0, len(bands), stride))
        figure.update_xaxes(
            tickvals=places,
            ticktext=[x[place] for place in places],
            title=f"Wavelength ({escaped(result.geometry.unit)})",
        )
        figure.update_yaxes(title="Lead time", type="category")
        _, truth = names_of(result.pair)
        caption = (
            f"Power of the error over that of the {truth}; 0.5 is the limit of the effective resolution."
        )
        blocks.append(PlotBlock(f"lead-times-{index}", variable, caption, figure))
    return blocks


def field_table(result: ScoredFields, score: FieldScore) -> TableBlock:
    unit, wavelength = result.geometry.unit, result.geometry.wavelength
    head = (
        f"Wavelength ({unit})",
        f"{names_of(result.pair)[1].capitalize()}'s power",
        "Error ratio",
        f"{percent(result.level)} interval",
        "Power ratio",
        "Coherence",
        "Amplitude error",
        "Decorrelation error",
    )
    columns = zip(
        score.target,
        score.error_ratio,
        score.error_interval.low,
        score.error_interval.high,
        score.power_ratio,
        score.coherence,
        score.amplitude_error,
        score.decorrelation_error,
        strict=True,
    )
    rows, shown = [], _shown(score)
    for band, (target, error, low, high, power, coherence, amplitude, decorrelation) in enumerate(columns):
        if shown[band]:
            ends = f"{number(wavelength(float(score.low[band])))} to {number(wavelength(float(score.high[band])))}"
            if not score.reported[band]:
                rows.append((ends, "not determined", *("–" for _ in head[2:])))
                continue
            interval = f"{number(low)} to {number(high)}" if np.isfinite(low) and np.isfinite(high) else "–"
            figures = (_cell(value) for value in (power, coherence, amplitude, decorrelation))
            rows.append((ends, _cell(target), _cell(error), interval, *figures))
    return TableBlock(f"{name_of(score)}, as a table", rows, head, numeric=True, folded=True)


def _cell(value: float) -> str:
    return number(float(value)) if np.isfinite(value) else "–"
