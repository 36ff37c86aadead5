"""Learning steps of a low and a high tone in recurrent, convolutional and attention networks; some minutes.

A sequence is a ramp, u(t) = t / T + offset, with an offset of its own; its target sin(2 pi u) + a sin(2 pi 5 u), a = 1
or 3. Time runs along the ramp, so temporal frequency is that of the map as well. A tone is learned when its relative
error is first below 0.5, the rule of the study `sequence-low-first`. The step from which it stays below, for at least
100 steps, is shown beside it; "-" where it does not. Control: with the names of the tones
swapped none may be low first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from overtone.spectra.sequence import SequenceTransform, TemporalEstimator

STEPS, PATIENCE, LENGTH, COUNT = 1500, 100, 32, 16
LOW, HIGH = 1, 5
SEEDS = (0, 1, 2)


class Recurrent(nn.Module):
    """A GRU or LSTM and a linear read-out."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.body = kind(1, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, u: Tensor) -> Tensor:
        return self.out(self.body(u)[0])


class Convolutional(nn.Module):
    """Three causal convolutions of 5 steps and a linear read-out."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(a, 32, 5) for a in (1, 32, 32)])
        self.out = nn.Linear(32, 1)

    def forward(self, u: Tensor) -> Tensor:
        x = u.mT
        for layer in self.layers:
            x = torch.relu(layer(nn.functional.pad(x, (4, 0), mode="replicate")))
        return self.out(x.mT)


class Transformer(nn.Module):
    """Two causal layers of attention, 4 heads of 8; places are known from the ramp itself."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(1, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(32, 1)

    def forward(self, u: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(u.shape[1])
        return self.out(self.body(self.into(u), mask, is_causal=True))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "GRU": lambda: Recurrent(nn.GRU),
    "LSTM": lambda: Recurrent(nn.LSTM),
    "CNN": Convolutional,
    "transformer": Transformer,
}


def learned(errors: list[float]) -> float:
    """Steps until the error is first below 0.5; infinity if it never is."""
    return next((step + 1 for step, error in enumerate(errors) if error < 0.5), math.inf)


def stays_learned(errors: list[float]) -> float:
    """Steps until the error stays below 0.5 for `PATIENCE` steps; infinity if it does not."""
    last = max((step for step, error in enumerate(errors) if error >= 0.5), default=-1)
    return math.inf if len(errors) - last <= PATIENCE else last + 2


def errors(build: Callable[[], nn.Module], amplitude: float, seed: int) -> tuple[list[float], list[float]]:
    """Relative errors of the low and the high tone by step, until both are learned."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build()
        offset = torch.rand(COUNT, 1, 1)
    u = torch.arange(LENGTH)[:, None] / LENGTH + offset
    target = torch.sin(2 * math.pi * LOW * u) + amplitude * torch.sin(2 * math.pi * HIGH * u)
    bands = [0.0, *((k + d) / LENGTH for k in (LOW, HIGH) for d in (-0.5, 0.5)), 0.5]
    transform = SequenceTransform(LENGTH, bands=bands, estimator=TemporalEstimator.periodic())
    power = transform.power(transform.coefficients(target))[[1, 3], 0]
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    low, high = [], []
    for _ in range(STEPS):
        out = network(2 * u - 2)
        residual_power = transform.power(transform.coefficients(target - out.detach()))[[1, 3], 0]
        error = (residual_power / power).sqrt()
        low.append(float(error[0]))
        high.append(float(error[1]))
        if max(low[-PATIENCE:] + high[-PATIENCE:]) < 0.5 and len(low) > PATIENCE:
            break
        optimiser.zero_grad()
        (out - target).square().mean().backward()
        optimiser.step()
    return low, high


def main() -> list[dict[str, object]]:
    """A row per network and amplitude of the high tone: learning steps by seed, and which tone was first."""
    table: list[dict[str, object]] = []
    for name, build in NETWORKS.items():
        for amplitude in (1.0, 3.0):
            runs = [errors(build, amplitude, seed) for seed in SEEDS]
            steps = [(learned(low), learned(high)) for low, high in runs]
            slower = sorted(high / low for low, high in steps)[len(steps) // 2]
            table.append(
                {
                    "name": f"{name}, high tone {amplitude:g} times as strong",
                    "low learned at step": _steps([low for low, _ in steps]),
                    "high learned at step": _steps([high for _, high in steps]),
                    "high later by (median)": f"{slower:.1f}" if math.isfinite(slower) else "-",
                    "low first": f"{_firsts(steps)} of {len(steps)} seeds",
                    "names swapped": f"{_firsts([(high, low) for low, high in steps])} of {len(steps)}",
                    "low stays from step": _steps([stays_learned(low) for low, _ in runs]),
                    "high stays from step": _steps([stays_learned(high) for _, high in runs]),
                }
            )
    return table


def _firsts(steps: list[tuple[float, float]]) -> int:
    return sum(low < high for low, high in steps)


def _steps(steps: list[float]) -> str:
    return ", ".join(f"{step:.0f}" if math.isfinite(step) else "-" for step in steps)
