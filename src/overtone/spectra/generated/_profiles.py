"""Radial power profiles of many pictures, one profile a picture."""

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
    """A rule from pictures (N, C, H, W) to pictures of one size.

    Every rule damps frequencies below the new Nyquist frequency in its own way, so that profiles are comparable under
    one rule only. None enlarges: an enlarged picture carries the spectrum of the enlarging.

    Example:
        >>> import torch
        >>> from overtone.spectra.generated import Resize
        >>> Resize.area(1 + 1, 2).apply(torch.ones(1, 1, 4, 6)).shape
        torch.Size([1, 1, 2, 2])
    """

    @staticmethod
    def none() -> Resize:
        """No resizing: sizes must agree as they are."""
        return NoResize()

    @staticmethod
    def area(height: int, width: int) -> Resize:
        """Means over equal rectangles: needs a whole factor.

        Args:
            height: Rows afterwards.
            width: Columns afterwards.
        """
        return Area(height, width)

    @staticmethod
    def bicubic(height: int, width: int) -> Resize:
        """The antialiased cubic kernel, for any factor, as in Pillow.

        Args:
            height: Rows afterwards.
            width: Columns afterwards.
        """
        return Bicubic(height, width)

    @property
    @abstractmethod
    def name(self) -> str:
        """For records; equal for equal rules."""

    @abstractmethod
    def apply(self, pictures: Tensor) -> Tensor:
        """Pictures (N, C, h, w) in their precision."""


@final
@dataclass(frozen=True)
class NoResize(Resize):
    """No resizing: sizes must agree as they are."""

    @property
    def name(self) -> str:
        """For records."""
        return "as they are"

    def apply(self, pictures: Tensor) -> Tensor:
        """As they are."""
        return pictures


@final
@dataclass(frozen=True)
class Area(Resize):
    """Means over equal rectangles: needs a whole factor, and folds some of what is above Nyquist down.

    The gain along an axis for a factor m is sin(pi f m) / (m sin(pi f)), f in cycles per old pixel.

    Attributes:
        height: Rows afterwards.
        width: Columns afterwards.
    """

    height: int
    width: int

    @property
    def name(self) -> str:
        """For records."""
        return f"area to {self.height} x {self.width}"

    def apply(self, pictures: Tensor) -> Tensor:
        """Means.

        Raises:
            InputError: If the factor is not whole, or would enlarge.
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
    """The cubic kernel of a = -0.5, widened by the factor of shrinking: antialiased, for any factor, as in Pillow.

    Attributes:
        height: Rows afterwards.
        width: Columns afterwards.
    """

    height: int
    width: int

    @property
    def name(self) -> str:
        """For records."""
        return f"antialiased bicubic to {self.height} x {self.width}"

    def apply(self, pictures: Tensor) -> Tensor:
        """By `torch.nn.functional.interpolate`; values may go slightly beyond the old range.

        Raises:
            InputError: If it would enlarge.
        """
        _shrinking(pictures.shape[2:], self.height, self.width)
        return interpolate(pictures, (self.height, self.width), mode="bicubic", antialias=True)


def _shrinking(size: tuple[int, ...], height: int, width: int) -> None:
    if not (2 <= height <= size[0] and 2 <= width <= size[1]):
        raise InputError(
            f"a size of 2 x 2 to {size[0]} x {size[1]}, that of the pictures",
            f"{height} x {width}",
            "shrink the larger pictures instead of enlarging the smaller ones",
            "resize",
        )


_NO_RESIZE = NoResize()
_VALUES = 1 << 24


@final
@dataclass(frozen=True)
class Profiles:
    """The radial (azimuthally summed) power of pictures, one by one.

    Attributes:
        bands: Of radial frequency, in cycles per picture height.
        power: (N, band, channel) float64, in squared units of the value; each picture's sums to its mean square.
        modes: (band,) int64 modes per band; power / modes is the azimuthal mean of |F|^2.
        floor: (channel,) float64 power per mode that is rounding: eps^2 of the mean square.
        rule: How pictures were resized and continued beyond their borders.
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

    Power per band of |f| from `GridTransform`: orthonormal and closed, all modes up to the corners in one band
    each. Pictures are continued by their mirror image, so that their borders leak little and no window takes power
    away; a mirrored border still has a corner, which adds power that falls as 1 / f^4 per mode. What repeats at
    a fixed number of pixels, as the traces of upsampling do, keeps its frequency.

    Args:
        pictures: (N, H, W) or (N, H, W, C).
        resize: How they are brought to one size; data and samples need the same rule.
        periodic: Whether pictures wrap around: textures, or to see upsampling with exact frequencies.
        bands: Bands, or ascending edges from 0, in cycles per picture height; None for `Bands.linear` of at most
            64, of equal width as azimuthal profiles usually are.

    Raises:
        InputError: If they are not pictures of finite numbers, do not vary, or cannot be resized so.

    Example:
        >>> import torch
        >>> from overtone.spectra.generated import profiles
        >>> pictures = torch.randn(5, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> found = profiles(pictures)
        >>> bool(torch.allclose(found.power.sum(1)[:, 0], pictures.double().square().mean((1, 2))))
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
    _refuse_broken(stack)
    small = resize.apply(stack.movedim(-1, 1))
    channels, height, width = small.shape[1:]
    spacing = 1 / height
    if bands is None:
        bands = Bands.linear((height, width), spacing, periodic=periodic, count=64)
    transform = GridTransform((height, width), spacing, periodic, bands, small.device)
    several = max(1, _VALUES // (height * width * channels))
    power = torch.cat(
        [
            transform.power(transform.coefficients(part.flatten(0, 1).movedim(0, -1).contiguous()))
            .T.reshape(len(part), channels, -1)
            .movedim(1, 2)
            for part in small.split(several)
        ]
    )
    floor = power.sum(1).mean(0) * torch.finfo(small.dtype).eps ** 2
    return Profiles(
        transform.bands, power, transform.modes, floor, f"{resize.name}; {describe(transform.lattice)}"
    )


def _refuse_broken(pictures: Tensor) -> None:
    finite = pictures.isfinite().flatten(1).all(1)
    if not bool(finite.all()):
        raise InputError(
            "pictures of finite numbers",
            f"NaN or infinity in {int((~finite).sum())} of {len(finite)}, first in picture "
            f"{int((~finite).byte().argmax())}",
            "drop these pictures, or look why the sampler diverged",
            "pictures",
        )
    if not bool((pictures != pictures[:, :1, :1]).any()):
        raise InputError(
            "pictures that vary", "constant pictures", "pass what the generator draws", "pictures"
        )
