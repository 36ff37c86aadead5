"""Directional derivatives of any map between sequences, recurrent networks included, with their error.

Many directions are batch entries of one call, which needs no vectorising transform: LSTM and GRU have none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from overtone.errors import InputError

SequenceMap: TypeAlias = Callable[[Tensor], Tensor]
"""From (batch, steps, features) to (batch, steps, channels), each batch entry by itself."""


class Derivative(ABC):
    """A way to find J v, J the derivative of the outputs with respect to the inputs."""

    @property
    @abstractmethod
    def calls(self) -> int:
        """Batch entries that the function sees for each direction."""

    @abstractmethod
    def along(self, function: SequenceMap, operating: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """J v at one input.

        Args:
            function: The map.
            operating: (T, F) where the derivative is taken.
            directions: (B, T, F).

        Returns:
            (B, T, C) float64 derivatives, and the same of an estimate of their absolute error.
        """


@final
@dataclass(frozen=True)
class Differences(Derivative):
    """Central differences at two sizes h and h / 2, extrapolated to none (Richardson): for any function.

    D(h) = (f(u + h v) - f(u - h v)) / (2 h), J v = D(h/2) + (D(h/2) - D(h)) / 3 + O(h^4). The stated error is
    |D(h/2) - D(h)| / 3, that of D(h/2), which is more than is left in a smooth function, plus the rounding of the
    four outputs, 4 eps max|f| / h. It does not hold where the function has a kink within h.

    Attributes:
        size: h, in units of the input; 0 for eps^(1/5) times the operating input's largest modulus (1 if it is zero),
            where both errors are alike.
    """

    size: float = 0.0

    @property
    def calls(self) -> int:
        """Two for each of two sizes."""
        return 4

    def along(self, function: SequenceMap, operating: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """By 4 evaluations; without gradients."""
        eps = torch.finfo(operating.dtype).eps
        size = self.size or eps**0.2 * (float(operating.abs().max()) or 1.0)
        sides = torch.stack([directions * (size * part) for part in (1.0, -1.0, 0.5, -0.5)])
        with torch.no_grad():
            out = function(operating + sides.flatten(0, 1)).unflatten(0, (4, len(directions))).double()
        wide, narrow = (out[0] - out[1]) / (2 * size), (out[2] - out[3]) / size
        apart = (narrow - wide) / 3
        return narrow + apart, apart.abs() + 4 * eps * float(out.abs().max()) / size


@final
@dataclass(frozen=True)
class DoubleBackward(Derivative):
    """Two reverse passes: w -> J^T w is linear in w, and its own transpose takes v to J v. Exact to rounding.

    For LSTM, GRU, convolutions and attention alike, if the function can be differentiated twice: attention is computed
    by its plain formula and recurrent layers without cuDNN meanwhile. The stated error is eps times the largest
    derivative times the root of the number of steps.
    """

    @property
    def calls(self) -> int:
        """One, kept with its graph."""
        return 1

    def along(self, function: SequenceMap, operating: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """By one evaluation and two reverse passes.

        Raises:
            InputError: If the function cannot be differentiated twice.
        """
        inputs = operating.expand_as(directions).clone().requires_grad_()
        plain = torch.backends.cudnn.flags(enabled=False)
        try:
            with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), plain:
                out = function(inputs)
                weights = torch.zeros_like(out, requires_grad=True)
                (back,) = torch.autograd.grad(out, inputs, weights, create_graph=True)
                (found,) = torch.autograd.grad(back, weights, directions)
        except RuntimeError as refused:
            raise InputError(
                "a function that can be differentiated twice",
                f"{str(refused).splitlines()[0]!r}",
                "pass derivative=Differences(), which needs no gradient",
                "function",
            ) from refused
        size = torch.finfo(out.dtype).eps * float(found.abs().max()) * found.shape[1] ** 0.5
        return found.double(), torch.full_like(found, size, dtype=torch.float64)
