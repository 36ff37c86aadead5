"""Infinitely wide fully connected networks and their two kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk.infinite.dual import Dual
from overtone.theory.ntk.infinite.inputs import Coordinates, Inputs
from overtone.theory.ntk.infinite.layers import Activation, Dense, Layer, through
from overtone.theory.ntk.infinite.state import State


class Kernels(NamedTuple):
    """The two kernels of a wide network's output.

    Attributes:
        nngp: (N, M) E[f(x) f(x')] over the random weights; output^2.
        ntk: (N, M) sum over parameters of df(x)/dtheta df(x')/dtheta, which does not vary at infinite width;
            output^2 / parameter^2.
    """

    nngp: Tensor
    ntk: Tensor


@final
@dataclass(frozen=True)
class Wide:
    """An infinitely wide network with one output.

    K_0 = gamma(x).gamma(x') / D; each dense layer and each activation maps (K, T) on as `Dense` and
    `Activation` say (Jacot et al. 2018, arXiv 1806.07572, section 4; Lee et al. 2019, arXiv 1902.06720,
    appendix E). Everything is computed in float64. Beside the diagonal the angle between two samples is
    resolved to 1e-8, which is the error of kernels of activations with a kink.

    Attributes:
        layers: From the first dense layer to the output's.
        inputs: What the first dense layer sees.
    """

    layers: tuple[Layer, ...]
    inputs: Inputs = field(default_factory=Coordinates)

    def __post_init__(self) -> None:
        if not self.layers or not isinstance(self.layers[0], Dense) or not isinstance(self.layers[-1], Dense):
            raise InputError(
                "a network that begins and ends with a dense layer", "none there", "add it", "layers"
            )

    def __call__(self, x1: Tensor, x2: Tensor | None = None) -> Kernels:
        """Both kernels for all pairs of samples.

        Args:
            x1: (N, d) samples.
            x2: (M, d) samples, or None for x1.

        Returns:
            The kernels in the precision and on the device of x1.

        Raises:
            InputError: If the samples are not (N, d) and (M, d).
        """
        other = x1 if x2 is None else x2
        if x1.ndim != 2 or other.ndim != 2 or x1.shape[1] != other.shape[1]:
            shapes = f"shapes {tuple(x1.shape)} and {tuple(other.shape)}"
            raise InputError("(N, d) and (M, d) samples", shapes, "pass one row per sample", "x")
        left, right = x1.double(), other.double()
        q11, q22 = self.inputs.square(left)[:, None], self.inputs.square(right)[None, :]
        q12 = self.inputs.product(left, right)
        if x2 is None:
            q12 = torch.diagonal_scatter(q12, q11[:, 0])
        zero = torch.zeros_like
        end = through(self.layers, State(q11, q22, q12, zero(q12), zero(q11), zero(q22)))
        return Kernels(end.q12.to(x1.dtype), end.tangent.to(x1.dtype))


def fully_connected(dense: Sequence[Dense], dual: Dual, inputs: Inputs | None = None) -> Wide:
    """Dense layers with one activation between each two.

    Args:
        dense: The dense layers, the output's last: depth + 1 of them. `[Dense.ntk()] * 4` are three hidden
            layers.
        dual: The activation.
        inputs: What the first layer sees; None for the coordinates.

    Returns:
        The network.
    """
    layers: list[Layer] = []
    for each in dense:
        layers += [each, Activation(dual)]
    return Wide(tuple(layers[:-1]), inputs or Coordinates())
