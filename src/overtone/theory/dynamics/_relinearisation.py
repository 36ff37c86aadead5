"""Relinearisation: an exponential integrator that follows training by successive linear expansions of a network."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.theory._mode_dynamics import GradientDescent, ModeState, OptimizerDynamics
from overtone.theory.dynamics._cost import WorkBudget
from overtone.theory.dynamics._linearised import EDGE_FRACTION, Linearised, Rate, Snapshot, mean_rate
from overtone.theory.dynamics._minibatch import (
    advance_on_batches,
    mean_squared_gradients,
    minibatch_squared_gradients,
)
from overtone.theory.dynamics._optimizers import second_moments
from overtone.theory.dynamics._pilot_run import PilotRun
from overtone.theory.dynamics._preconditioned import SuccessiveExpansions
from overtone.theory.ntk._empirical.jacobian import Jacobian
from overtone.theory.ntk._empirical.passes import network_outputs, vector_jacobian_product

MAX_STEP_SHARE = 0.15
"""Maximum length of an expansion, as a share of the steps so far: kernels grow as powers of the step."""

TOLERANCE = 0.2
"""Largest accepted distance of the updated network from the linear one after a step, as a share of the residual."""

MAX_EXPANSIONS = 500
"""Maximum number of expansions; networks that need more are extrapolated."""

MOMENT_PARTS = 4
"""Parts of an expansion over which Adam's second moments are accumulated."""

MAX_PROJECTED = 4
"""Maximum number of modes that are projected to the edge of stability."""


@final
@dataclass(frozen=True)
class Expansion:
    """First-order expansion of a network in its optimizer's metric.

    Attributes:
        linear: The expansion.
        scale: D by parameter name as used in the expansion, or None for ones.
    """

    linear: Linearised
    scale: dict[str, Tensor] | None


@final
class Relinearisation:
    """Exponential integrator of training: expand the network, integrate the linear network, update the network, repeat.

    Over d steps of an expansion the parameters change by the sum of the d steps of the linear network, -D J^T a, and
    Adam's second moments by the squares of the gradients along the way; the sharpness is held at the edge of
    stability. An expansion is used as long as the updated network stays close to the linear one, so that the cost
    grows with the logarithm of the steps. Kernels with second moments use the separable form. If the pilot uses
    minibatches, the linear network is trained on random ones: the noise in the parameters slows feature learning,
    which a mean run does not reproduce, and its variance is part of Adam's second moments.

    Args:
        pilot: The pilot at its current step; its network and optimizer are updated.
        x: (N, ...) samples to predict.
        y: (N, C) targets of the samples.
        train: (n,) rows used for training.
        rule: The optimizer.
        rate: Learning rate per step.

    Source: an exponential Rosenbrock-Euler method (Hochbruck and Ostermann 2010, Acta Numerica 19, section 2.4) with
    the Gauss-Newton Jacobian.
    """

    def __init__(
        self, pilot: PilotRun, x: Tensor, y: Tensor, train: Tensor, rule: OptimizerDynamics, rate: Rate
    ) -> None:
        self.pilot, self.rule, self.rate = pilot, rule, rate
        self._x, self._y, self._train = x, y, train
        self._expansions = SuccessiveExpansions(pilot.network, x)
        self._differentiable_twice = False

    def expand_verified(self, mean_over: int | None = None) -> Expansion:
        """Return `expand` with all gradients verified at the current parameters, as an extrapolation needs.

        Expansions on the way are compared with the network that follows them; nothing follows the last one.
        """
        self._expansions.verify_again()
        return self.expand(mean_over)

    def expand(self, mean_over: int | None = None) -> Expansion:
        """Return the expansion of the network at its current step, with its current momentum.

        Args:
            mean_over: Number of samples in the loss's mean; the training samples if None.
        """
        network, optimizer = self.pilot.network, self.pilot.optimizer
        scale = second_moments(optimizer, network)
        self._expansions.load(network)
        kernel, separable = self._expansions.separable_kernel(scale)
        used = None if scale is None else {name: separable[name].to(weight) for name, weight in scale.items()}
        momenta = self._momenta(self.pilot)
        moving = {name: m if used is None else used[name] * m for name, m in momenta.items()}
        velocity = self._expansions.output_change(moving) if moving else None
        columns = kernel.reshape(len(kernel), len(self._x), -1)[:, self._train].reshape(len(kernel), -1)
        outputs = self.pilot.outputs(self._x)
        linear = Linearised.of(outputs, self._y, columns, self._train, velocity, mean_over)
        return Expansion(linear, used)

    def run(
        self, rows: Sequence[int], last: int, budget: WorkBudget | None = None
    ) -> Iterator[tuple[int, list[Snapshot], Linearised]]:
        """Relinearise until `last`, or until expansions become inefficiently short or the work is spent.

        Args:
            rows: Recorded steps.
            last: The last step.
            budget: Work that may be done, with the expansion that follows the last step; no limit if None.

        Yields:
            The first step of an expansion, its snapshots at `rows`, and the expansion.
        """
        length, budget = last, budget or WorkBudget(math.inf)
        while self.pilot.step < last:
            # The caller expands once more at the end.
            if not budget.allows("expansion", "step", "expansion"):
                return
            current = self.pilot.step
            self._refresh_moments()
            expansion = budget.spend("expansion", lambda: self._at_stability_edge(self.expand()))
            shortest = min(math.ceil(last / MAX_EXPANSIONS), max(1, round(MAX_STEP_SHARE / 3 * current)))
            length = min(length, max(1, round(MAX_STEP_SHARE * current)), last - current)
            trial, snapshots, distance = budget.spend(
                "step", functools.partial(self._follow, expansion, length, rows)
            )
            # Step size control as in an embedded Runge-Kutta method: shorten and repeat until the distance of the
            # updated network from the linear one, which is the local error, is within the tolerance.
            while not distance <= TOLERANCE and length > 1:
                length = _next_length(length, distance)
                if length < shortest or not budget.allows("step", "expansion"):
                    return
                trial, snapshots, distance = budget.spend(
                    "step", functools.partial(self._follow, expansion, length, rows)
                )
            if not math.isfinite(distance):
                return
            self.pilot.network, self.pilot.optimizer = trial
            self.pilot.step = current + length
            yield current, snapshots, expansion.linear
            length = _next_length(length, distance) + 1
        self._refresh_moments()

    def _follow(
        self, expansion: Expansion, length: int, rows: Sequence[int]
    ) -> tuple[tuple[nn.Module, torch.optim.Optimizer], list[Snapshot], float]:
        """Integrate an expansion; return an updated copy, the snapshots, and the distance from the linear network."""
        current, linear = self.pilot.step, expansion.linear
        goal = current + length
        recorded = [step for step in rows if current < step <= goal]
        sums = {current + round(length * part / MOMENT_PARTS) for part in range(1, MOMENT_PARTS + 1)} - {
            current
        }
        squares: list[tuple[int, dict[str, Tensor]]] = []
        passed: dict[int, Tensor] = {}
        state, at = linear.initial_state(), current
        residual, since = state.residual, current
        for stop in sorted({*recorded, *sums}):
            rate = mean_rate(self.rate, at, stop)
            state, at = self._advance(linear, state, rate, at, stop), stop
            passed[stop] = linear.outputs_at(state)
            if expansion.scale is not None and stop in sums:
                # The gradient changes along the part: its square at the mean residual represents all its steps.
                squares.append((stop - since, self._squares(linear, (residual + state.residual) / 2)))
                residual, since = state.residual, stop
        trial = self._updated_copy(expansion, state, squares, length)
        outputs = trial[0](self._x).detach().reshape(self._y.shape).double()
        error = outputs - passed[goal]
        distance = float(error[self._train].norm() / (passed[goal] - self._y)[self._train].norm())
        snapshots = []
        for step in recorded:
            # The error of a first-order expansion grows with the square of the distance; rows in between are
            # corrected in proportion, so that the record has no jump where the next expansion begins.
            corrected = passed[step] + error * ((step - current) / length) ** 2
            loss = float((corrected - self._y)[self._train].square().mean())
            snapshots.append(Snapshot(step, corrected, loss))
        return trial, snapshots, distance

    def _advance(self, linear: Linearised, state: ModeState, rate: float, start: int, stop: int) -> ModeState:
        """Return the state at step `stop`, by all samples or by random batches."""
        batch = self.pilot.batch
        if batch is None or not isinstance(self.rule, GradientDescent):
            return linear.advance(state, self.rule, rate, stop - start, ceiling=EDGE_FRACTION)
        # Seeded by the step, so that an expansion that is repeated with fewer steps uses the same batches.
        source = torch.Generator("cpu").manual_seed(derive_seed(self.pilot.seed, "leaps", str(start)))
        rows = torch.randint(len(self._train), (stop - start, batch), generator=source, device="cpu").to(
            self._train.device
        )
        return advance_on_batches(linear, state, self.rule, rate, rows, EDGE_FRACTION)

    def _updated_copy(
        self,
        expansion: Expansion,
        state: ModeState,
        squares: list[tuple[int, dict[str, Tensor]]],
        length: int,
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Return a copy of network and optimizer at the end of an expansion."""
        shift = self._parameter_change(expansion.linear, state.dual)
        momentum = self._parameter_change(expansion.linear, state.velocity)
        network, optimizer = copy.deepcopy((self.pilot.network, self.pilot.optimizer))
        group = optimizer.param_groups[0]
        with torch.no_grad():
            for name, p in network.named_parameters():
                if name not in shift:
                    continue
                weight = 1.0 if expansion.scale is None else expansion.scale[name]
                memory = optimizer.state.get(p, {})
                # Adam does not change parameters without a gradient so far.
                if expansion.scale is not None and not memory:
                    continue
                old = memory.get("exp_avg", memory.get("momentum_buffer"))
                p.sub_(weight * shift[name])
                if old is not None:
                    # The velocity from before the expansion has acted for `carried`, and the share `fading` of it
                    # remains.
                    p.sub_(state.carried * weight * old)
                    old.mul_(state.fading).add_(momentum[name])
                if expansion.scale is not None:
                    memory["step"] += length
                for steps, square in squares:
                    left = float(group["betas"][1]) ** steps
                    memory["exp_avg_sq"].mul_(left).add_((1 - left) * square[name])
        return network, optimizer

    def _at_stability_edge(self, expansion: Expansion) -> Expansion:
        """Return the expansion after the network is projected to where it is stable."""
        linear, current = expansion.linear, self.pilot.step
        limit = self.rule.stable_limit(self.rate(current)) / linear.gain
        unstable = linear.eigenvalues > limit
        if not bool(unstable.any()):
            return expansion
        if not self._differentiable_twice:
            check_twice_differentiable(self.pilot.network, self._x[self._train])
            self._differentiable_twice = True
        project_to_stability_edge(
            self.pilot.network, self._x[self._train], linear.modes[:, unstable], limit, expansion.scale
        )
        outputs = self.pilot.outputs(self._x).double()
        return replace(expansion, linear=replace(linear, outputs=outputs))

    def _refresh_moments(self) -> None:
        """Include the current gradient in smaller second moments, as the next step would."""
        # Moments accumulated along an expansion may lag behind a gradient that has grown since; divided by their
        # small root, the next expansion would take far too large a step.
        optimizer = self.pilot.optimizer
        if not isinstance(optimizer, torch.optim.Adam):
            return
        x, y = self._x[self._train], self._y[self._train]
        parameters = {n: p for n, p in self.pilot.network.named_parameters() if p in optimizer.state}
        residual = self.pilot.network(x).detach().reshape(y.shape) - y
        gradient = self._pullback(x, parameters, 2 / y.numel() * residual)
        squares = self._expected_squares(gradient, residual)
        beta = float(optimizer.param_groups[0]["betas"][1])
        for name, p in parameters.items():
            moment = optimizer.state[p]["exp_avg_sq"]
            moment.copy_(torch.maximum(moment, beta * moment + (1 - beta) * squares[name]))

    def _squares(self, linear: Linearised, residual: Tensor) -> dict[str, Tensor]:
        """Return the squared gradients of steps at a residual of the modes, by parameter name."""
        gradient = self._parameter_change(linear, linear.gain * residual)
        return self._expected_squares(gradient, (linear.modes @ residual).reshape(len(self._train), -1))

    def _expected_squares(self, gradient: dict[str, Tensor], residual: Tensor) -> dict[str, Tensor]:
        batch = self.pilot.batch
        if batch is None:
            return {name: g.square() for name, g in gradient.items()}
        samples = mean_squared_gradients(self.pilot.network, self._x[self._train], residual)
        return minibatch_squared_gradients(gradient, samples, batch)

    def _parameter_change(self, linear: Linearised, coefficients: Tensor) -> dict[str, Tensor]:
        """Return J^T of a combination of modes, by parameter name."""
        named = {n: p for n, p in self.pilot.network.named_parameters() if p.requires_grad}
        return self._pullback(self._x[self._train], named, linear.modes @ coefficients)

    def _pullback(self, x: Tensor, named: Mapping[str, nn.Parameter], weights: Tensor) -> dict[str, Tensor]:
        """Return J^T w at some samples, by parameter name."""
        network, parameters = self.pilot.network, list(named.values())

        def outputs() -> Tensor:
            return network_outputs(network, x).reshape(-1)

        _, gradients = vector_jacobian_product(network, outputs, parameters, weights.reshape(-1))
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]
        return dict(zip(named, filled, strict=True))

    @staticmethod
    def _momenta(pilot: PilotRun) -> Mapping[str, Tensor]:
        states = {
            n: pilot.optimizer.state[p]
            for n, p in pilot.network.named_parameters()
            if p in pilot.optimizer.state
        }
        momenta = {n: state.get("exp_avg", state.get("momentum_buffer")) for n, state in states.items()}
        return {n: momentum for n, momentum in momenta.items() if momentum is not None}


def _next_length(length: int, distance: float) -> int:
    """Return the length at which the distance, which grows with its square, is somewhat below the tolerance."""
    share = (
        0.9 * math.sqrt(TOLERANCE / distance)
        if math.isfinite(distance) and distance > 0
        else 2.0 * (distance == 0)
    )
    return max(1, int(length * min(2.0, max(0.3, share))))


def project_to_stability_edge(
    network: nn.Module, x: Tensor, modes: Tensor, limit: float, scale: Mapping[str, Tensor] | None
) -> None:
    """Change the parameters of a network minimally so that the sharpness of some modes is at most a limit.

    In training with steps of finite size the sharpness rises to the stability limit, 2 / rate for gradient descent.
    There the network oscillates along the sharpest mode, and the curvature of the loss turns the oscillation into a
    force down the gradient of the sharpness. Averaged over the oscillation, training is the flow projected onto the
    stable parameters. With u a mode, its sharpness is k(p) = |D^(1/2) J(p)^T u|^2, and

        p <- p - D grad k (k - limit) / (grad k^T D grad k)

    for each mode above the limit, the sharpest first.

    Args:
        network: Maps (N, ...) to (N, C); its parameters are changed.
        x: (N, ...) samples of the kernel.
        modes: (N C, m) unit eigenvectors in columns, the sharpest last; only the last `MAX_PROJECTED` are used.
        limit: The largest stable eigenvalue.
        scale: D by parameter name, or None for ones.

    Source: Damian, Nichani, Lee 2022 (arXiv 2209.15594), section 4; Cohen et al. 2024 (arXiv 2410.24206) for
    optimizers with a separate rate for every parameter.
    """
    named = {name: p for name, p in network.named_parameters() if p.requires_grad}
    parameters = list(named.values())
    weights = [torch.ones((), device=p.device) if scale is None else scale[n] for n, p in named.items()]
    for mode in modes[:, -MAX_PROJECTED:].mT.flip(0):
        with torch.enable_grad():
            # Double backward: the sharpness is the squared norm of a gradient, and its own gradient is needed.
            y = network(x).reshape(-1)
            coordinate = (y * mode.to(y)).sum()
            gradient = torch.autograd.grad(coordinate, parameters, create_graph=True, materialize_grads=True)
            sharpness = _weighted_square(weights, gradient)
            if not sharpness.requires_grad or float(sharpness.detach()) <= limit:
                continue
            slope = torch.autograd.grad(sharpness, parameters, materialize_grads=True)
        square = float(_weighted_square(weights, slope))
        if square > 0:
            # One Newton step to the surface k = limit, in the metric of the optimizer.
            length = (float(sharpness.detach()) - limit) / square
            with torch.no_grad():
                for p, weight, direction in zip(parameters, weights, slope, strict=True):
                    p.sub_(length * weight * direction)


def check_twice_differentiable(network: nn.Module, x: Tensor) -> None:
    """Refuse a network whose gradients cannot be differentiated again, as `project_to_stability_edge` requires.

    Some layers raise an error, others silently return zeros: `Jacobian` detects both.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
    """
    if Jacobian(network, x, len(x)).sample_by_sample:
        raise InputError(
            "a network whose gradients can be differentiated again, to follow it at the edge of stability",
            "a network whose gradients cannot, or depend on the batch",
            "pass part=signal, which omits this after the pilot, or lower the learning rate",
            "network",
        )


def _weighted_square(weights: list[Tensor], vectors: tuple[Tensor, ...]) -> Tensor:
    """Return v^T D v."""
    return torch.stack([(w * v * v).sum() for w, v in zip(weights, vectors, strict=True)]).sum()
