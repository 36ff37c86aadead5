"""Sentences about predictions, from findings, costs and comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from overtone.theory.dynamics._cost import Cost
from overtone.theory.dynamics._findings import Finding, FindingCode

if TYPE_CHECKING:
    from overtone.theory.dynamics._agreement import Agreement


def finding_sentence(finding: Finding) -> str:
    """Return the sentence of a finding.

    Args:
        finding: The finding.
    """
    return _WORDINGS[finding.code](**finding.values)


def outlook(cost: Cost) -> str:
    """Return the sentence on the cost of a future prediction.

    Args:
        cost: Estimated cost.
    """
    sentence = f"Predicting will take about {_seconds(cost.predicting)} s"
    if cost.training is None:
        return f"{sentence}."
    if cost.limit:
        limit, training = _seconds(cost.predicting), _seconds(cost.training)
        return f"Predicting will take at most about {limit} s; training itself would take about {training} s."
    remark = ", and is more reliable" if cost.training_is_cheaper else ""
    return f"{sentence}; training itself would take about {_seconds(cost.training)} s{remark}."


def agreement_sentences(agreement: Agreement) -> list[str]:
    """Return the sentences on a comparison of a predicted with a measured record.

    Args:
        agreement: The comparison.
    """
    count = int(agreement.counted.sum())
    if count == 0:
        return ["No band was learned after the pilot in the measurement: a comparison is not possible."]
    text = f"{_bands(count)} {'was' if count == 1 else 'were'} learned after the pilot"
    if agreement.predicted_share == 0:
        return [
            f"{text}, and none of them has a predicted learning step.",
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
        return f"The prediction is valid until the last compared step, {agreement.last}."
    band = f"{agreement.limit.low:.4g} to {agreement.limit.high:.4g}"
    return (
        f"The prediction is valid until step {agreement.limit.step}; the band {band} is the first to deviate."
    )


def _above(rate: float, largest: float) -> str:
    return f"The learning rate {rate:g} is above {largest:.3g}, the largest stable rate of the kernel"


def _rate_above_limit(rate: float, largest: float) -> str:
    return (
        f"{_above(rate, largest)}, but the pilot did not diverge: the fastest modes are assumed to stay at the edge of "
        "stability."
    )


def _pilot_diverged(rate: float, largest: float, step: int) -> str:
    if rate > largest:
        return f"{_above(rate, largest)}: training diverges after step {step}, as in the pilot."
    return (
        f"At the learning rate {rate:g} training diverges after step {step}, as in the pilot, although the kernel of "
        f"the initial network is stable up to {largest:.3g}: lower the rate further."
    )


def _divergence_predicted(rate: float, largest: float, step: int, may_recover: bool) -> str:
    doubt = " Networks often recover at such a rate: a short pilot would show this." if may_recover else ""
    return f"{_above(rate, largest)}: training is predicted to diverge after step {step}.{doubt}"


def _bands_undetermined(count: int, low: float, unit: str) -> str:
    return (
        f"It cannot be predicted when {_bands(count)} from {low:.4g} {unit} up {_are(count)} learned: the network's "
        "features still change too fast."
    )


def _bands_not_learned(count: int, low: float, unit: str, steps: int) -> str:
    return (
        f"{_bands(count)} from {low:.4g} {unit} up {_are(count)} not learned within {steps} steps, nor within four "
        "times as many, unless feature learning speeds up unexpectedly."
    )


def _bands_later(count: int, low: float, unit: str, steps: int, first: int, last: int) -> str:
    when = f"at about step {first}" if first == last else f"between steps {first} and {last}"
    return (
        f"{_bands(count)} from {low:.4g} {unit} up {_are(count)} predicted to be learned after step {steps}, {when}; "
        "such steps can be too late by a factor of two."
    )


def _window(start: tuple[int, ...], shape: tuple[int, ...], whole: tuple[int, ...]) -> str:
    size, total = (" x ".join(map(str, sizes)) for sizes in (shape, whole))
    inside = ", ".join(f"{first} to {first + n - 1}" for first, n in zip(start, shape, strict=True))
    return (
        f"Predicted on a window of {size} of the {total} samples, indices {inside} per axis, at full resolution; the "
        "other samples are not predicted."
    )


def _relinearised(until: int, steps: int) -> str:
    ending = "." if until == steps else ", after which the network changes too fast for relinearisation."
    return f"The network was relinearised repeatedly up to step {until}{ending}"


def _cost_limit(until: int, max_cost: float) -> str:
    return (
        f"The network was relinearised up to step {until} only, since a prediction may cost {max_cost:g} of the "
        "training; a larger max_cost relinearises further."
    )


def _training_cheaper(predicting: float, training: float) -> str:
    return (
        f"Predicting took {_seconds(predicting)} s; training itself would take about {_seconds(training)} s, and is "
        "more reliable."
    )


_WORDINGS: dict[FindingCode, Callable[..., str]] = {
    FindingCode.RATE_ABOVE_LIMIT: _rate_above_limit,
    FindingCode.PILOT_DIVERGED: _pilot_diverged,
    FindingCode.DIVERGENCE_PREDICTED: _divergence_predicted,
    FindingCode.BANDS_UNDETERMINED: _bands_undetermined,
    FindingCode.BANDS_NOT_LEARNED: _bands_not_learned,
    FindingCode.BANDS_LATER: _bands_later,
    FindingCode.WINDOW: _window,
    FindingCode.NO_PILOT: lambda: (
        "Predicted from the initial network, without a pilot: feature learning during training is not taken into "
        "account."
    ),
    FindingCode.LONG_PILOT: lambda pilot, steps: (
        f"The pilot of {pilot} steps is more than 5 % of the {steps} predicted; accuracy is stated for shorter pilots."
    ),
    FindingCode.RELINEARISED: _relinearised,
    FindingCode.COST_LIMIT: _cost_limit,
    FindingCode.WINDOW_NOT_RELINEARISED: lambda: (
        "The network was not relinearised, because samples outside the window change it too: after the pilot the "
        "growth of its kernel is extrapolated."
    ),
    FindingCode.MINIBATCH_SCATTER: lambda error: (
        "The variance of minibatches adds to this mean: at the last step a relative error of up to "
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
