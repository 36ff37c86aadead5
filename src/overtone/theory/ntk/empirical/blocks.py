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

SMALLEST = 128
"""Samples up to which a symmetric block is not cut into quarters, of which one is left out."""

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
    """Measure the bytes that a sample takes.

    Args:
        sources: Where the gradients come from.
        probe: One sample or a few.
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
        few = max(FEW, NEAR // work)
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
        made = [each.compact() for source in sources for each in source.features(x[part])]
        if plan.keep:
            kept[key] = made
        return made

    kernel: Tensor | None = None
    for i, row in enumerate(rows):
        left = features(row, False)
        if kernel is None:
            size = len(x1 if x2 is None else x2)
            kernel = allocate(len(x1), size, channels, outputs, left[0].like).zero_()
        for column in columns[:i] if x2 is None else columns:
            _add(
                window(kernel, row, column, channels, outputs),
                left,
                features(column, x2 is not None),
                outputs,
            )
        if x2 is None:
            diagonal = window(kernel, row, row, channels, outputs)
            _add_lower(diagonal, left, row.stop - row.start, channels, outputs)
    assert kernel is not None
    return kernel if x2 is not None else _mirrored(kernel)


def _add(total: Tensor, left: list[Features], right: list[Features], outputs: Outputs) -> None:
    for mine, theirs in zip(left, right, strict=True):
        mine.add(total, theirs, outputs)


def _add_lower(
    total: Tensor, features: list[Features], samples: int, channels: int, outputs: Outputs
) -> None:
    """Add at least the lower half of a symmetric block: in quarters, of which the upper right is left out."""
    if samples <= SMALLEST:
        _add(total, features, features, outputs)
        return
    half = samples // 2
    first, second = slice(0, half), slice(half, samples)
    upper, lower = ([each.rows(part) for each in features] for part in (first, second))
    _add(window(total, second, first, channels, outputs), lower, upper, outputs)
    for part, some in ((first, upper), (second, lower)):
        size = part.stop - part.start
        _add_lower(window(total, part, part, channels, outputs), some, size, channels, outputs)


def _mirrored(kernel: Tensor) -> Tensor:
    """The kernel with its upper half taken from the lower."""
    for start in range(0, kernel.shape[-1], SMALLEST):
        stop = start + SMALLEST
        square = kernel[..., start:stop, start:stop]
        square.copy_(square.tril() + square.tril(-1).mT)
        kernel[..., start:stop, stop:].copy_(kernel[..., stop:, start:stop].contiguous().mT.contiguous())
    return kernel


def _slices(samples: int, chunk: int) -> list[slice]:
    return [slice(start, min(start + chunk, samples)) for start in range(0, samples, chunk)]
