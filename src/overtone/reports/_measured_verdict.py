"""Answers on a fit of measurements: what is settled, what is missing, and whether a classical picture is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from overtone._utils.text import count, decibels, number, percent, plural
from overtone.reports._findings import Findings

MEASURED_QUESTIONS = (
    "How well does it explain the measurements?",
    "Which frequencies are settled, which are missing?",
    "Is a classical reconstruction better?",
    "What should I do?",
)
"""Questions that the four sentences on a fit of measurements answer."""

CLEAR_DB, CLEAR_RATIO = 0.5, 0.95
"""Differences of PSNR, and ratios of held-out residuals, within which two pictures count as equal."""

SPARSE = 0.5
"""Part of a band's coefficients below which it counts as missing from the measurements."""

FITTED_NOISE = 0.9
"""Root mean square residual over the noise's standard deviation below which the noise itself is fitted."""


def measured_facts(record: xr.Dataset) -> Mapping[str, Any] | None:
    """Return what a record says of a fit of measurements; None for other records.

    Args:
        record: Of one run.
    """
    facts = record.attrs.get("measured")
    needed = ("kind", "functionals", "unknowns", "classical")
    return facts if isinstance(facts, Mapping) and all(name in facts for name in needed) else None


def measured_answers(f: Findings, record: xr.Dataset, facts: Mapping[str, Any]) -> list[str]:
    """Return the answers to `MEASURED_QUESTIONS`.

    Args:
        f: Findings of the record.
        record: Of one run.
        facts: From `measured_facts`.
    """
    return [
        _explained(f, facts),
        f"{_settled(f)} {_missing(f, record, facts)}".strip(),
        classical_sentence(facts),
        _advice(f, record, facts),
    ]


def capitalised(name: str) -> str:
    """Return the name of a method with a capital, leaving abbreviations as they are.

    Args:
        name: For instance "SART, 3 passes".
    """
    return f"{name[:1].upper()}{name[1:]}"


def error_words(score: Mapping[str, Any]) -> str:
    """Return the errors of a picture, like "held-out residual 0.21, PSNR 24.3 dB".

    Args:
        score: With `train`, `held_out` and `psnr`.
    """
    parts = []
    for name, words in (("held_out", "held-out residual"), ("train", "residual")):
        if score.get(name) is not None:
            parts.append(f"{words} {number(float(score[name]), 2)}")
            break
    if score.get("psnr") is not None:
        parts.append(f"PSNR {decibels(float(score['psnr']))}")
    return ", ".join(parts)


def _explained(f: Findings, facts: Mapping[str, Any]) -> str:
    functionals, unknowns = facts["functionals"], int(facts["unknowns"])
    whole = int(functionals.get("train") or 0) + int(functionals.get("held_out") or 0)
    ratio = f"{count(whole)} measurements ({facts['kind']}) of a picture of {count(unknowns)} unknowns"
    if f.diverged:
        return f"{ratio}. Training diverged by step {count(f.last)}."
    network = facts.get("network") or {}
    if network.get("train") is None:
        return f"{ratio}. The run has not ended yet: its residuals are in the figures."
    held_out = network.get("held_out")
    other = (
        "; none were held out"
        if held_out is None
        else f", and {number(float(held_out), 2)} of those that were held out"
    )
    known = (
        "" if network.get("psnr") is None else f" PSNR {decibels(float(network['psnr']))} to the reference."
    )
    return (
        f"{ratio}. The network of step {count(f.step)} leaves a residual of {number(float(network['train']), 2)} of "
        f"the measurements it was trained on{other}.{known}"
    )


def _settled(f: Findings) -> str:
    if f.diverged or not f.error.size:
        return "Cannot tell: no band of the measurements can be judged."
    settled = int(f.learned.sum())
    if settled == 0:
        return f"No band is settled: the smallest relative residual is {number(float(f.error.min()), 2)}."
    if settled == f.error.size:
        return (
            f"All {plural(settled, 'measured band')} up to {number(float(f.high[-1]))} {f.unit} are settled."
        )
    text = f"{settled} of {f.error.size} measured bands are settled"
    if f.highest_learned > 0:
        upto = f"{number(f.highest_learned)} {f.unit}"
        text = f"Every measured band up to {upto} is settled, {settled} of {f.error.size} in all"
    left = f.low[~f.learned], f.high[~f.learned]
    return (
        f"{text}; between {number(float(left[0].min()))} and {number(float(left[1].max()))} {f.unit} the residual is "
        f"more than half of the data in {plural(f.error.size - settled, 'band')}."
    )


def _missing(f: Findings, record: xr.Dataset, facts: Mapping[str, Any]) -> str:
    resolved = facts.get("resolved")
    if resolved is not None and f.nyquist and resolved < f.nyquist:
        return (
            f"{plural(int(facts['angles']), 'angle')} determine the picture up to {number(float(resolved))} {f.unit}; "
            "finer detail comes from the method's prior, not from the data."
        )
    gain = record.attrs.get("gain")
    if facts["kind"] != "k-space" or not isinstance(gain, list) or len(gain) != record.sizes["band"]:
        return ""
    sparse = np.asarray(gain, float) < SPARSE
    if not sparse.any():
        return "At least half of the coefficients of every band are measured."
    first = float(record.band_low.values[int(np.argmax(sparse))])
    share = float(np.asarray(gain, float)[sparse].mean())
    return (
        f"From {number(first)} {f.unit} on, bands have less than half of their coefficients measured ({percent(share)} "
        "on average): detail there comes from the method's prior, not from the data."
    )


def best_classical(facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the best classical picture: by PSNR where the reference is known, else by held-out residual.

    Args:
        facts: From `measured_facts`.
    """
    scores = [score for score in facts["classical"] if _merit(score) is not None]
    return max(scores, key=lambda score: _merit(score) or -math.inf, default=None)


def _merit(score: Mapping[str, Any]) -> float | None:
    if score.get("psnr") is not None:
        return float(score["psnr"])
    return None if score.get("held_out") is None else -float(score["held_out"])


def classical_is_better(facts: Mapping[str, Any]) -> bool | None:
    """Return whether the best classical picture is clearly better; None where they are equal or cannot be compared.

    Args:
        facts: From `measured_facts`.
    """
    best, network = best_classical(facts), facts.get("network")
    if best is None or not network:
        return None
    if best.get("psnr") is not None and network.get("psnr") is not None:
        difference = float(best["psnr"]) - float(network["psnr"])
        return None if abs(difference) < CLEAR_DB else difference > 0
    if best.get("held_out") is None or network.get("held_out") is None:
        return None
    ratio = float(best["held_out"]) / max(float(network["held_out"]), 1e-300)
    return None if CLEAR_RATIO < ratio < 1 / CLEAR_RATIO else ratio < 1


def classical_sentence(facts: Mapping[str, Any]) -> str:
    """Return whether a classical reconstruction is better, with figures.

    Args:
        facts: From `measured_facts`.
    """
    names = [str(name) for name in facts.get("classical_left_out") or ()]
    missing = f" {capitalised(_listed(names))} could not be computed within the time limit." if names else ""
    return _compared(facts) + missing


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _compared(facts: Mapping[str, Any]) -> str:
    best, network = best_classical(facts), facts.get("network")
    if best is None or not network:
        return "Cannot tell: no measurements were held out, and there is no reference."
    name, better = str(best["name"]), classical_is_better(facts)
    figures = f"{error_words(best)} against the network's {error_words(network)}"
    # Single held-out coefficients have measured neighbours, which those of the gaps have not.
    single = facts["kind"] == "k-space" and not facts.get("held_out_lines")
    beside = single and best.get("psnr") is None
    caution = (
        " Held-out coefficients are neighbours of measured ones and say little about wide gaps."
        if beside
        else ""
    )
    if better:
        return f"Yes: {name} is better ({figures}).{caution}"
    if better is None:
        return f"{capitalised(name)} is about as good ({figures}).{caution}"
    return f"No: the best of them, {name}, is worse ({figures}).{caution}"


def _advice(f: Findings, record: xr.Dataset, facts: Mapping[str, Any]) -> str:
    if f.diverged:
        return "Lower the learning rate, and train again."
    name = str((best_classical(facts) or {}).get("name"))
    better = classical_is_better(facts)
    if better:
        return f"Use the reconstruction by {name}, which needs no training{_longer(f)}."
    if f.step < f.last:
        best = "which has the lowest held-out residual"
        return f"Use it as it is: the network of step {count(f.step)}, {best}, was restored."
    noise = facts.get("noise")
    trained = float(record.train_error.sel(step=f.step))
    if noise and trained > 0 and math.sqrt(trained) < FITTED_NOISE * float(noise):
        return (
            f"Stop earlier or lower the bandwidth: the residual ({number(math.sqrt(trained), 2)}) is below the noise "
            f"({number(float(noise), 2)}), so that noise is being fitted."
        )
    if math.isfinite(f.trend) and f.trend < -0.05:
        return f"Train longer: the error still fell by {percent(-f.trend)} since step {count(f.since)}."
    if better is None and facts.get("network"):
        return "Use whichever is cheaper: further steps no longer lower the error."
    return "Use it as it is: further steps no longer lower the error."


def _longer(f: Findings) -> str:
    if f.step == f.last and math.isfinite(f.trend) and f.trend < -0.05:
        return f", or train longer: the network's error still fell by {percent(-f.trend)} since step {count(f.since)}"
    return ""
