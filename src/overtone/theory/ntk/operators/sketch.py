"""A kernel from random projections of the network's gradients, with the error that they cost."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from overtone._utils import seeding as rng
from overtone.errors import InputError
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.operators.factored import Factors
from overtone.theory.ntk.operators.operator import Operator


@final
class Sketch(Operator):
    """The kernel S S^T with S = J R / sqrt(k), for k random directions R in parameter space.

    It is right on average; with independent standard normal R an entry has variance
    (K_ii K_jj + K_ij^2) / k, so the expected squared Frobenius error is (tr(K)^2 + |K|^2) / k. Both are estimated
    from S itself and reported as `error`.

    Attributes:
        factor: (N C, k) S; row n C + c belongs to output c of sample n.
        error: Expected |S S^T - K| / |K| in the Frobenius norm.
        entry_error: Standard deviation of a diagonal entry relative to itself, sqrt(2 / k); those beside the
            diagonal have less, relative to sqrt(K_ii K_jj).

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...).
        x: (N, ...) samples.
        probes: k.
        seed: Seeds the directions.

    Raises:
        InputError: If `probes` is below 2, or as `finite` does.

    Source: Johnson, Lindenstrauss 1984; the variance is Isserlis' theorem.
    """

    def __init__(self, network: nn.Module, x: Tensor, *, probes: int, seed: int = 0) -> None:
        if probes < 2:
            raise InputError("at least 2 probes", f"{probes}", "pass more", "probes")
        factors = Factors(network, x)

        def sketched(features: list[Features]) -> Tensor:
            return torch.stack([_project(features, probe, seed) for probe in range(probes)], -1)

        rows = [each.to(factors.dtype) for each in factors.collect(sketched)]
        self.factor = torch.cat(rows) / probes**0.5
        self.size, self.dtype, self.device = len(self.factor), factors.dtype, x.device
        self.entry_error = (2 / probes) ** 0.5
        self.error = _error(self.factor.double() if len(self.factor) < 1 << 20 else self.factor)

    def _apply(self, vector: Tensor) -> Tensor:
        return self.factor @ (self.factor.mT @ vector)


@torch.no_grad()
def _project(features: list[Features], probe: int, seed: int) -> Tensor:
    """(n C,) J r for direction number `probe`, the same for every chunk of samples."""
    total = None
    for number, each in enumerate(features):
        source = torch.Generator(each.like.device).manual_seed(
            rng.derive(seed, "sketch", str(probe), str(number))
        )
        direction = torch.randn(each.shape, generator=source, dtype=each.like.dtype, device=each.like.device)
        part = each.push(direction)
        total = part if total is None else total + part
    assert total is not None
    return total.mT.reshape(-1)


def _error(factor: Tensor) -> float:
    """The expected relative Frobenius error; |S S^T|^2 is |K|^2 (1 + 1/k) + tr(K)^2 / k on average."""
    probes = factor.shape[1]
    trace = float(factor.square().sum())
    both = float((factor.mT @ factor).square().sum())
    norm = max((both - trace**2 / probes) / (1 + 1 / probes), trace**2 / len(factor))
    return ((trace**2 + norm) / probes / norm) ** 0.5
