"""Random numbers for building modules: from a seed or a generator, never from PyTorch's global one."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone._utils.seeding import derive

Seed = int | torch.Generator
"""A seed, which gives each use its own stream, or a generator, which is drawn from where it stands."""


def generator(seed: Seed, name: str) -> torch.Generator:
    """The generator for the stream called `name` under a seed, or the generator that was passed.

    Args:
        seed: An integer or a generator.
        name: The stream; modules of different names are independent under one seed.

    Returns:
        A generator on the CPU for an integer, so that weights are the same on every device.
    """
    if isinstance(seed, torch.Generator):
        return seed
    return torch.Generator(device="cpu").manual_seed(derive(seed, name))


def fill_uniform(tensor: Tensor, bound: float, source: torch.Generator) -> None:
    """Fill a tensor in place with U(-bound, bound), outside of autograd.

    Args:
        tensor: What is filled.
        bound: Half the width of the distribution.
        source: Where the numbers come from; may be on another device than the tensor.
    """
    drawn = torch.empty(tensor.shape, dtype=tensor.dtype, device=source.device)
    with torch.no_grad():
        tensor.copy_(drawn.uniform_(-bound, bound, generator=source))
