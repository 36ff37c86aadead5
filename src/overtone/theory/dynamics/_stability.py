"""Which learning rates training bears, by the kernel, and what is found where it does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from torch import Tensor

from overtone.theory._mode_dynamics import Descent, OptimizerDynamics
from overtone.theory.dynamics._linearised import DIVERGENCE_FACTOR, Linearised, Rate, propagate
from overtone.theory.dynamics._minibatch import largest_bounded_rate, last_bounded_step
from overtone.theory.dynamics._pilot_run import PilotRun

STABILITY_OUTPUTS = 512
"""Outputs from which stability is read; of more, a random part."""

EDGE = 1.2
"""Rate over the largest stable one from which it is mentioned; about 1 is where trained networks settle."""

RECOVERS = 6.0
"""Multiple of the largest stable rate up to which ReLU networks have been seen to recover from a rising loss (Lewkowycz
et al. 2020, arXiv 2003.02218)."""


@final
@dataclass(frozen=True)
class Stability:
    """Whether training bears its learning rate.

    Attributes:
        rate: The learning rate when it was looked at.
        largest: The largest stable one; infinite for a flow.
        diverges_at: Last step at which the loss was within bounds, or None if it stays there.
        measured: Whether that was seen on the pilot.
    """

    rate: float
    largest: float
    diverges_at: int | None = None
    measured: bool = False

    @property
    def attrs(self) -> dict[str, float | int | None]:
        """For a record: `diverges_at` and `largest_stable_rate`, None where there is none."""
        largest = self.largest if math.isfinite(self.largest) else None
        return {"diverges_at": self.diverges_at, "largest_stable_rate": largest}

    @property
    def sentence(self) -> str | None:
        """What to know, if anything."""
        beyond = f"The learning rate {self.rate:g} is beyond the {self.largest:.3g} that the kernel bears"
        ends = f"after step {self.diverges_at}"
        if self.diverges_at is None:
            return (
                f"{beyond}, yet the pilot did not diverge: the fastest modes are taken to be held at the edge of "
                "stability."
                if self.rate > EDGE * self.largest
                else None
            )
        if self.measured and self.rate > self.largest:
            return f"{beyond}: training diverges {ends}, as the pilot did."
        if self.measured:
            return (
                f"At the learning rate {self.rate:g} training diverges {ends}, as the pilot did, although the initial "
                f"network's kernel would bear up to {self.largest:.3g}: lower it further."
            )
        recovers = self.rate <= RECOVERS * self.largest
        doubt = " Networks often recover at such a rate: a short pilot would tell." if recovers else ""
        return f"{beyond}: training is predicted to diverge {ends}.{doubt}"


def largest_rate(network: Linearised, rule: OptimizerDynamics, batch: int | None = None) -> float:
    """The largest stable learning rate: every mode's recursion is stable, gain eigenvalue <= limit(rate).

    2 / (gain k) for gradient descent with k the largest eigenvalue, (1 + m) / (1 - d) times as much with momentum m
    and dampening d, and for Adam with its k of J D J^T. For gradient descent on minibatches the rate up to which the
    expected square of the residual stays bounded too, which is smaller.

    Args:
        network: The network, linearised.
        rule: The optimizer.
        batch: Samples per step, or None for all.

    Returns:
        The rate; infinity for a flow and for a kernel of zeros.
    """
    top = network.gain * float(network.eigenvalues[-1])
    if top == 0 or math.isinf(rule.limit(1.0)):
        return math.inf
    limit = rule.limit(1.0) / top
    return largest_bounded_rate(network, batch, limit) if batch is not None and rule == Descent() else limit


def divergence_step(
    network: Linearised,
    rule: OptimizerDynamics,
    rate: Rate,
    batch: int | None,
    steps: Sequence[int],
    since: int = 0,
) -> int | None:
    """The last step at which the loss is within bounds, if the kernel stays; None if it is at all of `steps`.

    Args:
        network: The network, linearised.
        rule: The optimizer.
        rate: Learning rate per step.
        batch: Samples per step, or None for all.
        steps: Ascending steps, from `since` on.
        since: Where `network` was taken.
    """
    if batch is not None and rule == Descent():
        return last_bounded_step(network, rate, batch, steps, since)
    *_, last = propagate(network, rule, rate, steps, since)
    return last.step if last.step < steps[-1] else None


def steps_to_diverge(rule: OptimizerDynamics, rate: float, largest: float) -> int:
    """Steps after which a network would have diverged if it did so at all, by the growth of its fastest mode.

    2 log(BLOW_UP) / (2 log |g|), with g what a step multiplies the mode's residual by: enough for a mode that holds no
    more than the inverse of `BLOW_UP` of the loss at the start.

    Args:
        rule: The optimizer.
        rate: Learning rate.
        largest: The largest stable one.

    Returns:
        The steps; 0 for rates that are stable or beyond that by less than `EDGE`.
    """
    if rate <= EDGE * largest:
        return 0
    growth = rule.factor(rate * rule.limit(largest))
    return math.ceil(math.log(DIVERGENCE_FACTOR) / math.log(growth))


def linearise_sample(pilot: PilotRun) -> Linearised:
    """A pilot's network, linearised on `LOOKED_AT` outputs that stand for all that it is trained on.

    Args:
        pilot: Where training has come. An optimizer with second moments has to have them.
    """
    return pilot.linearise(*_some(pilot))


def linearise_at_start(pilot: PilotRun) -> Linearised:
    """The same of a network that has not moved yet, with the second moments of a step of length zero.

    Args:
        pilot: At its first step.
    """
    x, y = _some(pilot)
    resting = PilotRun(pilot.network, pilot.optimizer, x, y, schedule=lambda _: 0.0)
    resting.advance(1)
    return resting.linearise(x, y)


def _some(pilot: PilotRun) -> tuple[Tensor, Tensor]:
    return pilot.some(max(1, STABILITY_OUTPUTS // pilot.channels))
