"""A network's tangent kernel without the kernel: K v = J (J^T v)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from overtone.errors import InputError
from overtone.theory.ntk.empirical.plan import trained_parameters
from overtone.theory.ntk.empirical.samples import check_samples, first_outputs
from overtone.theory.ntk.empirical.sources import outputs_of
from overtone.theory.ntk.empirical.untouched import untouched
from overtone.theory.ntk.operators.operator import Operator


@final
class Implicit(Operator):
    """The complete kernel of a network as an operator on vectors.

    Element n C + c of an (N C,) vector belongs to output c of sample n. A product is one backward pass for
    u = J^T v, and J u as the derivative of u.(J^T w) with respect to w, which every layer that can be
    differentiated twice allows (forward mode is not defined for fused recurrent layers). It goes chunk by chunk,
    so memory does not grow with N beyond a chunk's activations. The network is left as it was, and must not
    change while in use.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...).
        x: (N, ...) samples.
        chunk: Samples per pass.

    Raises:
        InputError: If there are no samples, nothing is trained, the outputs do not fit, or `chunk` is below
            1.
    """

    def __init__(self, network: nn.Module, x: Tensor, *, chunk: int = 1024) -> None:
        if chunk < 1:
            raise InputError("at least one sample per pass", f"{chunk}", "leave it at 1024", "chunk")
        check_samples(network, x=x)
        self.network, self.x, self.chunk = network, x, chunk
        self.parameters = trained_parameters(network)
        with untouched(network, x.device):
            first = first_outputs(network, x[:1])
            self.channels = first.shape[1]
        self.size, self.dtype, self.device = len(x) * self.channels, first.dtype, first.device

    def _push(self, x: Tensor, direction: dict[str, Tensor]) -> Tensor:
        y = outputs_of(self.network, x)
        dummy = torch.zeros_like(y, requires_grad=True)
        pulled = torch.autograd.grad(
            y, list(self.parameters.values()), dummy, create_graph=True, allow_unused=True
        )
        pairs = [
            (g, u)
            for g, u in zip(pulled, direction.values(), strict=True)
            if g is not None and g.requires_grad
        ]
        return torch.autograd.grad([g for g, _ in pairs], dummy, [u for _, u in pairs])[0]

    def _pull(self, x: Tensor, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        y = outputs_of(self.network, x)
        return torch.autograd.grad(y, list(self.parameters.values()), cotangent, allow_unused=True)

    def _apply(self, vector: Tensor) -> Tensor:
        cotangents = vector.reshape(-1, self.channels).split(self.chunk)
        with untouched(self.network, self.x.device), sdpa_kernel(SDPBackend.MATH):
            total = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
            for part, cotangent in zip(self.x.split(self.chunk), cotangents, strict=True):
                for name, grad in zip(total, self._pull(part, cotangent), strict=True):
                    if grad is not None:
                        total[name] += grad
            return torch.cat([self._push(part, total).reshape(-1) for part in self.x.split(self.chunk)])
