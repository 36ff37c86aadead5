"""Sentences on scored fields: forecasts against the truth, predictions of a network against its targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from overtone._utils.text import number, percent, plural
from overtone.records.metrics._ensemble_scores import EnsembleFact, EnsembleFactCode, EnsembleScore
from overtone.records.metrics._field_scores import (
    CrossingCode,
    EffectiveResolution,
    Fact,
    FactCode,
    FieldPair,
    FieldScore,
    NoteCode,
    ResolutionCriterion,
    ScoredFields,
    UndeterminedCode,
)


def score_sentences(result: ScoredFields, score: FieldScore) -> list[str]:
    """Return resolution and facts of one score; nothing where the truth is constant."""
    if not score.reported.any():
        return (
            [f"{name_of(score)}: the figures of no wavelength are determined."] if score.undetermined else []
        )
    lines = [resolution_sentence(result, score), *_beside(result, score)]
    lines += [fact_sentence(result, score, fact) for fact in score.facts]
    if not score.facts:
        lines.append(f"{name_of(score)}: the intervals leave open whether it is blurred, noisy or right.")
    return lines


def note_sentences(result: ScoredFields) -> list[str]:
    """Return what has to be known beside the figures."""
    _, truth = names_of(result.pair)
    return [
        _NOTES[note.code]({**note.values, "subject": truth}, result.geometry.unit) for note in result.notes
    ]


def names_of(pair: FieldPair) -> tuple[str, str]:
    """Return how a forecast or prediction, and what it is compared with, are called."""
    return ("forecast", "truth") if pair is FieldPair.FORECAST else ("prediction", "target")


def name_of(score: FieldScore) -> str:
    """Return the variable with its lead time, as sentences begin."""
    name = _variable_name(score.variable)
    return f"{name} at lead time {score.lead}" if score.lead is not None else name


def _variable_name(variable: str) -> str:
    """Return a variable as sentences begin; names of users stay as they are."""
    return "Values" if variable == "values" else variable


def resolution_sentence(result: ScoredFields, score: FieldScore) -> str:
    """Return the effective resolution of a score in a sentence."""
    _, truth = names_of(result.pair)
    resolution = result.resolution(score, ResolutionCriterion.ERROR)
    unit = resolution.unit
    first, last = (result.geometry.wavelength(f) for f in _range(score))
    match resolution.crossing.code:
        case CrossingCode.NOT_CROSSED:
            text = f"the error has less than half of the {truth}'s power at all wavelengths"
            text += f" down to {number(last)} {unit}"
            text += " whose figures are determined" if score.undetermined else ""
        case CrossingCode.FROM_THE_FIRST_BAND:
            return (
                f"{name_of(score)}: the error has more than half of the {truth}'s power at all wavelengths from "
                f"{number(first)} {unit} on; no effective resolution can be stated."
            )
        case CrossingCode.NOT_DETERMINED:
            text = (
                f"the effective resolution lies between {number(resolution.low)} and {number(resolution.high)} {unit}, "
                "where the figures are not determined"
            )
        case _:
            text = f"the effective resolution is {number(resolution.wavelength)} {unit}"
            text += f"; at shorter wavelengths the error has more than half of the {truth}'s power"
    return f"{name_of(score)}: {text}{_interval(result, resolution)}."


def _interval(result: ScoredFields, resolution: EffectiveResolution) -> str:
    if not math.isfinite(resolution.low) or resolution.crossing.code is not CrossingCode.CROSSED:
        return ""
    low = f"{number(resolution.low)}" if resolution.low > 0 else "below the grid"
    return f" ({percent(result.level)} interval {low} to {number(resolution.high)} {resolution.unit})"


def _range(score: FieldScore) -> tuple[float, float]:
    bands = score.reported.nonzero()[0]
    return float(score.low[bands[0]]), float(score.high[bands[-1]])


def _beside(result: ScoredFields, score: FieldScore) -> list[str]:
    """The two other criteria, where they are crossed."""
    forecast, truth = names_of(result.pair)
    words = {
        ResolutionCriterion.POWER: f"the {forecast}'s power falls below half of the {truth}'s",
        ResolutionCriterion.COHERENCE: "the coherence falls below 0.71",
    }
    parts = []
    for criterion, text in words.items():
        resolution = result.resolution(score, criterion)
        if resolution.crossing.code is CrossingCode.CROSSED:
            parts.append(f"{text} at {number(resolution.wavelength)} {resolution.unit}")
    if not parts:
        return []
    regridding = "; regridding of either field counts as well" if result.pair is FieldPair.FORECAST else ""
    return [f"{name_of(score)}: {' and '.join(parts)}{regridding}."]


def fact_sentence(result: ScoredFields, score: FieldScore, fact: Fact) -> str:
    """Return a fact of a score in a sentence."""
    forecast, truth = names_of(result.pair)
    wavelength, unit = result.geometry.wavelength, result.geometry.unit
    place = f"from {number(wavelength(fact.low))} to {number(wavelength(fact.high))} {unit}"
    power, coherence, error = (
        percent(max(fact.power_ratio, 0.0)),
        _coherence(fact.coherence),
        percent(max(fact.error_ratio, 0.0)),
    )
    text = {
        FactCode.GOOD: f"the {forecast} is good {place}: its error has {error} of the {truth}'s power",
        FactCode.HEDGED: (
            f"the {forecast} is blurred {place}, as a mean over possible outcomes is (hedged): it has {power} of the "
            f"{truth}'s power at a coherence of {coherence}"
        ),
        FactCode.BLURRED: (
            f"the {forecast} is blurred {place}: it has {power} of the {truth}'s power at a coherence of {coherence}"
        ),
        FactCode.OVERSMOOTHED: (
            f"the {forecast} is blurred {place}, more than its coherence of {coherence} explains (over-smoothed): "
            f"it has {power} of the {truth}'s power"
        ),
        FactCode.NOISY: (
            f"the {forecast} is noisy {place}: it has {share_of(fact.power_ratio)} the {truth}'s power at a coherence "
            f"of {coherence}"
        ),
        FactCode.MISPLACED: (
            f"the {forecast} has structure in the wrong place {place}: it has {power} of the {truth}'s power, but the "
            f"coherence is {coherence}"
        ),
        FactCode.NO_POWER: f"the {forecast} has no structure {place}",
    }[fact.code]
    described = "" if fact.certain or fact.code is FactCode.NO_POWER else " in these samples"
    return f"{name_of(score)}: {text}{described}."


def share_of(ratio: float) -> str:
    """Return a ratio as it stands before what it is a ratio to: "62% of", or "45 times" from ten on.

    Example:
        >>> share_of(0.62), share_of(45.1)
        ('62% of', '45 times')
    """
    return f"{percent(ratio)} of" if ratio < 10 else f"{number(ratio, 2)} times"


def _coherence(value: float) -> str:
    """Format a coherence with two digits; one that rounds to zero has no sign."""
    return f"{round(value, 2) + 0.0:.2f}"


def lead_sentences(result: ScoredFields, ensembles: Sequence[EnsembleScore] = ()) -> list[str]:
    """Return since which lead time each defect is there, for each variable with several lead times.

    A defect counts from the first lead time after which every one has it at some wavelength, beyond its interval.

    Args:
        result: The scores.
        ensembles: Scores of the members.
    """
    forecast, _ = names_of(result.pair)
    lines = []
    for variable in dict.fromkeys(score.variable for score in result.scores):
        scores = [s for s in result.scores if s.variable == variable and s.reported.any()]
        if len(scores) < 2:
            continue
        spreads = {e.lead: e for e in ensembles if e.variable == variable}
        for text, codes in _DEFECTS:
            held: list[list[Fact | EnsembleFact]] = []
            for score in scores:
                facts: list[Fact | EnsembleFact] = [
                    *score.facts,
                    *(spreads[score.lead].facts if score.lead in spreads else ()),
                ]
                held.append([f for f in facts if f.code in codes and f.certain])
            first = next((i for i in range(len(held)) if all(held[i:])), None)
            if first is None:
                continue
            longest, at_last = (result.geometry.wavelength(min(f.low for f in held[i])) for i in (first, -1))
            unit, last = result.geometry.unit, scores[-1].lead
            if first == len(scores) - 1:
                since = f"at the last lead time, {last}, below {number(at_last)} {unit}"
            else:
                since = "at all lead times" if first == 0 else f"since lead time {scores[first].lead}"
                since += f": first below {number(longest)} {unit}, at lead time {last} below {number(at_last)} {unit}"
            lines.append(f"{_variable_name(variable)}: {text.format(forecast=forecast)} {since}.")
    return lines


_DEFECTS: tuple[tuple[str, tuple[FactCode | EnsembleFactCode, ...]], ...] = (
    ("the {forecast} is blurred", (FactCode.BLURRED, FactCode.HEDGED, FactCode.OVERSMOOTHED)),
    ("the {forecast} is noisy", (FactCode.NOISY,)),
    ("structure is in the wrong place", (FactCode.MISPLACED,)),
    ("the ensemble is collapsed", (EnsembleFactCode.COLLAPSED,)),
)


def _few(v: Mapping[str, Any], _: str) -> str:
    # Fields that hardly change in time are worth one at least.
    effective = max(v["effective"], 1.0)
    ones = "one" if number(effective, 2) == "1" else "ones"
    dependent = (
        f", which are worth about {number(effective, 2)} independent {ones},"
        if effective < v["samples"]
        else ""
    )
    if v["all"]:
        return (
            f"With {plural(v['samples'], 'sample')}{dependent} there are no intervals: "
            "the sentences describe these samples alone."
        )
    return f"At some wavelengths the {plural(v['samples'], 'sample')}{dependent} are too few for an interval."


def _missing(v: Mapping[str, Any], _: str) -> str:
    text = f"{percent(v['either'])} of the cells are missing ({percent(v['truth'])} of the truth's"
    text += f", {percent(v['forecast'])} of the forecast's); both are measured where neither is missing"
    if v["bias_median"] is None:
        return f"{text}."
    return (
        f"{text}. On simulated blurred forecasts with these gaps, ratios of known size were wrong by "
        f"{percent(v['bias_median'])} in the median band and by {percent(v['bias_largest'])} in the worst."
    )


def _not_determined(v: Mapping[str, Any], unit: str) -> str:
    name = v["variable"] if v["lead"] is None else f"{v['variable']} at lead time {v['lead']}"
    reason = {
        UndeterminedCode.GAPS.value: (
            "two ways to allow for the missing cells disagree by more than 20 %, so that nothing is said"
        ),
        UndeterminedCode.ROUNDING.value: (
            "the truth is so small that a fifth or more of its power may be rounding of its values"
        ),
    }[v["reason"]]
    place = f"from {number(v['longest'])} to {number(v['shortest'])} {unit}"
    return f"{name[:1].upper()}{name[1:]}: not determined {place}: {reason}."


_NOTES = {
    NoteCode.MISSING_CELLS: _missing,
    NoteCode.NOT_DETERMINED: _not_determined,
    NoteCode.ONE_SAMPLE: lambda _v, _: (
        "With one sample there is no interval: the sentences describe this sample alone."
    ),
    NoteCode.FEW_SAMPLES: _few,
    NoteCode.PARTLY_PAIRED: lambda v, _: (
        f"{v['paired']:,} pairs were made of {v['forecast']:,} samples of the forecast and {v['truth']:,} of the truth."
    ),
    NoteCode.LARGE_SCALES: lambda v, unit: (
        f"Wavelengths above {number(v['wavelength'])} {unit} are not reported: the box holds fewer than three of them."
    ),
    NoteCode.CONSTANT_TRUTH: lambda v, _: (
        f"{v['variable']}: the {v['subject']} is constant, so there is no spectrum to compare with."
    ),
    NoteCode.REGION: lambda _v, _: (
        "The region is treated as a plane, with distances at its central latitude."
    ),
    NoteCode.DUPLICATED_COLUMN: lambda _v, _: "The last longitude repeats the first one and was left out.",
    NoteCode.MISSING_TARGETS: lambda v, _: (
        f"{percent(v['share'])} of the targets' cells are missing, where predictions do not count. Wavelengths are "
        "reported at which ratios of simulated fields with such gaps are right within 20 %"
        + (
            "."
            if v["bias_median"] is None
            else f"; in the median they are wrong by {percent(v['bias_median'])}."
        )
    ),
    NoteCode.NO_CRPS: lambda _v, _: "With missing cells there is no CRPS by wavelength.",
    NoteCode.WINDS: lambda v, _: (
        "The power of the rotational and of the divergent wind is kinetic energy per mass"
        + ("; the mean wind is in neither." if v["mean"] else ".")
    ),
    NoteCode.ABSENT_POLES: lambda v, _: (
        f"The {'row of one pole is' if v['poles'] == 1 else 'rows of both poles are'} absent; the value there follows "
        "from the zonal means of the other rows."
    ),
    NoteCode.ENSEMBLE_MEAN: lambda v, _: (
        f"Resolution, error and coherence are those of the mean of {v['members']} members, unless members are named."
    ),
    NoteCode.ANOMALIES: lambda v, _: (
        "Forecast and truth are compared without their time means, each over the "
        f"{plural(v['samples'], 'sample')} at hand: a constant bias is not counted."
    ),
    NoteCode.CLIMATOLOGY: lambda _v, _: (
        "The climatology of a sample is the mean of the truth over all other samples at hand."
    ),
    NoteCode.LIKE_A_GLOBE: lambda v, _: (
        f"{v['rows']} x {v['columns']} values have the shape of a global grid; for a globe, pass the latitudes and "
        "longitudes, because a box is wrong for it."
    ),
}
