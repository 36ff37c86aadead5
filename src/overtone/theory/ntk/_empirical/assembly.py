"""Assembly of a kernel from chunks of samples under a memory budget."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk._empirical.features import GradientFeatures
from overtone.theory.ntk._empirical.inner_products import (
    OutputLayout,
    allocate_kernel,
    entries_per_pair,
    kernel_window,
    mirror_lower,
)
from overtone.theory.ntk._empirical.passes import NETWORK_ERRORS, network_outputs
from overtone.theory.ntk._empirical.sources import ExcludedMethodError, GradientSource
from overtone.theory.ntk._empirical.verification import VerifiedGradients

GIB = 1 << 30

FAST_PASS_BYTES = 1 << 26
"""Bytes per pass above which more samples at once are no faster, except below `FAST_SAMPLES` samples."""

FAST_SAMPLES = 32
"""Samples below which products of explicit gradients are far from a processor's peak performance."""


@dataclass(frozen=True)
class ChunkPlan:
    """Samples per pass through the network.

    Attributes:
        chunk: Samples per pass.
        cache: Whether the features of all samples fit in memory and are computed once.
    """

    chunk: int
    cache: bool


def kernel_bytes(rows: int, columns: int, channels: int, outputs: OutputLayout, itemsize: int) -> int:
    """Return the bytes of the finished kernel."""
    return rows * columns * entries_per_pair(channels, outputs) * itemsize


@dataclass(frozen=True)
class MemoryPerSample:
    """Memory required per sample, in bytes.

    Attributes:
        stored: Gradients in their stored form.
        workspace: Temporary storage of a pass.
        channels: Outputs of the network.
    """

    stored: int
    workspace: int
    channels: int


def measure_memory(sources: Sequence[GradientSource], probe: Tensor) -> MemoryPerSample:
    """Measure the memory required per sample.

    Args:
        sources: The sources of gradients.
        probe: One or a few samples.

    Raises:
        ExcludedMethodError: If a source cannot process them.
    """
    saved, channels = _saved_bytes(sources[0], probe)
    stored = scratch = 0
    for source in sources:
        try:
            zero_gradient_features = source.zero_gradient_features(probe, channels)
        except NETWORK_ERRORS as failure:
            if source.excluded is None:
                raise
            raise ExcludedMethodError(source.excluded) from failure
        for features in zero_gradient_features:
            stored += features.size * 4
            scratch = max(scratch, features.scratch * 8)
    # Stored twice while chunks are joined; activations once forward, once backward, and once per output at a time.
    outputs_per_pass = max(source.outputs_per_pass(channels) for source in sources)
    workspace = 2 * stored + saved * (2 + outputs_per_pass) + scratch
    return MemoryPerSample(max(1, stored // len(probe)), workspace // len(probe) + 1, channels)


def plan_chunks(
    one: MemoryPerSample, rows: int, columns: int, outputs: OutputLayout, available: float
) -> ChunkPlan:
    """Return the chunk size that fits the budget.

    Args:
        one: Memory per sample.
        rows: Samples of the first argument.
        columns: Samples of the second argument, 0 if it is the same as the first.
        outputs: Layout of the kernel.
        available: Bytes available in addition to the kernel.

    Raises:
        InputError: If not even two samples fit.
    """
    stored, workspace, channels = one.stored, one.workspace, one.channels
    samples = rows + columns
    pass_bytes = max(rows, columns) * workspace + samples * stored
    blocks = 2 * kernel_bytes(rows, columns or rows, channels, outputs, 4)
    if pass_bytes + blocks <= available:
        small_chunk = max(FAST_SAMPLES, FAST_PASS_BYTES // workspace)
        return ChunkPlan(max(rows, columns) if columns else min(rows, small_chunk), True)
    # Not everything fits: half of the memory for stored features, half for passes and the kernel's blocks.
    half = available / 2
    cache = samples * stored <= half
    chunk = int(half // (workspace + (0 if cache else 2 * stored)))
    while chunk > 1 and 2 * kernel_bytes(chunk, chunk, channels, outputs, 4) > half:
        chunk //= 2
    if chunk < 1:
        raise InputError(
            "memory for the gradients of at least one sample",
            f"{available / GIB:.3g} GiB in addition to the kernel, {workspace / GIB:.3g} GiB per sample",
            "increase the budget",
            "memory",
        )
    return ChunkPlan(min(chunk, max(rows, columns)), cache)


def _saved_bytes(source: GradientSource, probe: Tensor) -> tuple[int, int]:
    total = 0
    state = [*source.network.parameters(), *source.network.buffers()]
    known = {each.untyped_storage().data_ptr() for each in state}

    def count(tensor: Tensor) -> Tensor:
        nonlocal total
        if tensor.untyped_storage().data_ptr() not in known:
            total += tensor.numel() * tensor.element_size()
        return tensor

    # Autograd reports every tensor that it saves for the backward pass; parameters and buffers exist in any case.
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        channels = network_outputs(source.network, probe).shape[1]
    return total, channels


def assemble_kernel(
    gradients: VerifiedGradients,
    x1: Tensor,
    x2: Tensor | None,
    channels: int,
    outputs: OutputLayout,
    plan: ChunkPlan,
) -> Tensor:
    """Compute the kernel chunk by chunk; only the lower half if it is symmetric, with a copy as the upper half.

    Args:
        gradients: Gradients of the samples.
        x1: (N, ...) samples of the rows.
        x2: (M, ...) samples of the columns, or None for x1.
        channels: Outputs of the network.
        outputs: Layout of the kernel.
        plan: Chunk size, and whether to cache features.

    Returns:
        The kernel, in at least single precision.
    """
    rows = _slices(len(x1), plan.chunk)
    other = x1 if x2 is None else x2
    columns = rows if x2 is None else _slices(len(other), plan.chunk)
    kernel: Tensor | None = None
    # With cached features one pass over all rows; otherwise features are recomputed for every pair of chunks.
    for i, some in enumerate([rows] if plan.cache else [[row] for row in rows]):
        left = _layers(gradients, x1, some)
        if kernel is None:
            like = left[0][0][1].like
            kernel = allocate_kernel(len(x1), len(other), channels, outputs, like).zero_()
        if x2 is None:
            _fill(kernel, left, None, channels, outputs)
        # A symmetric kernel needs only the earlier chunks; its upper half is a copy.
        apart = [[column] for column in (columns[:i] if x2 is None else columns)]
        for chosen in [columns] if plan.cache and x2 is not None else apart:
            _fill(kernel, left, _layers(gradients, other, chosen), channels, outputs)
    assert kernel is not None
    return kernel if x2 is not None else mirror_lower(kernel)


Layer = list[tuple[slice, GradientFeatures]]
"""The features of one layer for the samples in each slice."""


def _layers(gradients: VerifiedGradients, x: Tensor, parts: list[slice]) -> list[Layer]:
    made = [_compact(gradients, x, part) for part in parts]
    return [_joined(parts, layer) for layer in zip(*made, strict=True)]


def _compact(gradients: VerifiedGradients, x: Tensor, rows: slice) -> list[GradientFeatures]:
    return [part.features.compact() for part in gradients.take(x, rows) if part.features is not None]


def _joined(parts: list[slice], features: Sequence[GradientFeatures]) -> Layer:
    """Concatenate all samples if that needs little copying."""
    together = features[0].concatenated(features[1:]) if len(features) > 1 else None
    if together is None:
        return list(zip(parts, features, strict=True))
    return [(slice(parts[0].start, parts[-1].stop), together)]


def _fill(
    kernel: Tensor, left: list[Layer], right: list[Layer] | None, channels: int, outputs: OutputLayout
) -> None:
    """Add the inner products of all pairs; without `right`, of `left` with itself, at least the lower half."""
    for k, layer in enumerate(left):
        for i, (rows, one) in enumerate(layer):
            for columns, two in layer[:i] if right is None else right[k]:
                one.add(kernel_window(kernel, rows, columns, channels, outputs), two, outputs)
            if right is None:
                one.add_lower(kernel_window(kernel, rows, rows, channels, outputs), outputs)


def _slices(samples: int, chunk: int) -> list[slice]:
    """Return chunks of at most `chunk` samples, of nearly equal size."""
    count = -(-samples // chunk)
    bounds = [samples * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]
