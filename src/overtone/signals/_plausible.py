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

EMPTY = 0.05
"""Power in the middle of a picture, over that at its border, below which the two look exchanged."""

SEAM, SIDES = 2.0, 4.0
"""Factors by which the step across a seam exceeds all others, and that across the border."""

ELSEWHERE = 0.1
"""Part of a mask's places without data, and of data outside the mask, above which the two contradict each other."""

FLAT, SHADE = 0.1, 0.8
"""Variation of counts beside an object, and the part of them that arrives behind it."""

OFF_AXIS, CERTAIN = 0.4, 6.0
"""Distance of the rotation axis from its detector, in detectors and standard errors, that is refused."""

BESIDE = 0.05
"""Part of the largest integral below which the rays at the border pass beside the object."""

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


def check_coefficients(data: Array, mask: Array, complex_values: bool, noise: float | None) -> None:
    """Refuse Cartesian k-space of another order, origin or kind than stated.

    Args:
        data: (*shape, channel) coefficients.
        mask: (*shape) which are measured.
        complex_values: Whether the picture is complex.
        noise: Standard deviation of the noise of a coefficient, None if unknown.
    """
    check_mask(data, mask)
    check_centre(data, mask)
    if not complex_values:
        check_conjugates(data, mask)
    check_origin(data, mask)
    check_coefficient_noise(data[mask], noise)


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


def check_mask(data: Array, mask: Array) -> None:
    """Refuse a mask of other places than those where the data are.

    Args:
        data: (*shape, channel) coefficients.
        mask: (*shape) which are measured.
    """
    filled = (data != 0).any(axis=-1)
    axes = tuple(range(mask.ndim))
    if mask.size < FEWEST or not filled.any():
        return
    missing = float((mask & ~filled).sum() / mask.sum())
    ignored = float((filled & ~mask).sum() / filled.sum())
    others = {
        "inverted": ~mask,
        "in the order of numpy.fft (apply numpy.fft.fftshift)": np.fft.fftshift(mask),
        "transposed": mask.T,
    }
    for name, other in others.items():
        # Coefficients of symmetric pictures may be 0 too: only a mask that fits otherwise tells.
        fits = other.shape == mask.shape and float((other == filled).mean()) > 1 - ELSEWHERE / 10
        if min(missing, ignored) > ELSEWHERE and fits:
            raise InputError(
                "a mask that is True where the data are",
                f"one that holds 0 at {missing:.0%} of its places and leaves out {ignored:.0%} of the data",
                f"correct it: it is {name}",
                "mask",
            )
    centre = tuple(n // 2 for n in mask.shape)
    middle, corner = (
        np.roll(mask, [1 - place for place in at], axes)[(slice(3),) * mask.ndim]
        for at in (centre, (0,) * mask.ndim)
    )
    if ignored > ELSEWHERE and filled[centre] and corner.all() and not middle.any():
        raise InputError(
            "a mask with frequency 0 in the middle, as the data have it",
            "one that leaves out the middle and selects the corners",
            "apply numpy.fft.fftshift to it",
            "mask",
        )


def check_origin(data: Array, mask: Array) -> None:
    """Refuse k-space whose phase counts positions from the corner of the picture, which exchanges middle and border.

    Signs are an empty band across the middle of an object whose power lies near all borders, and, of a picture that
    fills its frame, the steps between its opposite borders across the middle of every axis.

    Args:
        data: (*shape, channel) coefficients.
        mask: (*shape) which are measured.
    """
    box = _measured_box(mask)
    shape = mask[box].shape
    if mask.ndim < 2 or min(shape) < 8:
        return
    axes = tuple(range(mask.ndim))
    block = data[box]
    for axis, (n, whole) in enumerate(zip(shape, mask.shape, strict=True)):
        if n < whole:
            # Without a taper, echoes of edges fill the empty parts.
            block = block * np.hanning(n + 2)[1:-1].reshape(-1, *[1] * (mask.ndim - axis))
    picture = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(block, axes), axes=axes), axes)
    empty, at_borders = False, True
    seam = shape == mask.shape and min(shape) >= 16
    for axis, n in enumerate(shape):
        across = tuple(other for other in range(picture.ndim) if other != axis)
        power, near = np.square(np.abs(picture)).sum(across), max(1, n // 32)
        middle = power[n // 2 - near : n // 2 + near].mean()
        border = np.r_[power[:near], power[-near:]].mean()
        # Frames are as empty in the middle, but thin.
        wide = 0.1 * border < power[[n // 8, -1 - n // 8]].min()
        empty |= bool(middle < EMPTY * border and border > power.mean() / 2 and wide)
        at_borders &= bool((power * np.cos(2 * np.pi * (np.arange(n) - n // 2) / n)).sum() < 0)
        steps = np.square(np.abs(np.roll(picture, -1, axis) - picture)).sum(across)
        highest = int(steps.argmax())
        bound = max(SEAM * np.delete(steps, highest).max(), SIDES * steps[-1])
        seam &= highest in (n // 2 - 1, (n + 1) // 2 - 1) and bool(steps[highest] > bound)
    if seam or (empty and at_borders):
        sign = "steps between its opposite borders" if seam else "an empty band"
        raise InputError(
            "coefficients whose phase counts positions from the middle of the picture",
            f"those of a picture with {sign} across its middle, as where middle and corners are exchanged",
            "transform numpy.fft.ifftshift(picture), or multiply the coefficient of index k along each axis by "
            "exp(2 pi i (k - n // 2) (n // 2) / n)",
            "data",
        )


def _measured_box(mask: Array) -> tuple[slice, ...]:
    """The box around the middle that is measured whole, widened axis by axis."""
    half = [0] * mask.ndim

    def box() -> tuple[slice, ...]:
        # An even axis is whole with its one frequency -N / 2.
        return tuple(
            slice(0, n) if h >= n // 2 else slice(n // 2 - h, n // 2 + h + 1)
            for h, n in zip(half, mask.shape, strict=True)
        )

    def measured_along(axis: int) -> int:
        return int(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)).sum())

    for axis in sorted(range(mask.ndim), key=measured_along, reverse=True):
        while half[axis] < mask.shape[axis] // 2:
            half[axis] += 1
            if not mask[box()].all():
                half[axis] -= 1
                break
    return box()


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


def check_counts(data: Array) -> None:
    """Refuse counts or transmitted intensities in place of line integrals.

    Args:
        data: (angle, detector) integrals.
    """
    if len(data) < 4 or data.shape[1] < 16 or data.min() < 0:
        return
    beside = data[:, [0, 1, -2, -1]]
    level, quarter = float(np.median(beside)), data.shape[1] // 4
    if level > 0 and (
        float(np.quantile(np.abs(beside / level - 1), 0.9)) < FLAT
        and level > (1 - FLAT) * float(np.quantile(data, 0.98))
        and float(np.median(data[:, quarter:-quarter])) < SHADE * level
    ):
        raise InputError(
            "line integrals, which are near 0 for rays that pass beside the object",
            f"values that are largest there, {level:.3g} at every angle, and lower behind it, as counts are",
            f"pass -numpy.log(sinogram / {level:.3g}); replace counts of 0 first",
            "sinogram",
        )


def check_rotation(data: Array, angles: Array) -> None:
    """Refuse parallel projections whose rotation axis does not lie at the detector in the middle.

    The centre of mass of a projection is that of the picture, projected: a cosine of the angle about the axis.

    Args:
        data: (angle, detector) integrals.
        angles: (angle,) in degrees.

    Source: Natterer 1986, "The Mathematics of Computerized Tomography", section II.4.
    """
    if len(data) < 6 or data.shape[1] < 16 or not data.any():
        return
    masses, places = data.sum(axis=1), np.arange(data.shape[1]) - data.shape[1] // 2
    borders = np.abs(data[:, [0, -1]]).mean(axis=0)
    if (
        borders.max() > BESIDE * np.abs(data).max()
        or abs(masses.mean()) < np.abs(data).sum(axis=1).mean() / 2
    ):
        return
    turns = np.deg2rad(angles)
    waves = np.stack([np.ones(len(turns)), np.cos(turns), np.sin(turns)], axis=1)
    if _variation(masses) > BESIDE or np.linalg.cond(waves) > 10:
        return
    centres = data @ places / masses
    fitted, *_ = np.linalg.lstsq(waves, centres, rcond=None)
    deviation = float(np.square(centres - waves @ fitted).sum() / (len(turns) - 3)) ** 0.5
    error = deviation * float(np.linalg.inv(waves.T @ waves)[0, 0]) ** 0.5
    if abs(fitted[0]) > max(OFF_AXIS, CERTAIN * error):
        middle = data.shape[1] // 2
        raise InputError(
            f"a rotation axis at detector {middle} of {data.shape[1]}, the middle",
            f"one at {middle + fitted[0]:.2f}, by the centre of mass of each projection",
            f"move each row by {-fitted[0]:.2f} detectors, with scipy.ndimage.shift(sinogram, (0, {-fitted[0]:.2f}))",
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
