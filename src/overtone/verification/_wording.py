"""Sentences on ensembles, and on two forecasts of the same truth."""

from __future__ import annotations

from overtone._utils.text import number
from overtone.records.metrics._ensemble_scores import (
    ComparisonFactCode,
    EnsembleFactCode,
    EnsembleScore,
    ForecastComparison,
)
from overtone.records.metrics._field_scores import FieldScore
from overtone.reports._field_wording import (
    lead_sentences,
    name_of,
    note_sentences,
    score_sentences,
    share_of,
)
from overtone.verification._result import Verification


def sentences_of(result: Verification) -> tuple[str, ...]:
    """Return what a verification shows: of each score resolution, facts and comparisons, then the notes."""
    lines = []
    for score in result.scores:
        lines += score_sentences(result, score)
        name = (score.variable, score.lead)
        lines += [f"{name_of(score)}: {text}" for text in registration_sentences(result, score)]
        for ensemble in result.ensembles:
            if (ensemble.variable, ensemble.lead) == name and score.reported.any():
                lines += [f"{name_of(score)}: {text}" for text in ensemble_sentences(result, ensemble)]
        for comparison in result.comparisons:
            if comparison.first is score and score.reported.any():
                lines += [f"{name_of(score)}: {text}" for text in comparison_sentences(result, comparison)]
    return (*lines, *lead_sentences(result, result.ensembles), *note_sentences(result))


def registration_sentences(result: Verification, score: FieldScore) -> list[str]:
    """Return whether structure in the wrong place is displaced, without the name of the variable."""
    lines = []
    for registration in result.registrations:
        if (registration.variable, registration.lead) != (score.variable, score.lead):
            continue
        coherence = f"from {registration.before + 0.0:.2f} to {registration.after:.2f}"
        described = "" if registration.certain else " in these samples"
        if registration.displaced:
            lines.append(
                f"structure in the wrong place is displaced{described}: shifts of "
                f"{number(registration.distance, 2)} {result.geometry.unit} in the median raise the coherence "
                f"{coherence}."
            )
        else:
            lines.append(
                f"no shift restores the structure in the wrong place{described}: the best ones change the coherence "
                f"{coherence}, and fields that do not belong together reach {registration.chance:.2f}."
            )
    return lines


def ensemble_sentences(result: Verification, score: EnsembleScore) -> list[str]:
    """Return what the members and their spread show, without the name of the variable."""
    lines = []
    for fact in score.facts:
        value = share_of(fact.value)
        spread = f"{{place}}: its spread is {value} the squared error of its mean"
        power = f"{{place}}: they have {value} the truth's power"
        text = {
            EnsembleFactCode.COLLAPSED: f"the ensemble is collapsed {spread}",
            EnsembleFactCode.TOO_WIDE: f"the ensemble is too wide {spread}",
            EnsembleFactCode.RELIABLE: f"the ensemble is reliable {spread}",
            EnsembleFactCode.SMOOTH_MEMBERS: f"the members are too smooth {power}",
            EnsembleFactCode.NOISY_MEMBERS: f"the members are noisy {power}",
        }[fact.code]
        described = "" if fact.certain else " in these samples"
        lines.append(text.format(place=_place(result, fact.low, fact.high)) + described + ".")
    return lines or ["the intervals leave open whether the ensemble is collapsed, reliable or too wide."]


def comparison_sentences(result: Verification, comparison: ForecastComparison) -> list[str]:
    """Return where a forecast is better or worse than the other one, without the name of the variable."""
    lines = []
    for fact in comparison.facts:
        word = "less" if fact.code is ComparisonFactCode.BETTER else "more"
        lines.append(
            f"the forecast has {word} error than {comparison.other} {_place(result, fact.low, fact.high)}: "
            f"{share_of(fact.error_ratio)} the truth's power against "
            f"{share_of(fact.other_error_ratio).removesuffix(' of')}."
        )
    if lines:
        return lines
    if not comparison.first.has_intervals:
        total, other = (
            float(score.residual[comparison.first.reported].sum())
            for score in (comparison.first, comparison.second)
        )
        word = "less" if total < other else "more" if total > other else "as much"
        joint = "as" if word == "as much" else "than"
        return [f"in these samples, the forecast has {word} error {joint} {comparison.other}."]
    return [f"the intervals leave open whether the forecast has more or less error than {comparison.other}."]


def _place(result: Verification, low: float, high: float) -> str:
    wavelength = result.geometry.wavelength
    return f"from {number(wavelength(low))} to {number(wavelength(high))} {result.geometry.unit}"
