"""The one door through which every reader makes a Signal, so that all of them refuse the same things."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from overtone.errors import InputError
from overtone.signals.geometry import Grid
from overtone.signals.normalisation import Normalisation
from overtone.signals.sentinels import sentinel_notes
from overtone.signals.signal import Signal
from overtone.signals.summary import summarise

_FULL_RANGE = ("picture", "audio", "synthetic")
_FAR = "far from all others"
Locate = Callable[[int, int], str]


def check_shape(shape: tuple[int, ...], where: str) -> None:
    """Refuse grids that have no spectrum to speak of.

    Args:
        shape: Samples per axis, without the channels.
        where: The file or argument, for the message.

    Raises:
        InputError: If there are more than three axes, none, or an axis of fewer than two samples.
    """
    if not 1 <= len(shape) <= 3:
        raise InputError(
            "1 to 3 grid axes",
            f"{len(shape)} axes, shape {shape}",
            "pick one picture, recording or volume",
            where,
        )
    if min(shape) < 2:
        raise InputError(
            "at least 2 samples along every axis",
            f"shape {shape}",
            "drop the axes of one sample or pass more",
            where,
        )


def make_signal(
    values: Tensor,
    geometry: Grid,
    *,
    kind: str,
    name: str,
    where: str,
    channels: tuple[str, ...] | None = None,
    value_unit: str = "",
    peak: float | None = None,
    per_channel: bool = False,
    notes: tuple[str, ...] = (),
    locate: Locate | None = None,
) -> Signal:
    """Check the samples and make the Signal.

    Args:
        values: (N, C) floating-point samples in physical units.
        geometry: Where they lie.
        kind: See `Signal`.
        name: See `Signal`.
        where: The file or argument, for messages.
        channels: One name per channel, by default "value" or "channel 1", "channel 2", ...
        value_unit: Unit of the values.
        peak: The range a PSNR refers to, by default the largest minus the smallest value.
        per_channel: Whether each channel is normalised by itself.
        notes: How the file was read.
        locate: Words for (sample, channel), such as "line 7", for the message on a value that is not finite.

    Returns:
        The Signal, with no held-out samples.

    Raises:
        InputError: If an axis is too short, a value is NaN or infinite, or every channel is constant.
    """
    check_shape(geometry.shape, where)
    count = values.shape[1]
    judged = kind in _FULL_RANGE or any(_FAR in note for note in notes)
    channels = channels or (("value",) if count == 1 else tuple(f"channel {c + 1}" for c in range(count)))
    found = summarise(values)
    if found.first_bad is not None:
        sample, channel = found.first_bad
        place = (locate or _index(geometry.shape, channels))(sample, channel)
        raise InputError(
            "finite values",
            f"{float(values[sample, channel])} at {place}",
            "fill the gap or cut it out",
            where,
        )
    if found.constant:
        level = ", ".join(f"{v:g}" for v in found.low.tolist()[:4])
        raise InputError(
            "values that vary", f"a constant signal of value {level}", "pass one with a spectrum", where
        )
    return Signal(
        values=values,
        geometry=geometry,
        kind=kind,
        name=name,
        channels=channels,
        value_unit=value_unit,
        peak=float(found.high.max() - found.low.min()) if peak is None else peak,
        normalisation=Normalisation.of(values, per_channel, where),
        notes=notes if judged else (*notes, *sentinel_notes(values, found.low, found.high, channels)),
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
