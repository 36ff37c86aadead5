"""Localised activations: Gabor wavelets (WIRE), Gaussians, hats and rational functions."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import fill_uniform
from overtone.nn.activations._base import (
    ScaledActivation,
    SpectralActivation,
    default_initialise,
    to_float32_at_least,
)
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
    """The real Gabor wavelet cos(omega z) exp(-(s z)^2), local in the coordinate and in frequency.

    The real variant of WIRE (Saragadam et al. 2023, section 3 and the reference code, with omega = s = 10). Layers
    have PyTorch's default initialisation. The authors advise omega / s < 2 and learning rates of 5e-3 to 2e-2.

    Args:
        omega: Frequency of the wave, in radians per unit of z.
        scale: s, per unit of z.

    Raises:
        InputError: If a number is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone.nn.activations import Gabor
        >>> Gabor(omega=10.0, scale=10.0)(torch.tensor([0.0, 10.0]))
        tensor([1., 0.])
    """

    def __init__(self, omega: float = 10.0, scale: float = 10.0) -> None:
        super().__init__()
        self.omega, self.scale = positive(omega, "omega"), positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer along each axis; see `gabor_bandwidth`."""
        return gabor_bandwidth(self.omega, self.scale, inputs)

    def scaled(self, factor: float) -> Gabor:
        """Return the activation with `omega` and `scale` multiplied by `factor`."""
        return Gabor(self.omega * factor, self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """Return cos(omega z) exp(-(s z)^2) in the precision of z."""
        wide = to_float32_at_least(z)
        return (torch.cos(self.omega * wide) * torch.exp(-(self.scale * wide).square())).to(z.dtype)

    def extra_repr(self) -> str:
        """Return the parameters that `repr` shows."""
        return f"omega={self.omega:g}, scale={self.scale:g}"


@final
class ComplexGabor(SpectralActivation):
    """The complex Gabor wavelet psi(z) = exp(i omega z - |s z|^2) with z = a + i b, on pairs (a, b) of neighbours.

    WIRE (Saragadam et al. 2023, equation 6), which represents pictures with omega = 20, s = 30, denoises with 4 to 5
    for both, and takes learning rates of 5e-3 to 2e-2. All numbers are real, so that distributed training, half
    precision and stored states work as for any module: exp(-omega b - s^2 (a^2 + b^2)) (cos omega a, sin omega a). Its
    magnitude is at most exp((omega / 2 s)^2). A network of complex width h has real width 2 h. Its layers are
    initialised as the complex layers of WIRE; training may leave that form. The paper takes 1/sqrt(2) of the width of
    a real network as the complex width.

    Args:
        omega: Frequency of the wave, in radians per unit of z.
        scale: s, per unit of z.

    Raises:
        InputError: If a number is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone.nn.activations import ComplexGabor
        >>> ComplexGabor()(torch.zeros(1, 4))  # two complex units
        tensor([[1., 0., 1., 0.]])
    """

    def __init__(self, omega: float = 20.0, scale: float = 30.0) -> None:
        super().__init__()
        self.omega, self.scale = positive(omega, "omega"), positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer along each axis; see `wavelet_bandwidth`."""
        return wavelet_bandwidth(self.omega, self.scale, inputs)

    def scaled(self, factor: float) -> ComplexGabor:
        """Return the activation with `omega` and `scale` multiplied by `factor`."""
        return ComplexGabor(self.omega * factor, self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """Return the wavelet of the pairs of z (..., 2 h) as pairs (..., 2 h), in the precision of z.

        Raises:
            InputError: If the last axis has an odd length.
        """
        _even(z.shape[-1])
        a, b = to_float32_at_least(z).unflatten(-1, (-1, 2)).unbind(-1)
        # One real exponential holds the envelope and the imaginary part of i omega z.
        magnitude = torch.exp(-self.omega * b - self.scale**2 * (a.square() + b.square()))
        pairs = torch.stack(
            [magnitude * torch.cos(self.omega * a), magnitude * torch.sin(self.omega * a)], dim=-1
        )
        return pairs.flatten(-2).to(z.dtype)

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Initialise real parts by PyTorch's default and imaginary parts with 0, since coordinates are real."""
        _even(linear.out_features)
        default_initialise(linear, source)
        with torch.no_grad():
            linear.weight[1::2] = 0
            if linear.bias is not None:
                linear.bias[1::2] = 0

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Initialise a complex product, both parts of the weights ~ U(-1/sqrt(h), 1/sqrt(h)) over h complex inputs.

        A layer with an odd number of outputs returns real parts, as the output of WIRE does.
        """
        _even(linear.in_features)
        h, out = linear.in_features // 2, linear.out_features
        bound = 1 / math.sqrt(h)
        pairs = out if out % 2 else out // 2
        real, imaginary = (linear.weight.new_empty(pairs, h) for _ in range(2))
        fill_uniform(real, bound, source)
        fill_uniform(imaginary, bound, source)
        # (p + i q)(a + i b): the rows (p, -q) give the real part and (q, p) the imaginary part.
        upper = torch.stack([real, -imaginary], dim=-1).flatten(1)
        lower = torch.stack([imaginary, real], dim=-1).flatten(1)
        with torch.no_grad():
            linear.weight.copy_(upper if out % 2 else torch.stack([upper, lower], dim=1).flatten(0, 1))
        if linear.bias is not None:
            fill_uniform(linear.bias, bound, source)

    def extra_repr(self) -> str:
        """Return the parameters that `repr` shows."""
        return f"omega={self.omega:g}, scale={self.scale:g}"


def _even(width: int) -> None:
    if width % 2:
        raise InputError(
            "an even width, two real numbers per complex unit",
            f"{width}",
            "pass an even width",
            "ComplexGabor",
        )


@final
class Gauss(ScaledActivation):
    """The Gaussian exp(-(s z)^2).

    Layers have PyTorch's default initialisation, weight and bias ~ U(-1/sqrt(n), 1/sqrt(n)), as in the reference
    code of FINER and WIRE, which take s = 30 and 10 with learning rates of 1e-3 to 5e-3 (Ramasinghe & Lucey 2022,
    section 3).

    Args:
        scale: s, per unit of z.

    Raises:
        InputError: If `scale` is not positive and finite.

    Example:
        >>> from overtone.nn.activations import Gauss
        >>> round(Gauss(scale=30.0).bandwidth(inputs=2), 1)
        3.3
    """

    def __init__(self, scale: float = 30.0) -> None:
        super().__init__(scale)

    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer along each axis; see `gauss_bandwidth`."""
        return gauss_bandwidth(self.scale, inputs)

    def forward(self, z: Tensor) -> Tensor:
        """Return exp(-(s z)^2) in the precision of z."""
        return torch.exp(-(self.scale * to_float32_at_least(z)).square()).to(z.dtype)


@final
class Hat(ScaledActivation):
    """The hat function max(0, min(s z, 2 - s z)), the linear B-spline on [0, 2/s].

    It is piecewise linear like ReLU, but its finite support removes the bias towards low frequencies from the training
    of the outer weights (Hong et al. 2022, section 3). Layers have PyTorch's default initialisation. Its slope
    jumps, so it has no second derivatives.

    Args:
        scale: s, per unit of z; 1 in the paper.

    Raises:
        InputError: If `scale` is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone.nn.activations import Hat
        >>> Hat()(torch.tensor([-1.0, 0.5, 1.0, 1.5, 3.0]))
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__(scale)

    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer along each axis; see `hat_bandwidth`."""
        return hat_bandwidth(self.scale, inputs)

    def forward(self, z: Tensor) -> Tensor:
        """Return max(0, min(s z, 2 - s z)) in the precision of z."""
        stretched = self.scale * to_float32_at_least(z)
        return torch.minimum(stretched, 2 - stretched).clamp(min=0).to(z.dtype)


@final
class Quadratic(ScaledActivation):
    """The rational function 1 / (1 + (s z)^2), whose spectrum decays exponentially.

    Layers have PyTorch's default initialisation (Ramasinghe & Lucey 2022, section 3, where s is tuned per signal).

    Args:
        scale: s, per unit of z.

    Raises:
        InputError: If `scale` is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone.nn.activations import Quadratic
        >>> Quadratic(scale=1.0)(torch.tensor([0.0, 1.0, 3.0]))
        tensor([1.0000, 0.5000, 0.1000])
    """

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__(scale)

    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer along each axis; see `quadratic_bandwidth`."""
        return quadratic_bandwidth(self.scale, inputs)

    def forward(self, z: Tensor) -> Tensor:
        """Return 1 / (1 + (s z)^2) in the precision of z."""
        return (1 + (self.scale * to_float32_at_least(z)).square()).reciprocal().to(z.dtype)


@final
class MultiQuadratic(ScaledActivation):
    """The function 1 / sqrt(1 + (s z)^2), whose slow decay puts most of its power at the lowest frequencies.

    Layers have PyTorch's default initialisation (Ramasinghe & Lucey 2022, section 3, where s is tuned per signal).

    Args:
        scale: s, per unit of z.

    Raises:
        InputError: If `scale` is not positive and finite.

    Example:
        >>> from overtone.nn.activations import MultiQuadratic
        >>> round(MultiQuadratic(scale=10.0).bandwidth(inputs=1), 2)
        0.44
    """

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__(scale)

    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer along each axis; see `multiquadratic_bandwidth`."""
        return multiquadratic_bandwidth(self.scale, inputs)

    def forward(self, z: Tensor) -> Tensor:
        """Return 1 / sqrt(1 + (s z)^2) in the precision of z."""
        return (1 + (self.scale * to_float32_at_least(z)).square()).rsqrt().to(z.dtype)
