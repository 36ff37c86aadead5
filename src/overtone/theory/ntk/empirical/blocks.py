"""Put a kernel together from chunks of samples under a memory budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.empirical.outputs import Outputs, allocate, entries, window
from overtone.theory.ntk.empirical.sources import Source, outputs_of

GIB = 1 << 30

SMALLEST = 64
"""Samples below which a symmetric kernel is not cut into quarters, of which 10 in 16 blocks are computed."""

NEAR = 1 << 26
"""Bytes per pass beyond which it brings nothing to take more samples at once, but for a few."""

FEW = 16


@dataclass(frozen=True)
class Budget:
    """How many samples go through the network at once.

    Attributes:
        chunk: Samples per pass.
        keep: Whether the features of all samples fit and are computed once.
    """

    chunk: int
    keep: bool


def need(rows: int, columns: int, channels: int, outputs: Outputs, itemsize: int) -> int:
    """Bytes of the finished kernel."""
    return rows * columns * entries(channels, outputs) * itemsize


@dataclass(frozen=True)
class Appetite:
    """What one sample takes, in bytes.

    Attributes:
        held: Its gradients, in the form in which they are kept.
        work: All that a pass over it holds for a while.
        channels: Outputs of the network.
    """

    held: int
    work: int
    channels: int


def appetite(sources: Sequence[Source], probe: Tensor) -> Appetite:
    """Measure the bytes that a sample takes on a few samples.

    Args:
        sources: Where the gradients come from.
        probe: A few samples.
    """
    saved, channels = _saved_bytes(sources[0], probe)
    held = scratch = 0
    for source in sources:
        for features in source.features(probe):
            held += features.size * 4
            scratch = max(scratch, features.scratch * 8)
    work = 2 * held + saved * (1 + channels) + scratch
    return Appetite(max(1, held // len(probe)), work // len(probe) + 1, channels)


def budget(one: Appetite, rows: int, columns: int, outputs: Outputs, available: float) -> Budget:
    """How many samples fit at once.

    Args:
        one: What a sample takes.
        rows: Samples of the first argument.
        columns: Samples of the second argument, 0 if it is the first.
        outputs: Layout of the kernel.
        available: Bytes beside the finished kernel.

    Raises:
        InputError: If not even two samples fit.
    """
    held, work, channels = one.held, one.work, one.channels
    samples = rows + columns
    single = max(rows, columns) * work + samples * held
    blocks = 2 * need(rows, columns or rows, channels, outputs, 4)
    if single + blocks <= available:
        few = min(max(SMALLEST, -(-rows // 4)), max(FEW, NEAR // work))
        return Budget(max(rows, columns) if columns else min(rows, few), True)
    half = available / 2
    keep = samples * held <= half
    chunk = int(half // (work + (0 if keep else 2 * held)))
    while chunk > 1 and 2 * need(chunk, chunk, channels, outputs, 4) > half:
        chunk //= 2
    if chunk < 1:
        raise InputError(
            "room for the gradients of at least one sample",
            f"{available / GIB:.3g} GiB beside the kernel, {work / GIB:.3g} GiB a sample",
            "raise the budget",
            "memory",
        )
    return Budget(min(chunk, max(rows, columns)), keep)


def _saved_bytes(source: Source, probe: Tensor) -> tuple[int, int]:
    total = 0
    state = [*source.network.parameters(), *source.network.buffers()]
    known = {each.untyped_storage().data_ptr() for each in state}

    def count(tensor: Tensor) -> Tensor:
        nonlocal total
        if tensor.untyped_storage().data_ptr() not in known:
            total += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        channels = outputs_of(source.network, probe).shape[1]
    return total, channels


def assemble(
    sources: Sequence[Source], x1: Tensor, x2: Tensor | None, channels: int, outputs: Outputs, plan: Budget
) -> Tensor:
    """Fill the kernel chunk by chunk; a symmetric one by its lower half.

    Args:
        sources: Where the gradients come from.
        x1: (N, ...) samples of the rows.
        x2: (M, ...) samples of the columns, or None for x1.
        channels: Outputs of the network.
        outputs: Layout of the kernel.
        plan: Chunk size, and whether to keep features.

    Returns:
        The kernel, in at least single precision.
    """
    rows = _slices(len(x1), plan.chunk)
    columns = rows if x2 is None else _slices(len(x2), plan.chunk)
    kept: dict[tuple[int, bool], list[Features]] = {}

    def features(part: slice, second: bool) -> list[Features]:
        key = (part.start, second)
        if key in kept:
            return kept[key]
        x = x2 if second and x2 is not None else x1
        made = [each for source in sources for each in source.features(x[part])]
        if plan.keep:
            kept[key] = made
        return made

    kernel: Tensor | None = None
    for i, row in enumerate(rows):
        left = features(row, False)
        for column in columns[: i + 1] if x2 is None else columns:
            right = left if x2 is None and column is row else features(column, x2 is not None)
            block = _total(left, right, outputs)
            if kernel is None:
                if len(rows) == len(columns) == 1:
                    return block
                kernel = allocate(len(x1), len(x1 if x2 is None else x2), channels, outputs, block)
            window(kernel, row, column, channels, outputs).copy_(block)
            if x2 is None and column is not row:
                window(kernel, column, row, channels, outputs).copy_(block.mT)
    assert kernel is not None
    return kernel


def _total(left: list[Features], right: list[Features], outputs: Outputs) -> Tensor:
    total = left[0].gram(right[0], outputs)
    for mine, theirs in zip(left[1:], right[1:], strict=True):
        total += mine.gram(theirs, outputs)
    return total


def _slices(samples: int, chunk: int) -> list[slice]:
    return [slice(start, min(start + chunk, samples)) for start in range(0, samples, chunk)]
