"""When a controller looks at the network it steers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from overtone.probes import Schedule

RATIO = 1.2
"""Growth from one look to the next, later on."""

EVEN = 5
"""Looks that are evenly spaced, the first of them; from then on the spacing is a fifth of the steps so far."""


@final
@dataclass(frozen=True)
class Looks(Schedule):
    """Every `interval` steps at first, then at steps that grow by a fifth: what happens late happens slowly.

    Two looks come before the first interval is over, for signals of which nothing but the mean can be learned.

    Which steps are due does not depend on how long the run will be.

    Attributes:
        interval: Steps between the first looks, at least 1.
    """

    interval: int

    def due(self, step: int) -> bool:
        """Whether the state after `step` optimizer steps is looked at."""
        last = EVEN * self.interval
        if step < self.interval:
            return step > 0 and step in (self.interval // 4, self.interval // 2)
        if step <= last:
            return step % self.interval == 0
        row = round(math.log(step / last, RATIO))
        return any(round(last * RATIO**n) == step for n in (row - 1, row, row + 1))
