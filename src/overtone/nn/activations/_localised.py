"""Localised activations: Gabor wavelets (WIRE), Gaussians, hats and rational functions."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import fill_uniform
from overtone.nn.activations._base import SpectralActivation, default_initialise, widened
from overtone.units._bandwidth import (
    gabor_bandwidth,
    gauss_bandwidth,
    hat_bandwidth,
    multiquadratic_bandwidth,
    quadratic_bandwidth,
    wavelet_bandwidth,
)
from overtone.units._frequency import positive


@final
class Gabor(SpectralActivation):
    """cos(omega z) exp(-(s z)^2), a wave in a bump: local in the coordinate and in frequency.

    The real variant of WIRE (Saragadam et al. 2023, section 3 and the reference code, which has omega = s = 10 for
    it). Layers begin as PyTorch leaves them. Its authors advise omega / s < 2 and learning rates of 5e-3 to 2e-2.

    Args:
        omega: In radians per unit of z.
        scale: s, per unit of z.

    Raises:
        InputError: If a number is not positive and finite.
    """

    def __init__(self, omega: float = 10.0, scale: float = 10.0) -> None:
        super().__init__()
        self.omega, self.scale = positive(omega, "omega"), positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `gabor_bandwidth`."""
        return gabor_bandwidth(self.omega, self.scale, inputs)

    def scaled(self, factor: float) -> Gabor:
        """Both factors times `factor`."""
        return Gabor(self.omega * factor, self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """cos(omega z) exp(-(s z)^2) in the precision of z."""
        wide = widened(z)
        return (torch.cos(self.omega * wide) * torch.exp(-(self.scale * wide).square())).to(z.dtype)

    def extra_repr(self) -> str:
        """The factors, for printing."""
        return f"omega={self.omega:g}, scale={self.scale:g}"


@final
class ComplexGabor(SpectralActivation):
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
        self.omega, self.scale = positive(omega, "omega"), positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `wavelet_bandwidth`."""
        return wavelet_bandwidth(self.omega, self.scale, inputs)

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


@final
class Gauss(SpectralActivation):
    """exp(-(s z)^2).

    Layers begin as PyTorch leaves them, weight and bias ~ U(-1/sqrt(n), 1/sqrt(n)), as in the reference code of FINER
    and WIRE, which take s = 30 and 10 with learning rates of 1e-3 to 5e-3 (Ramasinghe & Lucey 2022, section 3).

    Args:
        scale: s, per unit of z.

    Raises:
        InputError: If `scale` is not positive and finite.
    """

    def __init__(self, scale: float = 30.0) -> None:
        super().__init__()
        self.scale = positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `gauss_bandwidth`."""
        return gauss_bandwidth(self.scale, inputs)

    def scaled(self, factor: float) -> Gauss:
        """With scale times `factor`."""
        return Gauss(self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """exp(-(s z)^2) in the precision of z."""
        return torch.exp(-(self.scale * widened(z)).square()).to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"scale={self.scale:g}"


@final
class Hat(SpectralActivation):
    """max(0, min(s z, 2 - s z)), the linear B-spline on [0, 2/s].

    Piecewise linear as ReLU, but of finite support, which takes the bias towards low frequencies out of the training
    of outer weights (Hong et al. 2022, section 3). Layers begin as PyTorch leaves them. It has kinks: no second
    derivatives.

    Args:
        scale: s, per unit of z; 1 in the paper.

    Raises:
        InputError: If `scale` is not positive and finite.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `hat_bandwidth`."""
        return hat_bandwidth(self.scale, inputs)

    def scaled(self, factor: float) -> Hat:
        """With scale times `factor`."""
        return Hat(self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """max(0, min(s z, 2 - s z)) in the precision of z."""
        stretched = self.scale * widened(z)
        return torch.minimum(stretched, 2 - stretched).clamp(min=0).to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"scale={self.scale:g}"


@final
class Quadratic(SpectralActivation):
    """1 / (1 + (s z)^2), whose spectrum falls exponentially.

    Layers begin as PyTorch leaves them (Ramasinghe & Lucey 2022, section 3, where s is tuned per signal).

    Args:
        scale: s, per unit of z.

    Raises:
        InputError: If `scale` is not positive and finite.
    """

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__()
        self.scale = positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `quadratic_bandwidth`."""
        return quadratic_bandwidth(self.scale, inputs)

    def scaled(self, factor: float) -> Quadratic:
        """With scale times `factor`."""
        return Quadratic(self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """1 / (1 + (s z)^2) in the precision of z."""
        return (1 + (self.scale * widened(z)).square()).reciprocal().to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"scale={self.scale:g}"


@final
class MultiQuadratic(SpectralActivation):
    """1 / sqrt(1 + (s z)^2), whose tails reach far: most of its power lies at the lowest frequencies.

    Layers begin as PyTorch leaves them (Ramasinghe & Lucey 2022, section 3, where s is tuned per signal).

    Args:
        scale: s, per unit of z.

    Raises:
        InputError: If `scale` is not positive and finite.
    """

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__()
        self.scale = positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `multiquadratic_bandwidth`."""
        return multiquadratic_bandwidth(self.scale, inputs)

    def scaled(self, factor: float) -> MultiQuadratic:
        """With scale times `factor`."""
        return MultiQuadratic(self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """1 / sqrt(1 + (s z)^2) in the precision of z."""
        return (1 + (self.scale * widened(z)).square()).rsqrt().to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"scale={self.scale:g}"
