"""What the noise estimate says, in words for a report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from overtone.spectra.noise.channel import ChannelNoise
from overtone.spectra.noise.verdict import NoiseVerdict

_LISTED = 4
_NOT_WHITE = " Quiet places have more power near Nyquist than below: such noise is not white, and stronger."
_WIDE = 1.1
_NOTHING = 1e-4


def describe(channels: Sequence[ChannelNoise], verdict: NoiseVerdict) -> str:
    """One or two sentences on the channels that carry the verdict.

    Args:
        channels: The noise of each channel.
        verdict: The verdict on them all.
    """
    told = [noise for noise in channels if noise.verdict is verdict]
    high = max(noise.high for noise in told)
    share = max(noise.high / noise.extent if noise.extent else 0.0 for noise in told)
    if verdict is NoiseVerdict.CANNOT_TELL:
        short = any(noise.high >= min(_WIDE * noise.std, noise.extent) for noise in told)
        text = (
            f"Cannot tell: the signal has power up to the Nyquist frequency{', or is too short to show' * short}, so "
            f"white noise may have any standard deviation up to {high:.3g}, {share:.1%} of the values' range."
        )
        return text + _NOT_WHITE * any(noise.rising for noise in told)
    if verdict is NoiseVerdict.CLEAN:
        if share < _NOTHING:
            return "There is no white noise: parts of the signal are smooth to within 0.01% of its range."
        where = " in any channel" if len(channels) > 1 else ""
        return (
            f"White noise, if any, has a standard deviation of at most {high:.3g}{where}, {share:.2%} of the values' "
            "range."
        )
    std = math.sqrt(sum(noise.std**2 for noise in told) / len(told))
    range_share = math.sqrt(sum((noise.std / noise.extent) ** 2 for noise in told) / len(told))
    low = min(noise.low for noise in told)
    over = " over the channels" if len(told) > 1 else ""
    interval = f"between {low:.3g} and {high:.3g}{over}"
    text = f"White noise of standard deviation {std:.3g} ({interval}), {range_share:.1%} of the values' range"
    if len(told) < len(channels):
        text += f", in {len(told)} of {len(channels)} channels"
    elif 1 < len(told) <= _LISTED:
        text += "; by channel " + ", ".join(f"{noise.std:.3g}" for noise in told)
    return f"{text}.{_NOT_WHITE * any(noise.rising for noise in told)}"
