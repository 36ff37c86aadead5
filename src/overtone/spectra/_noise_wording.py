"""The wording of a noise floor, for every report and record that has a sentence on it."""

from __future__ import annotations

import math

from overtone.spectra._noise_floor import NoiseFloor, NoiseVerdict

_LISTED = 4
_NOT_WHITE = " Quiet places have more power near Nyquist than below: such noise is not white, and stronger."
_WIDE = 1.1
_NOTHING = 1e-4


def noise_sentence(noise: NoiseFloor) -> str:
    """One or two sentences on the channels that carry the verdict.

    Args:
        noise: The noise floor.

    Example:
        >>> import torch
        >>> from overtone import spectra
        >>> spectra.noise_sentence(spectra.noise_floor(torch.full((32, 32), 7.0)))
        'There is no white noise: parts of the signal are smooth to within 0.01% of its range.'
    """
    carrying = [channel for channel, verdict in enumerate(noise.verdicts) if verdict is noise.verdict]
    stds, lows, highs, extents = (
        [numbers.tolist()[channel] for channel in carrying]
        for numbers in (noise.std, noise.low, noise.high, noise.extent)
    )
    not_white = _NOT_WHITE * any(noise.rising[channel] for channel in carrying)
    high = max(highs)
    share = max(top / extent if extent else 0.0 for top, extent in zip(highs, extents, strict=True))
    if noise.verdict is NoiseVerdict.CANNOT_TELL:
        # An upper end barely above the level, or as wide as the values, means too few samples for a statement.
        short = any(
            top >= min(_WIDE * std, extent) for top, std, extent in zip(highs, stds, extents, strict=True)
        )
        return (
            f"Cannot tell: the signal has power up to the Nyquist frequency{', or is too short to show' * short}, so "
            f"white noise may have any standard deviation up to {high:.3g}, {share:.1%} of the values' range."
        ) + not_white
    if noise.verdict is NoiseVerdict.CLEAN:
        if share < _NOTHING:
            return "There is no white noise: parts of the signal are smooth to within 0.01% of its range."
        place = " in any channel" if len(noise.verdicts) > 1 else ""
        return (
            f"White noise, if any, has a standard deviation of at most {high:.3g}{place}, {share:.2%} of the values' "
            "range."
        )
    std = math.sqrt(sum(std**2 for std in stds) / len(carrying))
    range_share = math.sqrt(
        sum((std / extent) ** 2 for std, extent in zip(stds, extents, strict=True)) / len(carrying)
    )
    over = " over the channels" if len(carrying) > 1 else ""
    interval = f"between {min(lows):.3g} and {high:.3g}{over}"
    text = f"White noise of standard deviation {std:.3g} ({interval}), {range_share:.1%} of the values' range"
    if len(carrying) < len(noise.verdicts):
        text += f", in {len(carrying)} of {len(noise.verdicts)} channels"
    elif 1 < len(carrying) <= _LISTED:
        text += "; by channel " + ", ".join(f"{std:.3g}" for std in stds)
    return f"{text}.{not_white}"
