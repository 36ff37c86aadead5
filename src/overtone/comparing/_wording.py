"""Wording of budgets and verdicts, for the page and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overtone._utils.text import number, plural
from overtone.comparing._statistics import MEAN, ComparisonVerdict, Margin, Score
from overtone.comparing._truth import CLEARLY, TrueErrors
from overtone.planning import Budget

PAIRS = 3
"""Pairs of candidates in the wrong order that are named."""


def budget_words(budget: Budget) -> str:
    """Return the sentence fragment of a budget: "1,000 steps or 60 s"."""
    parts = [f"{budget.steps:,} steps"] if budget.steps else []
    parts += [f"{budget.seconds:g} s"] if budget.seconds else []
    text = " or ".join(parts)
    return text if budget.parameters is None else f"{text}, at most {budget.parameters:,} parameters"


def verdict_sentences(
    verdict: ComparisonVerdict,
    scores: Sequence[Score],
    margins: Mapping[tuple[str, str], Margin],
    judged: str = "held-out samples",
) -> list[str]:
    """Return one sentence each on the winner, its lead and whether a network is recommended.

    Args:
        verdict: The verdict.
        scores: Scores of all candidates.
        margins: Margins of (better, worse) pairs.
        judged: What the candidates are judged by.
    """
    by_name = {score.name: score for score in scores}
    if verdict.runner_up is None:
        texts = [
            f"Do not fit this signal: no candidate predicts {_article(judged)} significantly better than their mean "
            f"({by_name[MEAN].mean:.1f} dB). The signal is noise, or finer than its samples."
        ]
    else:
        winner = by_name[verdict.winner]
        texts = [f"{winner.name} wins with {_level(winner)}.", _lead(verdict, margins)]
        if verdict.network is not None:
            texts.append(_network(verdict, by_name, margins))
    if verdict.undertrained:
        few = ", ".join(f"{name} {plural(steps, 'step')}" for name, steps in verdict.undertrained.items())
        texts[-1] += f" Networks with too few steps for a verdict: {few}. Allow more time."
    return texts


def truth_sentence(truth: TrueErrors) -> str:
    """Return whether residuals rank the candidates as errors against the known solution do.

    Args:
        truth: Residuals and errors.
    """
    best, taken = truth.candidates[0], truth.by_residual
    if taken is best:
        text = f"The least residual and the least error ({number(best.error)}) are both those of {best.name}"
    elif taken.regret <= CLEARLY:
        text = f"The candidate of the least residual, {taken.name}, has about the least error ({number(taken.error)})"
    else:
        text = (
            f"The candidate of the least residual, {taken.name}, has an error of {number(taken.error)}, "
            f"{number(taken.regret)} times that of {best.name}"
        )
    pairs = [f"{a} before {b}" for a, b in truth.reversals]
    if not pairs:
        return f"{text}. Residuals put no pair of candidates clearly in the wrong order."
    others = f", and {len(pairs) - PAIRS} more" if len(pairs) > PAIRS else ""
    return f"{text}. Residuals put these in the wrong order: {', '.join(pairs[:PAIRS])}{others}."


def _article(judged: str) -> str:
    return judged if judged.startswith("the ") else f"the {judged}"


def _lead(verdict: ComparisonVerdict, margins: Mapping[tuple[str, str], Margin]) -> str:
    winner, other = verdict.winner, verdict.runner_up or ""
    if (winner, other) not in margins:
        return f"{other} is {margins[other, winner]} above it, which is not significant."
    margin = margins[winner, other]
    if margin.clear:
        return f"That is {margin} above {other}."
    return f"It cannot be distinguished from {other}, which is {margin} below."


def _network(
    verdict: ComparisonVerdict, by_name: Mapping[str, Score], margins: Mapping[tuple[str, str], Margin]
) -> str:
    network, simple = by_name[verdict.network or ""], by_name[verdict.simple or ""]
    cost = f"{number(network.seconds)} s against {number(simple.seconds)} s"
    if verdict.network_recommended:
        gain = margins[network.name, simple.name]
        return f"A network is recommended: {gain} above {simple.name}, the best candidate without one, for {cost}."
    if verdict.network_recommended is None:
        return (
            f"It is undecided whether a network is recommended: {network.name} has {_level(network)}, in {cost}. Try "
            "more seeds or a larger budget."
        )
    return (
        f"No network is recommended: the best one, {network.name}, has {_level(network)} and {simple.name} "
        f"{_level(simple)}, in {cost}."
    )


def _level(score: Score) -> str:
    if score.high > score.low:
        return f"{score.mean:.1f} dB ({score.low:.1f} to {score.high:.1f} over {len(score.psnr)} seeds)"
    return f"{score.mean:.1f} dB"
