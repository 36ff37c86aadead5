"""The verdict on a run in plain sentences, derived from its record and nothing else."""

from __future__ import annotations

import numpy as np
import xarray as xr

from overtone.plots import bands
from overtone.plots.text import count, number, percent, plural
from overtone.records import derived
from overtone.report.findings import THRESHOLD, Findings, gather
from overtone.wording import by_axis

QUESTIONS = ("What did it learn?", "What not?", "When did it begin to learn noise?", "What should I do?")
"""What the four sentences of `verdict` answer."""

_WORSE = 1.05
_STILL_FALLING = -0.05
_TOO_FREE = 4.0


def verdict(record: xr.Dataset) -> list[str]:
    """Four answers: what the network learned, what not, when it began to learn noise, what to do.

    A band is learned when its relative error at the last row is below 0.5; shares of power leave out the mean. Noise is
    judged by `derived.noise_onset`, the best step by `derived.stop`. Where the record does not carry the evidence the
    answer is "Cannot tell".

    Args:
        record: Of one run, with at least one row.

    Returns:
        The answers to `QUESTIONS`, in their order.

    Raises:
        InputError: If the record holds several runs or no row.
    """
    return answers(gather(record), record)


def answers(found: Findings, record: xr.Dataset) -> list[str]:
    """The sentences of `verdict`, from findings already gathered from the record."""
    told = [_learned(found), _not_learned(found), _noise(found, record), _advice(found, record)]
    if record.attrs.get("origin") == "predicted":
        told[0] = f"This is a prediction; nothing was trained. {told[0]}"
    return told


def _learned(f: Findings) -> str:
    at = f"At step {count(f.step)}"
    if f.diverged:
        return (
            f"Training diverged: by step {count(f.step)} the errors or the loss are no longer finite, or far above "
            "the start."
        )
    if not f.error.size:
        return "Nothing to learn: the target is constant."
    k, n = int(f.learned.sum()), f.error.size
    if k == 0:
        least = number(float(f.error.min()), 2)
        return f"{at}, nothing yet: no band has a relative error below {THRESHOLD:g} (the least is {least})."
    held = f"{percent(float(f.share[f.learned].sum()))} of the target's power outside the mean"
    limit = f", where Nyquist is {number(f.nyquist)}" if f.nyquist else ""
    if k == n:
        if f.nyquist is None or f.high[-1] < 0.999 * f.nyquist:
            return f"{at}, all {n} bands, up to {number(f.high[-1])} {f.unit}{limit}."
        corner = ", and the corner beyond it, which only diagonal patterns reach"
        beyond = corner if f.high[-1] > 1.001 * f.nyquist else ""
        return f"{at}, all {n} bands: everything up to Nyquist ({number(f.nyquist)} {f.unit}){beyond}."
    if f.reach > 0:
        return f"{at}, every band up to {number(f.reach)} {f.unit}{limit}: {k} of {n} bands learned, with {held}."
    return f"{at}, {k} of {n} bands, with {held}, but not the lowest ones."


def _not_learned(f: Findings) -> str:
    if f.diverged:
        return "Nothing in the last row can be trusted; look at the rows before the loss rose."
    if not f.error.size:
        return "Nothing is left to learn."
    missed = np.flatnonzero(~f.learned)
    if not missed.size:
        worst = int(np.argmax(f.error))
        near = f"{number(f.low[worst])} to {number(f.high[worst])} {f.unit}"
        return f"Nothing: the largest relative error left is {number(f.error[worst], 2)}, in the band {near}."
    low, high = float(f.low[missed[0]]), float(f.high[missed[-1]])
    held = percent(float(f.share[missed].sum()))
    where = f"{plural(missed.size, 'band')} between {number(low)} and {number(high)} {f.unit}"
    text = f"{where}, with {held} of the power outside the mean."
    if f.noise_from is not None and f.noise_from <= low * 1.001:
        text += " Rightly so: there the target holds more noise than signal."
    elif f.noise_from is not None and f.noise_from < high:
        text += f" Above {number(f.noise_from)} the target holds more noise than signal."
    return text


def _noise(f: Findings, record: xr.Dataset) -> str:
    stated = str(record.attrs.get("noise_verdict") or "").lower()
    if stated == "clean":
        return "It did not: the target shows no noise to learn." + _overfitting(f)
    if stated != "noise":
        told = str(record.attrs.get("noise_sentence") or "").strip().rstrip(".").removeprefix("Cannot tell: ")
        reason = told or "whether the target carries noise could not be decided"
        return f"Cannot tell: {reason}." + _overfitting(f)
    size = f" (standard deviation {_level(record)})" if _level(record) else ""
    if f.onset is not None:
        return (
            f"At step {count(f.onset)}: from there on the prediction holds more than a tenth of the bands that are "
            f"mostly noise{size}."
        ) + _overfitting(f)
    if f.noise_from is None and not _any_noisy(record):
        return (
            f"Cannot tell: the noise{size} is below the signal in every band, so learning it leaves no trace there."
            + (_overfitting(f))
        )
    return (
        f"Not by step {count(f.step)}: less than a tenth of the bands that are mostly noise{size} has been learned."
        + (_overfitting(f))
    )


def _any_noisy(record: xr.Dataset) -> bool:
    return bool((record.noise_power >= 0.5 * record.target_power).any())


def _level(record: xr.Dataset) -> str:
    std = record.attrs.get("noise_std")
    return (
        f"{number(float(std), 2)} {record.attrs.get('value_unit') or ''}".strip()
        if isinstance(std, int | float)
        else ""
    )


def _rises(f: Findings) -> bool:
    known = f.stop.evidence is not derived.Evidence.NONE
    return known and f.stop.step < f.step and f.stop.last_error > _WORSE * f.stop.error


def _at_best(f: Findings) -> bool:
    return f.onset is not None and f.stop.evidence is not derived.Evidence.NONE


def _overfitting(f: Findings) -> str:
    if not _rises(f) or f.diverged:
        return ""
    name = "error on clean data" if f.stop.evidence is derived.Evidence.CLEAN else "held-out error"
    return f" The {name} has been rising since step {count(f.stop.step)}."


def _advice(f: Findings, record: xr.Dataset) -> str:
    if f.diverged:
        return "Lower the learning rate, check the values for outliers, and train again."
    if not f.error.size:
        return "Check the source: a constant needs no network."
    if record.attrs.get("worth") is False:
        return "Do not rely on it: before training, nothing was found that carries over to samples not seen."
    if f.rows == 1:
        return "Train on: a single recorded row shows no trend."
    if _rises(f):
        more = f.stop.last_error / f.stop.error - 1
        rise = f"{percent(more)} higher" if more < 10 else f"{number(more + 1, 2)} times as large"
        kept = record.attrs.get("kept")
        if isinstance(kept, int) and kept < f.step:
            return (
                f"Use it as it is: the network of step {count(kept)}, where the error on held-out samples was least, "
                f"was put back; at step {count(f.step)} it was {rise}."
            )
        return f"Stop at step {count(f.stop.step)}: at the last step the error is {rise}."
    hold = (
        ""
        if f.stop.evidence is not derived.Evidence.NONE
        else " Hold out some samples to learn when to stop."
    )
    if f.trend < _STILL_FALLING:
        better = "clean data" if f.stop.evidence is derived.Evidence.CLEAN else "held-out samples"
        still = (
            f" Noise is being learned too, but the error on {better} is still at its best."
            if _at_best(f)
            else ""
        )
        return f"Train longer: the error still fell by {percent(-f.trend)} since step {count(f.since)}.{still}{hold}"
    if f.gap > _TOO_FREE:
        now = _bandwidth(record)
        return (
            f"Lower the bandwidth{f' (it is {now} now)' if now else ''} or gather more samples: the error no longer "
            f"falls on samples the network was not trained on, where it is {number(f.gap, 2)} times that on the others."
        )
    wanted = _worth_learning(f)
    if wanted is not None and (f.bandwidth is None or f.bandwidth < wanted):
        now = _bandwidth(record)
        has = f" (it is {now} now)" if now else ""
        return (
            f"Give the network more bandwidth{has}: the error no longer falls, and there is signal to be learned up to "
            f"{number(wanted)} {f.unit}.{hold}"
        )
    if wanted is not None:
        return (
            f"Try a wider or deeper network: the error no longer falls, the bandwidth suffices, and there is signal to "
            f"be learned up to {number(wanted)} {f.unit}.{hold}"
        )
    return f"Keep it: the error no longer falls, and what stands above the noise is learned.{hold}"


def _worth_learning(f: Findings) -> float | None:
    limit = np.inf if f.noise_from is None else f.noise_from
    missed = f.high[~f.learned & (f.low < limit * 0.999)]
    return float(missed.max()) if missed.size else None


def _bandwidth(record: xr.Dataset) -> str:
    values = record.attrs.get("bandwidth")
    if values is None:
        return ""
    each = [number(float(v)) for v in np.atleast_1d(np.asarray(values, float))]
    return f"{by_axis(each, ' × ')} {bands.bandwidth_unit(record)}"
