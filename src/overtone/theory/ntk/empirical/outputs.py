"""What becomes of a network's several outputs in its kernel."""

from __future__ import annotations

import enum

import torch
from torch import Tensor

from overtone.theory.ntk.empirical.halves import lower
from overtone.theory.ntk.empirical.memory import fresh

HOT = 1 << 18
"""Numbers of a matrix that stay in the cache while it is multiplied with its own rows."""

BLOCK = 256
"""Samples up to which the lower half of their products is taken in strips."""

STRIP = 32
"""Samples in the columns of such a strip."""

LEAST = 512
"""Columns below which a product of matrices is slower."""


class Outputs(enum.Enum):
    """Which inner products of the per-sample, per-output gradients J[n, c] the kernel holds.

    Attributes:
        SUM: (N, M), sum_c J[n, c] . J[m, c]: the blocks' traces. For one output it is the kernel itself.
        PER_OUTPUT: (C, N, M), J[n, c] . J[m, c]: one kernel per output.
        BLOCKS: (N C, M C), J[n, c] . J[m, d] in row n C + c and column m C + d: the complete kernel.
    """

    SUM = enum.auto()
    PER_OUTPUT = enum.auto()
    BLOCKS = enum.auto()


def contract(left: Tensor, right: Tensor, outputs: Outputs) -> Tensor:
    """Inner products over the last axis of (C, N, P) and (C, M, P), in the layout of `outputs`."""
    if outputs is Outputs.PER_OUTPUT:
        return torch.bmm(left, right.transpose(1, 2))
    return _matrix(left, outputs) @ _matrix(right, outputs).mT


def accumulate(total: Tensor, left: Tensor, right: Tensor, outputs: Outputs) -> None:
    """Add the inner products over the last axis of (C, N, P) and (C, M, P) to `total`, in the layout of `outputs`."""
    if outputs is Outputs.PER_OUTPUT:
        total.baddbmm_(left, right.transpose(1, 2))
        return
    one, two = _matrix(left, outputs), _matrix(right, outputs)
    for part in _columns(one):
        total.addmm_(one[:, part], two[:, part].mT)


def accumulate_lower(total: Tensor, values: Tensor, outputs: Outputs) -> None:
    """Add the inner products of (C, N, P) with themselves to `total`, at least to its lower half."""
    windows = lower(values.shape[1], BLOCK, STRIP)
    if outputs is Outputs.PER_OUTPUT:
        for rows, columns in windows:
            total[:, rows, columns].baddbmm_(values[:, rows], values[:, columns].transpose(1, 2))
        return
    matrix, per = _matrix(values, outputs), values.shape[0] if outputs is Outputs.BLOCKS else 1
    for part in _columns(matrix):
        some = matrix[:, part]
        for rows, columns in windows:
            r, c = (slice(each.start * per, each.stop * per) for each in (rows, columns))
            total[r, c].addmm_(some[r], some[c].mT)


def _columns(matrix: Tensor) -> list[slice]:
    """Columns of a matrix that stay in a CPU's cache while each of its rows meets all others."""
    step = matrix.shape[1] if matrix.device.type != "cpu" else max(LEAST, HOT // max(1, len(matrix)))
    return [slice(start, start + step) for start in range(0, matrix.shape[1], step)]


def _matrix(values: Tensor, outputs: Outputs) -> Tensor:
    """(C, N, P) with a row per sample, or per sample and output."""
    by_sample = values.transpose(0, 1)
    return by_sample.flatten(1) if outputs is Outputs.SUM else by_sample.flatten(0, 1)


def add_weighed(total: Tensor, block: Tensor, gram: Tensor, outputs: Outputs) -> None:
    """Add `block` times an (N, M) factor that does not depend on the output to `total`."""
    if outputs is Outputs.BLOCKS:
        n, m = gram.shape
        total, block = (each.unflatten(-1, (m, -1)).unflatten(-3, (n, -1)) for each in (total, block))
        gram = gram[:, None, :, None]
    total.addcmul_(block, gram)


def weigh(block: Tensor, gram: Tensor, outputs: Outputs) -> Tensor:
    """Multiply `block` in place by an (N, M) factor that does not depend on the output."""
    if outputs is Outputs.BLOCKS:
        n, m = gram.shape
        block.view(n, block.shape[0] // n, m, block.shape[1] // m).mul_(gram[:, None, :, None])
        return block
    return block.mul_(gram)


def allocate(rows: int, columns: int, channels: int, outputs: Outputs, like: Tensor) -> Tensor:
    """An uninitialised kernel for `rows` and `columns` samples of `channels` outputs."""
    shapes = {
        Outputs.SUM: (rows, columns),
        Outputs.PER_OUTPUT: (channels, rows, columns),
        Outputs.BLOCKS: (rows * channels, columns * channels),
    }
    return fresh(*shapes[outputs], like=like)


def entries(channels: int, outputs: Outputs) -> int:
    """Numbers the kernel holds per pair of samples."""
    return {Outputs.SUM: 1, Outputs.PER_OUTPUT: channels, Outputs.BLOCKS: channels**2}[outputs]


def window(kernel: Tensor, rows: slice, columns: slice, channels: int, outputs: Outputs) -> Tensor:
    """The view of `kernel` that belongs to the samples in `rows` and `columns`."""
    if outputs is Outputs.BLOCKS:
        rows = slice(rows.start * channels, rows.stop * channels)
        columns = slice(columns.start * channels, columns.stop * channels)
    return kernel[..., rows, columns]
