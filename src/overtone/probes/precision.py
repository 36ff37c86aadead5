"""In which precision a network gets its inputs."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from overtone.nn import Field
from overtone.probes.samples import Samples

Precision = torch.dtype | None
"""That of the floating-point inputs; None for as they are."""

_ORDINARY = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def precisions(network: nn.Module, samples: Samples, prepared: bool = False) -> list[Precision]:
    """What to try, best first: the first that the network takes is what it gets.

    What the caller hands over is tried as it is. Coordinates are made by overtone: of real floating-point precisions
    the widest among the network's parameters comes first, unless places coincide in it or the caller prepares them.
    Whole numbers, packed weights and counters among the parameters say nothing of inputs.

    Args:
        network: The network. A `Field` takes float64.
        samples: What it is to be given.
        prepared: Whether a function of the caller comes before the network.
    """
    if isinstance(network, Field):
        return [torch.float64]
    own = [*_widest(network.parameters()), *_widest(network.buffers())]
    real = [kind.to_real() for kind in own]
    first: list[Precision] = []
    if not samples.made:
        first = [None]
    elif prepared or samples.crowding(real[0] if real else torch.float32):
        first = [torch.float64]
    unreal: list[Precision] = [kind for kind in own if kind.is_complex]
    return list(dict.fromkeys([*first, *real, torch.float32, torch.float64, *unreal]))


def _widest(tensors: Iterable[Tensor]) -> list[torch.dtype]:
    """Floating-point types that inputs may have, widest first."""
    kinds = dict.fromkeys(tensor.dtype for tensor in tensors)
    known = [kind for kind in kinds if kind.to_real() in _ORDINARY]
    return sorted(known, key=lambda kind: kind.to_real().itemsize, reverse=True)
