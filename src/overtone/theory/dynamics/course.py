"""A linearised network on its way through the steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from overtone.theory.dynamics.growth import Growth
from overtone.theory.dynamics.linear import CALM, Linearised, Rate, propagate
from overtone.theory.dynamics.rules import Rule
from overtone.theory.dynamics.scene import Scene
from overtone.theory.dynamics.span import TRUST, Span
from overtone.theory.dynamics.steps import log_steps

if TYPE_CHECKING:
    import xarray


@final
@dataclass(frozen=True)
class Course:
    """What follows the pilot and its leaps, beyond the last step so that late bands are seen too.

    Attributes:
        scene: What is predicted.
        linear: The network where pilot and leaps ended.
        rule: The optimizer.
        rate: Learning rate per step.
        held: Whether modes beyond stability are taken to be held there, as in networks that did not diverge.
        since: Step of `linear`.
        steps: Last step asked for.
        until: Where it diverges, or None.
        ratio: Growth from one recorded step to the next.
        share: Part of the exponents of a growth that the prediction takes; the extremes take none and all.
    """

    scene: Scene
    linear: Linearised
    rule: Rule
    rate: Rate
    held: bool
    since: int
    steps: int
    until: int | None
    ratio: float
    share: float

    def span(self, growth: Growth | None, attrs: dict[str, Any]) -> Span:
        """The prediction between its extremes; without a growth they are one.

        Args:
            growth: How the kernel would go on growing, if that is known.
            attrs: Of the records.
        """
        frozen = self._record(None, attrs)
        if growth is None:
            return Span(frozen, frozen, frozen, self.since)
        return Span(
            self._record(growth, attrs), self._record(growth.slowed(self.share), attrs), frozen, self.since
        )

    def _record(self, growth: Growth | None, attrs: dict[str, Any]) -> xarray.Dataset:
        wanted = {self.since, self.steps, *log_steps(round(TRUST * self.steps), self.ratio)}
        if self.until is not None:
            wanted = {step for step in (*wanted, self.until) if step <= self.until}
        steps = sorted(step for step in wanted if step >= self.since)
        ceiling = CALM if self.held else math.inf
        moments = list(propagate(self.linear, self.rule, self.rate, steps, self.since, growth, ceiling))
        return self.scene.record(moments, attrs)
