"""`overtone scan`: what a signal holds, without training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from overtone.cli.options import chain, common, reading, reading_arguments
from overtone.cli.output import print_json
from overtone.cli.source import read_source

if TYPE_CHECKING:
    from torch import Tensor

    from overtone.tune import Scan


@click.command()
@click.argument("source", required=False)
@chain(reading, common)
def scan(source: str | None, as_json: bool, seed: int, device: str, **options: Any) -> None:
    """Show the spectrum, noise floor and recommended bandwidth of SOURCE; nothing is trained.

    SOURCE is a picture, recording, volume, series or array; the default is a picture that ships with scikit-image.
    """
    from overtone.fitting.arguments import find_device
    from overtone.tune import scan as measure

    found = measure(read_source(source, reading_arguments(options)), find_device(device))
    if as_json:
        print_json(document(found) | {"seed": seed})
    else:
        click.echo(text(found))


def document(found: Scan) -> dict[str, Any]:
    """The JSON document of a scan; powers and noise in the signal's value units, frequencies in cycles per unit."""
    signal, noise, bands = found.signal, found.noise, found.spectrum.bands
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
                bands.low.tolist(), bands.high.tolist(), found.spectrum.power.tolist(), strict=True
            )
        ],
        "mean_square": found.spectrum.mean_square.tolist(),
        "noise": {
            "std": _over_channels(noise.std),
            "low": _over_channels(noise.low),
            "high": _over_channels(noise.high),
            "verdict": noise.verdict.value,
            "per_channel": noise.std.tolist(),
            "sentence": noise.sentence,
        },
        "bandwidth": list(found.bandwidth),
        "reasons": list(found.reasons),
        "notes": list(signal.notes),
    }


def text(found: Scan) -> str:
    """The scan for people: what it is, the spectrum as bars over decades of power, and the recommendation."""
    signal, unit = found.signal, found.signal.geometry.frequency_unit
    shape = " x ".join(map(str, signal.geometry.shape))
    lines = [f"{signal.name}: {signal.kind}, {shape}, {len(signal.channels)} channel(s)", *signal.notes]
    lines += ["", f"{'frequency in ' + unit:>28}   share of the power", *_bars(found), ""]
    reach = ", ".join(f"{b:.3g}" for b in found.bandwidth)
    return "\n".join([*lines, *found.reasons, f"Recommended bandwidth: {reach} {unit}."])


def _over_channels(per_channel: Tensor) -> float:
    """The root mean square over channels: the noise of their average power."""
    return float(per_channel.square().mean().sqrt())


def _bars(found: Scan, rows: int = 16, width: int = 40) -> list[str]:
    bands, power = found.spectrum.bands, found.spectrum.power.sum(1)[1:]
    total = float(power.sum()) or 1.0
    low, high = bands.low[1:], bands.high[1:]
    step = max(1, -(-len(low) // rows))
    lines = []
    for begin in range(0, len(low), step):
        share = float(power[begin : begin + step].sum()) / total
        decades = 0.0 if share <= 0 else max(0.0, 1 + math.log10(share) / 6)
        end = min(begin + step, len(low)) - 1
        label = f"{low[begin]:.3g} - {high[end]:.3g}"
        lines.append(f"{label:>28} | {'#' * round(width * decades):<{width}} {share:8.2g}")
    return [
        *lines,
        f"{'':>28}   (bars are logarithmic: the full width is all of the power, none is a millionth)",
    ]
