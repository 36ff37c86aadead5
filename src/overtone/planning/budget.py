"""What a fit may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from overtone._training.options import LONGEST
from overtone._utils.numbers import as_float, short, whole
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
            if value is None:
                continue
            number = as_float(value)
            if not (math.isfinite(number) and number > 0):
                raise InputError("a positive finite number", short(value), "pass a number above 0", name)
            object.__setattr__(self, name, number if name == "seconds" else whole(value, name))
        if self.seconds is not None and self.seconds > LONGEST:
            raise InputError(
                f"at most {LONGEST:g} seconds", f"{self.seconds:g}", "pass for instance 3600", "seconds"
            )
