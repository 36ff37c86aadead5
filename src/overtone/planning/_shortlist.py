"""Shortlist of bandwidths: ridge regression on the last hidden layer of untrained copies of the network itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed, draw_subset
from overtone.errors import InputError
from overtone.signals import Geometry, Signal

RIDGE_PER_STEP = 2e-5
"""Ridge per sample that stands for one step of training; the ridge falls as 1 / steps, as a gradient flow's does."""

UNITS, MAX_COPIES = 256, 16
"""Hidden units of one draw, which narrow networks reach by several copies, and the most copies."""

DRAWS = 3
"""Draws of weights whose errors are averaged."""

STOPPED_EARLIER = (1.0, 10.0, 1e2, 1e3, 1e4, 1e5)
"""Factors of the ridge that stand for the same run stopped earlier, which is what noise needs."""

SAMPLES, HELD_OUT_SAMPLES = 8192, 4096
"""Largest numbers of training and held-out samples of one regression."""

CHUNK = 8192
"""Samples that are evaluated at a time."""

Build = Callable[[int], nn.Module]
"""Builds the untrained network of a seed, from physical coordinates to physical values."""


@final
@dataclass(frozen=True)
class RidgeScore:
    """Held-out error of the ridge regressions of one candidate.

    Attributes:
        error: Mean squared error of the whole run, in normalised units: geometric mean over draws.
        trial_error: The same at the end of a trial.
        best_error: The same for the run stopped at its best moment.
        spread_db: Standard error of the error's level in dB, from the held-out samples and the draws together.
        squares: (draws, ridges, held-out samples) squared errors, so that more draws can follow.
    """

    error: float
    trial_error: float
    best_error: float
    spread_db: float
    squares: Tensor = field(repr=False, compare=False)

    @property
    def draws(self) -> int:
        """Draws of weights behind the errors."""
        return len(self.squares)


@final
class RidgeScorer:
    """Held-out errors of ridge regressions on the last hidden layer of untrained networks.

    With H the hidden units (n, F) of a draw, divided by sqrt(F), and a column of ones, the output weights minimise
    |H w - y|^2 + r n |w|^2 with r = 2e-5 / steps: directions of H whose eigenvalue is below r n are those that a run of
    that many steps does not learn. The ridge is never fitted to held-out samples.

    Args:
        signal: With samples held out.
        steps: Length of the run, or as many of its steps as count.
        seed: Seeds the subset of samples and the draws.
        device: Device on which networks are evaluated; the regression is solved in float64 on the CPU.
    """

    def __init__(
        self, signal: Signal[Geometry], steps: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self._steps, self._seed, self._device = steps, seed, torch.device(device)
        self._train = _subset(signal.train_index, SAMPLES, seed, "train")
        self._held = _subset(signal.held_out_index, HELD_OUT_SAMPLES, seed, "held out")
        index = torch.cat([self._train, self._held])
        self._coords = signal.geometry.coords(index)
        self._values = signal.normalisation.apply(signal.values[index].double().cpu())

    @property
    def samples(self) -> int:
        """Training samples of a regression."""
        return len(self._train)

    @property
    def held_out(self) -> int:
        """Held-out values that an error is the mean of."""
        return len(self._held) * self._values.shape[1]

    @property
    def baseline(self) -> float:
        """Mean squared held-out error of the training mean, in normalised units."""
        mean = self._values[: self.samples].mean(0)
        return float((self._values[self.samples :] - mean).square().mean())

    def score(
        self,
        build: Build,
        trial_steps: int = 1,
        *,
        draws: int = DRAWS,
        begun: RidgeScore | None = None,
        stopped_earlier: bool = True,
    ) -> RidgeScore:
        """Return the error of the networks that a function builds.

        Args:
            build: The network of a seed.
            trial_steps: Length of a trial, for `RidgeScore.trial_error`.
            draws: Draws of weights.
            begun: The score of the first draws, which are not repeated.
            stopped_earlier: Whether to look for the best moment of the run, at half of the regressions' cost; if not,
                it is taken to be the last.

        Raises:
            InputError: If the network has no linear layer.
        """
        ridge = RIDGE_PER_STEP / self._steps
        factors = STOPPED_EARLIER if stopped_earlier else STOPPED_EARLIER[:1]
        ridges = [RIDGE_PER_STEP / max(1, trial_steps), *(ridge * factor for factor in factors)]
        known = [] if begun is None else list(begun.squares)
        added = [self._draw_squares(build, draw, ridges) for draw in range(len(known), draws)]
        errors = torch.stack([*known, *added])
        levels = errors.mean(2).clamp_min(torch.finfo(torch.float64).tiny).log()
        # Samples and draws are independent sources of error of the level.
        over_samples = errors[:, 1].mean(0)
        count = max(1, len(over_samples))
        relative = over_samples.std(correction=0) / over_samples.mean().clamp_min(1e-300) / math.sqrt(count)
        between = float(levels[:, 1].var()) / draws if draws > 1 else 0.0
        spread_db = 10 / math.log(10) * math.sqrt(float(relative) ** 2 + between)
        trial, *by_ridge = levels.mean(0).exp().tolist()
        return RidgeScore(by_ridge[0], trial, min(by_ridge), spread_db, errors)

    def _draw_squares(self, build: Build, draw: int, ridges: list[float]) -> Tensor:
        """Squared errors (ridge, held-out sample) of one draw of weights."""
        hidden: list[Tensor] = []
        copies = 1
        while len(hidden) < copies:
            seed = derive_seed(self._seed, "shortlist", str(draw), str(len(hidden)))
            hidden.append(self._hidden(build(seed)))
            copies = min(MAX_COPIES, math.ceil(UNITS / hidden[0].shape[1]))
        return self._held_out_squares(torch.cat(hidden, 1), ridges)

    def _held_out_squares(self, hidden: Tensor, ridges: list[float]) -> Tensor:
        """Squared errors (ridge, held-out sample), the mean over channels."""
        features = torch.cat([hidden / math.sqrt(hidden.shape[1]), torch.ones_like(hidden[:, :1])], 1)
        train, held = features[: self.samples], features[self.samples :]
        values = self._values[: self.samples]
        # Primal or dual, whichever matrix is smaller.
        dual = train.shape[0] < train.shape[1]
        gram = train @ train.mT if dual else train.mT @ train
        right = values if dual else train.mT @ values
        across = held @ train.mT if dual else held
        squares = []
        for ridge in ridges:
            shifted = gram.clone()
            shifted.diagonal().add_(ridge * self.samples)
            # Features that are not finite, as of an exploding network, leave no factor: such a network learns nothing.
            factor, failed = torch.linalg.cholesky_ex(shifted)
            predicted = across @ torch.cholesky_solve(right, factor)
            square = (predicted - self._values[self.samples :]).square().mean(1)
            squares.append(torch.full_like(square, math.inf) if bool(failed) else square)
        return torch.stack(squares).nan_to_num(math.inf, math.inf, math.inf)

    def _hidden(self, network: nn.Module) -> Tensor:
        # The copy is thrown away afterwards, so that its mode need not be restored.
        network = network.to(self._device).eval()
        with torch.no_grad():
            return torch.cat(
                [
                    last_hidden(network, part.to(self._device)).double().cpu()
                    for part in self._coords.split(CHUNK)
                ]
            )


def last_hidden(network: nn.Module, coords: Tensor) -> Tensor:
    """Return the input of the linear layer that a network calls last, (n, F).

    Args:
        network: Any module with a linear layer.
        coords: (n, d) its inputs.

    Raises:
        InputError: If it calls none.

    Example:
        >>> import torch
        >>> network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        >>> last_hidden(network, torch.zeros(5, 2)).shape
        torch.Size([5, 8])
    """
    latest: list[Tensor] = []

    def remember(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        latest[:] = [inputs[0].detach()]

    hooks = [
        module.register_forward_pre_hook(remember)
        for module in network.modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        network(coords)
    finally:
        for hook in hooks:
            hook.remove()
    if not latest:
        raise InputError(
            "a network with a linear layer at its end",
            "one without any",
            "end it with torch.nn.Linear, or train it at several bandwidths and compare the held-out errors",
            "network",
        )
    return latest[0].reshape(len(coords), -1)


def _subset(index: Tensor, limit: int, seed: int, name: str) -> Tensor:
    index = index.cpu()
    return index[torch.from_numpy(draw_subset(len(index), limit, seed, "shortlist", name))]
