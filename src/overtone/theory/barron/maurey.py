"""Networks drawn from the Barron measure: the construction that proves the bounds, made to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import derive
from overtone.errors import InputError
from overtone.theory.barron.cosines import CosineSum


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
