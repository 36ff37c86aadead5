"""Stability of training: the largest stable learning rate by the kernel, and the step at which training diverges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from torch import Tensor

from overtone.theory._mode_dynamics import OptimizerDynamics
from overtone.theory.dynamics._linearised import DIVERGENCE_FACTOR, Linearised, Rate
from overtone.theory.dynamics._minibatch import largest_bounded_rate, last_bounded_step
from overtone.theory.dynamics._pilot_run import PilotRun

STABILITY_OUTPUTS = 512
"""Maximum number of outputs for determining stability; a random part is used if there are more."""

EDGE = 1.2
"""Rate over the largest stable one above which it is reported; trained networks settle at about 1."""

RECOVERS = 6.0
"""Multiple of the largest stable rate up to which ReLU networks were observed to recover from a rising loss (Lewkowycz
et al. 2020, arXiv 2003.02218)."""


@final
@dataclass(frozen=True)
class Stability:
    """Stability of training at its learning rate.

    Attributes:
        rate: The learning rate.
        largest: The largest stable learning rate; infinite for a flow.
        diverges_at: Last step at which the loss was within bounds; None if training does not diverge.
        measured: Whether the divergence was measured on the pilot.
    """

    rate: float
    largest: float
    diverges_at: int | None = None
    measured: bool = False

    @property
    def attrs(self) -> dict[str, float | int | None]:
        """Return attributes of a record: `diverges_at` and `largest_stable_rate`, None if there is none."""
        largest = self.largest if math.isfinite(self.largest) else None
        return {"diverges_at": self.diverges_at, "largest_stable_rate": largest}


def largest_rate(network: Linearised, rule: OptimizerDynamics, batch: int | None = None) -> float:
    """Return the largest stable learning rate, at which every mode's recursion is stable.

    It is 2 / (gain k) for gradient descent with k the largest eigenvalue, (1 + m) / (1 - d) times as much with
    momentum m and dampening d; for Adam k is the largest eigenvalue of J D J^T. For gradient descent on minibatches
    the expected square of the residual must stay bounded too, which lowers the rate.

    Args:
        network: The network, linearised.
        rule: The optimizer.
        batch: Samples per step, or None for all.

    Returns:
        The rate; infinity for a flow and for a kernel of zeros.
    """
    limit = _stable_for_mode(network.gain * float(network.eigenvalues[-1]), rule)
    if math.isinf(limit) or batch is None or not rule.plain_descent:
        return limit
    return largest_bounded_rate(network, batch, limit)


def _stable_for_mode(top: float, rule: OptimizerDynamics) -> float:
    """Return the largest stable rate of the sharpest mode, of eigenvalue times gain `top`."""
    stable = rule.stable_limit(1.0)
    return math.inf if top == 0 or math.isinf(stable) else stable / top


def divergence_step(
    network: Linearised,
    rule: OptimizerDynamics,
    rate: Rate,
    batch: int | None,
    steps: Sequence[int],
    since: int = 0,
) -> int | None:
    """Return the last step at which the loss is within bounds, for a fixed kernel; None if that holds at all `steps`.

    Args:
        network: The network, linearised.
        rule: The optimizer.
        rate: Learning rate per step.
        batch: Samples per step, or None for all.
        steps: Ascending steps, all at `since` or later.
        since: Step of `network`.
    """
    if batch is not None and rule.plain_descent:
        return last_bounded_step(network, rate, batch, steps, since)
    *_, last = network.propagate(rule, rate, steps, since)
    return last.step if last.step < steps[-1] else None


def steps_to_diverge(rule: OptimizerDynamics, rate: float, largest: float) -> int:
    """Return the number of steps after which an unstable network has diverged, by its fastest mode.

    2 log(F) / (2 log |g|), with g the factor of the mode's residual per step and F = `DIVERGENCE_FACTOR`: enough for
    a mode with at least the share 1 / F of the initial loss.

    Args:
        rule: The optimizer.
        rate: Learning rate.
        largest: The largest stable learning rate.

    Returns:
        The steps; 0 for rates that are stable or above the largest by less than the factor `EDGE`.
    """
    if rate <= EDGE * largest:
        return 0
    growth = rule.growth_factor(rate * rule.stable_limit(largest))
    return math.ceil(math.log(DIVERGENCE_FACTOR) / math.log(growth))


def largest_rate_of_pilot(pilot: PilotRun, rule: OptimizerDynamics, batch: int | None = None) -> float:
    """Return `largest_rate` of a pilot's network at its current step, on up to `STABILITY_OUTPUTS` random outputs.

    Args:
        pilot: The pilot. An optimizer with second moments must already have them.
        rule: The optimizer.
        batch: Samples per step, or None for all.
    """
    x, y = _random_part(pilot)
    # The expected square over minibatches needs all eigenvalues; otherwise the largest one is enough.
    if y.numel() < 2 or (batch is not None and rule.plain_descent):
        return largest_rate(linearise_sample(pilot), rule, batch)
    return _stable_for_mode(2 / y.numel() * pilot.largest_eigenvalue(x), rule)


def linearise_sample(pilot: PilotRun) -> Linearised:
    """Return a pilot's network, linearised on up to `STABILITY_OUTPUTS` random trained outputs.

    Args:
        pilot: The pilot at its current step. An optimizer with second moments must already have them.
    """
    return pilot.linearise(*_random_part(pilot))


def pilot_at_rest(pilot: PilotRun) -> PilotRun:
    """Return a pilot of the same network with the second moments of a step of length zero.

    Args:
        pilot: The pilot at its first step.
    """
    x, y = _random_part(pilot)
    # A step at rate zero fills Adam's second moments with the squares of the first gradient and changes no parameter.
    resting = PilotRun(pilot.network, pilot.optimizer, x, y, schedule=lambda _: 0.0)
    resting.advance(1)
    return resting


def _random_part(pilot: PilotRun) -> tuple[Tensor, Tensor]:
    return pilot.random_part(max(1, STABILITY_OUTPUTS // pilot.channels))
