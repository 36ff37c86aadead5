"""How pictures are brought to one size before their spectra are taken: a fixed rule, the same for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from overtone.errors import InputError


class Resize(ABC):
    """A rule from pictures (N, C, H, W) to pictures of one size.

    Every rule damps frequencies below the new Nyquist frequency in its own way, so that profiles are comparable under
    one rule only. None enlarges: an enlarged picture carries the spectrum of the enlarging.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """For records; equal for equal rules."""

    @abstractmethod
    def apply(self, pictures: Tensor) -> Tensor:
        """Pictures (N, C, h, w) in their precision."""


@final
@dataclass(frozen=True)
class Keep(Resize):
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
        found = pictures.shape[2:]
        _shrinking(found, self.height, self.width)
        if found[0] % self.height or found[1] % self.width:
            raise InputError(
                f"pictures of a whole multiple of {self.height} x {self.width}",
                f"{found[0]} x {found[1]}",
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


def _shrinking(found: tuple[int, ...], height: int, width: int) -> None:
    if not (2 <= height <= found[0] and 2 <= width <= found[1]):
        raise InputError(
            f"a size of 2 x 2 to {found[0]} x {found[1]}, that of the pictures",
            f"{height} x {width}",
            "shrink the larger pictures instead of enlarging the smaller ones",
            "resize",
        )
