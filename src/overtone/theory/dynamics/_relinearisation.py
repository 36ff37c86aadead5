"""From the end of a pilot on by leaps: linearise, follow the linear network for many steps, move there, repeat."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor, nn

from overtone._utils import seeding as rng
from overtone.errors import InputError
from overtone.theory._mode_dynamics import Descent, ModeState, OptimizerDynamics
from overtone.theory.dynamics._linearised import EDGE_FRACTION, Linearised, Rate, Snapshot, mean_rate
from overtone.theory.dynamics._minibatch import (
    advance_on_batches,
    mean_squared_gradients,
    minibatch_squared_gradients,
)
from overtone.theory.dynamics._optimizers import second_moments
from overtone.theory.dynamics._pilot_run import PilotRun
from overtone.theory.dynamics._preconditioned import output_change, separable_kernel
from overtone.theory.ntk._empirical.jacobian import Jacobian
from overtone.theory.ntk._empirical.passes import network_outputs, vector_jacobian_product

MAX_PROJECTED = 4
"""Modes that are held at most."""


def project_to_stability_edge(
    network: nn.Module, x: Tensor, modes: Tensor, limit: float, scale: Mapping[str, Tensor] | None
) -> None:
    """Move a network the least way to where the given modes of its kernel are no sharper than a limit.

    Training with steps of finite size lets the sharpness rise to what is just stable, 2 / rate for gradient
    descent. There it oscillates along the sharpest mode, and the curvature of the loss turns the oscillation into
    a force down the gradient of the sharpness. Averaged over the oscillation, training is the flow projected onto
    the parameters that are stable. With u a mode, its sharpness is k(p) = |D^(1/2) J(p)^T u|^2, and

        p <- p - D grad k (k - limit) / (grad k^T D grad k)

    for each mode that is beyond the limit, the sharpest first.

    Args:
        network: Maps (N, ...) to (N, C); its parameters are changed.
        x: (N, ...) samples of the kernel.
        modes: (N C, m) unit eigenvectors in columns, the sharpest last; only the last `HELD` are looked at.
        limit: The largest stable eigenvalue.
        scale: D by parameter name, or None for ones.

    Source: Damian, Nichani, Lee 2022 (arXiv 2209.15594), section 4; Cohen et al. 2024 (arXiv 2410.24206) for
    optimizers with a rate of their own for every parameter.
    """
    named = {name: p for name, p in network.named_parameters() if p.requires_grad}
    parameters = list(named.values())
    weights = [torch.ones((), device=p.device) if scale is None else scale[n] for n, p in named.items()]
    for mode in modes[:, -MAX_PROJECTED:].mT.flip(0):
        with torch.enable_grad():
            y = network(x).reshape(-1)
            along = (y * mode.to(y)).sum()
            vector_jacobian_product = torch.autograd.grad(
                along, parameters, create_graph=True, materialize_grads=True
            )
            sharpness = _square(weights, vector_jacobian_product)
            if not sharpness.requires_grad or float(sharpness.detach()) <= limit:
                continue
            slope = torch.autograd.grad(sharpness, parameters, materialize_grads=True)
        square = float(_square(weights, slope))
        if square > 0:
            length = (float(sharpness.detach()) - limit) / square
            with torch.no_grad():
                for p, weight, each in zip(parameters, weights, slope, strict=True):
                    p.sub_(length * weight * each)


def check_twice_differentiable(network: nn.Module, x: Tensor) -> None:
    """Raise InputError unless gradients can be differentiated once more, as `hold` does.

    Some layers refuse, others give zeros without a word: what `Jacobian` finds out.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
    """
    if Jacobian(network, x, len(x)).sample_by_sample:
        raise InputError(
            "a network whose gradients can be differentiated once more, to follow it at the edge of stability",
            "one whose gradients cannot, or depend on the batch",
            "pass part=signal, which goes on from the pilot without that, or lower the learning rate",
            "network",
        )


def _square(weights: list[Tensor], vectors: tuple[Tensor, ...]) -> Tensor:
    """v^T D v."""
    return torch.stack([(w * v * v).sum() for w, v in zip(weights, vectors, strict=True)]).sum()


MAX_STEP_SHARE = 0.15
"""Largest leap, as a share of the steps taken so far: kernels grow as powers of the step."""

TOLERANCE = 0.2
"""Largest distance of the moved network from the linear one, as a share of the residual, at which a leap counts."""

MAX_EXPANSIONS = 500
"""The leaps that a prediction costs at most; where shorter ones are needed they end."""

MOMENT_PARTS = 4
"""Parts of a leap over which Adam's second moments are summed up."""


@final
@dataclass(frozen=True)
class Expansion:
    """A network as its optimizer sees it now.

    Attributes:
        linear: Its first-order expansion.
        scale: D by parameter name as the expansion uses it, or None for ones.
    """

    linear: Linearised
    scale: dict[str, Tensor] | None


@final
class Relinearisation:
    """Takes a pilot's network further than it was trained, at a cost that grows with the logarithm of the steps.

    In a leap from t to t + d the parameters move by what d steps of the linear network add up to, -D J^T a, Adam's
    second moments by the squares of the gradients on the way, and the sharpness is held at the edge of stability.
    Leaps are as long as the moved network stays close to the linear one. Of a kernel with second moments the
    separable form is used. Where the pilot's steps see minibatches, the linear network is trained on drawn ones: their
    jitter of the parameters slows the learning of features down, which the mean run does not know, and their scatter
    is part of Adam's second moments.

    Args:
        pilot: Where training has come; it is taken along.
        x: (N, ...) samples to predict.
        y: (N, C) their targets.
        train: (n,) rows that are trained on.
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
        self._twice = False

    def view(self, mean_over: int | None = None) -> Expansion:
        """The network where it is now, with the momentum that it has.

        Args:
            mean_over: Samples that the loss is the mean over; those that are trained on if None.
        """
        network, optimizer = self.pilot.network, self.pilot.optimizer
        scale = second_moments(optimizer, network)
        wide = copy.deepcopy(network).double()
        exact = None if scale is None else {name: each.double() for name, each in scale.items()}
        kernel, used = separable_kernel(wide, self._x.double(), exact)
        kept = None if scale is None else {name: used[name].to(each) for name, each in scale.items()}
        momenta = self._momenta(self.pilot)
        moving = {n: m if kept is None else kept[n] * m for n, m in momenta.items()}
        velocity = output_change(network, self._x, moving) if moving else None
        columns = kernel.reshape(len(kernel), len(self._x), -1)[:, self._train].reshape(len(kernel), -1)
        outputs = self.pilot.outputs(self._x)
        linear = Linearised.of(outputs, self._y, columns, self._train, velocity, mean_over)
        return Expansion(linear, kept)

    def run(self, rows: Sequence[int], last: int) -> Iterator[tuple[int, list[Snapshot], Linearised]]:
        """Leap until `last`, or until leaps become too short to pay.

        Args:
            rows: Steps that are recorded.
            last: The last step.

        Yields:
            The step at which a leap began, the moments among `rows` in it, and the expansion that it followed.
        """
        length = last
        while self.pilot.step < last:
            now = self.pilot.step
            self._refresh()
            view = self._held(self.view())
            shortest = min(math.ceil(last / MAX_EXPANSIONS), max(1, round(MAX_STEP_SHARE / 3 * now)))
            length = min(length, max(1, round(MAX_STEP_SHARE * now)), last - now)
            trial, moments, apart = self._leap(view, length, rows)
            while not apart <= TOLERANCE and length > 1:
                length = _fitting(length, apart)
                if length < shortest:
                    return
                trial, moments, apart = self._leap(view, length, rows)
            if not math.isfinite(apart):
                return
            self.pilot.network, self.pilot.optimizer = trial
            self.pilot.step = now + length
            yield now, moments, view.linear
            length = _fitting(length, apart) + 1
        self._refresh()

    def _leap(
        self, view: Expansion, length: int, rows: Sequence[int]
    ) -> tuple[tuple[nn.Module, torch.optim.Optimizer], list[Snapshot], float]:
        """A moved copy, what was passed on the way, and how far it is from the linear network."""
        now, linear = self.pilot.step, view.linear
        goal = now + length
        recorded = [step for step in rows if now < step <= goal]
        sums = {now + round(length * part / MOMENT_PARTS) for part in range(1, MOMENT_PARTS + 1)} - {now}
        squares: list[tuple[int, dict[str, Tensor]]] = []
        passed: dict[int, Tensor] = {}
        state, at = linear.begin(), now
        residual, since = state.residual, now
        for stop in sorted({*recorded, *sums}):
            rate = mean_rate(self.rate, at, stop)
            state, at = self._advance(linear, state, rate, at, stop), stop
            passed[stop] = linear.at(state)
            if view.scale is not None and stop in sums:
                squares.append((stop - since, self._squares(linear, (residual + state.residual) / 2)))
                residual, since = state.residual, stop
        trial = self._moved(view, state, squares, length)
        found = trial[0](self._x).detach().reshape(self._y.shape).double()
        beside = found - passed[goal]
        apart = float(beside[self._train].norm() / (passed[goal] - self._y)[self._train].norm())
        moments = []
        for step in recorded:
            outputs = passed[step] + beside * ((step - now) / length) ** 2
            loss = float((outputs - self._y)[self._train].square().mean())
            moments.append(Snapshot(step, outputs, loss))
        return trial, moments, apart

    def _advance(self, linear: Linearised, state: ModeState, rate: float, start: int, stop: int) -> ModeState:
        """The state at step `stop`, by all samples or by batches that are drawn."""
        batch = self.pilot.batch
        if batch is None or not isinstance(self.rule, Descent):
            return linear.advance(state, self.rule, rate, stop - start, ceiling=EDGE_FRACTION)
        source = torch.Generator("cpu").manual_seed(rng.derive(self.pilot.seed, "leaps", str(start)))
        rows = torch.randint(len(self._train), (stop - start, batch), generator=source, device="cpu").to(
            self._train.device
        )
        return advance_on_batches(linear, state, self.rule, rate, rows, EDGE_FRACTION)

    def _moved(
        self, view: Expansion, state: ModeState, squares: list[tuple[int, dict[str, Tensor]]], length: int
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """A copy of network and optimizer at the end of a leap."""
        shift, momentum = self._pull(view.linear, state.dual), self._pull(view.linear, state.velocity)
        network, optimizer = copy.deepcopy((self.pilot.network, self.pilot.optimizer))
        group = optimizer.param_groups[0]
        with torch.no_grad():
            for name, p in network.named_parameters():
                if name not in shift:
                    continue
                weight = 1.0 if view.scale is None else view.scale[name]
                kept = optimizer.state.get(p, {})
                if view.scale is not None and not kept:
                    continue
                old = kept.get("exp_avg", kept.get("momentum_buffer"))
                p.sub_(weight * shift[name])
                if old is not None:
                    p.sub_(state.carried * weight * old)
                    old.mul_(state.fading).add_(momentum[name])
                if view.scale is not None:
                    kept["step"] += length
                for steps, each in squares:
                    left = float(group["betas"][1]) ** steps
                    kept["exp_avg_sq"].mul_(left).add_((1 - left) * each[name])
        return network, optimizer

    def _held(self, view: Expansion) -> Expansion:
        """The same view, with the network moved back to where it is stable."""
        linear, now = view.linear, self.pilot.step
        limit = self.rule.limit(self.rate(now)) / linear.gain
        beyond = linear.eigenvalues > limit
        if not bool(beyond.any()):
            return view
        if not self._twice:
            check_twice_differentiable(self.pilot.network, self._x[self._train])
            self._twice = True
        project_to_stability_edge(
            self.pilot.network, self._x[self._train], linear.modes[:, beyond], limit, view.scale
        )
        outputs = self.pilot.outputs(self._x).double()
        return replace(view, linear=replace(linear, outputs=outputs))

    def _refresh(self) -> None:
        """Let the present gradient count in second moments that are smaller, as the next step would."""
        optimizer = self.pilot.optimizer
        if not isinstance(optimizer, torch.optim.Adam):
            return
        x, y = self._x[self._train], self._y[self._train]
        parameters = {n: p for n, p in self.pilot.network.named_parameters() if p in optimizer.state}
        residual = self.pilot.network(x).detach().reshape(y.shape) - y
        found = self._gradient(x, parameters, 2 / y.numel() * residual)
        squares = self._expected(found, residual)
        beta = float(optimizer.param_groups[0]["betas"][1])
        for name, p in parameters.items():
            moment = optimizer.state[p]["exp_avg_sq"]
            moment.copy_(torch.maximum(moment, beta * moment + (1 - beta) * squares[name]))

    def _squares(self, linear: Linearised, residual: Tensor) -> dict[str, Tensor]:
        """The squared gradients that steps see where the modes have a residual, by parameter name."""
        gradient = self._pull(linear, linear.gain * residual)
        return self._expected(gradient, (linear.modes @ residual).reshape(len(self._train), -1))

    def _expected(self, gradient: dict[str, Tensor], residual: Tensor) -> dict[str, Tensor]:
        batch = self.pilot.batch
        if batch is None:
            return {name: g.square() for name, g in gradient.items()}
        each = mean_squared_gradients(self.pilot.network, self._x[self._train], residual)
        return minibatch_squared_gradients(gradient, each, batch)

    def _pull(self, linear: Linearised, along: Tensor) -> dict[str, Tensor]:
        """J^T of a combination of modes, by parameter name."""
        named = {n: p for n, p in self.pilot.network.named_parameters() if p.requires_grad}
        return self._gradient(self._x[self._train], named, linear.modes @ along)

    def _gradient(self, x: Tensor, named: Mapping[str, nn.Parameter], weights: Tensor) -> dict[str, Tensor]:
        """J^T w at some samples, by parameter name."""
        network, parameters = self.pilot.network, list(named.values())

        def outputs() -> Tensor:
            return network_outputs(network, x).reshape(-1)

        _, found = vector_jacobian_product(network, outputs, parameters, weights.reshape(-1))
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
        return dict(zip(named, filled, strict=True))

    @staticmethod
    def _momenta(pilot: PilotRun) -> Mapping[str, Tensor]:
        kept = {
            n: pilot.optimizer.state[p]
            for n, p in pilot.network.named_parameters()
            if p in pilot.optimizer.state
        }
        found = {n: state.get("exp_avg", state.get("momentum_buffer")) for n, state in kept.items()}
        return {n: each for n, each in found.items() if each is not None}


def _fitting(length: int, apart: float) -> int:
    """The length at which the distance, which grows with its square, is somewhat below the tolerance."""
    share = 0.9 * math.sqrt(TOLERANCE / apart) if math.isfinite(apart) and apart > 0 else 2.0 * (apart == 0)
    return max(1, int(length * min(2.0, max(0.3, share))))
