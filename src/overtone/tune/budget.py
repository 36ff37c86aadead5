"""What a fit may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from overtone.errors import InputError


@final
@dataclass(frozen=True)
class Budget:
    """What a fit may cost; None leaves it open.

    Attributes:
        steps: Most optimizer steps.
        seconds: Most wall-clock seconds of training, on the device given.
        parameters: Most trainable parameters.

    Raises:
        InputError: If a number is not positive and finite.
    """

    steps: int | None = None
    seconds: float | None = None
    parameters: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "seconds", "parameters"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError("a positive finite number", f"{value}", "pass a number above 0", name)
