"""Reasons of plans, sizes and controller steps: a code and its numbers, and the one place that words them.

Programs read `code` and `values`; `str(reason)` is the sentence for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, final

from overtone._utils.text import decibels, difference, format_per_axis, number, percent, plural

EXTENSION_DB = 1.0
"""Margin by which a bandwidth above an eighth of Nyquist has to be better, in dB."""


class ReasonCode(Enum):
    """Kind of a reason; the value is its name in JSON."""

    NOISE_FLOOR = "noise floor"
    SPECTRUM_BANDWIDTH = "spectrum bandwidth"
    GIVEN_BANDWIDTH = "given bandwidth"
    NO_BANDWIDTH = "no bandwidth"
    ALIASING = "aliasing"
    CONSTANT_AXIS = "constant axis"
    TOO_FEW_SAMPLES = "too few samples"
    NOT_SETTLED = "not settled"
    CONSTANT_HELD_OUT = "constant held-out samples"
    CANDIDATES = "candidates"
    NETWORK_SETTING = "network setting"
    NETWORK_PARAMETERS = "network parameters"
    BANDWIDTH_COMPARISON = "bandwidth comparison"
    EXTENDED_BANDWIDTH = "extended bandwidth"
    AXIS_BANDWIDTHS = "axis bandwidths"
    TOO_MANY_AXES = "too many axes"
    ENCODING_COMPARISON = "encoding comparison"
    EXPLAINED_POWER = "explained power"
    EXPECTED_PSNR = "expected PSNR"
    NO_EXPECTATION = "no expectation"
    FAST_SINES = "fast sines"
    SINE_RATE = "sine rate"
    STOPPING_RULE = "stopping rule"
    FEATURE_LIMIT = "feature limit"
    PARAMETER_BUDGET = "parameter budget"
    TIME_BUDGET = "time budget"
    FEW_STEPS = "few steps"
    MANY_FEATURES = "many features"
    NOT_RECOMMENDED = "not recommended"
    BANDS_LEARNED = "bands learned"
    ERROR_RISES = "error rises"
    ERROR_RISES_AGAIN = "error rises again"
    LOSS_NOT_FINITE = "loss not finite"
    CONTROLLER_SUMMARY = "controller summary"
    BEST_STEP = "best step"
    LAST_STEP = "last step"
    RECORDED = "recorded"


class BandwidthChoice(Enum):
    """Which of the bandwidths that are as good as the best is used."""

    SINGLE = "single"
    GEOMETRIC_MEAN = "geometric mean"
    HIGHEST = "highest"


@final
@dataclass(frozen=True)
class Reason:
    """A statement with its numbers.

    Attributes:
        code: What is stated.
        values: The numbers and names behind it.
        unit: Unit of the bandwidths among them, where there are any.

    Example:
        >>> reason = Reason(ReasonCode.CONSTANT_AXIS, {"axis": 1})
        >>> reason.values["axis"]
        1
        >>> str(reason)
        'The signal is constant along axis 1: that axis gets the smallest bandwidth.'
    """

    code: ReasonCode
    values: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""

    def __str__(self) -> str:
        """The sentence for people."""
        return _WORDING[self.code](self.values, self.unit)

    def to_json(self) -> dict[str, Any]:
        """Code, values and unit as values that JSON can hold."""
        return {"code": self.code.value, "values": dict(self.values), "unit": self.unit}

    @staticmethod
    def from_json(plain: Mapping[str, Any]) -> Reason:
        """The inverse of `to_json`, also after a passage through JSON, which turns tuples into lists."""
        values = {name: _tuples(value) for name, value in plain["values"].items()}
        return Reason(ReasonCode(plain["code"]), values, plain["unit"])

    @staticmethod
    def recorded(text: str) -> Reason:
        """A reason of which an older file kept the sentence alone."""
        return Reason(ReasonCode.RECORDED, {"text": text})


def read_reasons(
    sentences: Iterable[str], data: Iterable[Mapping[str, Any]] | None = None
) -> tuple[Reason, ...]:
    """Reasons from a file.

    Args:
        sentences: Their wording.
        data: Their codes and values; None in files that hold the wording alone.
    """
    if data is None:
        return tuple(Reason.recorded(text) for text in sentences)
    return tuple(Reason.from_json(plain) for plain in data)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


# One function per code below. Each gets the reason's values `v` and the unit `unit`.


def _spectrum_bandwidth(v: Mapping[str, Any], unit: str) -> str:
    text = f"90 % of the signal's power lies below {format_per_axis(v['measured'])} {unit}"
    text += f" (Nyquist {format_per_axis(v['nyquist'])})"
    if v["crossing"]:
        text += f", counted up to {format_per_axis(v['crossing'])} {unit}, where the spectrum meets the noise floor"
    if any(measured > limit for measured, limit in zip(v["measured"], v["limit"], strict=True)):
        text += f"; the sampling supports an encoding up to {format_per_axis(v['limit'])} {unit}, an eighth of Nyquist"
    return text + "."


def _aliasing(v: Mapping[str, Any], unit: str) -> str:
    axes = "; ".join(
        f"{bandwidth:.3g} on axis {axis} has the same samples as {alias:.3g} (Nyquist {nyquist:.3g})"
        for axis, bandwidth, alias, nyquist in zip(
            v["axes"], v["bandwidth"], v["alias"], v["nyquist"], strict=True
        )
    )
    return (
        f"Bandwidth above Nyquist, in {unit}: {axes}. Nothing constrains the network between the samples there, so it "
        "produces noise between them."
    )


def _too_few_samples(v: Mapping[str, Any], _: str) -> str:
    text = f"{v['samples']} samples are too few to hold any out: "
    if v["fallback"] == "spectrum":
        return text + "the bandwidth is that of the spectrum alone."
    return text + "the bandwidth is one cycle per extent, untested."


def _bandwidth_comparison(v: Mapping[str, Any], unit: str) -> str:
    first, last, low, high = (format_per_axis(v[name]) for name in ("first", "last", "tied_low", "tied_high"))
    count, tolerance = v["candidates"], v["tolerance_db"]
    single = tuple(v["tied_low"]) == tuple(v["tied_high"])
    equal = v["worst_db"] <= tolerance
    best = "the best"
    if v["rejected_gain_db"] > 0:
        gain = difference(v["rejected_gain_db"])
        best = (
            f"the best up to an eighth of Nyquist (the {gain} gained above it are too little to be trusted)"
        )
    tied = f"those from {low} to {high} are"
    if equal:
        tied = "all are" if count > 1 else "it is"
    elif single:
        tied = f"{low} alone is"
    choice = BandwidthChoice(v["choice"])
    used = "it is used"
    if choice is BandwidthChoice.GEOMETRIC_MEAN:
        # Where all are equal, "all" includes candidates beyond the range whose mean is taken.
        used = (
            f"the geometric mean of those up to {high} is used" if equal else "their geometric mean is used"
        )
    elif choice is BandwidthChoice.HIGHEST:
        used = f"the highest is used, which a run of {plural(v['steps'], 'step')} learns fastest"
    limit = f", {plural(v['time_limit_steps'], 'step')} at most" if v["time_limit_steps"] else ""
    text = (
        f"Of {plural(count, 'bandwidth')} from {first} to {last} {unit}, {tied} within {tolerance:.2g} dB of {best} "
        f"on held-out samples (kernel regression, {v['samples']} samples{limit}); {used}."
    )
    if not equal:
        text += f" The worst, {format_per_axis(v['worst'])}, is {difference(v['worst_db'])} worse."
    if v["plain_db"] is not None:
        relation = "worse" if v["plain_db"] > 0 else "better"
        text += f" Plain coordinates are {difference(v['plain_db'])} {relation}."
    return text


_LATE = "Short trainings were given up, because they took more than half of the time for training."


def _fixed(v: Mapping[str, Any], unit: str) -> str:
    """The rule for grids of cells, and the trial that says how good it is."""
    text = (
        "Neither regressions on untrained copies nor short trials rank the bandwidths of grids of cells better than a "
        f"fixed rule: {format_per_axis(v['chosen'])} {unit} is used, 8 cycles per extent or the spectrum's bandwidth "
        f"where that is higher, at most half of Nyquist; about {v['uncertainty_db']:g} dB may be lost, as measured."
    )
    level = next(iter(v.get("outlook_psnr") or ()), None)
    if level is None:
        return f"{text} {_LATE}" if v.get("late") else text
    return (
        f"{text} A trial of {plural(v['trial_steps'], 'step')}, extrapolated by regression with its tangent "
        f"kernel, reaches {decibels(level)} on held-out samples."
    )


def _candidates(v: Mapping[str, Any], unit: str) -> str:
    # Plans of earlier versions compared grids of cells as well.
    if v.get("fixed") and not v.get("large"):
        return _fixed(v, unit)
    text = (
        f"{plural(v['candidates'], 'bandwidth')} from {format_per_axis(v['first'])} to {format_per_axis(v['last'])} "
        f"{unit} were compared by ridge regression on the last hidden layer of untrained copies of the network "
        f"({plural(v['samples'], 'sample')}, scored on {v['held_out']:,} held-out values, with the ridge for "
        f"{_counted(v)})."
    )
    chosen, sure = format_per_axis(v["chosen"]), f"about {v['uncertainty_db']:g} dB may be lost, as measured"
    periodic = v.get("multiplies_frequencies", False)
    if periodic:
        text += (
            f" {format_per_axis(v['best_by_regression'])} was best. Layers with such activations multiply frequencies "
            "while they learn, so that trained networks do best one to three octaves below."
        )
    if v.get("localised"):
        text += (
            f" {format_per_axis(v['best_by_regression'])} was best. Untrained layers with localised activations are so "
            "rough that regressions prefer the smoothest; trained networks do best up to two octaves above."
        )
    if v["tried"]:
        return (
            f"{text} {_trials(v, chosen)}; {sure}." if not v.get("large") else f"{text} {_trials(v, chosen)}"
        )
    by = "the best by regression alone"
    if v.get("large"):
        by = "the spectrum's, because regressions cannot represent the detail of so many samples"
    elif periodic:
        by = (
            f"{'an octave' if v.get('untried_octaves') == 1 else 'two octaves'} below it if that was compared"
        )
    elif v.get("localised"):
        by = f"{'an octave' if v['untried_octaves'] == -1 else 'two octaves'} above it if that was compared"
    text += f" {chosen} is used, {by}; {sure}."
    if v.get("late"):
        return f"{text} {_LATE}"
    return text if v["quick"] else f"{text} {_too_few_steps(v)}"


def _counted(v: Mapping[str, Any]) -> str:
    """The steps that the ridge stands for."""
    # Plans of earlier versions count all steps.
    counted = v.get("counted_steps", v["steps"])
    steps = plural(v["steps"], "step")
    return steps if counted == v["steps"] else f"the first {counted:,} of {steps}"


def _trials(v: Mapping[str, Any], chosen: str) -> str:
    """Return the sentence on the trials and on the choice that follows from them."""
    outlook = v.get("outlook_psnr") or ()
    levels = ", ".join(
        f"{format_per_axis(b)}: {'diverged' if p is None else f'{p:.1f} dB'}"
        for b, p in zip(v["tried"], outlook or v["trial_psnr"], strict=True)
    )
    # Plans of earlier versions do not say whether there were too many samples.
    which = f"The best {len(v['tried'])}"
    if v.get("large"):
        which = "They"
    elif outlook:
        which = f"{len(v['tried'])} of them"
    further = ", and extrapolated by regression with their tangent kernels" if outlook else ""
    text = (
        f"{which} were then trained for {plural(v['trial_steps'], 'step')} each, "
        f"{percent(v['spent_steps'] / v['steps'])} of the run in all{further} ({levels} on held-out samples)."
    )
    if v.get("large"):
        return (
            f"{text} {chosen} is used, the highest within 1 dB of the best: with so many samples higher bandwidths "
            "gain in longer training."
        )
    judged = "the best by trial and regression together"
    if not v["shortlist_counts"]:
        judged = (
            "the lowest within half a dB of the best" if v.get("takes_lowest") else "the best by its trial"
        )
    return f"{text} {chosen} is used, {judged}"


def _too_few_steps(v: Mapping[str, Any]) -> str:
    return (
        f"{plural(v['steps'], 'step')} {'is' if v['steps'] == 1 else 'are'} too few for short trainings of the best "
        f"ones; {plural(v['enough_steps'], 'step')} would be enough."
    )


def _extended_bandwidth(_v: Mapping[str, Any], _: str) -> str:
    return (
        f"A bandwidth above an eighth of Nyquist gains more than {EXTENSION_DB:g} dB, which is taken as real."
    )


def _axis_bandwidths(v: Mapping[str, Any], _: str) -> str:
    if not v["axes"]:
        return "Per-axis bandwidths were tried at 1/4x and 4x; none lowered the held-out error by more than chance."
    changes = ", ".join(f"{name} to {b:.3g}" for name, b in zip(v["axes"], v["bandwidth"], strict=True))
    return f"Per-axis bandwidths, each better by more than {v['tolerance_db']:.2g} dB: {changes}."


def _encoding_comparison(v: Mapping[str, Any], _: str) -> str:
    figures = ", ".join(f"{name} {psnr:.1f} dB" for name, psnr in v["psnr"].items())
    return f"Trained for {v['steps']} steps and judged on held-out samples: {figures}; {v['chosen']} is used."


def _explained_power(v: Mapping[str, Any], _: str) -> str:
    if v["recommended"]:
        return f"A wide network explains {percent(v['fraction'])} of the power of the held-out samples."
    return (
        "On the held-out samples a wide network is no better than their mean "
        f"({percent(max(v['fraction'], 0.0))} of their power explained)."
    )


def _expected_psnr(v: Mapping[str, Any], _: str) -> str:
    return f"Expected on held-out samples: {decibels(v['psnr'])} ({v['low']:.1f} to {v['high']:.1f})."


def _stopping_rule(v: Mapping[str, Any], _: str) -> str:
    quantity = "smoothed held-out error"
    # Plans and runs of old versions do not say whether the noise counts.
    if v.get("noise"):
        quantity = (
            "smoothed sum of the held-out error and half the distance of the training error from the noise"
        )
    return (
        f"The run ends at {v['patience']:g} times the step of its smallest {quantity}, at step "
        f"{v['earliest']:g} at the earliest, and restores the weights of that step."
    )


def _few_steps(v: Mapping[str, Any], _: str) -> str:
    enough = f"{v['enough_steps']} steps" if v["enough_seconds"] is None else f"{v['enough_seconds']:.2g} s"
    learn = "learns" if v["steps"] == 1 else "learn"
    return f"{plural(v['steps'], 'step')} {learn} little but the mean; {enough} would be enough for a first result."


def _controller_summary(v: Mapping[str, Any], unit: str) -> str:
    text = f"The controller began at {format_per_axis(v['bandwidth'])} {unit}"
    if not v["increases"]:
        return f"{text} and kept that bandwidth."
    return f"{text} and increased the bandwidth {plural(v['increases'], 'time')}."


_WORDING: dict[ReasonCode, Callable[[Mapping[str, Any], str], str]] = {
    ReasonCode.NOISE_FLOOR: lambda v, _: str(v["description"]),
    ReasonCode.SPECTRUM_BANDWIDTH: _spectrum_bandwidth,
    ReasonCode.GIVEN_BANDWIDTH: lambda v, unit: (
        f"The bandwidth was set: {format_per_axis(v['bandwidth'])} {unit}."
    ),
    ReasonCode.NO_BANDWIDTH: lambda v, _: (
        f"The {v['encoding']} encoding has no bandwidth to choose; the network alone decides which frequencies it "
        "learns."
    ),
    ReasonCode.ALIASING: _aliasing,
    ReasonCode.CONSTANT_AXIS: lambda v, _: (
        f"The signal is constant along axis {v['axis']}: that axis gets the smallest bandwidth."
    ),
    ReasonCode.TOO_FEW_SAMPLES: _too_few_samples,
    ReasonCode.NOT_SETTLED: lambda v, _: (
        f"No kernel regression converged ({v['detail']}): the bandwidth is that of the spectrum alone."
    ),
    ReasonCode.CONSTANT_HELD_OUT: lambda _v, _: (
        "The held-out samples in the evaluated tiles all have the same value: the bandwidth is that of the spectrum "
        "alone."
    ),
    ReasonCode.CANDIDATES: _candidates,
    ReasonCode.NETWORK_SETTING: lambda v, _: (
        f"In the convention of {v['library']!r}, with coordinates from {v['domain'][0]:g} to {v['domain'][1]:g} on "
        f"every axis, that is {number(v['value'])}."
    ),
    ReasonCode.NETWORK_PARAMETERS: lambda v, _: (
        f"In the network's own parameters this is {v['module']}"
        f"{' in the first hidden layer' if v['activation'] else ''}, with coordinates from {v['domain'][0]:g} to "
        f"{v['domain'][1]:g} along the longest axis of each unit."
    ),
    ReasonCode.BANDWIDTH_COMPARISON: _bandwidth_comparison,
    ReasonCode.EXTENDED_BANDWIDTH: _extended_bandwidth,
    ReasonCode.AXIS_BANDWIDTHS: _axis_bandwidths,
    ReasonCode.TOO_MANY_AXES: lambda v, _: (
        f"{v['axes']} features are too many for a bandwidth per feature; all have the same."
    ),
    ReasonCode.ENCODING_COMPARISON: _encoding_comparison,
    ReasonCode.EXPLAINED_POWER: _explained_power,
    ReasonCode.EXPECTED_PSNR: _expected_psnr,
    ReasonCode.NO_EXPECTATION: lambda v, _: (
        f"The quality cannot be told in advance for {plural(v['steps'], 'step')} at a learning rate of "
        f"{number(v['lr'])}, in which no weight moves far; it can from {v['enough_steps']} steps on."
    ),
    ReasonCode.FAST_SINES: lambda v, _: (
        f"At a learning rate of {number(v['lr'])} a step may move the arguments of sines behind {v['width']} units by "
        f"{v['radians']:.1f} radians. That has lost up to 40 dB of clean tones: {number(v['safe_lr'])} is safer."
    ),
    ReasonCode.SINE_RATE: lambda v, _: (
        f"The learning rate is {number(v['lr'])}: at {number(v['usual'])} a step may move the arguments of sines "
        f"behind {v['width']} units by {v['radians']:.1f} radians, which has lost up to 45 dB."
    ),
    ReasonCode.STOPPING_RULE: _stopping_rule,
    ReasonCode.FEATURE_LIMIT: lambda v, _: (
        f"{v['features']} frequencies, as many as there are samples to train on."
    ),
    ReasonCode.PARAMETER_BUDGET: lambda v, _: (
        f"{v['depth']} x {v['width']} units after {v['features']} frequencies are {v['parameters']} parameters."
    ),
    ReasonCode.TIME_BUDGET: lambda v, _: (
        f"{number(v['seconds'])} s are about {plural(v['steps'], 'step')} with {v['width']} units a layer and "
        f"{v['batch']:,} samples a step."
    ),
    ReasonCode.FEW_STEPS: _few_steps,
    ReasonCode.MANY_FEATURES: lambda v, _: (
        f"{v['features']} frequencies are more than the {v['samples']} samples to train on: many networks fit those "
        "exactly, and it is chance which one training finds."
    ),
    ReasonCode.NOT_RECOMMENDED: lambda _v, _: (
        "Nothing was learned that carries over to held-out samples (squared error): fitting a network is not "
        "recommended."
    ),
    ReasonCode.BANDS_LEARNED: lambda v, _: f"At step {v['step']} the bands within the bandwidth are learned.",
    ReasonCode.ERROR_RISES: lambda v, _: (
        f"At step {v['step']} the estimated error rises: back to step {v['best_step']}, learning rate times "
        f"{v['lr_factor']:g}."
    ),
    ReasonCode.ERROR_RISES_AGAIN: lambda v, _: (
        f"At step {v['step']} the estimated error rises again: only noise is left to learn."
    ),
    ReasonCode.LOSS_NOT_FINITE: lambda v, _: f"The loss is not finite at step {v['step']}.",
    ReasonCode.CONTROLLER_SUMMARY: _controller_summary,
    ReasonCode.BEST_STEP: lambda v, _: f"Stopped at step {v['step']} by {v['samples']:,} validation samples.",
    ReasonCode.LAST_STEP: lambda v, _: f"Trained for {plural(v['steps'], 'step')}.",
    ReasonCode.RECORDED: lambda v, _: str(v["text"]),
}


def sentences(reasons: Sequence[Reason]) -> list[str]:
    """The wording of several reasons, each once, in their order."""
    return list(dict.fromkeys(map(str, reasons)))
