"""Sentences about predictions, made from findings, costs and comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from overtone.theory.dynamics._findings import Cost, Finding, FindingCode

if TYPE_CHECKING:
    from overtone.theory.dynamics._agreement import Agreement


def finding_sentence(finding: Finding) -> str:
    """Return the sentence of a finding.

    Args:
        finding: The finding.
    """
    return _WORDINGS[finding.code](**finding.values)


def outlook(cost: Cost) -> str:
    """Return the sentence on the cost of a prediction that is still to be made.

    Args:
        cost: Estimated cost.
    """
    sentence = f"Predicting will take about {_seconds(cost.predicting)} s"
    if cost.training is None:
        return f"{sentence}."
    remark = ", and is the more reliable answer" if cost.training_is_cheaper else ""
    return f"{sentence}; training itself would take about {_seconds(cost.training)} s{remark}."


def agreement_sentences(agreement: Agreement) -> list[str]:
    """Return the sentences on a comparison of a predicted with a measured record.

    Args:
        agreement: The comparison.
    """
    count = int(agreement.counted.sum())
    if count == 0:
        return ["No band was measured to be learned after the pilot: there is nothing to compare."]
    text = f"{count} bands were learned after the pilot"
    if agreement.predicted_share == 0:
        return [
            f"{text}, and the prediction gives a learning step for none of them.",
            _holds_until(agreement),
        ]
    predicted = "all" if agreement.predicted_share == 1 else f"{round(agreement.predicted_share * count)}"
    order = agreement.rank_correlation
    ranked = "" if math.isnan(order) else f", rank correlation {order:.2f}"
    return [
        f"{text}; {predicted} of them were predicted, with a median factor of {agreement.median_factor:.2f}{ranked}.",
        _holds_until(agreement),
    ]


def _holds_until(agreement: Agreement) -> str:
    if agreement.limit is None:
        return f"The theory holds until the last step compared, {agreement.last}."
    band = f"{agreement.limit.low:.4g} to {agreement.limit.high:.4g}"
    return (
        f"The theory holds until step {agreement.limit.step}; the band {band} is the first to depart from it."
    )


def _above(rate: float, largest: float) -> str:
    return f"The learning rate {rate:g} is above {largest:.3g}, the largest stable rate of the kernel"


def _rate_above_limit(rate: float, largest: float) -> str:
    return (
        f"{_above(rate, largest)}, yet the pilot did not diverge: the fastest modes are assumed to stay at the edge of "
        "stability."
    )


def _pilot_diverged(rate: float, largest: float, step: int) -> str:
    if rate > largest:
        return f"{_above(rate, largest)}: training diverges after step {step}, as the pilot did."
    return (
        f"At the learning rate {rate:g} training diverges after step {step}, as the pilot did, although the kernel of "
        f"the initial network is stable up to {largest:.3g}: lower the rate further."
    )


def _divergence_predicted(rate: float, largest: float, step: int, may_recover: bool) -> str:
    doubt = " Networks often recover at such a rate: a short pilot would show it." if may_recover else ""
    return f"{_above(rate, largest)}: training is predicted to diverge after step {step}.{doubt}"


def _bands_undetermined(count: int, low: float, unit: str) -> str:
    return (
        f"Cannot tell when {_bands(count)} from {low:.4g} {unit} up {_are(count)} learned: the network's features "
        "still change too fast."
    )


def _bands_not_learned(count: int, low: float, unit: str, steps: int) -> str:
    return (
        f"{_bands(count)} from {low:.4g} {unit} up {_are(count)} not learned within {steps} steps, unless feature "
        "learning speeds up unexpectedly."
    )


def _window(start: tuple[int, ...], shape: tuple[int, ...], whole: tuple[int, ...]) -> str:
    size, total = (" x ".join(map(str, sizes)) for sizes in (shape, whole))
    inside = ", ".join(f"{first} to {first + n - 1}" for first, n in zip(start, shape, strict=True))
    return (
        f"Predicted on a window of {size} of the {total} samples, numbers {inside} per axis, at full resolution; the "
        "other samples are not predicted."
    )


def _relinearised(until: int, steps: int) -> str:
    ending = "." if until == steps else ", after which the network changes too fast for that."
    return f"The network was relinearised repeatedly up to step {until}{ending}"


def _training_cheaper(predicting: float, training: float) -> str:
    return (
        f"Predicting took {_seconds(predicting)} s; training itself would take about {_seconds(training)} s, and is "
        "the more reliable answer."
    )


_WORDINGS: dict[FindingCode, Callable[..., str]] = {
    FindingCode.RATE_ABOVE_LIMIT: _rate_above_limit,
    FindingCode.PILOT_DIVERGED: _pilot_diverged,
    FindingCode.DIVERGENCE_PREDICTED: _divergence_predicted,
    FindingCode.BANDS_UNDETERMINED: _bands_undetermined,
    FindingCode.BANDS_NOT_LEARNED: _bands_not_learned,
    FindingCode.WINDOW: _window,
    FindingCode.NO_PILOT: lambda: (
        "Predicted from the initial network alone, without a pilot: features that are learned during training are not "
        "taken into account."
    ),
    FindingCode.LONG_PILOT: lambda pilot, steps: (
        f"The pilot of {pilot} steps is more than 5 % of the {steps} predicted; accuracy is stated for shorter ones."
    ),
    FindingCode.RELINEARISED: _relinearised,
    FindingCode.WINDOW_NOT_RELINEARISED: lambda: (
        "The network was not relinearised, since samples outside the window move it too: from the pilot's end the "
        "growth of its kernel is extrapolated."
    ),
    FindingCode.MINIBATCH_SCATTER: lambda error: (
        "Minibatches scatter a run about this mean: at the last step by a relative error of up to "
        f"{error:.2g} in a band."
    ),
    FindingCode.NEGATIVE_EIGENVALUES: lambda share: (
        f"The kernel had negative eigenvalues of up to {share:.0e} of the largest; they were set to 0."
    ),
    FindingCode.TRAINING_CHEAPER: _training_cheaper,
}


def _bands(count: int) -> str:
    return "1 band" if count == 1 else f"{count} bands"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
