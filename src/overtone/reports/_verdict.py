"""Verdict on a run in sentences, derived from its record alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from overtone._utils.noise_wording import CANNOT_TELL, NoiseFacts, noise_wording
from overtone._utils.text import count, format_per_axis, higher, number, percent, plural
from overtone.plots import _bands as bands
from overtone.records.metrics._bands import without_unmeasured
from overtone.records.metrics._errors import Evidence
from overtone.reports._coverage import block_only
from overtone.reports._equation_verdict import equation_facts, residual_answers, residual_records
from overtone.reports._expectation import expectation_sentence
from overtone.reports._findings import STILL_FALLING, THRESHOLD, TOO_FREE, Answer, Findings, gather
from overtone.reports._measured_verdict import MEASURED_QUESTIONS, measured_answers, measured_facts

QUESTIONS = (
    "What did it learn?",
    "What did it not learn?",
    "When did it begin to learn noise?",
    "What should I do?",
)
"""Questions that the four sentences of `verdict` answer."""

_WORSE = 1.05
_NOTHING = 0.005
_CARRIED = 0.25
"""Share of the variance of held-out samples above which a network predicts them at all."""

_AT_NOISE = 1.2
"""Error on noisy held-out samples, in variances of the noise, up to which the noise explains it."""

_FEW = 8
"""Steps, and rows, from which on a trend can be seen."""

_ERRORS = {
    Evidence.CLEAN: "error on clean data",
    Evidence.HELD_OUT: "error on held-out samples",
    Evidence.NONE: "error on training samples",
}
"""Error that a trend or a stop is based on, in words."""

UNTRAINED = 10
"""Step up to which a restored network counts as almost untrained."""


def verdict(record: xr.Dataset) -> list[str]:
    """Answer four questions: what the network learned, what it did not, when it began to learn noise, what to do.

    A band is learned when its relative error is below 0.5 at the step of the returned network
    (`metrics.network_step`); shares of power leave out the mean. Noise is judged by `metrics.noise_onset`, the best
    step by `metrics.stop`. Where the record does not carry the evidence the answer is "Cannot tell".

    Args:
        record: Of one run, with at least one row.

    Returns:
        The answers to `questions` of the record, in their order: `QUESTIONS`, or those on a fit of measurements.

    Raises:
        InputError: If the record holds several runs or no row.

    Example:
        >>> import numpy as np
        >>> from overtone import records, reports
        >>> header = records.Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"peak": 1.0})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))[..., None]
        >>> record = header.record([0, 10, 100], {"residual_power": residual, "train_error": residual.mean((1, 2))})
        >>> print(reports.verdict(record)[0])
        At step 100, it has learned all 2 bands, up to 4 cycles per array.
    """
    record, _ = without_unmeasured(record)
    return answers(gather(record), record)


def questions(record: xr.Dataset) -> tuple[str, ...]:
    """Return what the answers of `verdict` on a record answer.

    Args:
        record: Of one run.
    """
    if equation_facts(record) is not None:
        return tuple(question for question, _ in residual_answers({str(record.attrs["term"]): record}))
    return QUESTIONS if measured_facts(record) is None else MEASURED_QUESTIONS


def run_answers(path: Path, record: xr.Dataset) -> list[tuple[str, str]]:
    """Return questions on a run and their answers, from all its records.

    Args:
        path: The run directory, or its record.
        record: The record there.
    """
    if equation_facts(record) is None:
        return list(zip(questions(record), verdict(record), strict=True))
    records = residual_records(path, record) or {}
    return [(question, _joined(answer)) for question, answer in residual_answers(records)]


def _joined(answer: Answer) -> str:
    return answer if isinstance(answer, str) else " ".join(answer)


def answers(findings: Findings, record: xr.Dataset) -> list[str]:
    """Return the answers of `verdict` from findings of the record."""
    if equation_facts(record) is not None:
        return [_joined(answer) for _, answer in residual_answers({str(record.attrs["term"]): record})]
    facts = measured_facts(record)
    if facts is not None:
        return measured_answers(findings, record, facts)
    replies = [
        _learned(findings),
        _not_learned(findings),
        _noise(findings, record),
        _advice(findings, record),
    ]
    outside = "" if findings.diverged else expectation_sentence(findings, record)
    replies[0] = " ".join(filter(None, [replies[0], outside]))
    block = block_only(record)
    if block and not findings.diverged:
        replies = _of_a_block(findings, replies, block)
    if record.attrs.get("origin") == "predicted":
        replies[0] = f"This is a prediction; nothing was trained. {replies[0]}"
    return replies


def _of_a_block(f: Findings, replies: list[str], block: str) -> list[str]:
    """Restrict the answers to the one block that was measured."""
    if f.error.size:
        return [f"{replies[0]} Measured on {block} alone.", *replies[1:]]
    return [
        f"Cannot tell: rows were measured on {block} alone, where the target is constant.",
        "Cannot tell, for the same reason.",
        replies[2],
        "Train again and measure the whole, or samples spread over it (probes.Spread).",
    ]


def _at(f: Findings) -> str:
    """State the step of the figures, and whether its network was restored."""
    if f.step == f.last and not f.averaged:
        return f"At step {count(f.step)}"
    untrained = ", almost untrained" if f.step <= UNTRAINED < f.last else ""
    restored = "averaged weights were" if f.averaged else "network was"
    # Averaged weights may be those of the last step.
    after = f" after {plural(f.last, 'step')}" if f.step < f.last else ""
    return f"At step {count(f.step)}{untrained}, whose {restored} restored{after}"


def _learned(f: Findings) -> str:
    at = _at(f)
    if f.diverged:
        return (
            f"Training diverged: by step {count(f.last)} the errors or the loss are no longer finite, or far above "
            "the start."
        )
    if not f.error.size:
        return "Nothing to learn: the target is constant."
    k, n = int(f.learned.sum()), f.error.size
    if k == 0:
        lowest = number(float(f.error.min()), 2)
        only = "only the mean" if f.mean_error < THRESHOLD else "nothing yet"
        below = f"no band has a relative error below {THRESHOLD:g} (the lowest is {lowest})"
        return f"{at}, it has learned {only}: {below}."
    hold = "holds" if k == 1 else "hold"
    held = f"which {hold} {percent(f.learned_share)} of the target's power outside the mean"
    limit = f", where Nyquist is {number(f.nyquist)}" if f.nyquist else ""
    mean = ", but not the mean" if f.mean_error >= THRESHOLD else ""
    # Whether the last band ends at Nyquist or is the corner beyond it decides what "everything" means.
    if k == n:
        if f.nyquist is None or f.high[-1] < 0.999 * f.nyquist:
            return f"{at}, it has learned all {plural(n, 'band')}, up to {number(f.high[-1])} {f.unit}{limit}{mean}."
        corner = " and the corner beyond it, which only diagonal patterns reach"
        corner_too = corner if f.high[-1] > 1.001 * f.nyquist else ""
        everything = f"everything up to Nyquist ({number(f.nyquist)} {f.unit}){corner_too}{mean}"
        return f"{at}, it has learned all {plural(n, 'band')}: {everything}."
    if f.highest_learned > 0:
        reached = f"{number(f.highest_learned)} {f.unit}{limit}"
        return f"{at}, it has learned every band up to {reached}: {k} of {n} bands, {held}."
    exception = mean if mean and f.learned[0] else ", but not the lowest ones"
    return f"{at}, it has learned {k} of {n} bands, {held}{exception}."


def _not_learned(f: Findings) -> str:
    if f.diverged:
        return "Nothing in the last row can be trusted; look at the rows before the loss rose."
    if not f.error.size:
        return "Nothing is left to learn."
    missed = np.flatnonzero(~f.learned)
    if not missed.size:
        worst = int(np.argmax(f.error))
        near = f"from {number(f.low[worst])} to {number(f.high[worst])} {f.unit}"
        return f"Nothing: the largest relative error is {number(f.error[worst], 2)}, in the band {near}."
    low, high = float(f.low[missed[0]]), float(f.high[missed[-1]])
    which = f"All {missed.size:,} bands" if 1 < missed.size == f.error.size else plural(missed.size, "band")
    hold = "holds" if missed.size == 1 else "hold"
    text = (
        f"{which} between {number(low)} and {number(high)} {f.unit}, which {hold} {percent(f.missed_share)} of the "
        "power outside the mean."
    )
    # Edges of bands and the crossing went through different roundings.
    if f.noise_from is not None and f.noise_from <= low * 1.001:
        text += " This is as it should be: there the target holds more noise than signal."
    elif f.noise_from is not None and f.noise_from < high:
        text += f" Above {number(f.noise_from)} the target holds more noise than signal."
    return text + _lost(f)


def _lost(f: Findings) -> str:
    """State which bands were learned at an earlier row and lost again."""
    n = int(f.lost.sum())
    if n == 0:
        return ""
    text = f" {n:,} of them had been learned before and {'was' if n == 1 else 'were'} lost again"
    if f.max_highest_learned > f.highest_learned:
        text += (
            f": every band up to {number(f.max_highest_learned)} was learned at step {count(f.step_of_max)}"
        )
    return f"{text}."


def _noise(f: Findings, record: xr.Dataset) -> str:
    stated = str(record.attrs.get("noise_verdict") or "").lower()
    if stated == "clean":
        return "It did not: the target shows no noise to learn." + _overfitting(f)
    if stated != "noise":
        return _undecided_noise(record) + _overfitting(f)
    level = noise_level(record)
    size = f" (standard deviation {level})" if level else ""
    if f.onset is not None:
        before = " The restored network is from an earlier step." if f.step < f.onset else ""
        return (
            f"At step {count(f.onset)}: from then on the prediction contains more than a tenth of the bands that are "
            f"mostly noise{size}.{before}"
        ) + _overfitting(f)
    if f.noise_from is None and not _any_noisy(record):
        return (
            f"Cannot tell: the noise{size} is weaker than the signal in every band, so that no band shows it."
            + (_overfitting(f))
        )
    return (
        f"Not by step {count(f.last)}: the prediction contains less than a tenth of the bands that are mostly "
        f"noise{size}." + _overfitting(f)
    )


def _undecided_noise(record: xr.Dataset) -> str:
    """State why it is unknown whether the target carries noise."""
    noise = record.attrs.get("noise_channels")
    if noise is not None and noise["verdict"] == CANNOT_TELL:
        return noise_wording(NoiseFacts.from_json(noise))
    # Records of older versions hold a sentence in place of the numbers.
    stored = record.attrs.get("noise_sentence")
    return stored or "Cannot tell: the record does not say whether the target carries noise."


def _any_noisy(record: xr.Dataset) -> bool:
    return bool((record.noise_power >= 0.5 * record.target_power).any())


def noise_level(record: xr.Dataset) -> str:
    """Return the standard deviation of the target's noise with its unit; empty if unknown.

    Args:
        record: Of one run.
    """
    std = record.attrs.get("noise_std")
    return (
        f"{number(float(std))} {record.attrs.get('value_unit') or ''}".strip()
        if isinstance(std, int | float)
        else ""
    )


def _rises(f: Findings) -> bool:
    known = f.stop.evidence is not Evidence.NONE
    return known and f.stop.step < f.last and f.stop.last_error > _WORSE * f.stop.error


def _at_best(f: Findings) -> bool:
    return f.onset is not None and f.stop.evidence is not Evidence.NONE


def _overfitting(f: Findings) -> str:
    if not _rises(f) or f.diverged:
        return ""
    return f" The {_ERRORS[f.stop.evidence]} has been rising since step {count(f.stop.step)}."


def _put_back(f: Findings) -> str:
    """Advise to use a restored network as it is."""
    if f.averaged:
        return (
            f"Use it as it is: the moving average of the weights at step {count(f.step)} was restored, since the "
            "stopping rule found it best."
        )
    reason = ", which has the lowest error on held-out samples," if f.is_minimum else ""
    text = f"Use it as it is: the network of step {count(f.step)}{reason} was restored"
    if not f.rising > 1:
        return f"{text}, since the stopping rule found it best."
    error = "that error" if f.is_minimum else "the error on held-out samples"
    return f"{text}; at step {count(f.last)} {error} was {higher(f.rising)}."


def trend_advice(f: Findings, record: xr.Dataset) -> str:
    """Return the advice that the course of the error gives; "" where it no longer changes.

    Args:
        f: Findings of the record.
        record: Of one run.
    """
    if f.diverged:
        return "Lower the learning rate, check the values for outliers, and train again."
    if not f.error.size:
        return "Check the source: a constant needs no network."
    # A plan may advise against training; a run that explains held-out samples all the same has refuted it.
    if record.attrs.get("worth") is False and not f.carried > _CARRIED:
        return "Do not rely on it: before training, no setting was found that predicts unseen samples."
    if f.rows == 1:
        return "Train longer: a single recorded row shows no trend."
    # From here on the advice rests on a trend over the rows, which takes several of them.
    if f.last < _FEW or f.rows < _FEW:
        return f"Train longer: {plural(f.last, 'step')} {'is' if f.last == 1 else 'are'} too few to show a trend."
    if _rises(f):
        if f.step < f.last:
            return _put_back(f)
        rise = higher(f.stop.last_error / f.stop.error if f.stop.error > 0 else np.inf)
        return (
            f"Stop at step {count(f.stop.step)}: at the last step the {_ERRORS[f.stop.evidence]} is {rise}."
        )
    error = _ERRORS[f.stop.evidence]
    if f.trend < STILL_FALLING:
        still = (
            f" Noise is being learned too, but the {error} is still at its best."
            if _at_best(f) and f.stop.step == f.last
            else ""
        )
        fell = f"the {error} still fell by {percent(-f.trend)} since step {count(f.since)}"
        return f"Train longer: {fell}.{still}{_hold(f)}"
    return ""


def _hold(f: Findings) -> str:
    return "" if f.stop.evidence is not Evidence.NONE else " Hold out some samples to learn when to stop."


def _advice(f: Findings, record: xr.Dataset) -> str:
    trend = trend_advice(f, record)
    if trend:
        return trend
    error = _ERRORS[f.stop.evidence]
    little = f"fell by only {percent(-f.trend)} since step {count(f.since)}"
    why = f"the {error} {little if f.trend < -_NOTHING else 'no longer falls'}"
    return f"{_stalled(f, record, why)}{_hold(f)}"


def _stalled(f: Findings, record: xr.Dataset, why: str) -> str:
    """Advise on a run whose error no longer falls."""
    if record.attrs.get("kind") == "fields":
        # Networks between fields have no bandwidth to set; their page says which kind of error each scale has.
        missed = _highest_missed(f)
        if missed is None:
            return f"Keep it: {why}, and all bands are learned."
        return (
            f"Read in the report at which scales the prediction is blurred, noisy or in the wrong place: {why}, and "
            f"not all bands up to {number(missed)} {f.unit} are learned."
        )
    if _at_noise(f, record):
        return (
            f"Keep it: {why}, and noise alone explains it (standard deviation {noise_level(record)}). What remains to "
            "be learned has at most about a fifth of the noise's power."
        )
    # Training samples are fitted far better than others: the network is too free for so few samples.
    if f.gap > TOO_FREE:
        now = _bandwidth(record)
        return (
            f"Lower the bandwidth{f' (it is {now} now)' if now else ''} or gather more samples: {why} and is "
            f"{number(f.gap, 2)} times that on training samples."
        )
    target = _highest_missed(f)
    if target is not None and (f.bandwidth is None or f.bandwidth < target):
        now = _bandwidth(record)
        has = f" (it is {now} now)" if now else ""
        return f"Increase the bandwidth{has}: {why}, and {_left(record)} up to {number(target)} {f.unit}."
    if target is not None:
        return (
            f"Try a wider or deeper network: {why}, the bandwidth suffices, and {_left(record)} up to "
            f"{number(target)} {f.unit}."
        )
    return f"Keep it: {why}, and all signal above the noise is learned."


def _at_noise(f: Findings, record: xr.Dataset) -> bool:
    """Whether the error on held-out samples, which are as noisy as the others, is that of their noise."""
    std = record.attrs.get("noise_std")
    certain = str(record.attrs.get("noise_verdict") or "").lower() == "noise"
    if f.stop.evidence is not Evidence.HELD_OUT or not certain or not isinstance(std, int | float):
        return False
    return f.stop.error <= _AT_NOISE * std**2


def _left(record: xr.Dataset) -> str:
    if str(record.attrs.get("noise_verdict") or "").lower() in ("clean", "noise"):
        return "there is signal to be learned"
    return "there is signal or noise to be learned"


def _highest_missed(f: Findings) -> float | None:
    limit = np.inf if f.noise_from is None else f.noise_from
    missed = f.high[~f.learned & (f.low < limit * 0.999)]
    return float(missed.max()) if missed.size else None


def _bandwidth(record: xr.Dataset) -> str:
    values = record.attrs.get("bandwidth")
    if values is None:
        return ""
    return (
        f"{format_per_axis(np.atleast_1d(np.asarray(values, float)).tolist())} {bands.bandwidth_unit(record)}"
    )
