"""Copy of a network and its optimizer that is trained for a few steps before it is linearised."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn

from overtone._state._evaluation_mode import evaluation_mode_with_gradients
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError, RunError
from overtone.nn import Field
from overtone.signals import Normalisation, Signal
from overtone.theory.dynamics._linearised import Linearised
from overtone.theory.dynamics._optimizers import Schedule, constant, second_moments, velocities
from overtone.theory.dynamics._preconditioned import output_change, tangent_kernel
from overtone.theory.ntk import top_eigenpairs
from overtone.theory.ntk._empirical.passes import (
    NETWORK_ERRORS,
    check_samples,
    network_outputs,
    sqrt_eps_tolerance,
    trial_outputs,
)
from overtone.theory.ntk._empirical.selection import trained_parameters
from overtone.theory.ntk._operators.network import JacobianOperator


def _copied(network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Return a copy of a network together with its optimizer.

    Raises:
        InputError: If the network cannot be copied.
    """
    try:
        # In one call, so that the copied optimizer refers to the copied parameters.
        pair: tuple[nn.Module, torch.optim.Optimizer] = copy.deepcopy((network, optimizer))
    except NETWORK_ERRORS as failure:
        raise InputError(
            "a network that copy.deepcopy can copy, because a copy is trained",
            f"the error: {str(failure).splitlines()[0].rstrip('.')}",
            "remove attributes other than parameters and buffers, or pass another module with the same parameters",
            "network",
        ) from failure
    return pair


EIGENVALUE_TOLERANCE = 1e-6
"""Relative accuracy of a largest eigenvalue, far below what stability by a linear kernel means."""


@final
class PilotRun:
    """Training run of a copy; the original network and optimizer are not changed.

    Args:
        network: Maps (N, ...) samples to (N, C) outputs in the units of the loss.
        optimizer: A PyTorch optimizer of that network's parameters, in any state.
        x: (n, ...) training samples.
        y: (n, C) targets of the samples, in the units of the loss.
        batch: Samples per step, drawn with replacement; None for all of them.
        schedule: Factor of the learning rate per step.
        seed: Seed of the batches.

    Attributes:
        step: Number of steps taken.
        batch: Samples per step; None for all of them.
        seed: Seed of the batches.
        seconds: Wall-clock time of the steps.

    Example:
        >>> import torch
        >>> from overtone.theory.dynamics import PilotRun
        >>> network = torch.nn.Linear(1, 1).double()
        >>> x = torch.linspace(0, 1, 8, dtype=torch.float64)[:, None]
        >>> pilot = PilotRun(network, torch.optim.SGD(network.parameters(), 0.1), x, 2 * x)
        >>> pilot.advance(5)
        >>> pilot.step, pilot.linearise(x, 2 * x).eigenvalues.shape
        (5, torch.Size([8]))
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        x: Tensor,
        y: Tensor,
        *,
        batch: int | None = None,
        schedule: Schedule = constant,
        seed: int = 0,
    ) -> None:
        self.network, self.optimizer = _copied(network, optimizer)
        self.step, self.seconds, self.seed = 0, 0.0, seed
        self._x, self._y, self._schedule = x, y, schedule
        self.batch = None if batch is None or batch >= len(x) else batch
        self._base = float(optimizer.param_groups[0]["lr"])
        self._draws = torch.Generator(device=x.device)
        self._draws.manual_seed(derive_seed(seed, "pilot"))

    @property
    def samples(self) -> int:
        """Number of training samples."""
        return len(self._x)

    @property
    def channels(self) -> int:
        """Number of values per sample."""
        return self._y[0].numel()

    def random_part(self, count: int) -> tuple[Tensor, Tensor]:
        """Return training samples and their targets: `count` random ones, or all if there are no more."""
        if count >= len(self._x):
            return self._x, self._y
        source = torch.Generator("cpu").manual_seed(derive_seed(count, "some"))
        rows = torch.randperm(len(self._x), generator=source, device="cpu")[:count].to(self._x.device)
        return self._x[rows], self._y[rows]

    def advance(self, steps: int) -> None:
        """Take optimizer steps on mean((f - y)^2).

        Raises:
            RunError: If the loss is not finite; the error names the step.
        """
        loss = self._train(steps, math.inf)
        if loss is not None:
            raise self.diverged(loss)

    def survives(self, steps: int, largest: float) -> bool:
        """Take optimizer steps while the loss before each is within a bound; return whether it was at all steps."""
        return self._train(steps, largest) is None

    def _train(self, steps: int, largest: float) -> float | None:
        """Take steps up to the first loss beyond a bound, and return that loss."""
        self.network.train()
        start, unbounded = time.perf_counter(), None
        for _ in range(steps):
            x, y = self._draw()
            self.optimizer.param_groups[0]["lr"] = self._base * self._schedule(self.step)
            self.optimizer.zero_grad(set_to_none=True)
            loss = (self.network(x).reshape(y.shape) - y).square().mean()
            if not bool(torch.isfinite(loss)) or loss.item() > largest:
                unbounded = loss.item()
                break
            loss.backward()
            self.optimizer.step()
            self.step += 1
        self.seconds += time.perf_counter() - start
        return unbounded

    def diverged(self, loss: float) -> RunError:
        """Return the error for a loss beyond bounds."""
        return RunError(
            "a pilot that does not diverge",
            f"a loss of {loss:.3g} by step {self.step + 1}",
            f"lower the learning rate of {self._base:g}",
            "pilot",
        )

    def outputs(self, x: Tensor, *, chunk: int = 8192) -> Tensor:
        """Return the (N, C) outputs at the current step."""
        with evaluation_mode_with_gradients(self.network, x.device):
            return torch.cat([network_outputs(self.network, part).detach() for part in x.split(chunk)])

    def kernel(self, x: Tensor, *, memory: float = 2.0) -> Tensor:
        """Return the (N C, N C) float64 kernel J D J^T of the network at its current step, in the optimizer's metric D.

        Double precision is needed, because the eigenvalues of smooth networks exceed the range of single precision.

        Args:
            x: (N, ...) samples.
            memory: Budget in GiB.

        Raises:
            InputError: If Adam has not taken a step yet.
        """
        scale = second_moments(self.optimizer, self.network)
        double = copy.deepcopy(self.network).double()
        samples = x.double() if x.is_floating_point() else x
        exact = None if scale is None else {name: weight.double() for name, weight in scale.items()}
        return tangent_kernel(double, samples, exact, memory=memory)

    def largest_eigenvalue(self, x: Tensor) -> float:
        """Return the largest eigenvalue of `kernel` at some samples, without the kernel.

        Args:
            x: (N, ...) samples, of at least two outputs.

        Raises:
            InputError: If Adam has not taken a step yet.
        """
        scale = second_moments(self.optimizer, self.network)
        double = copy.deepcopy(self.network).double()
        samples = x.double() if x.is_floating_point() else x
        operator = JacobianOperator(double, samples, weights=scale)
        return float(top_eigenpairs(operator, 1, tolerance=EIGENVALUE_TOLERANCE).values[0])

    def linearise(
        self,
        x: Tensor,
        y: Tensor,
        train: Tensor | None = None,
        *,
        mean_over: int | None = None,
        memory: float = 2.0,
    ) -> Linearised:
        """Return the first-order expansion of the network at its current step, with the state of its optimizer.

        Args:
            x: (N, ...) samples to predict.
            y: (N, C) targets of the samples.
            train: (n,) rows used for training, or None for all.
            mean_over: Number of samples in the loss's mean; n if None.
            memory: Budget in GiB.

        Raises:
            InputError: If Adam has not taken a step yet.
        """
        # The momentum continues to change the outputs, along J times the velocity in the metric of the optimizer.
        kernel = self.kernel(x, memory=memory)
        moving = velocities(self.optimizer, self.network)
        velocity = None if moving is None else output_change(self.network, x, moving)
        if train is not None:
            kernel = kernel.reshape(len(kernel), len(x), -1)[:, train].reshape(len(kernel), -1)
        return Linearised.of(self.outputs(x), y, kernel, train, velocity, mean_over)

    def _draw(self) -> tuple[Tensor, Tensor]:
        if self.batch is None:
            return self._x, self._y
        pick = torch.randint(len(self._x), (self.batch,), generator=self._draws, device=self._x.device)
        return self._x[pick], self._y[pick]


MODE_SAMPLES = 64
"""Number of samples at which training and evaluation mode are compared."""


@final
class NormalisedOutputs(nn.Module):
    """Normalised outputs of a field, as used in the training loss."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field

    def forward(self, coords: Tensor) -> Tensor:
        """Return (N, C) normalised values at (N, d) physical coordinates."""
        return self.field.normalised(coords)


@final
class RawOutputs(nn.Module):
    """Outputs of any module at coordinates in its parameters' precision, not normalised."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, coords: Tensor) -> Tensor:
        """Return (N, C) values at (N, d) physical coordinates."""
        return network_outputs(self.network, coords.to(parameter_dtype(self.network)))


def parameter_dtype(network: nn.Module) -> torch.dtype:
    """Return the precision of a network's parameters."""
    return next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float32)


def as_loss_sees_it(network: nn.Module) -> nn.Module:
    """Return the network whose outputs the loss compares with targets: the normalised outputs of a field."""
    return NormalisedOutputs(network) if isinstance(network, Field) else RawOutputs(network)


def in_network_values(signal: Signal, network: nn.Module) -> Signal:
    """Return the signal in the normalisation of the network's outputs: unchanged unless the network is a field."""
    if isinstance(network, Field):
        return signal
    channels = signal.values.shape[1]
    none = Normalisation(
        torch.zeros(channels, device="cpu").double(), torch.ones(channels, device="cpu").double()
    )
    return replace(signal, normalisation=none)


def check_network(network: nn.Module, signal: Signal) -> None:
    """Refuse a network that cannot be predicted at a signal's samples.

    Args:
        network: Any module.
        signal: Signal to predict.
    """
    trained = list(trained_parameters(network).values())
    viewed, coords = as_loss_sees_it(network), signal.coords.to(trained[0].device)
    if not isinstance(network, Field):
        _check_distinct(coords, parameter_dtype(network))
    check_samples(viewed, coords=coords)
    # A few evenly spread samples are enough: dropout and batch statistics change every output.
    step = -(-len(coords) // MODE_SAMPLES)
    with evaluation_mode_with_gradients(viewed, coords.device):
        usual = trial_outputs(viewed, coords[::step])
        if usual.shape[1] != signal.values.shape[1]:
            raise InputError(
                f"a network of {signal.values.shape[1]} outputs, one for each channel of the signal",
                f"{usual.shape[1]}",
                "predict a network of as many outputs as the signal has channels",
                "network",
            )
        if not network_outputs(viewed, coords[::step]).requires_grad:
            raise InputError(
                "a network whose outputs have gradients",
                "outputs without a gradient for any parameter, as under torch.no_grad() or after detach()",
                "compute the outputs with gradients enabled",
                "network",
            )
        viewed.train()
        training = trial_outputs(viewed, coords[::step])
    difference = (training - usual).nan_to_num().abs().max()
    if difference > sqrt_eps_tolerance(usual.dtype) * usual.nan_to_num().abs().max():
        raise InputError(
            "a network that computes the same in training and in evaluation mode",
            f"outputs that differ by {float(difference):.1e}",
            "remove dropout and batch statistics before the prediction",
            "network",
        )


def _check_distinct(coords: Tensor, dtype: torch.dtype) -> None:
    """Refuse different points that coincide in the network's precision."""
    before, after = (len(torch.unique(places, dim=0)) for places in (coords, coords.to(dtype)))
    if after < before:
        raise InputError(
            f"coordinates that are distinct in {str(dtype).removeprefix('torch.')}",
            f"{before} points that are rounded to {after}",
            "convert the network to float64 with .double(), or shift and scale the coordinates of the signal",
            "network",
        )
