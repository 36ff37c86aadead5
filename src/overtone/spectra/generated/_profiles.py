"""Radial power profiles of pictures, one profile per picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from overtone.errors import InputError
from overtone.spectra._bands import Bands
from overtone.spectra._grid import GridTransform, describe
from overtone.spectra._inputs import channels_last


class Resize(ABC):
    """Rule to resize pictures (N, C, H, W) to a common size.

    Every rule attenuates frequencies below the new Nyquist frequency differently, so only profiles of the
    same rule are comparable. No rule enlarges: the spectrum of an enlarged picture includes that of the
    interpolation.

    Example:
        >>> import torch
        >>> from overtone.spectra.generated import Resize
        >>> Resize.area(1 + 1, 2).apply(torch.ones(1, 1, 4, 6)).shape
        torch.Size([1, 1, 2, 2])
    """

    @staticmethod
    def none() -> Resize:
        """No resizing: all pictures must have the same size."""
        return NoResize()

    @staticmethod
    def area(height: int, width: int) -> Resize:
        """Return the rule of means over equal rectangles, for whole factors.

        Args:
            height: Number of rows of the result.
            width: Number of columns of the result.
        """
        return Area(height, width)

    @staticmethod
    def bicubic(height: int, width: int) -> Resize:
        """Return the rule of the antialiased cubic kernel, for any factor, as in Pillow.

        Args:
            height: Number of rows of the result.
            width: Number of columns of the result.
        """
        return Bicubic(height, width)

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in records; equal for equal rules."""

    @abstractmethod
    def apply(self, pictures: Tensor) -> Tensor:
        """Return the resized pictures (N, C, h, w) in the same precision."""


@final
@dataclass(frozen=True)
class NoResize(Resize):
    """No resizing: all pictures must have the same size."""

    @property
    def name(self) -> str:
        """Name in records."""
        return "as they are"

    def apply(self, pictures: Tensor) -> Tensor:
        """Return the pictures unchanged."""
        return pictures


@final
@dataclass(frozen=True)
class Area(Resize):
    """Means over equal rectangles, for whole factors; frequencies above Nyquist are partly aliased.

    The gain along an axis for a factor m is sin(pi f m) / (m sin(pi f)), f in cycles per original pixel.

    Attributes:
        height: Number of rows of the result.
        width: Number of columns of the result.
    """

    height: int
    width: int

    @property
    def name(self) -> str:
        """Name in records."""
        return f"area to {self.height} x {self.width}"

    def apply(self, pictures: Tensor) -> Tensor:
        """Return the means over the rectangles.

        Raises:
            InputError: If the factor is not whole or is below 1.
        """
        size = pictures.shape[2:]
        _shrinking(size, self.height, self.width)
        if size[0] % self.height or size[1] % self.width:
            raise InputError(
                f"pictures of a whole multiple of {self.height} x {self.width}",
                f"{size[0]} x {size[1]}",
                "crop them, or resize with Bicubic",
                "resize",
            )
        return adaptive_avg_pool2d(pictures, (self.height, self.width))


@final
@dataclass(frozen=True)
class Bicubic(Resize):
    """Antialiased cubic kernel, a = -0.5, widened by the reduction factor, for any factor, as in Pillow.

    Attributes:
        height: Number of rows of the result.
        width: Number of columns of the result.
    """

    height: int
    width: int

    @property
    def name(self) -> str:
        """Name in records."""
        return f"antialiased bicubic to {self.height} x {self.width}"

    def apply(self, pictures: Tensor) -> Tensor:
        """Resize by `torch.nn.functional.interpolate`; values may slightly exceed the original range.

        Raises:
            InputError: If the new size is larger.
        """
        _shrinking(pictures.shape[2:], self.height, self.width)
        return interpolate(pictures, (self.height, self.width), mode="bicubic", antialias=True)


def _shrinking(size: tuple[int, ...], height: int, width: int) -> None:
    if not (2 <= height <= size[0] and 2 <= width <= size[1]):
        raise InputError(
            f"a size from 2 x 2 to that of the pictures, {size[0]} x {size[1]}",
            f"{height} x {width}",
            "reduce the larger pictures instead of enlarging the smaller ones",
            "resize",
        )


_NO_RESIZE = NoResize()
_VALUES = 1 << 24


@final
@dataclass(frozen=True)
class Profiles:
    """Radial (azimuthally summed) power of each of a set of pictures.

    Attributes:
        bands: Bands of radial frequency, in cycles per picture height.
        power: (N, band, channel) float64, in squared units of the value; it sums over bands to the mean
            square.
        modes: (band,) int64 modes per band; power / modes is the azimuthal mean of |F|^2.
        floor: (channel,) float64 power per mode due to rounding: eps^2 times the mean square.
        rule: Description of the resizing and the border extension, in records.
    """

    bands: Bands
    power: Tensor
    modes: Tensor
    floor: Tensor
    rule: str

    @property
    def mean(self) -> Tensor:
        """(band, channel) mean power over the pictures."""
        return self.power.mean(0)

    @property
    def density(self) -> Tensor:
        """(band, channel) mean power per mode: the azimuthal mean."""
        return self.mean / self.modes[:, None]


def profiles(
    pictures: Tensor | ArrayLike,
    *,
    resize: Resize = _NO_RESIZE,
    periodic: bool = False,
    bands: Bands | Sequence[float] | None = None,
) -> Profiles:
    """Measure the radial power profile of each picture.

    The power per band of |f| is that of `GridTransform`: modes are orthonormal, and every mode up to the
    corners is in one band. Pictures are extended by their mirror image, which limits leakage at the borders
    without a window; the kink at a mirrored border adds power that decays as 1 / f^4 per mode. Patterns with
    a period in pixels, such as artefacts of upsampling, keep their frequency.

    Args:
        pictures: (N, H, W) or (N, H, W, C) pictures.
        resize: Rule to resize them; data and samples need the same rule.
        periodic: Whether pictures wrap around: for textures, or for exact frequencies of upsampling
            artefacts.
        bands: Bands, or ascending edges from 0, in cycles per picture height; None for at most 64 bands of
            equal width (`Bands.linear`), as is usual for azimuthal profiles.

    Raises:
        InputError: If they are not pictures of finite numbers, are constant, or cannot be resized.

    Example:
        >>> import torch
        >>> from overtone.spectra.generated import profiles
        >>> pictures = torch.randn(5, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> result = profiles(pictures)
        >>> bool(torch.allclose(result.power.sum(1)[:, 0], pictures.double().square().mean((1, 2))))
        True
    """
    stack = channels_last(pictures, None, "pictures").squeeze(-1).detach()
    if stack.ndim == 3:
        stack = stack.unsqueeze(-1)
    if stack.ndim != 4 or min(stack.shape[1:3]) < 2:
        raise InputError(
            "pictures of shape (N, height, width) or (N, height, width, channels)",
            f"shape {tuple(stack.shape)}",
            "stack them along a first axis, channels last",
            "pictures",
        )
    _check_pictures(stack)
    small = resize.apply(stack.movedim(-1, 1))
    channels, height, width = small.shape[1:]
    spacing = 1 / height
    if bands is None:
        bands = Bands.linear((height, width), spacing, periodic=periodic, count=64)
    transform = GridTransform((height, width), spacing, periodic, bands, small.device)
    batch_size = max(1, _VALUES // (height * width * channels))
    power = torch.cat(
        [
            transform.power(transform.coefficients(part.flatten(0, 1).movedim(0, -1).contiguous()))
            .T.reshape(len(part), channels, -1)
            .movedim(1, 2)
            for part in small.split(batch_size)
        ]
    )
    floor = power.sum(1).mean(0) * torch.finfo(small.dtype).eps ** 2
    return Profiles(
        transform.bands, power, transform.modes, floor, f"{resize.name}; {describe(transform.lattice)}"
    )


def _check_pictures(pictures: Tensor) -> None:
    finite = pictures.isfinite().flatten(1).all(1)
    if not bool(finite.all()):
        raise InputError(
            "pictures of finite numbers",
            f"NaN or infinity in {int((~finite).sum())} of {len(finite)}, first in picture "
            f"{int((~finite).byte().argmax())}",
            "drop these pictures, or check why the sampler diverged",
            "pictures",
        )
    if not bool((pictures != pictures[:, :1, :1]).any()):
        raise InputError(
            "pictures that vary", "constant pictures", "pass pictures of the generator", "pictures"
        )
