"""`EncodingBandwidth`: change the bandwidth of an encoding while it is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn.encodings import Encoding
from overtone.nn.encodings._base import Rescalable, Windowed


class EncodingBandwidth(ABC):
    """Sets the bandwidth of a field's encoding, in place.

    Attributes:
        value: Per axis, in cycles per physical unit.
    """

    @property
    @abstractmethod
    def value(self) -> tuple[float, ...]:
        """The bandwidth per axis, in cycles per physical unit."""

    @abstractmethod
    def scale(self, factor: float) -> None:
        """Multiply the bandwidth.

        Args:
            factor: Positive; the same on all axes.
        """

    @abstractmethod
    def sync(self) -> None:
        """Follow the network after its earlier weights were restored."""

    @staticmethod
    def of(field: Field, bandwidth: tuple[float, ...]) -> EncodingBandwidth:
        """Set the bandwidth of a field: multiply the frequencies where that is possible, else mask the high ones.

        Args:
            field: The network; its encoding must be one that can be rescaled or windowed.
            bandwidth: Per axis, in cycles per physical unit.

        Raises:
            InputError: If the encoding can be neither rescaled nor windowed.
        """
        encoding = field.encoding
        if isinstance(encoding, Rescalable) and field.bandwidth is not None:
            encoding.rescale([b / now for b, now in zip(bandwidth, field.bandwidth, strict=True)])
            return _ScaledFrequencies(field, encoding)
        if isinstance(encoding, Windowed):
            return _Window(field, encoding, bandwidth)
        assert isinstance(encoding, Encoding)
        raise InputError(
            "an encoding that can be rescaled or windowed",
            encoding.describe(),
            "take Gaussian, PowerLaw, Positional or a grid",
            "controller",
        )


@final
class _ScaledFrequencies(EncodingBandwidth):
    """Frequencies are part of the network's state: restored weights bring their bandwidth with them."""

    def __init__(self, field: Field, encoding: Rescalable) -> None:
        self._field, self._encoding = field, encoding

    @property
    def value(self) -> tuple[float, ...]:
        return self._field.bandwidth or ()

    def scale(self, factor: float) -> None:
        self._encoding.rescale(factor)

    def sync(self) -> None:
        """Nothing to do."""


@final
class _Window(EncodingBandwidth):
    """The window is no parameter: its bandwidth is remembered here and set anew after weights were restored."""

    def __init__(self, field: Field, encoding: Windowed, bandwidth: tuple[float, ...]) -> None:
        self._field, self._encoding, self._value = field, encoding, bandwidth
        self.sync()

    @property
    def value(self) -> tuple[float, ...]:
        return self._value

    def scale(self, factor: float) -> None:
        self._value = tuple(factor * b for b in self._value)
        self.sync()

    def sync(self) -> None:
        scale = self._field.frame.scale.tolist()
        self._encoding.window([b / s for b, s in zip(self._value, scale, strict=True)])
