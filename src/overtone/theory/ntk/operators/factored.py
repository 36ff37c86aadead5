"""A network's tangent kernel kept as the factors of its gradients: K v = J (J^T v)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar, final

import torch
from torch import Tensor, nn

from overtone._state._evaluation_mode import evaluation_mode_with_gradients
from overtone.errors import InputError
from overtone.theory.ntk.empirical.blocks import GIB, Appetite, appetite
from overtone.theory.ntk.empirical.checked import Gradients
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.empirical.plan import probe_samples
from overtone.theory.ntk.empirical.samples import check_samples, first_outputs, plain
from overtone.theory.ntk.operators.operator import Operator

T = TypeVar("T")

PASS = 1 << 26
"""Bytes that one pass through the network may hold."""


class TooLargeError(InputError):
    """The factors do not fit a budget."""


@final
class Factors:
    """The gradients of samples in factored form, chunk by chunk.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...).
        x: (N, ...) samples.
    """

    def __init__(self, network: nn.Module, x: Tensor) -> None:
        check_samples(network, x=x)
        self.network, self.x = network, plain(x)
        with evaluation_mode_with_gradients(network, x.device):
            first = first_outputs(network, probe_samples(self.x))
            self.dtype, self.channels = first.dtype, first.shape[1]
            self.scale = max(1, first.element_size() // 4)
            self._gradients = Gradients(network, self.x, PASS)
            self._gradients.settle(self._measure)

    def _measure(self) -> None:
        self.appetite: Appetite = appetite(self._gradients.sources, probe_samples(self.x)[:1])
        self.chunk = max(1, min(len(self.x), PASS // (self.appetite.work * self.scale)))

    @property
    def held(self) -> int:
        """Bytes of the gradients of all samples."""
        return self.appetite.held * self.scale * len(self.x)

    def collect(self, make: Callable[[list[Features]], T], most: float = math.inf) -> list[T]:
        """What `make` makes of the features of chunk after chunk of the samples.

        Args:
            make: Called with the features of `chunk` samples, of fewer at the end.
            most: Bytes that the gradients of all samples may take.

        Raises:
            TooLargeError: If they take more.
            InputError: If a sample's output depends on the others.
        """

        def attempt() -> list[T]:
            self._measure()
            if self.held > most:
                raise TooLargeError(
                    f"a budget above the {self.held / GIB:.3g} GiB of the gradients' factors",
                    f"{most / GIB:g} GiB",
                    "raise it, or use overtone.theory.ntk.Implicit, which keeps none",
                    "memory",
                )
            bounds = range(0, len(self.x), self.chunk)
            parts = (self._gradients.take(self.x, slice(first, first + self.chunk)) for first in bounds)
            return [make([part.features for part in some if part.features is not None]) for some in parts]

        with evaluation_mode_with_gradients(self.network, self.x.device):
            return self._gradients.settle(attempt)


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
        self.channels = factors.channels
        self.size, self.dtype, self.device = len(x) * self.channels, factors.dtype, x.device
        self._chunks = factors.collect(lambda features: features, memory * GIB)
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
