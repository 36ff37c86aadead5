"""What can be said about the noise of a signal."""

from __future__ import annotations

from enum import Enum
from typing import final


@final
class NoiseVerdict(Enum):
    """What the signal alone tells about white noise in it."""

    NOISE = "noise"
    """There is white noise of the strength given."""
    CLEAN = "clean"
    """White noise, if any, is at most one hundredth of the range of the values."""
    CANNOT_TELL = "cannot tell"
    """The signal has power up to the Nyquist frequency; noise is at most as strong as given."""
