"""A noise floor as plain numbers per channel, and the one place that words it: for plans, scans and reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

CLEAN, NOISE, CANNOT_TELL = "clean", "noise", "cannot tell"
"""The verdicts, as records hold them."""

_LISTED = 4
_NOT_WHITE = (
    " In smooth places the power rises towards Nyquist: the noise is not white, and its standard deviation is "
    "higher than stated."
)
_WIDE = 1.1
_NOTHING = 1e-4


@dataclass(frozen=True)
class NoiseFacts:
    """The noise floor of a signal, as a record keeps it.

    Attributes:
        verdict: `CLEAN`, `NOISE` or `CANNOT_TELL`, of the whole signal.
        verdicts: The same per channel.
        std: Standard deviation of the noise per channel, in units of the value; else its upper limit.
        low: Lower end of its 95 % interval per channel.
        high: Upper end of that interval per channel.
        extent: Largest minus smallest value per channel.
        rising: Whether quiet places of a channel have more power near the Nyquist frequency than below.
    """

    verdict: str
    verdicts: tuple[str, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    extent: tuple[float, ...]
    rising: tuple[bool, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the facts as values that JSON can hold."""
        return {
            name: value if isinstance(value, str) else list(value) for name, value in asdict(self).items()
        }

    @staticmethod
    def from_json(plain: Mapping[str, Any]) -> NoiseFacts:
        """Return the facts from the result of `to_json`."""
        return NoiseFacts(
            plain["verdict"],
            *(tuple(plain[name]) for name in ("verdicts", "std", "low", "high", "extent", "rising")),
        )


def is_noise_json(plain: Any) -> bool:
    """Return whether a value is what `NoiseFacts.to_json` returns, with as many entries per list as channels."""
    verdicts = (CLEAN, NOISE, CANNOT_TELL)
    if not isinstance(plain, Mapping) or set(plain) != set(NoiseFacts.__dataclass_fields__):
        return False
    lists = [plain[name] for name in NoiseFacts.__dataclass_fields__ if name != "verdict"]
    if not all(isinstance(entries, list) and len(entries) == len(lists[0]) for entries in lists):
        return False
    return (
        plain["verdict"] in verdicts
        # The wording describes the channels that carry the verdict: there has to be one.
        and plain["verdict"] in plain["verdicts"]
        and all(entry in verdicts for entry in plain["verdicts"])
        and all(isinstance(entry, bool) for entry in plain["rising"])
        and all(
            isinstance(entry, int | float) and not isinstance(entry, bool) and math.isfinite(entry)
            for name in ("std", "low", "high", "extent")
            for entry in plain[name]
        )
    )


def noise_wording(noise: NoiseFacts) -> str:
    """Describe a noise floor in one or two sentences, by the channels that carry its verdict.

    Args:
        noise: The facts.

    Example:
        >>> one = NoiseFacts("noise", ("noise",), (0.05,), (0.04,), (0.06,), (1.0,), (False,))
        >>> noise_wording(one)
        "White noise of standard deviation 0.05 (between 0.04 and 0.06), 5.0% of the values' range."
    """
    carrying = [channel for channel, verdict in enumerate(noise.verdicts) if verdict == noise.verdict]
    stds, highs, extents = (
        [numbers[channel] for channel in carrying] for numbers in (noise.std, noise.high, noise.extent)
    )
    not_white = _NOT_WHITE * any(noise.rising[channel] for channel in carrying)
    high = max(highs)
    share = max(top / extent if extent else 0.0 for top, extent in zip(highs, extents, strict=True))
    if noise.verdict == CANNOT_TELL:
        # An upper end barely above the level, or as wide as the values, means too few samples for a statement.
        short = any(
            top >= min(_WIDE * std, extent) for top, std, extent in zip(highs, stds, extents, strict=True)
        )
        return (
            f"Cannot tell: the signal has power up to the Nyquist frequency{', or is too short to show' * short}, so "
            f"white noise may have any standard deviation up to {high:.3g}, {share:.1%} of the values' range."
        ) + not_white
    if noise.verdict == CLEAN:
        if share < _NOTHING:
            return "There is no white noise: parts of the signal are smooth to within 0.01% of its range."
        place = " in any channel" if len(noise.verdicts) > 1 else ""
        return (
            f"White noise, if any, has a standard deviation of at most {high:.3g}{place}, {share:.2%} of the values' "
            "range."
        )
    return _level(noise, carrying) + not_white


def _level(noise: NoiseFacts, carrying: list[int]) -> str:
    stds, lows, highs, extents = (
        [numbers[channel] for channel in carrying]
        for numbers in (noise.std, noise.low, noise.high, noise.extent)
    )
    # Powers of independent noise add up, so levels of several channels are averaged as root mean squares.
    std = math.sqrt(sum(std**2 for std in stds) / len(carrying))
    range_share = math.sqrt(
        sum((std / extent) ** 2 if extent else 0.0 for std, extent in zip(stds, extents, strict=True))
        / len(carrying)
    )
    over = " over the channels" if len(carrying) > 1 else ""
    interval = f"between {min(lows):.3g} and {max(highs):.3g}{over}"
    text = f"White noise of standard deviation {std:.3g} ({interval}), {range_share:.1%} of the values' range"
    if len(carrying) < len(noise.verdicts):
        text += f", in {len(carrying)} of {len(noise.verdicts)} channels"
    elif 1 < len(carrying) <= _LISTED:
        text += "; by channel " + ", ".join(f"{std:.3g}" for std in stds)
    return f"{text}."
