"""Weights that a loss gives to the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.spectra._class_outputs import class_numbers


@final
@dataclass(frozen=True)
class ClassWeights:
    """One weight a class, as in `torch.nn.functional.cross_entropy(..., weight=...)`.

    Attributes:
        values: (K,) float64, positive; a common factor changes nothing.

    Raises:
        InputError: If a weight is not positive and finite, or there are fewer than two.
    """

    values: Tensor

    def __post_init__(self) -> None:
        values = as_tensor(self.values, torch.float64).reshape(-1)
        if len(values) < 2 or not bool((values.isfinite() & (values > 0)).all()):
            raise InputError(
                "a positive weight for each of two or more classes",
                f"{values.tolist()}",
                "leave out classes that do not count",
                "weights",
            )
        object.__setattr__(self, "values", values)

    @staticmethod
    def of(weights: Sequence[float]) -> ClassWeights:
        """Weights given as numbers.

        Args:
            weights: One a class.

        Raises:
            InputError: If a weight is not positive and finite, or there are fewer than two.
        """
        return ClassWeights(torch.tensor([float(w) for w in weights], dtype=torch.float64, device="cpu"))

    @staticmethod
    def balanced(labels: Tensor | ArrayLike, classes: int) -> ClassWeights:
        """w_k = N / (K n_k) with n_k of the N labels in class k: every class then counts as much as any other.

        Args:
            labels: (N,) classes from 0.
            classes: K.

        Raises:
            InputError: If labels are not such numbers, or a class has none.
        """
        numbers = class_numbers(labels, classes)
        found = torch.bincount(numbers, minlength=classes).double().cpu()
        if not bool(found.all()):
            raise InputError(
                "samples of every class",
                f"none of class {int(found.argmin())}",
                "leave the class out, or give the weights yourself",
                "labels",
            )
        return ClassWeights(len(numbers) / (classes * found))
