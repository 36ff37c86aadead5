"""Inner products of gradients in the layout of the kernel, computed in blocks that fit in the cache."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

SQUARE = 128
"""Rows and columns of the smallest squares in the partition of a symmetric matrix's lower half."""


def lower_windows(samples: int, smallest: int, strip: int) -> list[tuple[slice, slice]]:
    """Return rows and columns of windows that cover the lower half of a symmetric matrix, each pair at least once.

    Quarters keep products large; in small blocks strips that begin at the diagonal omit most of the upper half.

    Args:
        samples: Rows of the matrix.
        smallest: Rows up to which a block is not divided into quarters with the upper right one omitted.
        strip: Columns of the strips in such blocks.
    """
    return list(_windows(0, samples, smallest, strip))


def _windows(start: int, stop: int, smallest: int, strip: int) -> Iterator[tuple[slice, slice]]:
    if stop - start <= smallest:
        for first in range(start, stop, strip):
            yield slice(first, stop), slice(first, min(first + strip, stop))
        return
    # The lower left quarter is one large product; the two on the diagonal are symmetric again.
    half = (start + stop) // 2
    yield slice(half, stop), slice(start, half)
    yield from _windows(start, half, smallest, strip)
    yield from _windows(half, stop, smallest, strip)


def mirror_lower(kernel: Tensor) -> Tensor:
    """Copy the lower half of a kernel (..., n, n) to the upper half, in place, and return it."""
    for start in range(0, kernel.shape[-1], SQUARE):
        stop = start + SQUARE
        # Blockwise: a transposed copy of the whole would read memory with a stride of one row and double the memory.
        square = kernel[..., start:stop, start:stop]
        square.copy_(square.tril() + square.tril(-1).mT)
        kernel[..., start:stop, stop:].copy_(kernel[..., stop:, start:stop].contiguous().mT.contiguous())
    return kernel


def empty_huge_pages(*shape: int, like: Tensor) -> Tensor:
    """Return an uninitialised tensor of `like`'s precision on its device.

    On CPUs it is allocated by NumPy, which requests large pages: the first write to small pages takes longer than the
    arithmetic that computes the values.

    Args:
        shape: The shape.
        like: A floating-point tensor.
    """
    if like.device.type != "cpu" or like.dtype not in (torch.float32, torch.float64):
        return like.new_empty(shape)
    return torch.from_numpy(np.empty(shape, np.float32 if like.dtype == torch.float32 else np.float64))


HOT = 1 << 18
"""Number of matrix elements that stay in the cache during a product with the matrix's own rows."""

BLOCK = 256
"""Number of samples up to which the lower half of their products is computed in strips."""

STRIP = 32
"""Number of samples in the columns of such a strip."""

LEAST = 512
"""Number of columns below which a product of matrices is slower."""


class OutputLayout(enum.Enum):
    """Layout of the inner products of the per-sample, per-output gradients J[n, c] in the kernel.

    Attributes:
        SUM: (N, M), sum_c J[n, c] . J[m, c]: the blocks' traces. For one output it is the complete kernel.
        PER_OUTPUT: (C, N, M), J[n, c] . J[m, c]: one kernel per output.
        BLOCKS: (N C, M C), J[n, c] . J[m, d] in row n C + c and column m C + d: the complete kernel.
    """

    SUM = "sum"
    PER_OUTPUT = "per_output"
    BLOCKS = "blocks"


def inner_products(left: Tensor, right: Tensor, outputs: OutputLayout) -> Tensor:
    """Return the inner products over the last axis of (C, N, P) and (C, M, P), in the layout of `outputs`."""
    if outputs is OutputLayout.PER_OUTPUT:
        return torch.bmm(left, right.transpose(1, 2))
    return _matrix(left, outputs) @ _matrix(right, outputs).mT


def add_inner_products(total: Tensor, left: Tensor, right: Tensor, outputs: OutputLayout) -> None:
    """Add the inner products over the last axis of (C, N, P) and (C, M, P) to `total`, in the layout of `outputs`."""
    if outputs is OutputLayout.PER_OUTPUT:
        total.baddbmm_(left, right.transpose(1, 2))
        return
    one, two = _matrix(left, outputs), _matrix(right, outputs)
    # BLAS is slower for long inner dimensions: here each block of columns is read once from memory.
    for part in _columns(one):
        total.addmm_(one[:, part], two[:, part].mT)


def add_lower_inner_products(total: Tensor, values: Tensor, outputs: OutputLayout) -> None:
    """Add the inner products of (C, N, P) with themselves to `total`, at least to its lower half."""
    windows = lower_windows(values.shape[1], BLOCK, STRIP)
    if outputs is OutputLayout.PER_OUTPUT:
        for rows, columns in windows:
            total[:, rows, columns].baddbmm_(values[:, rows], values[:, columns].transpose(1, 2))
        return
    matrix, per = _matrix(values, outputs), values.shape[0] if outputs is OutputLayout.BLOCKS else 1
    for part in _columns(matrix):
        some = matrix[:, part]
        for rows, columns in windows:
            r, c = (slice(each.start * per, each.stop * per) for each in (rows, columns))
            total[r, c].addmm_(some[r], some[c].mT)


def _columns(matrix: Tensor) -> list[slice]:
    """Return blocks of columns that stay in a CPU's cache while each row is multiplied by all others."""
    step = matrix.shape[1] if matrix.device.type != "cpu" else max(LEAST, HOT // max(1, len(matrix)))
    return [slice(start, start + step) for start in range(0, matrix.shape[1], step)]


def _matrix(values: Tensor, outputs: OutputLayout) -> Tensor:
    """Return (C, N, P) with a row per sample, or per sample and output."""
    by_sample = values.transpose(0, 1)
    return by_sample.flatten(1) if outputs is OutputLayout.SUM else by_sample.flatten(0, 1)


def add_weighted(total: Tensor, block: Tensor, gram: Tensor, outputs: OutputLayout) -> None:
    """Add `block` times an (N, M) factor that does not depend on the output to `total`."""
    if outputs is OutputLayout.BLOCKS:
        n, m = gram.shape
        total, block = (each.unflatten(-1, (m, -1)).unflatten(-3, (n, -1)) for each in (total, block))
        gram = gram[:, None, :, None]
    total.addcmul_(block, gram)


def scale_pairs(block: Tensor, gram: Tensor, outputs: OutputLayout) -> Tensor:
    """Multiply `block` in place by an (N, M) factor that does not depend on the output."""
    if outputs is OutputLayout.BLOCKS:
        n, m = gram.shape
        block.view(n, block.shape[0] // n, m, block.shape[1] // m).mul_(gram[:, None, :, None])
        return block
    return block.mul_(gram)


def allocate_kernel(rows: int, columns: int, channels: int, outputs: OutputLayout, like: Tensor) -> Tensor:
    """Return an uninitialised kernel for `rows` and `columns` samples of `channels` outputs."""
    shapes = {
        OutputLayout.SUM: (rows, columns),
        OutputLayout.PER_OUTPUT: (channels, rows, columns),
        OutputLayout.BLOCKS: (rows * channels, columns * channels),
    }
    return empty_huge_pages(*shapes[outputs], like=like)


def entries_per_pair(channels: int, outputs: OutputLayout) -> int:
    """Return the number of kernel entries per pair of samples."""
    return {OutputLayout.SUM: 1, OutputLayout.PER_OUTPUT: channels, OutputLayout.BLOCKS: channels**2}[outputs]


def kernel_window(
    kernel: Tensor, rows: slice, columns: slice, channels: int, outputs: OutputLayout
) -> Tensor:
    """Return the view of `kernel` that belongs to the samples in `rows` and `columns`."""
    if outputs is OutputLayout.BLOCKS:
        rows = slice(rows.start * channels, rows.stop * channels)
        columns = slice(columns.start * channels, columns.stop * channels)
    return kernel[..., rows, columns]
