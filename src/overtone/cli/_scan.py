"""`overtone scan`: spectrum, noise floor and recommended bandwidth, without training."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any

import click

from overtone._utils.text import format_per_axis, plural
from overtone.cli._announcements import announce_choice, announce_reading
from overtone.cli._durations import Duration, in_words
from overtone.cli._options import (
    Verb,
    as_flags,
    chain,
    common_flags,
    examples,
    flag,
    reading_arguments,
    reading_flags,
)
from overtone.cli._output import facts, print_json
from overtone.cli._source import read_source

if TYPE_CHECKING:
    from torch import Tensor

    from overtone.planning import Plan
    from overtone.planning._scan import Scan


ROWS, LENGTH, DECADES = 16, 36, 6
SIGNAL, NOISE = "#", "~"


def _bars(result: Scan) -> list[str]:
    """At most 16 bars over the bands that are not the mean, and the line that explains them.

    A bar's length is 1 + log10(share) / 6 of the full one: all of the power is the full length, a millionth is none.

    Args:
        result: The scan.
    """
    from overtone.spectra import NoiseVerdict

    bands = result.spectrum.bands
    power = result.spectrum.power.sum(1)[1:].tolist()
    noise = result.noise.power.sum(1)[1:].tolist()
    known = result.noise.verdict is NoiseVerdict.NOISE
    low, high = bands.low[1:], bands.high[1:]
    total = sum(power) or 1.0
    # Neighbouring bands share a bar, so that the picture fits a terminal whatever the signal's size.
    step = max(1, -(-len(power) // ROWS))
    rows, drowned = [], False
    for begin in range(0, len(power), step):
        end = min(begin + step, len(power))
        power_in_rows = sum(power[begin:end])
        # More than half of the bar's power is noise; without a certain floor nothing is claimed.
        mostly_noise = known and 2 * sum(noise[begin:end]) > power_in_rows
        drowned |= mostly_noise
        bar = (NOISE if mostly_noise else SIGNAL) * _length(power_in_rows / total)
        rows.append(
            f"{low[begin]:>9.3g} - {high[end - 1]:<9.3g} {bar:<{LENGTH}} {_percent(power_in_rows / total):>9}"
        )
    head = f"{'frequency':^21} {'power outside the mean, on a log scale':<{LENGTH}}"
    legend = (
        f"Ten times the power adds {LENGTH // DECADES} {SIGNAL}." + f" {NOISE} is mostly noise." * drowned
    )
    return [head, *rows, f"{'':21} {legend}"]


def _length(share: float) -> int:
    return 0 if share <= 0 else max(0, round(LENGTH * (1 + math.log10(share) / DECADES)))


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 1e-6 else "< 0.0001 %"


@click.command(
    "scan",
    cls=Verb,
    short_help="Show spectrum, noise and bandwidth; no training.",
    epilog=examples(
        "overtone scan photo.jpg",
        "overtone scan photo.jpg --time 60",
        "overtone scan sensor.csv --columns temperature",
        "overtone scan scan.npy --spacing 1,1,3 --unit mm --json",
    ),
)
@click.argument("source", required=False, type=click.Path())
@flag(
    "--time",
    "seconds",
    type=Duration(),
    metavar="SECONDS",
    section="Choosing",
    help="Show the choices of fit for this time budget: compare bandwidths on held-out samples, time a few steps.",
)
@chain(reading_flags, common_flags)
def scan_command(
    source: str | None, as_json: bool, seed: int, device: str, seconds: float | None, **options: Any
) -> None:
    """Show the spectrum and noise floor of SOURCE and the bandwidth it needs; nothing is trained.

    SOURCE is a picture (.png .jpg .tif), a recording (.wav .flac), a volume (.nii .nii.gz, .tif stack), a series (.csv)
    or an array (.npy .npz). Left out, it is a picture that ships with scikit-image.
    """
    announce_reading(source)
    from overtone.fitting._prepare import find_device, hold_out
    from overtone.planning import Budget
    from overtone.planning import plan as make_plan
    from overtone.planning import scan as measure

    # Before the file is read, which may take long: a wrong device is refused at once.
    torch_device = find_device(device)
    read_with = reading_arguments(options)
    result = measure(read_source(source, read_with), torch_device)
    plan = None
    if seconds is not None:
        # The split and seed of `fit`, so that the plan is the one that fit would make.
        signal = hold_out(result.signal, HELD_OUT, seed)
        announce_choice(signal, timed=True)
        # Labels were refused as the file was read, unless they are quantities.
        plan = make_plan(signal, Budget(seconds=seconds), seed=seed, device=torch_device, quantities=True)
    if as_json:
        planned = {} if plan is None else {"plan": plan.to_json()}
        print_json(_document(result) | planned | {"seed": seed})
    else:
        fit = ["overtone", "fit", *([source] if source else []), *as_flags(read_with)]
        click.echo(_text(result, shlex.join([*fit, *([f"--time={seconds:g}"] if plan else [])]), plan))


HELD_OUT = 0.1
"""Part of the samples that fit holds out unless told otherwise."""

COMPARES = "fit chooses it, in {cost} of the run; see --time."
"""Sentence on the limits of the spectrum's estimate and on the cost of the full choice."""


def _document(result: Scan) -> dict[str, Any]:
    """The JSON document of a scan; powers and noise in the signal's value units, frequencies in cycles per unit."""
    from overtone.planning._reasons import sentences
    from overtone.spectra import noise_sentence

    signal, noise, bands = result.signal, result.noise, result.spectrum.bands
    return {
        "name": signal.name,
        "kind": signal.kind,
        "shape": list(signal.geometry.shape),
        "channels": list(signal.channels),
        "unit": signal.geometry.frequency_unit,
        "value_unit": signal.value_unit,
        "nyquist": list(signal.geometry.nyquist),
        "bands": [
            {"low": low, "high": high, "power": power}
            for low, high, power in zip(
                bands.low.tolist(), bands.high.tolist(), result.spectrum.power.tolist(), strict=True
            )
        ],
        "mean_square": result.spectrum.mean_square.tolist(),
        "noise": {
            "std": _over_channels(noise.std),
            "low": _over_channels(noise.low),
            "high": _over_channels(noise.high),
            "verdict": noise.verdict.value,
            "per_channel": noise.std.tolist(),
            "sentence": noise_sentence(noise),
        },
        "bandwidth": list(result.bandwidth),
        "reasons": sentences(result.reasons),
        "reason_data": [reason.to_json() for reason in result.reasons],
        "settings": result.encoding_settings.to_json(),
        "oscillation": None if result.barron_summary is None else result.barron_summary.to_json(),
        "notes": list(signal.notes),
    }


def _text(result: Scan, fit: str, plan: Plan | None = None) -> str:
    """The scan for people: what it is, the spectrum as bars, noise and bandwidth, and what to do next.

    Args:
        result: The scan.
        fit: The command line that fits the same signal.
        plan: What it would choose, if that was asked for.
    """
    from overtone.planning._duration import choice_seconds

    signal, unit = result.signal, result.signal.geometry.frequency_unit
    shape = " x ".join(map(str, signal.geometry.shape))
    noise, *why = map(str, result.reasons)
    value = f"{format_per_axis(result.bandwidth)} {unit}"
    measured = f"90 % of the signal's power lies below {value} "
    cost = f"{in_words(choice_seconds(signal))} and a quarter"
    if why and why[0].startswith(
        measured
    ):  # the number stands in front of its reason, which is not to repeat it
        why[0] = f"90 % of the signal's power lies below it {why[0].removeprefix(measured)}"
    elif not any("(Nyquist" in reason for reason in why):
        value += f" (Nyquist {format_per_axis(signal.geometry.nyquist)})"
    value += "."
    summary = {
        "Noise": noise,
        # By another name than what fit chooses, which may differ: this one is not compared with anything.
        "Spectrum": " ".join([value, *why]),
    }
    chosen_value = None if plan is None else format_per_axis(plan.bandwidth)
    summary["Bandwidth"] = (
        COMPARES.format(cost=cost) if chosen_value is None else f"{chosen_value} {unit}, as fit chooses it."
    )
    summary["Settings"] = f"{result.encoding_settings}."
    if result.barron_summary is not None:
        summary["Border"] = result.barron_summary.border
        summary["Barron C"] = result.barron_summary.sentence(" / ".join(dict.fromkeys(signal.geometry.units)))
    if plan is not None:
        # Reasons that stand above already are not repeated.
        chosen = [str(r) for r in plan.reasons if r not in result.reasons]
        summary["Plan"] = (
            f"{plan.encoding.value} to {format_per_axis(plan.bandwidth)} {unit}, {plan.depth} x {plan.width} units"
        )
        summary[""] = " ".join([*chosen, *map(str, plan.warnings)])
    head = f"{signal.name}: {signal.kind}, {shape} samples, {plural(len(signal.channels), 'channel')}"
    lines = [head, *signal.notes, "", f"Spectrum in {unit}", *_bars(result), ""]
    return "\n".join([*lines, facts(summary), f"Next       {fit}"])


def _over_channels(per_channel: Tensor) -> float:
    """The root mean square over channels: the noise of their average power."""
    return float(per_channel.square().mean().sqrt())
