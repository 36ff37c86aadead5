"""A spectrum as bars of text, logarithmic in power, with what is mostly noise drawn apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from overtone.planning import Scan

ROWS, LENGTH, DECADES = 16, 36, 6
SIGNAL, NOISE = "#", "~"


def bars(found: Scan) -> list[str]:
    """At most 16 bars over the bands that are not the mean, and the line that explains them.

    A bar's length is 1 + log10(share) / 6 of the full one: all of the power is the full length, a millionth is none.

    Args:
        found: The scan.
    """
    from overtone.spectra import NoiseVerdict

    bands = found.spectrum.bands
    power = found.spectrum.power.sum(1)[1:].tolist()
    noise = found.noise.power.sum(1)[1:].tolist()
    known = found.noise.verdict is NoiseVerdict.NOISE
    low, high = bands.low[1:], bands.high[1:]
    total = sum(power) or 1.0
    step = max(1, -(-len(power) // ROWS))
    rows, drowned = [], False
    for begin in range(0, len(power), step):
        end = min(begin + step, len(power))
        here = sum(power[begin:end])
        mostly_noise = known and 2 * sum(noise[begin:end]) > here
        drowned |= mostly_noise
        bar = (NOISE if mostly_noise else SIGNAL) * _length(here / total)
        rows.append(f"{low[begin]:>9.3g} - {high[end - 1]:<9.3g} {bar:<{LENGTH}} {_percent(here / total):>9}")
    head = f"{'frequency':^21} {'power outside the mean, on a log scale':<{LENGTH}}"
    legend = (
        f"{LENGTH // DECADES} {SIGNAL} more are ten times the power." + f" {NOISE} is mostly noise." * drowned
    )
    return [head, *rows, f"{'':21} {legend}"]


def _length(share: float) -> int:
    return 0 if share <= 0 else max(0, round(LENGTH * (1 + math.log10(share) / DECADES)))


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 1e-6 else "< 0.0001 %"
