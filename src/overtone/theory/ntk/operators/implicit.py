"""A network's tangent kernel without the kernel: K v = J (J^T v)."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory.ntk.empirical.jacobian import Jacobian
from overtone.theory.ntk.operators.operator import Operator


@final
class Implicit(Operator):
    """The complete kernel of a network as an operator on vectors.

    Element n C + c of an (N C,) vector belongs to output c of sample n. A product is one backward pass for
    u = J^T v, and J u as the derivative of u.(J^T w) with respect to w, which every layer that can be
    differentiated twice allows (forward mode is not defined for fused recurrent layers). It goes chunk by chunk,
    so memory does not grow with N beyond a chunk's activations. All samples are checked once; where their gradients
    are not those of each sample alone, or a layer cannot be differentiated twice, products go one sample after the
    other. The network is left as it was, and must not change while in use.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...).
        x: (N, ...) samples.
        chunk: Samples per pass.

    Attributes:
        alone: Whether products go one sample after the other, which is slow.

    Raises:
        InputError: If there are no samples, nothing is trained, the outputs do not fit, a sample's output depends on
            the others, or `chunk` is below 1.
    """

    def __init__(self, network: nn.Module, x: Tensor, *, chunk: int = 1024) -> None:
        if chunk < 1:
            raise InputError("at least one sample per pass", f"{chunk}", "leave it at 1024", "chunk")
        self._jacobian = Jacobian(network, x, chunk)
        self.channels, self.alone = self._jacobian.channels, self._jacobian.alone
        self.size, self.dtype, self.device = len(x) * self.channels, self._jacobian.dtype, x.device

    def _apply(self, vector: Tensor) -> Tensor:
        weights = vector.reshape(-1, self.channels)
        return self._jacobian.push(self._jacobian.pull(weights)).reshape(-1)
