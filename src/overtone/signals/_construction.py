"""Construction of a `Signal` by the readers: validation, and notes on sentinel values."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.signals._geometry import Grid
from overtone.signals._normalisation import Normalisation, summarise
from overtone.signals._signal import Signal

_MARKS = (
    *(-9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0, -99.9, -999.9, -9999.9, -99.99, -999.99, -9999.99),
    *(
        -7777.0,
        -8888.0,
        -6999.0,
        99.0,
        999.0,
        9999.0,
        99999.0,
        999999.0,
        99.99,
        999.9,
        999.99,
        9999.9,
        9999.99,
    ),
    *(-32768.0, 32767.0, 65535.0, -2147483648.0, 2147483647.0, -9223372036854775808.0),
    *(1e15, 1e20, 1e30, 1e31, 1e35, 1e36, 1e37, 1e38, -1e20, -1e30, -1e31, -1e34),
    *(9.969209968386869e36, -3.4028234663852886e38, 3.4028234663852886e38, -1.7976931348623157e308),
)
_NEAR, _APART = 1e-6, 0.5


def sentinel_notes(values: Tensor, low: Tensor, high: Tensor, channels: tuple[str, ...]) -> tuple[str, ...]:
    """Return a sentence for each channel whose minimum or maximum is probably a sentinel for missing values.

    A sentinel is one of the usual numbers (-999, -9999, 1e20, the smallest 16-bit integer, ...) whose
    distance to the nearest other value exceeds half the range of the others.

    Args:
        values: (N, C) finite samples.
        low: (C,) smallest value per channel.
        high: (C,) largest value per channel.
        channels: Names of the channels in the sentence.
    """
    notes = []
    for channel, name in enumerate(channels):
        for end in (float(low[channel]), float(high[channel])):
            if not any(abs(end - mark) <= _NEAR * abs(mark) for mark in _MARKS):
                continue
            column = values[:, channel]
            others = column[column != end]
            if not others.numel():
                continue
            # A sentinel is isolated: real extremes have neighbours within half the range of the others.
            low_other, high_other = (float(v) for v in torch.aminmax(others))
            if min(abs(end - low_other), abs(end - high_other)) <= _APART * (high_other - low_other):
                continue
            count = column.numel() - others.numel()
            notes.append(
                f"{name} holds {end:g} in {count} of {column.numel()} samples, far from all others: if it marks "
                "missing values, fill or remove them first"
            )
    return tuple(notes)


_FULL_RANGE = ("picture", "audio", "synthetic")
Locate = Callable[[int, int], str]


def check_shape(shape: tuple[int, ...], location: str) -> None:
    """Raise an error for grids without a spectrum.

    Args:
        shape: Samples per axis, without the channels.
        location: File or argument in error messages.

    Raises:
        InputError: If there are more than three axes, none, or an axis of fewer than two samples.
    """
    if not 1 <= len(shape) <= 3:
        raise InputError(
            "1 to 3 grid axes",
            f"{len(shape)} axes, shape {shape}",
            "select one picture, recording or volume",
            location,
        )
    if min(shape) < 2:
        raise InputError(
            "at least 2 samples along every axis",
            f"shape {shape}",
            "drop the axes of one sample, or pass more samples",
            location,
        )


def make_signal(
    values: Tensor,
    geometry: Grid,
    *,
    kind: str,
    name: str,
    location: str,
    channels: tuple[str, ...] | None = None,
    value_unit: str = "",
    peak: float | None = None,
    per_channel: bool = False,
    notes: tuple[str, ...] = (),
    locate: Locate | None = None,
    find_sentinels: bool = True,
) -> Signal:
    """Validate the samples and create the `Signal`.

    Args:
        values: (N, C) floating-point samples in physical units.
        geometry: Geometry of the samples.
        kind: See `Signal`.
        name: See `Signal`.
        location: File or argument in error messages.
        channels: One name per channel, by default "value" or "channel 1", "channel 2", ...
        value_unit: Unit of the values.
        peak: The range a PSNR refers to, by default the largest minus the smallest value.
        per_channel: Whether each channel is normalised separately.
        notes: Notes on how the file was read.
        locate: Function that describes (sample, channel), such as "line 7", in the error for a value that is
            not finite.
        find_sentinels: Whether to note probable sentinel values; false if the stored numbers contained some.

    Returns:
        The signal, without held-out samples.

    Raises:
        InputError: If an axis is too short, a value is NaN or infinite, or every channel is constant.
    """
    check_shape(geometry.shape, location)
    # Values of a known full range contain no sentinels; other stored numbers may have been searched already.
    search = find_sentinels and kind not in _FULL_RANGE
    count = values.shape[1]
    channels = channels or (("value",) if count == 1 else tuple(f"channel {c + 1}" for c in range(count)))
    summary = summarise(values)
    if summary.first_bad is not None:
        sample, channel = summary.first_bad
        place = (locate or _index(geometry.shape, channels))(sample, channel)
        raise InputError(
            "finite values",
            f"{float(values[sample, channel])} at {place}",
            "fill or remove the gap",
            location,
        )
    if summary.constant:
        level = ", ".join(f"{v:g}" for v in summary.low.tolist()[:4])
        raise InputError(
            "values that vary", f"a constant signal of value {level}", "pass a signal that varies", location
        )
    return Signal(
        values=values,
        geometry=geometry,
        kind=kind,
        name=name,
        channels=channels,
        value_unit=value_unit,
        peak=float(summary.high.max() - summary.low.min()) if peak is None else peak,
        normalisation=Normalisation.of(values, per_channel, location),
        notes=notes + (sentinel_notes(values, summary.low, summary.high, channels) if search else ()),
    )


def _index(shape: tuple[int, ...], channels: tuple[str, ...]) -> Locate:
    def words(sample: int, channel: int) -> str:
        index: list[int] = []
        for n in reversed(shape):
            sample, position = divmod(sample, n)
            index.insert(0, position)
        place = f"index {index[0]}" if len(index) == 1 else f"index ({', '.join(map(str, index))})"
        return place if len(channels) == 1 else f"{place}, {channels[channel]}"

    return words
