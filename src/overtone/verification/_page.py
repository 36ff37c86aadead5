"""The page of a verification: that of scored fields, with ensembles and comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from overtone._utils.text import percent
from overtone.plots import _style as style
from overtone.records.metrics._ensemble_scores import EnsembleScore, ForecastComparison
from overtone.records.metrics._field_scores import FieldScore
from overtone.reports._blocks import Answer, AnswersBlock, Block, FoldedBlock, Page, PlotBlock, Section
from overtone.reports._field_page import curve_line, verification_page, wavelength_canvas
from overtone.reports._field_wording import lead_sentences, name_of
from overtone.verification._result import Verification
from overtone.verification._wording import comparison_sentences, ensemble_sentences, registration_sentences


def page_of(result: Verification) -> Page:
    """Return the page of a verification.

    Args:
        result: The verification.
    """
    page = verification_page(result)
    mean = "time mean subtracted" if result.anomalies else "time mean kept"
    page = replace(page, subtitle=f"{page.subtitle}; {mean}")
    since = lead_sentences(result, result.ensembles)
    if not (result.ensembles or result.comparisons or result.registrations or since):
        return page
    shown = [score for score in result.scores if score.reported.any()]
    sections, entries = [], []
    for title, anchor, texts, draw in (
        ("Ensemble", "ensemble", _ensemble_texts(result), _ensemble_block),
        ("Against other forecasts", "against", _comparison_texts(result), _against_block),
    ):
        blocks: list[Block] = []
        for index, score in enumerate(shown if texts else []):
            figure = draw(result, score, f"{anchor}-{index}")
            name = name_of(score)
            text = texts[_key(score)]
            blocks += (
                [figure] if not index else [FoldedBlock(f"{anchor}-{index}", name, "figure", text, [figure])]
            )
        if blocks:
            words = AnswersBlock("Summary", [(name_of(s), texts[_key(s)]) for s in shown[:1]])
            sections.append(Section(anchor, title, [blocks[0], words], pair=True))
            if len(blocks) > 1:
                # The heading of the first section stands for both.
                sections.append(Section(f"{anchor}-others", f"{title}: the others", blocks[1:]))
            entries.append((title, texts[_key(shown[0])]))
    answers: list[tuple[str, Answer]] = [*page.answers]
    if len(shown) == 1:
        # One score says everything at once; several say it in a section.
        answers = [_with_registrations(result, shown, answer) for answer in answers]
        answers[1:1] = entries
    if since:
        answers.insert(0, ("By lead time", since))
    return replace(
        page,
        answers=answers,
        sections=[*sections, *(_registered_words(result, shown, section) for section in page.sections)],
    )


def _registered_words(result: Verification, shown: Sequence[FieldScore], section: Section) -> Section:
    """Return a section whose sentences on scores say whether what is in the wrong place is displaced."""
    blocks = [
        replace(block, entries=[_with_registrations(result, shown, entry) for entry in block.entries])
        if isinstance(block, AnswersBlock)
        else block
        for block in section.blocks
    ]
    return replace(section, blocks=blocks)


def _with_registrations(
    result: Verification, shown: Sequence[FieldScore], answer: tuple[str, Answer]
) -> tuple[str, Answer]:
    """Add to the sentences on a score whether what is in the wrong place is displaced."""
    name, text = answer
    score = next((score for score in shown if name_of(score) == name), None)
    if score is None or isinstance(text, str):
        return answer
    return name, [*text, *_capital(registration_sentences(result, score))]


def _key(score: FieldScore | EnsembleScore) -> tuple[str, str | None]:
    return score.variable, score.lead


def _ensemble_texts(result: Verification) -> dict[tuple[str, str | None], list[str]]:
    return {_key(e): _capital(ensemble_sentences(result, e)) for e in result.ensembles}


def _comparison_texts(result: Verification) -> dict[tuple[str, str | None], list[str]]:
    texts: dict[tuple[str, str | None], list[str]] = {}
    for comparison in result.comparisons:
        texts.setdefault(_key(comparison.first), []).extend(
            _capital(comparison_sentences(result, comparison))
        )
    return texts


def _capital(texts: Sequence[str]) -> list[str]:
    return [text[:1].upper() + text[1:] for text in texts]


def _ensemble_block(result: Verification, score: FieldScore, anchor: str) -> PlotBlock:
    """Return the figure of spread, members' power and CRPS by wavelength."""
    (ensemble,) = (e for e in result.ensembles if _key(e) == _key(score))
    figure, x = wavelength_canvas(result.geometry, score)
    shown, unit = score.reported, result.geometry.unit
    curves = (
        ("spread / error", ensemble.spread_ratio, ensemble.spread_interval, style.CLEAN, "solid"),
        ("members' power", ensemble.power_ratio, ensemble.power_interval, style.PREDICTION, "dash"),
        ("CRPS", ensemble.crps_ratio, ensemble.crps_interval, style.RESIDUAL, "dot"),
    )
    has_crps = bool(np.isfinite(ensemble.crps_ratio[shown]).any())
    top = 1.25
    for name, ratio, interval, colour, dash in curves if has_crps else curves[:2]:
        low, high, values = (
            np.where(ensemble.reported, column, np.nan)[shown]
            for column in (interval.low, interval.high, ratio)
        )
        style.shade(figure, x, low.clip(0, 3), high.clip(0, 3), colour, name)
        curve_line(figure, x, np.where(values <= 3, values, np.nan), name, colour, unit, dash)
        top = max(top, min(3.0, float(np.nanmax(values, initial=0.0))))
    figure.update_yaxes(title="Ratio", range=[-0.02, top + 0.1])
    figure.add_hline(y=1.0, line={"dash": "dash", "width": 1.5, "color": style.RUNS[4]})
    power = "power of the members over that of the truth"
    crps = f", {power}, and CRPS over that of a forecast of zero" if has_crps else f", and {power}"
    caption = (
        f"Spread of {ensemble.members} members over the squared error of their mean (1 if they are as far from each "
        f"other as from the truth){crps}. Shaded areas are {percent(result.level)} intervals; ratios above 3 are left "
        "out."
    )
    return PlotBlock(anchor, f"{name_of(score)}: ensemble", caption, figure)


def _against_block(result: Verification, score: FieldScore, anchor: str) -> PlotBlock:
    """Return the figure of the error ratios of all forecasts by wavelength."""
    comparisons = [c for c in result.comparisons if _key(c.first) == _key(score)]
    figure, x = wavelength_canvas(result.geometry, score)
    shown, unit = score.reported, result.geometry.unit
    ratios = [style.positive_only(score.error_ratio[shown])]
    curve_line(figure, x, ratios[0], "forecast", style.PREDICTION, unit)
    for index, comparison in enumerate(comparisons):
        ratios.append(style.positive_only(comparison.second.error_ratio[shown]))
        colour = style.RUNS[(index + 1) % len(style.RUNS)]
        curve_line(figure, x, ratios[-1], comparison.other, colour, unit, "dash")
        better, worse = _significant(comparison, shown)
        for places, symbol, text in ((better, "circle", "less error"), (worse, "x", "more error")):
            figure.add_scatter(
                x=x[places],
                y=ratios[-1][places],
                mode="markers",
                showlegend=False,
                marker={"size": 9, "symbol": symbol, "color": colour},
                hovertemplate=f"the forecast has {text}<extra></extra>",
            )
    figure.update_yaxes(style.power_axis([*ratios, np.array([0.5, 1.0])], "Error power / truth power"))
    style.horizontal(figure, 0.5, "one half")
    caption = _against_caption(comparisons, result)
    return PlotBlock(anchor, f"{name_of(score)}: against others", caption, figure)


def _significant(comparison: ForecastComparison, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the reported bands where the forecast is better, and those where it is worse."""
    interval = comparison.difference_interval
    return interval.high[shown] < 0, interval.low[shown] > 0


def _against_caption(comparisons: Sequence[ForecastComparison], result: Verification) -> str:
    text = "Power of the error over that of the truth, by wavelength, on the same samples."
    if any(comparison.first.has_intervals for comparison in comparisons):
        text += (
            f" Discs on another forecast: ours has less error there, crosses: more, as the {percent(result.level)} "
            "interval of the paired difference says."
        )
    return text
