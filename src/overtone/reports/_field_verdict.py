"""Answers on a run whose targets are fields: what is right and wrong at which scale, since when, and what to do."""

from __future__ import annotations

import xarray as xr

from overtone._utils.text import count, number, plural
from overtone.records.metrics._field_runs import BLUR, FieldRun
from overtone.records.metrics._field_scores import CrossingCode, FactCode, FieldScore
from overtone.reports._field_wording import fact_sentence, lead_sentences, name_of, resolution_sentence
from overtone.reports._findings import Findings
from overtone.reports._verdict import trend_advice

FIELD_QUESTIONS = (
    "What does it get right?",
    "What does it get wrong?",
    "Since when?",
    "What should I do?",
)
"""Questions of `field_answers`."""

_RANGES = 3
"""Ranges of wavelengths of one variable of which the first screen speaks."""

_FIRST = 3
"""Variables or lead times of which the first screen speaks."""


def field_answers(run: FieldRun, findings: Findings, record: xr.Dataset) -> list[tuple[str, list[str]]]:
    """Return questions and their answers.

    Args:
        run: Scores of the run's fields.
        findings: Findings of the record.
        record: Of one run.
    """
    shown = [index for index, score in enumerate(run.scores) if score.reported.any()]
    if findings.diverged or not shown:
        replies = [_nothing(run, findings), [], [], [trend_advice(findings, record)]]
    else:
        first = shown if len(shown) <= _FIRST else [shown[0], shown[len(shown) // 2], shown[-1]]
        replies = [
            _right(run, first),
            _wrong(run, first),
            _since(run, first),
            _advice(run, first, findings, record),
        ]
    return [(question, reply) for question, reply in zip(FIELD_QUESTIONS, replies, strict=True) if any(reply)]


def _nothing(run: FieldRun, f: Findings) -> list[str]:
    if f.diverged:
        return [
            f"Training diverged: by step {count(f.last)} the errors or the loss are no longer finite, or far above the "
            "start."
        ]
    lines = ["Nothing to get right: the target is constant, so that it has no spectrum."]
    if max(run.added) > 0:
        lines.append(
            "The network adds structure to it: the prediction has a standard deviation of "
            f"{number(max(run.added))}."
        )
    return lines


def _right(run: FieldRun, indices: list[int]) -> list[str]:
    lines = []
    for index in indices:
        score = run.scores[index]
        texts = [resolution_sentence(run, score)]
        if len(run.scores) == 1:
            texts += [fact_sentence(run, score, fact) for fact in score.facts if fact.code is FactCode.GOOD]
        lines += _named(run, score, texts)
    return lines


def _wrong(run: FieldRun, indices: list[int]) -> list[str]:
    since = lead_sentences(run)
    if since:
        return since
    lines = []
    for index in indices:
        score = run.scores[index]
        wrong = [fact for fact in score.facts_with_one_blur if fact.code is not FactCode.GOOD]
        texts = []
        for fact in wrong[:_RANGES]:
            step = run.since(index, fact)
            text = fact_sentence(run, score, fact).rstrip(".")
            # What holds from the first row on is as old as the run.
            texts.append(f"{text}." if step == run.steps[0] else f"{text}, since step {count(step)}.")
        if len(wrong) > _RANGES:
            more = plural(len(wrong) - _RANGES, "more range")
            end = number(run.geometry.wavelength(wrong[-1].high))
            verb = "is" if len(wrong) == _RANGES + 1 else "are"
            texts.append(f"{name_of(score)}: {more} down to {end} {run.geometry.unit} {verb} wrong too.")
        lines += _named(run, score, texts)
    return lines or ["No scale is blurred, noisy or in the wrong place beyond its interval."]


def _since(run: FieldRun, indices: list[int]) -> list[str]:
    """State how the effective resolution came about."""
    if len(run.steps) < 2:
        return []
    lines = []
    for index in indices:
        score, every, unit = run.scores[index], run.resolutions(index), run.geometry.unit
        last, settled = every[-1], run.settled(index)
        crossed = [
            i for i, one in enumerate(every) if one.crossing.code is not CrossingCode.FROM_THE_FIRST_BAND
        ]
        if settled is None:
            best = [i for i in crossed if every[i].crossing.code is CrossingCode.CROSSED]
            text = (
                "at no step has the error had less than half of the target's power at the longest wavelengths"
            )
            if best:
                finest = min(best, key=lambda i: every[i].wavelength)
                text = (
                    f"the effective resolution was {number(every[finest].wavelength)} {unit} at step "
                    f"{count(float(run.steps[finest]))} and was lost again"
                )
        else:
            text = f"there is an effective resolution since step {count(float(run.steps[crossed[0]]))}"
            first = every[crossed[0]]
            if first.crossing.code is CrossingCode.CROSSED and settled > run.steps[crossed[0]]:
                text += f", first {number(first.wavelength)} {unit}"
            text += f"; since step {count(settled)} it has been "
            within = f"{number(last.wavelength)} {unit}, within a tenth"
            text += within if last.crossing.code is CrossingCode.CROSSED else "finer than the grid shows"
        lines += _named(run, score, [f"{name_of(score)}: {text}."])
    return lines


def _advice(run: FieldRun, indices: list[int], f: Findings, record: xr.Dataset) -> list[str]:
    lines = []
    trend = trend_advice(f, record)
    if trend:
        lines.append(trend)
    codes = {fact.code for index in indices for fact in run.scores[index].facts if fact.certain}
    # While the error still falls, scales that are not learned yet look blurred.
    if trend and not codes - BLUR - {FactCode.GOOD}:
        return lines
    if FactCode.NOISY in codes:
        lines.append(
            "The noise is structure that the target does not have: look for artefacts of upsampling, and for noise of "
            "the inputs that passes through."
        )
    if FactCode.MISPLACED in codes:
        lines.append(
            "Structure in the wrong place: check that inputs and targets are aligned, and that the inputs determine "
            "these scales."
        )
    if not trend and codes & {FactCode.HEDGED, FactCode.BLURRED}:
        lines.append(
            "A blur of this kind is the best prediction by mean square error where the inputs leave the outcome open. "
            "For the target's power at the cost of error, train with nn.losses.AmplitudeCoherence; it adds no skill."
        )
    if not trend and codes & {FactCode.OVERSMOOTHED, FactCode.NO_POWER}:
        lines.append(
            "The inputs show more than the network returns at these scales: give it more resolution or skip "
            "connections, or weight these scales in the loss (nn.losses.BandWeighted)."
        )
    return lines or ["Keep it: the error no longer falls, and no scale is wrong beyond its interval."]


def _named(run: FieldRun, score: FieldScore, texts: list[str]) -> list[str]:
    """Return sentences without the name of the only score."""
    if len(run.scores) > 1:
        return texts
    plain = [text.removeprefix(f"{name_of(score)}: ") for text in texts]
    return [text[:1].upper() + text[1:] for text in plain]
