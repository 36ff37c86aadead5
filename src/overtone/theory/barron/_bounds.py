"""What a Barron constant promises: error against width, and width against error."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import derive
from overtone.errors import InputError


def error_bound(constant: float, radius: float, width: int) -> float:
    """Squared error that some network of `width` sigmoidal units does not exceed: (2 r C)^2 / n.

    It is the mean squared error under any probability measure on a ball of radius r about any centre, of a
    network with one hidden layer and a free output bias. It bounds what exists, not what training finds.

    Args:
        constant: Barron constant C, in value units per coordinate unit (radians count as 1).
        radius: Radius r of the ball that holds the domain, in coordinate units.
        width: Number n of hidden units.

    Returns:
        Squared error in value units squared.

    Raises:
        InputError: If an argument is negative, not finite or the width is below 1.

    Source:
        Barron 1993, "Universal approximation bounds for superpositions of a sigmoidal function", IEEE
        Transactions on Information Theory 39, theorem 1.
    """
    return (2 * _positive(radius, "radius") * _positive(constant, "constant")) ** 2 / _width(width)


def required_width(constant: float, radius: float, error: float) -> int:
    """The least width for which `bound` promises a root mean square error of at most `error`.

    Args:
        constant: Barron constant C, in value units per coordinate unit.
        radius: Radius of the ball that holds the domain, in coordinate units.
        error: Wanted root mean square error, in value units.

    Returns:
        Number of hidden units, at least 1.

    Raises:
        InputError: If an argument is negative or not finite, or the error is zero.
    """
    return _least(error_bound(constant, radius, 1), error)


def relu_error_bound(second: float, width: int) -> float:
    """Squared error that some network of `width` ReLU units plus an affine function does not exceed: 2 v^2 / (3 n).

    With v = int ||w||^2 |f~(w)| dw, where ||w|| = max over the box of |w . (x - centre)|. Derivation: on the
    box every wave is its tangent at the centre plus an integral of ReLU units, cos(p + z) = cos p - z sin p -
    int_0^c [cos(p + u) (z - u)+ + cos(p - u) (-z - u)+] du with |z| <= c = ||w||. One unit drawn from the
    measure ||w||^2 |f~| with u uniform in [0, c] and a random sign has a mean square of at most 4 v^2 / 2
    int_0^1 (1 - t)^2 dt = 2 v^2 / 3, since of the two signs only one is active; the mean of n of them has 1 /
    n of it.

    Args:
        second: Second spectral moment v of the signal over the box, in value units.
        width: Number n of hidden units, not counting the affine part.

    Returns:
        Squared error in value units squared.

    Raises:
        InputError: If an argument is negative, not finite or the width is below 1.

    Source:
        The representation is that of Breiman 1993, "Hinging hyperplanes", IEEE Transactions on Information
        Theory 39;
        rates: Klusowski, Barron 2018, IEEE Transactions on Information Theory 64, section II.
    """
    return 2 * _positive(second, "second") ** 2 / (3 * _width(width))


def required_relu_width(second: float, error: float) -> int:
    """The least width for which `relu_bound` promises a root mean square error of at most `error`.

    Args:
        second: Second spectral moment v of the signal over the box, in value units.
        error: Wanted root mean square error, in value units.

    Returns:
        Number of hidden units, at least 1.

    Raises:
        InputError: If an argument is negative or not finite, or the error is zero.
    """
    return _least(relu_error_bound(second, 1), error)


def _least(alone: float, error: float) -> int:
    if _positive(error, "error") == 0:
        raise InputError("an error above zero", "0", "no finite width reaches it", "error")
    return max(1, math.ceil(alone / error**2 * (1 - 1e-12)))


def _positive(value: float, where: str) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise InputError("a finite number of 0 or more", f"{value}", "check it", where)
    return float(value)


def _width(width: int) -> int:
    if width < 1:
        raise InputError("at least one hidden unit", f"{width}", "pass a positive width", "width")
    return width


@final
@dataclass(frozen=True)
class CosineSum:
    """f(x) = sum_j a_j cos(2 pi k_j . x + p_j).

    Attributes:
        frequencies: (m, d) k_j, in cycles per coordinate unit, distinct up to sign.
        amplitudes: (m,) a_j, in value units.
        phases: (m,) p_j, in radians.

    Raises:
        InputError: If shapes do not fit.
    """

    frequencies: Tensor
    amplitudes: Tensor
    phases: Tensor

    def __post_init__(self) -> None:
        if self.frequencies.ndim != 2 or not self.frequencies.numel():
            raise InputError(
                "frequencies of shape (m, d)",
                f"{tuple(self.frequencies.shape)}",
                "add the missing axis",
                "frequencies",
            )
        for name in ("amplitudes", "phases"):
            shape = getattr(self, name).shape
            if shape != self.frequencies.shape[:1]:
                raise InputError(
                    f"one per cosine, {len(self.frequencies)}", f"shape {tuple(shape)}", "align them", name
                )

    @property
    def angular(self) -> Tensor:
        """(m, d) float64 frequencies in radians per coordinate unit."""
        return 2 * math.pi * self.frequencies.double()

    @property
    def constant(self) -> float:
        """Barron constant sum_j |a_j| |2 pi k_j|, in value units per coordinate unit."""
        return float((self.amplitudes.double().abs() * self.angular.norm(dim=1)).sum())

    def second(self, half: Tensor) -> float:
        """Second spectral moment over a box: sum_j |a_j| (sum_i |2 pi k_ji| h_i)^2, in value units.

        Args:
            half: (d,) half the box's extent per axis, in coordinate units.
        """
        reach = self.angular.abs() @ half.double()
        return float((self.amplitudes.double().abs() * reach.square()).sum())

    def __call__(self, x: Tensor) -> Tensor:
        """Values (N,) float64 at coordinates (N, d)."""
        return (x.double() @ self.angular.T + self.phases.double()).cos() @ self.amplitudes.double()


@dataclass(frozen=True)
class DrawnNetwork(ABC):
    """One hidden layer: offset + slope . y + sum_i outer_i s(weights_i . y + biases_i), y = x - centre.

    Attributes:
        centre: (d,) origin of y, in coordinate units.
        weights: (n, d) inner weights, per coordinate unit.
        biases: (n,) inner biases.
        outer: (n,) outer weights.
        offset: Output bias, in value units.
        slope: (d,) affine part, in value units per coordinate unit.
    """

    centre: Tensor
    weights: Tensor
    biases: Tensor
    outer: Tensor
    offset: float
    slope: Tensor

    @abstractmethod
    def activate(self, z: Tensor) -> Tensor:
        """The activation s."""

    def __call__(self, x: Tensor) -> Tensor:
        """Values (N,) float64 at coordinates (N, d)."""
        y = x.double() - self.centre
        return self.offset + y @ self.slope + self.activate(y @ self.weights.T + self.biases) @ self.outer


@final
class StepNetwork(DrawnNetwork):
    """A network of Heaviside steps, the limit of steep sigmoids."""

    def activate(self, z: Tensor) -> Tensor:
        """1 where z > 0."""
        return (z > 0).to(z.dtype)


@final
class ReluNetwork(DrawnNetwork):
    """A network of ReLU units beside an affine function."""

    def activate(self, z: Tensor) -> Tensor:
        """max(z, 0)."""
        return z.clamp(min=0)


def draw_steps(target: CosineSum, centre: Tensor, radius: float, width: int, seed: int = 0) -> StepNetwork:
    """A network of `width` steps whose mean is the target on a ball, with mean squared error at most (2 r C)^2 / n.

    For |z| <= c: cos(p + z) - cos p = int_0^c [-sin(p + u) 1(z > u) + sin(p - u) 1(-z > u)] du. A wave is
    drawn with probability proportional to |a| |w|, u uniformly in [0, r |w|], and one of the two terms by a
    fair coin.

    Args:
        target: The signal.
        centre: (d,) centre of the ball, in coordinate units.
        radius: Its radius, in coordinate units.
        width: Number n of units.
        seed: Seed of the draw.

    Returns:
        The network, float64 on the target's device; sum |outer| is at most 2 r C.

    Raises:
        InputError: If the width or radius is not positive, or the centre does not fit.

    Source:
        Barron 1993, IEEE Transactions on Information Theory 39, lemma 1 and theorem 2.
    """
    if not radius > 0:
        raise InputError("a positive radius", f"{radius}", "pass the radius of the domain", "radius")
    middle = _fitting(centre, target, "centre")
    reach = radius * target.angular.norm(dim=1)
    mass, index, level, sign = _draw(target.amplitudes.double() * reach, width, seed)
    phase = (target.phases.double() + target.angular @ middle)[index]
    shift = level * reach[index]
    direction = target.amplitudes.double()[index].sign()
    outer = -2 * mass / width * direction * sign * torch.sin(phase + sign * shift)
    return StepNetwork(
        centre=middle,
        weights=sign[:, None] * target.angular[index],
        biases=-shift,
        outer=outer,
        offset=float(target(middle[None])),
        slope=torch.zeros_like(middle),
    )


def draw_relu(target: CosineSum, centre: Tensor, half: Tensor, width: int, seed: int = 0) -> ReluNetwork:
    """A network of `width` ReLU units whose mean is the target on a box; `relu_bound` has error and formula.

    Args:
        target: The signal.
        centre: (d,) centre of the box, in coordinate units.
        half: (d,) half its extent per axis, in coordinate units.
        width: Number n of units.
        seed: Seed of the draw.

    Returns:
        The network, float64 on the target's device, with the target's tangent at the centre as its affine
        part.

    Raises:
        InputError: If the width is not positive, or centre or extent do not fit.
    """
    middle, extent = _fitting(centre, target, "centre"), _fitting(half, target, "half")
    reach = target.angular.abs() @ extent
    mass, index, level, sign = _draw(target.amplitudes.double() * reach.square(), width, seed)
    phases = target.phases.double() + target.angular @ middle
    shift = level * reach[index]
    direction = target.amplitudes.double()[index].sign()
    outer = -2 * mass / width * direction * torch.cos(phases[index] + sign * shift) / reach[index]
    return ReluNetwork(
        centre=middle,
        weights=sign[:, None] * target.angular[index],
        biases=-shift,
        outer=outer,
        offset=float(target(middle[None])),
        slope=-(target.amplitudes.double() * phases.sin()) @ target.angular,
    )


def _draw(weight: Tensor, width: int, seed: int) -> tuple[float, Tensor, Tensor, Tensor]:
    """Total mass, and per unit: its wave, a level in [0, 1) and a sign."""
    if width < 1:
        raise InputError("at least one hidden unit", f"{width}", "pass a positive width", "width")
    mass = weight.abs().sum()
    if not float(mass) > 0:
        raise InputError(
            "a signal that is not constant", "no oscillation", "a constant needs no network", "target"
        )
    random = torch.Generator("cpu").manual_seed(derive(seed, "barron", "maurey"))
    index = torch.multinomial((weight.abs() / mass).cpu(), width, replacement=True, generator=random)
    level = torch.rand(width, generator=random, dtype=torch.float64, device="cpu")
    sign = torch.randint(0, 2, (width,), generator=random, device="cpu").double() * 2 - 1
    return float(mass), index.to(weight.device), level.to(weight.device), sign.to(weight.device)


def _fitting(vector: Tensor, target: CosineSum, where: str) -> Tensor:
    if vector.shape != target.frequencies.shape[1:]:
        raise InputError(
            f"one number per axis ({target.frequencies.shape[1]})",
            f"shape {tuple(vector.shape)}",
            "align them",
            where,
        )
    return vector.double().to(target.frequencies.device)
