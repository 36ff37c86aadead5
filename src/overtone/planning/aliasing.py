"""What a bandwidth beyond the Nyquist frequency does."""

from __future__ import annotations

from collections.abc import Sequence

from overtone.errors import InputError
from overtone.signals import Geometry


def aliasing(bandwidth: Sequence[float], geometry: Geometry) -> str | None:
    """What happens between the samples if an encoding reaches beyond what they can hold.

    A wave of frequency f passes through the same samples as one of |f - 2 n N| for any whole n and the Nyquist
    frequency N, so beyond N training cannot tell the two apart.

    Args:
        bandwidth: Per axis, in cycles per unit.
        geometry: Where the samples lie; scattered points have no Nyquist frequency.

    Returns:
        A sentence with the frequencies concerned, or None where every axis stays within its Nyquist frequency.

    Raises:
        InputError: If there is not one bandwidth per axis.
    """
    if len(bandwidth) != geometry.axes:
        raise InputError(
            f"one bandwidth per axis ({geometry.axes})", f"{len(bandwidth)}", "pass that many", "bandwidth"
        )
    beyond = [
        f"{b:.3g} on axis {axis} passes through the samples as {folded(b, n):.3g} does (Nyquist {n:.3g})"
        for axis, (b, n) in enumerate(zip(bandwidth, geometry.nyquist, strict=True))
        if b > n
    ]
    if not beyond:
        return None
    return (
        f"Beyond Nyquist, in {geometry.frequency_unit}: {'; '.join(beyond)}: the network is free between the samples, "
        "and what it puts there is noise."
    )


def folded(frequency: float, nyquist: float) -> float:
    """The frequency in [0, nyquist] that passes through the same samples."""
    rest = frequency % (2 * nyquist)
    return min(rest, 2 * nyquist - rest)
