"""A copy of a network and its optimizer that is trained a few steps, so that it can be linearised where it arrives."""

from __future__ import annotations

import copy
import math
import time
from typing import final

import torch
from torch import Tensor, nn

from overtone._utils import seeding as rng
from overtone.errors import InputError, RunError
from overtone.theory.dynamics.linear import Linearised
from overtone.theory.dynamics.optimizer import Schedule, constant, second_moments, velocities
from overtone.theory.dynamics.preconditioned import push, tangent_kernel
from overtone.theory.ntk.empirical.calling import FAILURES, outputs_of
from overtone.theory.ntk.empirical.untouched import untouched


def copied(network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A copy of a network together with its optimizer.

    Raises:
        InputError: If the network cannot be copied.
    """
    try:
        made: tuple[nn.Module, torch.optim.Optimizer] = copy.deepcopy((network, optimizer))
    except FAILURES as failure:
        raise InputError(
            "a network that copy.deepcopy can copy, since a copy of it is trained",
            f"the failure: {str(failure).splitlines()[0].rstrip('.')}",
            "take out what it keeps besides parameters and buffers, or pass another module of the same parameters",
            "network",
        ) from failure
    return made


@final
class Pilot:
    """Trains a copy; the network and optimizer passed are left as they are.

    Args:
        network: Maps (N, ...) samples to (N, C) outputs as the loss sees them.
        optimizer: A PyTorch optimizer of that network's parameters, in any state.
        x: (n, ...) samples that are trained on.
        y: (n, C) their targets, as the loss sees them.
        batch: Samples per step, drawn with replacement; None for all of them.
        schedule: Factor of the learning rate per step.
        seed: Seeds the draws.

    Attributes:
        step: Steps taken.
        batch: Samples per step; None for all of them.
        seed: Of the draws.
        seconds: Wall-clock time that they took.
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
        self.network, self.optimizer = copied(network, optimizer)
        self.step, self.seconds, self.seed = 0, 0.0, seed
        self._x, self._y, self._schedule = x, y, schedule
        self.batch = None if batch is None or batch >= len(x) else batch
        self._base = float(optimizer.param_groups[0]["lr"])
        self._draws = torch.Generator(device=x.device)
        self._draws.manual_seed(rng.derive(seed, "pilot"))

    @property
    def samples(self) -> int:
        """Samples that are trained on."""
        return len(self._x)

    @property
    def channels(self) -> int:
        """Values per sample."""
        return self._y[0].numel()

    def some(self, count: int) -> tuple[Tensor, Tensor]:
        """Samples that are trained on and their targets: `count` random ones, or all if there are no more."""
        if count >= len(self._x):
            return self._x, self._y
        source = torch.Generator("cpu").manual_seed(rng.derive(count, "some"))
        rows = torch.randperm(len(self._x), generator=source, device="cpu")[:count].to(self._x.device)
        return self._x[rows], self._y[rows]

    def advance(self, steps: int) -> None:
        """Take optimizer steps on mean((f - y)^2).

        Raises:
            RunError: If the loss stops being finite; names the step.
        """
        loss = self._walk(steps, math.inf)
        if loss is not None:
            raise self.diverged(loss)

    def survives(self, steps: int, largest: float) -> bool:
        """Take optimizer steps as long as the loss before each is no larger than a bound; whether it always was."""
        return self._walk(steps, largest) is None

    def _walk(self, steps: int, largest: float) -> float | None:
        """Take steps up to the first loss beyond a bound, and return it."""
        self.network.train()
        began, wrong = time.perf_counter(), None
        for _ in range(steps):
            x, y = self._draw()
            self.optimizer.param_groups[0]["lr"] = self._base * self._schedule(self.step)
            self.optimizer.zero_grad(set_to_none=True)
            loss = (self.network(x).reshape(y.shape) - y).square().mean()
            if not bool(torch.isfinite(loss)) or loss.item() > largest:
                wrong = loss.item()
                break
            loss.backward()
            self.optimizer.step()
            self.step += 1
        self.seconds += time.perf_counter() - began
        return wrong

    def diverged(self, loss: float) -> RunError:
        """The error of a loss beyond bounds."""
        return RunError(
            "a pilot that does not diverge",
            f"a loss of {loss:.3g} by step {self.step + 1}",
            f"lower the learning rate of {self._base:g}",
            "pilot",
        )

    def outputs(self, x: Tensor, *, chunk: int = 8192) -> Tensor:
        """(N, C) present outputs."""
        with untouched(self.network, x.device):
            return torch.cat([outputs_of(self.network, part).detach() for part in x.split(chunk)])

    def kernel(self, x: Tensor, *, memory: float = 2.0) -> Tensor:
        """(N C, N C) float64 kernel of the network as it now is, as its optimizer sees it: J D J^T.

        In double precision, because the eigenvalues of smooth networks span more than single precision holds.

        Args:
            x: (N, ...) samples.
            memory: Budget in GiB.

        Raises:
            InputError: If Adam has not taken a step yet.
        """
        scale = second_moments(self.optimizer, self.network)
        wide = copy.deepcopy(self.network).double()
        samples = x.double() if x.is_floating_point() else x
        exact = None if scale is None else {name: each.double() for name, each in scale.items()}
        return tangent_kernel(wide, samples, exact, memory=memory)

    def linearise(
        self,
        x: Tensor,
        y: Tensor,
        train: Tensor | None = None,
        *,
        mean_over: int | None = None,
        memory: float = 2.0,
    ) -> Linearised:
        """The network as it now is, expanded to first order, with what the optimizer's state adds to it.

        Args:
            x: (N, ...) samples to predict.
            y: (N, C) their targets.
            train: (n,) rows that are trained on, or None for all.
            mean_over: Samples that the loss is the mean over; n if None.
            memory: Budget in GiB.

        Raises:
            InputError: If Adam has not taken a step yet.
        """
        kernel = self.kernel(x, memory=memory)
        moving = velocities(self.optimizer, self.network)
        velocity = None if moving is None else push(self.network, x, moving)
        if train is not None:
            kernel = kernel.reshape(len(kernel), len(x), -1)[:, train].reshape(len(kernel), -1)
        return Linearised.of(self.outputs(x), y, kernel, train, velocity, mean_over)

    def _draw(self) -> tuple[Tensor, Tensor]:
        if self.batch is None:
            return self._x, self._y
        pick = torch.randint(len(self._x), (self.batch,), generator=self._draws, device=self._x.device)
        return self._x[pick], self._y[pick]
