"""Whether two evaluations of a network say the same, as far as its arithmetic can tell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_TENSOR_FLOAT_32 = 2.0**-11
"""Relative rounding of the multiplications of float32 numbers that a GPU may carry out."""


def agree(network: nn.Module, first: Tensor, second: Tensor, among: Tensor | None = None) -> bool:
    """Whether all entries are the same up to the square root of the precision, relative to the largest.

    The precision is the coarsest of the outputs and of the network's floating-point parameters. Outputs that are not
    finite agree with all.

    Args:
        network: The network.
        first: (M, ...) outputs at some samples.
        second: (M, ...) outputs at the same samples.
        among: (N, ...) outputs whose largest entry counts; the first ones if None. Those of a few samples alone may
            all be small, while the numbers that they are differences of are not.
    """
    if not bool(first.isfinite().all() and second.isfinite().all()):
        return True
    kinds = {first.dtype, *(p.dtype for p in network.parameters())}
    real = [kind for kind in kinds if kind.is_floating_point or kind.is_complex]
    eps = max((torch.finfo(kind).eps for kind in real), default=0.0)
    if any(p.is_cuda for p in network.parameters()):
        eps = max(eps, _TENSOR_FLOAT_32)
    scale = float((first if among is None else among).abs().max()) * eps**0.5
    return bool(((first - second).abs() <= scale).all())
