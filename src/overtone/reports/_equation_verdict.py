"""Verdict on a training on residuals: what is left of each term, what is settled, what the equation decides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from overtone._utils.text import count, number, percent, plural
from overtone.errors import InputError
from overtone.records import load
from overtone.records.metrics import until_network
from overtone.records.metrics._bands import without_unmeasured
from overtone.reports._findings import Answer, Findings, gather
from overtone.reports._measured_verdict import capitalised

KERNEL_QUESTION = "Is the kernel solution better?"

RESIDUAL_QUESTIONS = (
    "How large is the residual of each term?",
    "Which frequencies are settled, which are missing?",
    "Which term limits the training?",
    "What should I do?",
)

UNEVEN = 10.0
"""Ratio between the parts that two terms have left, above which one of them holds the training back."""

MUCH = 0.01
"""Part of a term above which it counts as not yet learned."""

SMALL = 0.05
"""Part of a term below which its residual counts as small."""

FALLING = -0.05
"""Relative change since half the last step below which a residual still falls."""

CLEAR_RATIO = 0.95
"""Ratios of errors within which network and kernel solution count as equal."""

CONTRADICTION = 0.1
"""Held-out residual of the kernel solution of a linear equation, over that of zero, above which data may contradict."""


def equation_facts(record: xr.Dataset) -> Mapping[str, Any] | None:
    """Return what the record of a term says of a fit of an equation; None for other records.

    Args:
        record: Of one run.
    """
    facts = record.attrs.get("equation")
    needed = ("kernel", "terms", "functionals", "lattice")
    if "term" not in record.attrs or not isinstance(facts, Mapping):
        return None
    return facts if all(name in facts for name in needed) else None


def kernel_is_better(facts: Mapping[str, Any]) -> bool | None:
    """Return whether the kernel solution is clearly better; None where it is as good or cannot be compared.

    Args:
        facts: From `equation_facts`.
    """
    kernel, network = facts["kernel"], facts.get("network") or {}
    if kernel.get("error") is not None and network.get("error") is not None:
        return _ratio(kernel["error"], network["error"])
    # Without a reference small residuals decide, if they mean small errors.
    if facts.get("bistable") or kernel["undetermined"]:
        return None
    key = "train" if network.get("held_out") is None else "held_out"
    if not network or kernel.get(key) is None:
        return None
    better = _ratio(kernel[key], network[key])
    return better if kernel["trusted"] or not better else None


def _ratio(kernel: float, network: float) -> bool | None:
    ratio = float(kernel) / max(float(network), 1e-300)
    return None if CLEAR_RATIO < ratio < 1 / CLEAR_RATIO else ratio < 1


def kernel_sentences(facts: Mapping[str, Any]) -> list[str]:
    """Return whether the kernel solution is better than the network, with figures.

    Args:
        facts: From `equation_facts`.
    """
    kernel, network = facts["kernel"], facts.get("network")
    if not network:
        return ["The run has not ended yet."]
    words = f"{figures(kernel)} against the network's {figures(network, facts.get('compared'))}"
    better, lines = kernel_is_better(facts), []
    if better:
        lines.append(f"Yes: {words}. It took no training; run.kernel is that field.")
    elif better is False:
        lines.append(f"No: {words}.")
    else:
        lines.append(f"Cannot tell: {words}.")
    if kernel["undetermined"]:
        lines.append(
            f"Neither is unique: equation and conditions leave {count(kernel['undetermined'])} of "
            f"{plural(kernel['resolved'], 'field')} undetermined."
        )
    if facts.get("bistable"):
        lines.append(
            "The equation has several stable states: small residuals do not mean small errors, neither of the network "
            "nor of the kernel solution."
        )
    elif not kernel["trusted"] and not kernel["undetermined"] and better is not False:
        steps = "" if kernel["converged"] else ", and its Gauss-Newton steps did not converge"
        lines.append(
            f"The kernel solution is not reliable: its held-out residual is {percent(kernel['residual'])} of "
            f"that of zero{steps}."
        )
    return lines


def figures(score: Mapping[str, Any], compared: Any = "reference") -> str:
    """Return errors of a field in words, like "held-out residual 0.0038, error 0.023".

    Args:
        score: With `held_out`, `train` and `error`.
        compared: What the error is measured against.
    """
    parts = []
    for name, words in (("held_out", "held-out residual"), ("train", "residual")):
        if score.get(name) is not None:
            parts.append(f"{words} {number(float(score[name]), 2)}")
            break
    if score.get("error") is not None:
        words = "error" if compared == "reference" else "distance from the kernel solution"
        parts.append(f"{words} {number(float(score['error']), 2)}")
    return ", ".join(parts)


def equation_advice(facts: Mapping[str, Any], f: Findings) -> str | None:
    """Return what to do where the equation itself decides it; None where the training does.

    Args:
        facts: From `equation_facts`.
        f: Findings of the first record.
    """
    kernel, better = facts["kernel"], kernel_is_better(facts)
    if facts.get("linear") and kernel["residual"] > CONTRADICTION:
        return (
            f"Check the conditions: the best smooth field still leaves {percent(kernel['residual'])} of the residual "
            "of the zero field, so that they contradict each other or the equation, or the solution has jumps."
        )
    if kernel["undetermined"]:
        return "Add conditions: without them training ends at one of many solutions, which the network picks."
    if facts.get("bistable") and facts.get("compared") is None:
        return (
            "Do not rely on small residuals here: compare with a time-stepping solver, or pass a reference to see "
            "which state the network has reached."
        )
    if better:
        return "Use the kernel solution (run.kernel): it is better, and needs no training."
    if f.step < f.last:
        return (
            f"Use it as it is: the network of step {count(f.step)}, which has the lowest held-out residual, was "
            "restored."
        )
    return None


def residual_records(path: Path, record: xr.Dataset) -> dict[str, xr.Dataset] | None:
    """Return the records of all terms of a training, and of the solution; None if a record is no residual of a term.

    Args:
        path: A run directory or a record.
        record: The record at this path.
    """
    if "term" not in record.attrs or "measured" in record.attrs:
        return None
    path = path.parent if path.name == "record.sqlite" and "equation" in record.attrs else path
    records = {str(record.attrs["term"]): record}
    if not path.is_dir():
        return records
    for file in sorted(path.glob("*.sqlite")):
        if file.name == "record.sqlite" or "~" in file.name:
            continue
        try:
            other = load(file)
        except InputError:
            continue
        name = "solution" if other.attrs.get("kind") == "solution" else other.attrs.get("term")
        if name is not None and other.sizes["step"]:
            records[str(name)] = other
    return records


def residual_answers(records: Mapping[str, xr.Dataset]) -> list[tuple[str, Answer]]:
    """Return questions on a training on residuals, with their answers.

    Args:
        records: As for `residual_page`.
    """
    clean = {name: without_unmeasured(record)[0] for name, record in records.items()}
    findings = {name: gather(record) for name, record in clean.items()}
    terms = [name for name in clean if name != "solution"]
    left = {name: part_left(clean[name]) for name in terms}
    # The solution comes first: what is asked is what it still misses.
    order = sorted(clean, key=lambda name: name != "solution")
    facts = equation_facts(clean[terms[0]])
    answers: list[tuple[str, Answer]] = [
        (RESIDUAL_QUESTIONS[0], [_left_sentence(name, left[name], clean[name]) for name in terms]),
        (RESIDUAL_QUESTIONS[1], [*_compared(facts), *(_settled(name, findings[name]) for name in order)]),
        (RESIDUAL_QUESTIONS[2], _holds_back(left)),
    ]
    advice = None
    if facts is not None:
        answers.append((KERNEL_QUESTION, kernel_sentences(facts)))
        if not any(findings[name].diverged for name in terms):
            advice = equation_advice(facts, findings[terms[0]])
    return [*answers, (RESIDUAL_QUESTIONS[3], advice or _advice(left, findings, terms, facts))]


def part_left(record: xr.Dataset) -> float:
    """Return which part of the first row's mean square residual is left at the last, or of the network handed back.

    Args:
        record: Of one term.
    """
    until = until_network(record)
    error = np.asarray(until.train_error, float)
    if not np.isfinite(error[[0, -1]]).all():
        error = np.asarray(until.residual_power.sum(("band", "channel")), float)
    scale = max(float(error[0]), float(record.target_power.sum()))
    return float(error[-1]) / scale if scale > 0 else float("nan")


def _left_sentence(name: str, left: float, record: xr.Dataset) -> str:
    if not np.isfinite(left):
        return f"{capitalised(name)}: cannot tell, the residual is not finite."
    error = float(until_network(record).train_error[-1])
    size = f" (mean square {number(error, 2)})" if np.isfinite(error) else ""
    return f"{capitalised(name)}: {percent(left)} of the residual of the zero field or the untrained network{size}."


def _compared(facts: Mapping[str, Any] | None) -> list[str]:
    if facts is None or facts.get("compared") == "reference":
        return []
    if facts.get("compared"):
        return ["The solution is compared with the kernel solution, since no reference was passed."]
    return ["Solution: cannot tell, because no reference was passed and the kernel solution is not trusted."]


def _settled(name: str, f: Findings) -> str:
    head = capitalised(name)
    if f.diverged:
        return f"{head}: the residual grew far above its start."
    if f.error.size == 0:
        return f"{head}: {'settled' if f.mean_error < 0.5 else 'not settled'}; its points have one band."
    settled = int(f.learned.sum())
    if settled == f.error.size:
        return (
            f"{head}: settled in all {plural(settled, 'band')}, up to {number(float(f.high[-1]))} {f.unit}."
        )
    low, high = float(f.low[~f.learned].min()), float(f.high[~f.learned].max())
    missing = f"missing from {number(low)} to {number(high)} {f.unit}"
    if f.highest_learned > 0:
        return f"{head}: settled up to {number(f.highest_learned)} {f.unit}, {missing}."
    return f"{head}: {settled} of {f.error.size} bands settled, {missing}."


def _slowest(left: Mapping[str, float]) -> tuple[str, str] | None:
    """The term of which far more is left than of another, and that other; None where none holds the others back."""
    known = {name: value for name, value in left.items() if np.isfinite(value)}
    if len(known) < 2:
        return None
    slow, fast = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    return (slow, fast) if known[slow] > max(MUCH, UNEVEN * known[fast]) else None


def _holds_back(left: Mapping[str, float]) -> str:
    pair = _slowest(left)
    if pair is not None:
        slow, fast = pair
        ratio = left[slow] / max(left[fast], 1e-300)
        times = f"{number(ratio, 2)} times the fraction of {fast}"
        return f"{capitalised(slow)}: {percent(left[slow])} of its residual is left, {times}."
    if len(left) == 1:
        return "There is only one term."
    return "No single term: none has a much larger fraction left than the others."


def _solved(findings: Mapping[str, Findings]) -> bool:
    """Whether the solution is known, and settled in all bands."""
    known = findings.get("solution")
    return known is not None and known.error.size > 0 and bool(known.learned.all())


def _advice(
    left: Mapping[str, float],
    findings: Mapping[str, Findings],
    terms: list[str],
    facts: Mapping[str, Any] | None,
) -> str:
    if any(findings[name].diverged for name in terms):
        return "Lower the learning rate, and train again."
    pair = _slowest(left)
    falling = any(np.isfinite(findings[name].trend) and findings[name].trend < FALLING for name in terms)
    if facts is not None and falling and not _solved(findings):
        return "Train longer: residuals are still falling."
    if pair is not None and facts is not None:
        # The weights are already those with which all terms fall at one rate, or the user's.
        weight = {str(term["name"]): float(term["weight"]) for term in facts["terms"]}.get(pair[0], 1.0)
        return f"Raise the weight of {pair[0]} above {number(weight, 3)}: operators.equation(weights=...) sets it."
    if pair is not None:
        return (
            f"Raise the weight of {pair[0]}: advice.weights of operators.choose_bandwidth holds weights with which all "
            "terms fall at the same rate."
        )
    if _solved(findings):
        return "Keep it: the solution is settled in all bands."
    if "solution" in findings and all(left[name] < SMALL for name in terms):
        return (
            "Do not rely on the residuals: they are small while the solution is still wrong. Use the kernel solution "
            "of operators.choose_bandwidth, or train far longer."
        )
    if falling:
        return "Train longer: residuals are still falling."
    if all(findings[name].learned.all() for name in terms):
        return "Keep it: the residuals are settled and no longer fall."
    return "Choose another bandwidth (operators.choose_bandwidth): residuals no longer fall, and bands are missing."
