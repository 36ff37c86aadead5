"""Predictions of a network at the samples of a grid, in chunks that keep to a memory budget."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn import Field
from overtone.signals import Grid

Forward = Callable[[Tensor], Tensor]

LARGEST_CHUNK = {"cpu": 1 << 13, "cuda": 1 << 17}
"""Samples beyond which a larger chunk gains nothing: on a CPU the activations should stay near the caches."""

SMALLEST_CHUNK = 256


def chunk_size(network: nn.Module, memory: float) -> int:
    """How many samples to evaluate at once.

    A chunk's activations are taken to be four times the widest layer's output in float32, which covers an input, an
    output and the two temporaries of an activation.

    Args:
        network: The network.
        memory: Budget in GiB.

    Returns:
        Samples per chunk, between 256 and 8,192 (131,072 on a GPU).
    """
    device = next((p.device.type for p in network.parameters()), "cpu")
    largest = LARGEST_CHUNK.get(device, LARGEST_CHUNK["cpu"])
    widest = max(
        (max(parameter.shape) for parameter in network.parameters() if parameter.ndim > 0), default=64
    )
    return int(min(largest, max(SMALLEST_CHUNK, memory * 2**30 / (16 * widest))))


def predict(
    network: nn.Module, grid: Grid, index: Tensor | None, *, chunk: int, forward: Forward | None = None
) -> Tensor:
    """Evaluate `network` at grid samples. Does not guard the network: wrap the call in `untouched`.

    Args:
        network: Maps coordinates (M, d) to values (M, C). A `Field` gets float64 coordinates, any other network its
            own parameters' precision.
        grid: Where the samples lie.
        index: (M,) flat indices, or None for all samples in order.
        chunk: Samples per evaluation.
        forward: Called with the coordinates instead of the network, for networks that want them prepared.

    Returns:
        (M, C) predictions on the CPU.

    Raises:
        InputError: If the output is not one (M, C) tensor.
    """
    parameter = next(iter(network.parameters()), torch.zeros(()))
    dtype = torch.float64 if isinstance(network, Field) else parameter.dtype
    samples = grid.samples if index is None else int(index.numel())
    parts = []
    for begin in range(0, samples, chunk):
        end = min(begin + chunk, samples)
        part = torch.arange(begin, end) if index is None else index[begin:end]
        output = (forward or network)(grid.coords(part.to(parameter.device)).to(dtype))
        if not isinstance(output, Tensor) or output.ndim != 2 or output.shape[0] != end - begin:
            got = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise InputError(
                f"the network to return one tensor of shape ({end - begin}, channels)",
                got,
                "pass forward=, a function from coordinates (N, d) to values (N, C)",
                "network",
            )
        parts.append(output.detach().float().cpu() if output.dtype.itemsize < 4 else output.detach().cpu())
    return torch.cat(parts)
