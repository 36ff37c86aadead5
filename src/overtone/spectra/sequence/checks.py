"""What sequences have to be: finite numbers of shape (sequences, steps, channels)."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.fields import channels_last


def sequences(given: Tensor | ArrayLike, where: str, steps: int | None = None) -> Tensor:
    """Sequences (N, T, C) as a float32 or float64 tensor on their own device.

    Args:
        given: Tensor, array or nested numbers.
        where: Name of the argument, for errors.
        steps: How many steps there have to be, or None for any.

    Raises:
        InputError: If the shape is wrong, or an entry is complex, no number, NaN or infinite.
    """
    found = channels_last(given, -1, where)
    if found.ndim != 3:
        raise InputError(
            "an array of shape (sequences, steps, channels)",
            f"shape {tuple(found.shape)}",
            "add the missing axes, of length 1 if there is one sequence or channel",
            where,
        )
    if steps is not None and found.shape[1] != steps:
        raise InputError(
            f"sequences of {steps} steps",
            f"{found.shape[1]}",
            "cut all to one length, or build the transform for this one",
            where,
        )
    finite = found.detach().isfinite()
    if not bool(finite.all()):
        broken = (~finite).any(2)
        number, step = divmod(int(broken.flatten().byte().argmax()), found.shape[1])
        raise InputError(
            "finite numbers at every step",
            f"NaN or infinity in {int(broken.any(1).sum())} of {len(found)} sequences, first in sequence "
            f"{number} at step {step}",
            "drop these sequences or fill the gaps",
            where,
        )
    return found


def positive_rate(rate: float) -> float:
    """The sampling rate as a float.

    Raises:
        InputError: If it is not positive and finite.
    """
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(
            "a positive sampling rate", f"{rate}", "pass samples per second, or 1 for steps", "rate"
        )
    return float(rate)
