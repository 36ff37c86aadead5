"""Which parts of a symmetric kernel to compute, and how to fill the rest."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

SQUARE = 128
"""Rows and columns of the smallest squares that the lower half of a symmetric matrix is made of."""


def lower(samples: int, smallest: int, strip: int) -> list[tuple[slice, slice]]:
    """Rows and columns of windows that cover the lower half of a symmetric matrix, each pair at least once.

    Quarters keep products large; in small blocks strips that begin at the diagonal leave out most of the rest.

    Args:
        samples: Rows of the matrix.
        smallest: Rows up to which a block is not cut into quarters, of which one is left out.
        strip: Columns of the strips that such blocks are cut into.
    """
    return list(_windows(0, samples, smallest, strip))


def _windows(start: int, stop: int, smallest: int, strip: int) -> Iterator[tuple[slice, slice]]:
    if stop - start <= smallest:
        for first in range(start, stop, strip):
            yield slice(first, stop), slice(first, min(first + strip, stop))
        return
    half = (start + stop) // 2
    yield slice(half, stop), slice(start, half)
    yield from _windows(start, half, smallest, strip)
    yield from _windows(half, stop, smallest, strip)


def mirrored(kernel: Tensor) -> Tensor:
    """The kernel (..., n, n) with its upper half taken from the lower, in place."""
    for start in range(0, kernel.shape[-1], SQUARE):
        stop = start + SQUARE
        square = kernel[..., start:stop, start:stop]
        square.copy_(square.tril() + square.tril(-1).mT)
        kernel[..., start:stop, stop:].copy_(kernel[..., stop:, start:stop].contiguous().mT.contiguous())
    return kernel
