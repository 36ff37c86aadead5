"""Error bounds from a Barron constant, and random networks that attain them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.display import Result
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError


def error_bound(constant: float, radius: float, width: int) -> float:
    """Return an upper bound on the squared error of the best network of `width` sigmoidal units: (2 r C)^2 / n.

    It bounds the mean squared error under any probability measure on a ball of radius r about any centre, for a
    network with one hidden layer and a free output bias. The bound concerns existence, not the result of training.

    Args:
        constant: Barron constant C, in value units per coordinate unit (radians count as 1).
        radius: Radius r of a ball that contains the domain, in coordinate units.
        width: Number n of hidden units.

    Returns:
        Squared error in value units squared.

    Raises:
        InputError: If an argument is negative, not finite or the width is below 1.

    Source:
        Barron 1993, "Universal approximation bounds for superpositions of a sigmoidal function", IEEE
        Transactions on Information Theory 39, theorem 1.

    Example:
        >>> from overtone.theory import barron
        >>> barron.error_bound(constant=3.0, radius=0.5, width=90)
        0.1
    """
    return (2 * _positive(radius, "radius") * _positive(constant, "constant")) ** 2 / _width(width)


def required_width(constant: float, radius: float, error: float) -> int:
    """Return the smallest width for which `error_bound` is a root mean square error of at most `error`.

    Args:
        constant: Barron constant C, in value units per coordinate unit.
        radius: Radius of a ball that contains the domain, in coordinate units.
        error: Target root mean square error, in value units.

    Returns:
        Number of hidden units, at least 1.

    Raises:
        InputError: If an argument is negative or not finite, or the error is zero.
    """
    return _required_units(error_bound(constant, radius, 1), error)


def relu_error_bound(second: float, width: int) -> float:
    """Return an upper bound on the squared error of the best network of `width` ReLU units: 2 v^2 / (3 n).

    The network includes an affine function. v = int ||w||^2 |f~(w)| dw, where ||w|| = max over the box of |w . (x -
    centre)|. Derivation: on the box every wave is its tangent at the centre plus an integral of ReLU units, cos(p +
    z) = cos p - z sin p - int_0^c [cos(p + u) (z - u)+ + cos(p - u) (-z - u)+] du with |z| <= c = ||w||. One unit
    drawn from the measure ||w||^2 |f~| with u uniform in [0, c] and a random sign has a mean square of at most 4 v^2
    / 2 int_0^1 (1 - t)^2 dt = 2 v^2 / 3, because only one of the two signs is active; the mean of n units has 1 / n
    of it.

    Args:
        second: Second spectral moment v of the signal over the box, in value units.
        width: Number n of hidden units, not counting the affine part.

    Returns:
        Squared error in value units squared.

    Raises:
        InputError: If an argument is negative, not finite or the width is below 1.

    Source:
        The representation is from Breiman 1993, "Hinging hyperplanes", IEEE Transactions on Information Theory 39;
        rates: Klusowski, Barron 2018, IEEE Transactions on Information Theory 64, section II.

    Example:
        >>> from overtone.theory import barron
        >>> barron.relu_error_bound(second=3.0, width=60)
        0.1
    """
    return 2 * _positive(second, "second") ** 2 / (3 * _width(width))


def required_relu_width(second: float, error: float) -> int:
    """Return the smallest width for which `relu_error_bound` is a root mean square error of at most `error`.

    Args:
        second: Second spectral moment v of the signal over the box, in value units.
        error: Target root mean square error, in value units.

    Returns:
        Number of hidden units, at least 1.

    Raises:
        InputError: If an argument is negative or not finite, or the error is zero.
    """
    return _required_units(relu_error_bound(second, 1), error)


def _required_units(single: float, error: float) -> int:
    """Return the number of units for which the squared error of one, over their number, is at most `error` squared."""
    if _positive(error, "error") == 0:
        raise InputError(
            "an error above zero", "0", "pass a positive error: no finite width achieves zero", "error"
        )
    # Slightly less than the quotient, so that rounding does not add a unit to a bound that is met exactly.
    return max(1, math.ceil(single / error**2 * (1 - 1e-12)))


def _positive(value: float, name: str) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise InputError("a finite number of 0 or more", f"{value}", "check the number", name)
    return float(value)


def _width(width: int) -> int:
    if width < 1:
        raise InputError("at least one hidden unit", f"{width}", "pass a positive width", "width")
    return width


@dataclass(frozen=True)
class DrawnNetwork(ABC):
    """Network of one hidden layer: offset + slope . y + sum_i outer_i s(weights_i . y + biases_i), y = x - centre.

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
        """Return the activation s."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return values (N,) float64 at coordinates (N, d)."""
        y = x.double() - self.centre
        return self.offset + y @ self.slope + self.activate(y @ self.weights.T + self.biases) @ self.outer


@final
class StepNetwork(DrawnNetwork):
    """Network of Heaviside steps, the limit of steep sigmoids."""

    def activate(self, z: Tensor) -> Tensor:
        """Return 1 where z > 0."""
        return (z > 0).to(z.dtype)


@final
class ReluNetwork(DrawnNetwork):
    """Network of ReLU units plus an affine function."""

    def activate(self, z: Tensor) -> Tensor:
        """Return max(z, 0)."""
        return z.clamp(min=0)


@final
@dataclass(frozen=True, repr=False)
class CosineSum(Result):
    """Sum of cosines, whose Barron constant is known exactly: f(x) = sum_j a_j cos(2 pi k_j . x + p_j).

    Attributes:
        frequencies: (m, d) k_j, in cycles per coordinate unit, distinct up to sign.
        amplitudes: (m,) a_j, in value units.
        phases: (m,) p_j, in radians.

    Raises:
        InputError: If shapes do not fit.

    Example:
        >>> import torch
        >>> from overtone.theory import barron
        >>> wave = barron.CosineSum(torch.tensor([[0.5, 0.0]]), torch.ones(1), torch.zeros(1))
        >>> round(wave.constant, 4)
        3.1416
        >>> network = wave.draw_steps(centre=torch.zeros(2), radius=1.0, width=100)
        >>> network(torch.zeros(5, 2)).shape
        torch.Size([5])
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
                    f"one per cosine, {len(self.frequencies)}",
                    f"shape {tuple(shape)}",
                    "match the frequencies",
                    name,
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
        """Return the second spectral moment over a box: sum_j |a_j| (sum_i |2 pi k_ji| h_i)^2, in value units.

        Args:
            half: (d,) half the box's extent per axis, in coordinate units.
        """
        phase_range = self.angular.abs() @ half.double()
        return float((self.amplitudes.double().abs() * phase_range.square()).sum())

    def __call__(self, x: Tensor) -> Tensor:
        """Return values (N,) float64 at coordinates (N, d)."""
        return (x.double() @ self.angular.T + self.phases.double()).cos() @ self.amplitudes.double()

    def draw_steps(self, centre: Tensor, radius: float, width: int, seed: int = 0) -> StepNetwork:
        """Draw a network of `width` steps whose expectation is this signal on a ball.

        Its mean squared error is at most (2 r C)^2 / n on average.

        Derivation. For |z| <= c: cos(p + z) - cos p = int_0^c [-sin(p + u) 1(z > u) + sin(p - u) 1(-z > u)] du. Draw
        a wave with probability proportional to |a| |w|, u uniformly in [0, r |w|], and one of the two terms with
        probability 1/2.

        Args:
            centre: (d,) centre of the ball, in coordinate units.
            radius: Radius of the ball, in coordinate units.
            width: Number n of units.
            seed: Seed of the random draw.

        Returns:
            The network, float64 on the device of the frequencies; sum |outer| is at most 2 r C.

        Raises:
            InputError: If the width or radius is not positive, or the centre does not fit.

        Source:
            Barron 1993, IEEE Transactions on Information Theory 39, lemma 1 and theorem 2.
        """
        if not radius > 0:
            raise InputError("a positive radius", f"{radius}", "pass the radius of the domain", "radius")
        middle = _on_axes(centre, self, "centre")
        phase_range = radius * self.angular.norm(dim=1)
        # Maurey's argument: the signal is the expectation of a random unit with probability proportional to |a| |w|,
        # and the mean of n draws has 1 / n of its variance.
        mass, index, level, sign = _draw(self.amplitudes.double() * phase_range, width, seed)
        phase = (self.phases.double() + self.angular @ middle)[index]
        shift = level * phase_range[index]
        direction = self.amplitudes.double()[index].sign()
        outer = -2 * mass / width * direction * sign * torch.sin(phase + sign * shift)
        return StepNetwork(
            centre=middle,
            weights=sign[:, None] * self.angular[index],
            biases=-shift,
            outer=outer,
            offset=float(self(middle[None])),
            slope=torch.zeros_like(middle),
        )

    def draw_relu(self, centre: Tensor, half: Tensor, width: int, seed: int = 0) -> ReluNetwork:
        """Draw a network of `width` ReLU units whose expectation is this signal on a box; see `relu_error_bound`.

        Args:
            centre: (d,) centre of the box, in coordinate units.
            half: (d,) half the box's extent per axis, in coordinate units.
            width: Number n of units.
            seed: Seed of the random draw.

        Returns:
            The network, float64 on the device of the frequencies, with the tangent at the centre as its affine part.

        Raises:
            InputError: If the width is not positive, or centre or extent do not fit.
        """
        middle, extent = _on_axes(centre, self, "centre"), _on_axes(half, self, "half")
        phase_range = self.angular.abs() @ extent
        # The second moment weights waves by |w|^2: each wave is its tangent plus an integral of ReLU units.
        mass, index, level, sign = _draw(self.amplitudes.double() * phase_range.square(), width, seed)
        phases = self.phases.double() + self.angular @ middle
        shift = level * phase_range[index]
        direction = self.amplitudes.double()[index].sign()
        outer = -2 * mass / width * direction * torch.cos(phases[index] + sign * shift) / phase_range[index]
        return ReluNetwork(
            centre=middle,
            weights=sign[:, None] * self.angular[index],
            biases=-shift,
            outer=outer,
            offset=float(self(middle[None])),
            slope=-(self.amplitudes.double() * phases.sin()) @ self.angular,
        )


def _draw(weight: Tensor, width: int, seed: int) -> tuple[float, Tensor, Tensor, Tensor]:
    """Return the total mass, and per unit: the index of its wave, a level in [0, 1) and a sign."""
    if width < 1:
        raise InputError("at least one hidden unit", f"{width}", "pass a positive width", "width")
    mass = weight.abs().sum()
    if not float(mass) > 0:
        raise InputError(
            "a signal that is not constant", "no oscillation", "a constant needs no network", "target"
        )
    # Drawn on the CPU, so that a seed yields the same network on every device.
    random = torch.Generator("cpu").manual_seed(derive_seed(seed, "barron", "maurey"))
    index = torch.multinomial((weight.abs() / mass).cpu(), width, replacement=True, generator=random)
    level = torch.rand(width, generator=random, dtype=torch.float64, device="cpu")
    sign = torch.randint(0, 2, (width,), generator=random, device="cpu").double() * 2 - 1
    return float(mass), index.to(weight.device), level.to(weight.device), sign.to(weight.device)


def _on_axes(vector: Tensor, target: CosineSum, name: str) -> Tensor:
    if vector.shape != target.frequencies.shape[1:]:
        raise InputError(
            f"one number per axis ({target.frequencies.shape[1]})",
            f"shape {tuple(vector.shape)}",
            "match the number of axes",
            name,
        )
    return vector.double().to(target.frequencies.device)
