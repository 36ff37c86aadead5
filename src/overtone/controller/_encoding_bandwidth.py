"""How the reach of an encoding is moved while it is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn.encodings import Encoding, Rescalable, Windowed


class EncodingBandwidth(ABC):
    """Sets how far a field reaches, in place.

    Attributes:
        reach: Per axis, in cycles per physical unit.
    """

    @property
    @abstractmethod
    def reach(self) -> tuple[float, ...]:
        """Per axis, in cycles per physical unit."""

    @abstractmethod
    def widen(self, factor: float) -> None:
        """Multiply the reach.

        Args:
            factor: Positive; the same on all axes.
        """

    @abstractmethod
    def note(self) -> None:
        """Take note of a state of the network that was put back."""

    @staticmethod
    def of(field: Field, reach: tuple[float, ...]) -> EncodingBandwidth:
        """The lever of a field, set to a reach. Frequencies are multiplied where they can be, else masked.

        Args:
            field: Its encoding must be one that can be rescaled or windowed.
            reach: Per axis, in cycles per physical unit.

        Raises:
            InputError: If it can be neither.
        """
        encoding = field.encoding
        if isinstance(encoding, Rescalable) and field.bandwidth is not None:
            encoding.rescale([r / b for r, b in zip(reach, field.bandwidth, strict=True)])
            return _Frequencies(field, encoding)
        if isinstance(encoding, Windowed):
            return _Cutoff(field, encoding, reach)
        assert isinstance(encoding, Encoding)
        raise InputError(
            "an encoding that can be rescaled or windowed",
            encoding.describe(),
            "take Gaussian, PowerLaw, Positional or a grid",
            "controller",
        )


@final
class _Frequencies(EncodingBandwidth):
    def __init__(self, field: Field, encoding: Rescalable) -> None:
        self._field, self._encoding = field, encoding

    @property
    def reach(self) -> tuple[float, ...]:
        return self._field.bandwidth or ()

    def widen(self, factor: float) -> None:
        self._encoding.rescale(factor)

    def note(self) -> None:
        """Frequencies are part of the network's state."""


@final
class _Cutoff(EncodingBandwidth):
    def __init__(self, field: Field, encoding: Windowed, reach: tuple[float, ...]) -> None:
        self._field, self._encoding, self._reach = field, encoding, reach
        self.widen(1.0)

    @property
    def reach(self) -> tuple[float, ...]:
        return self._reach

    def widen(self, factor: float) -> None:
        self._reach = tuple(factor * r for r in self._reach)
        self.note()

    def note(self) -> None:
        scale = self._field.frame.scale.tolist()
        self._encoding.window([r / s for r, s in zip(self._reach, scale, strict=True)])
