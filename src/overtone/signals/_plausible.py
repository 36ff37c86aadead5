"""Checks of measurements that would be read without an error although they mean something else than the file says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone.errors import InputError

Array = NDArray[Any]

FEWEST = 64
"""Numbers below which nothing is said of their distribution."""

CORNER = 100.0
"""Power at the corner of k-space over that in the middle above which frequency 0 lies in the corner."""

OPPOSED = 0.5
"""Part of the power of opposite coefficients in which they are no conjugates, above which the picture is not real."""

LOUD = 3.0
"""Factor by which noise may exceed the quietest part of the data."""

UNLIKE, CLOSER = 0.1, 0.5
"""Relative difference of a reference's measurements above which others are tried, and the part of it that tells."""

UNRELATED = 0.9
"""Relative difference above which a reference has nothing to do with the measurements."""


def check_channels(shape: tuple[int, ...], channels: int, argument: str, remedy: str) -> None:
    """Refuse an axis of space that would be taken for channels, since a mask or kernel has one axis fewer.

    Args:
        shape: Samples per axis.
        channels: Length of the last axis of the data.
        argument: Named in the error.
        remedy: How it gets the axis that is missing.
    """
    if channels > max(4, min(shape) // 2):
        raise InputError(
            f"as many axes as the data have, or a last axis of few channels for data of shape {(*shape, channels)}",
            f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}, which leaves {channels} channels",
            f"give it all axes of space, {remedy}",
            argument,
        )


def check_centre(data: Array, mask: Array) -> None:
    """Refuse k-space whose frequency 0 lies in the corner.

    Args:
        data: (*shape, channel) coefficients.
        mask: (*shape) which are measured.
    """
    power = np.where(mask, np.square(np.abs(np.where(mask[..., None], data, 0))).sum(-1), 0.0)
    if power.size < FEWEST or np.unravel_index(power.argmax(), power.shape) != (0,) * power.ndim:
        return
    places = np.stack(np.meshgrid(*((np.arange(n) - n // 2) / n for n in power.shape), indexing="ij"))
    middle = np.abs(places).max(axis=0) < 1 / 8
    corner = np.abs(places).min(axis=0) > 3 / 8
    if power[corner].sum() > CORNER * power[middle].sum():
        raise InputError(
            "coefficients with frequency 0 in the middle of the array",
            "the largest ones in its corners",
            "apply numpy.fft.fftshift over the axes of space to the coefficients, and to a mask of the same order",
            "data",
        )


def check_conjugates(data: Array, mask: Array) -> None:
    """Refuse k-space of a real picture whose opposite coefficients are not conjugates.

    Args:
        data: (*shape, channel) coefficients.
        mask: (*shape) which are measured.
    """
    axes = tuple(range(mask.ndim))

    def opposite(values: Array) -> Array:
        # Index of -k, frequency 0 at n // 2.
        return np.roll(np.flip(values, axes), [1 - n % 2 for n in mask.shape], axes)

    both = mask & opposite(mask)
    values, other = data[both], opposite(data)[both].conj()
    power = float(np.square(np.abs(values)).sum() + np.square(np.abs(other)).sum())
    if values.size >= FEWEST and float(np.square(np.abs(values - other)).sum()) > OPPOSED * power:
        raise InputError(
            "coefficients of a real picture, which are conjugates at opposite frequencies",
            "coefficients that are not",
            "declare the picture complex (remove the key real, or pass complex_values=True), or check where "
            "frequency 0 lies",
            "data",
        )


def check_coefficient_noise(values: Array, noise: float | None) -> None:
    """Refuse noise above the quietest quarter of complex coefficients.

    Args:
        values: Coefficients.
        noise: Its standard deviation.
    """
    if noise is not None and values.size >= FEWEST:
        # A quarter of complex noise of power s^2 has less than s^2 log(4 / 3).
        quiet = math.sqrt(float(np.quantile(np.square(np.abs(values)), 0.25)) / math.log(4 / 3))
        _check_noise(noise, quiet)


def check_sample_noise(values: Array, noise: float | None) -> None:
    """Refuse noise above the roughness of real data along their last axis.

    Args:
        values: (..., n) samples.
        noise: Its standard deviation.
    """
    if noise is not None and values.size >= FEWEST and values.shape[-1] >= 3:
        second = np.abs(np.diff(values, n=2, axis=-1))
        # The median of |x| is 0.6745 of the deviation, and 1 - 2 + 1 has 6 times its variance.
        _check_noise(noise, float(np.median(second)) / (0.6745 * math.sqrt(6)))


def _check_noise(noise: float, quiet: float) -> None:
    if 0 < LOUD * quiet < noise:
        raise InputError(
            f"noise as the standard deviation of a measurement, at most about {quiet:.2g}, the roughness of the data",
            f"{noise:g}",
            "pass its square root if it is a variance, or leave it out",
            "noise",
        )


def check_turns(data: Array, angles: Array) -> None:
    """Refuse angles that look like radians, and a square sinogram that looks transposed.

    Args:
        data: (angle, detector) integrals.
        angles: (angle,) in degrees.
    """
    covered = float(np.ptp(angles)) if angles.size else 0.0
    turn = 2 * math.pi * (1 + 1e-6)
    if angles.size >= 4 and 2 < covered <= turn and np.abs(angles).max() <= turn and (angles % 1).any():
        raise InputError(
            "angles in degrees",
            f"angles from {angles.min():.3g} to {angles.max():.3g}, which look like radians",
            f"pass numpy.rad2deg(angles), or add 360 to all of them if the scan covers {covered:.2g} degrees",
            "angles",
        )
    if data.shape[0] == data.shape[1] and data.size >= FEWEST:
        # Every angle has the same integral over all rays, that of the picture.
        by_angle, by_detector = (_variation(data.sum(axis)) for axis in (1, 0))
        if by_detector < 0.02 and by_angle > 0.2:
            raise InputError(
                "a sinogram (angle, detector)",
                "one whose columns, not rows, have one sum, which looks transposed",
                "transpose it",
                "sinogram",
            )


def _variation(sums: Array) -> float:
    return float(sums.std() / max(abs(sums.mean()), 1e-300))


def check_reference(
    reference: Array,
    apply: Callable[[Array], Array],
    data: Array,
    noise: float | None,
    axes: int,
    source: str,
) -> None:
    """Refuse a reference whose measurements are not those of the file, and say which one's are.

    Args:
        reference: (*shape, channel) values.
        apply: From such values to their measurements.
        data: The measurements.
        noise: Standard deviation of their noise.
        axes: Axes of space.
        source: Named in errors.
    """
    size = float(np.linalg.norm(data))

    def difference(image: Array) -> float:
        return float(np.linalg.norm(image - data)) / size

    if size == 0 or not reference.any():
        return
    image = apply(reference)
    plain = difference(image)
    if plain <= UNLIKE or (noise is not None and plain * size <= 2 * noise * math.sqrt(data.size)):
        return
    factor = float(np.vdot(image, data).real / max(float(np.vdot(image, image).real), 1e-300))
    tried = [(f"times {factor:.3g}", difference(factor * image))]
    tried += [(name, difference(apply(one))) for name, one in _arrangements(reference, axes)]
    name, best = min(tried, key=lambda one: one[1])
    if best < CLOSER * plain:
        raise InputError(
            "a reference whose measurements are those of the file",
            f"a relative difference of {plain:.2g}; that of the reference {name} is {best:.2g}",
            "save the reference in that form, or correct the order, the angles or the unit of the measurements",
            source,
        )
    if plain > UNRELATED:
        raise InputError(
            "a reference whose measurements are near those of the file",
            f"a relative difference of {plain:.2g}",
            "check that it is the same picture in the same place and unit, or leave it out",
            source,
        )


def _arrangements(reference: Array, axes: int) -> Iterator[tuple[str, Array]]:
    """The reference turned, mirrored and rolled, with what was done."""
    shape = reference.shape[:axes]
    yield "rolled by half", np.roll(reference, [n // 2 for n in shape], range(axes))
    for flipped in itertools.product((False, True), repeat=axes):
        mirrored = np.flip(reference, tuple(a for a in range(axes) if flipped[a]))
        names = [f"mirrored along axis {a}" for a in range(axes) if flipped[a]]
        if names:
            yield " and ".join(names), mirrored
            # Mirrored about the sample in the middle, index n // 2.
            yield (
                " and ".join(names) + " about the middle sample",
                np.roll(
                    mirrored, [int(f) * (1 - n % 2) for f, n in zip(flipped, shape, strict=True)], range(axes)
                ),
            )
        if axes == 2 and shape[0] == shape[1]:
            yield " and ".join(["transposed", *names]), mirrored.swapaxes(0, 1)
