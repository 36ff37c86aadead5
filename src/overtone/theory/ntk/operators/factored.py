"""A network's tangent kernel kept as the factors of its gradients: K v = J (J^T v)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory.ntk.empirical.blocks import GIB, Appetite, appetite
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.empirical.plan import choose, probe_samples
from overtone.theory.ntk.empirical.samples import check_samples, first_outputs
from overtone.theory.ntk.empirical.sources import Source
from overtone.theory.ntk.empirical.untouched import untouched
from overtone.theory.ntk.operators.operator import Operator

PASS = 1 << 26
"""Bytes that one pass through the network may hold."""


@final
class Factors:
    """The gradients of samples in factored form, chunk by chunk.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...).
        x: (N, ...) samples.
    """

    def __init__(self, network: nn.Module, x: Tensor) -> None:
        check_samples(network, x=x)
        self.network, self.x = network, x
        with untouched(network, x.device):
            probe = probe_samples(x)
            first = first_outputs(network, probe)
            self.dtype, self.channels = first.dtype, first.shape[1]
            self.sources: list[Source] = choose(network, x, PASS)
            self.appetite: Appetite = appetite(self.sources, probe[:1])
        self.scale = max(1, first.element_size() // 4)
        self.chunk = max(1, min(len(x), PASS // (self.appetite.work * self.scale)))

    @property
    def held(self) -> int:
        """Bytes of the gradients of all samples."""
        return self.appetite.held * self.scale * len(self.x)

    def chunks(self) -> Iterator[list[Features]]:
        """The features of some samples after the other, computed as they are asked for."""
        with untouched(self.network, self.x.device):
            for part in self.x.split(self.chunk):
                yield [each for source in self.sources for each in source.features(part)]


@final
class Factored(Operator):
    """The complete kernel of a network as an operator that keeps what its gradients are made of.

    Element n C + c of an (N C,) vector belongs to output c of sample n. For a linear layer that sees h and whose
    result has gradient g, J^T v is one product of (v g)^T with (h, 1) and J u another: 4 N in out operations
    altogether, where differentiating the network anew takes more than twice that and many more passes over memory.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...); it must not change while in use.
        x: (N, ...) samples.
        memory: Budget in GiB.

    Raises:
        InputError: If the factors do not fit, or as `finite` does.
    """

    def __init__(self, network: nn.Module, x: Tensor, *, memory: float = 2.0) -> None:
        factors = Factors(network, x)
        if factors.held > memory * GIB:
            raise InputError(
                f"a budget above the {factors.held / GIB:.3g} GiB of the gradients' factors",
                f"{memory:g} GiB",
                "raise it, or use overtone.theory.ntk.Implicit, which keeps none",
                "memory",
            )
        self.channels = factors.channels
        self.size, self.dtype, self.device = len(x) * self.channels, factors.dtype, x.device
        self._chunks = list(factors.chunks())
        self._chunk = factors.chunk

    @torch.no_grad()
    def _apply(self, vector: Tensor) -> Tensor:
        weights = vector.view(-1, self.channels).mT.split(self._chunk, 1)
        pulled: list[Tensor] = []
        for features, mine in zip(self._chunks, weights, strict=True):
            parts = [each.pull(mine.to(each.like)) for each in features]
            pulled = [a.add_(b) for a, b in zip(pulled, parts, strict=True)] if pulled else parts
        pushed = [
            torch.stack([each.push(u) for each, u in zip(features, pulled, strict=True)]).sum(0)
            for features in self._chunks
        ]
        return torch.cat(pushed, 1).mT.reshape(-1).to(self.dtype)
