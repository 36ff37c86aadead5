"""Kernels as operators, defined by their products with vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError


class KernelOperator(ABC):
    """A symmetric, positive semi-definite matrix of `size` rows.

    Attributes:
        size: Number of rows.
        dtype: Precision of its products.
        device: Device of its products.
    """

    size: int
    dtype: torch.dtype
    device: torch.device

    def __matmul__(self, vector: Tensor) -> Tensor:
        """Return the product with a vector (size,), in the operator's precision.

        Raises:
            InputError: If the length of the vector differs.
        """
        if vector.shape != (self.size,):
            raise InputError(
                f"a vector of {self.size}",
                f"shape {tuple(vector.shape)}",
                "pass one number per row",
                "vector",
            )
        return self._apply(vector.to(self.device, self.dtype))

    @abstractmethod
    def _apply(self, vector: Tensor) -> Tensor:
        """Return the product with a vector that is already checked and converted."""


@final
class MatrixOperator(KernelOperator):
    """A kernel as a symmetric matrix in memory.

    Args:
        matrix: (N, N).

    Raises:
        InputError: If the matrix is not square.
    """

    def __init__(self, matrix: Tensor) -> None:
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise InputError(
                "a square matrix", f"shape {tuple(matrix.shape)}", "pass an (N, N) kernel", "matrix"
            )
        self.matrix, self.size, self.dtype, self.device = matrix, len(matrix), matrix.dtype, matrix.device

    def _apply(self, vector: Tensor) -> Tensor:
        return self.matrix @ vector


def as_operator(kernel: KernelOperator | Tensor) -> KernelOperator:
    """Return a kernel as an operator; a symmetric matrix becomes a `MatrixOperator`."""
    return kernel if isinstance(kernel, KernelOperator) else MatrixOperator(kernel)
