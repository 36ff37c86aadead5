"""The complex Gabor activation, on pairs of real numbers."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone.errors import InputError
from overtone.nn.activations.initialisation import default_initialise
from overtone.nn.activations.reaching import Reaching, widened
from overtone.nn.seeding import fill_uniform


@final
class ComplexGabor(Reaching):
    """psi(z) = exp(i omega z - |s z|^2) with z = a + i b, neighbours (2 k, 2 k + 1) being a and b.

    WIRE (Saragadam et al. 2023, equation 6), which represents pictures with omega = 20, s = 30, denoises with 4 to 5
    for both, and takes learning rates of 5e-3 to 2e-2. All numbers are real, so that distributed training, half
    precision and stored states work as for any module: exp(-omega b - s^2 (a^2 + b^2)) (cos omega a, sin omega a). Its
    magnitude is at most exp((omega / 2 s)^2). A network of complex width h is one of width 2 h; its layers begin as
    the complex ones of WIRE and are free to leave that form. The paper takes a complex width of 1/sqrt(2) of a real
    network's.

    Args:
        omega: In radians per unit of z.
        scale: s, per unit of z.

    Raises:
        InputError: If a number is not positive and finite.
    """

    def __init__(self, omega: float = 20.0, scale: float = 30.0) -> None:
        super().__init__()
        self.omega, self.scale = units.positive(omega, "omega"), units.positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `units.wavelet_bandwidth`."""
        return units.wavelet_bandwidth(self.omega, self.scale, inputs)

    def scaled(self, factor: float) -> ComplexGabor:
        """Both factors times `factor`."""
        return ComplexGabor(self.omega * factor, self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """The wavelet of the pairs of z (..., 2 h) as pairs (..., 2 h), in the precision of z.

        Raises:
            InputError: If there is an odd number.
        """
        _even(z.shape[-1])
        a, b = widened(z).unflatten(-1, (-1, 2)).unbind(-1)
        size = torch.exp(-self.omega * b - self.scale**2 * (a.square() + b.square()))
        pairs = torch.stack([size * torch.cos(self.omega * a), size * torch.sin(self.omega * a)], dim=-1)
        return pairs.flatten(-2).to(z.dtype)

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Real parts as PyTorch begins, imaginary parts 0: coordinates are real."""
        _even(linear.out_features)
        default_initialise(linear, source)
        with torch.no_grad():
            linear.weight[1::2] = 0
            if linear.bias is not None:
                linear.bias[1::2] = 0

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Products of complex numbers, both parts ~ U(-1/sqrt(h), 1/sqrt(h)) over h complex inputs.

        An odd number of outputs takes real parts, as the output of WIRE does.
        """
        _even(linear.in_features)
        h, out = linear.in_features // 2, linear.out_features
        bound = 1 / math.sqrt(h)
        pairs = out if out % 2 else out // 2
        real, imaginary = (linear.weight.new_empty(pairs, h) for _ in range(2))
        fill_uniform(real, bound, source)
        fill_uniform(imaginary, bound, source)
        upper = torch.stack([real, -imaginary], dim=-1).flatten(1)
        lower = torch.stack([imaginary, real], dim=-1).flatten(1)
        with torch.no_grad():
            linear.weight.copy_(upper if out % 2 else torch.stack([upper, lower], dim=1).flatten(0, 1))
        if linear.bias is not None:
            fill_uniform(linear.bias, bound, source)

    def extra_repr(self) -> str:
        """The factors, for printing."""
        return f"omega={self.omega:g}, scale={self.scale:g}"


def _even(width: int) -> None:
    if width % 2:
        raise InputError(
            "an even width, two real numbers for a complex one",
            f"{width}",
            "pass an even width",
            "ComplexGabor",
        )
