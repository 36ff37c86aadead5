"""One hidden layer approximates as well in ten dimensions as in two, if the spectrum's first moment is the same."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.studies import Axes, Between, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import barron

WAVES = 3


def measure(seed: int, drawn: bool, dimension: int, widths: list[int], draws: int, points: int) -> Measured:
    """Exponent of width in the mean squared error on the unit ball; NaN if Barron's bound is exceeded anywhere."""
    errors = np.zeros(len(widths))
    for draw in range(draws):
        one = derive_seed(seed, f"draw {draw}")
        target, x = problem(one, dimension, points)
        wanted = target(x)
        for i, width in enumerate(widths):
            found = network(target, x, width, one) if drawn else best_fixed(wanted, x, width, one)
            errors[i] += float((found - wanted).square().mean()) / draws
    slope = float(np.polyfit(np.log(widths), np.log(errors), 1)[0])
    within = all(
        error <= barron.error_bound(1.0, 1.0, width) for error, width in zip(errors, widths, strict=True)
    )
    return Measured(slope if within else math.nan, {"": (widths, errors)})


def waves(seed: int, name: str, count: int, dimension: int) -> np.ndarray:
    """(count, d) frequencies of 1 to 2 cycles per unit in random directions."""
    draw = numpy_generator(seed, name)
    direction = draw.standard_normal((count, dimension))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return direction * draw.uniform(1.0, 2.0, (count, 1))


def problem(seed: int, dimension: int, points: int) -> tuple[barron.CosineSum, Tensor]:
    """Three waves with a Barron constant of 1, and points spread evenly over the unit ball."""
    draw = numpy_generator(seed, "problem")
    found = waves(seed, "target", WAVES, dimension)
    heights = draw.uniform(0.5, 1.0, WAVES)
    heights /= (heights * 2 * math.pi * np.linalg.norm(found, axis=1)).sum()
    x = draw.standard_normal((points, dimension))
    x *= draw.uniform(0, 1, (points, 1)) ** (1 / dimension) / np.linalg.norm(x, axis=1, keepdims=True)
    phases = draw.uniform(0, 2 * math.pi, WAVES)
    return barron.CosineSum(*map(torch.from_numpy, (found, heights, phases))), torch.from_numpy(x)


def network(target: barron.CosineSum, x: Tensor, width: int, seed: int) -> Tensor:
    """A network of step units drawn from the Barron measure of the target."""
    centre = torch.zeros(x.shape[1], dtype=torch.float64)
    return target.draw_steps(centre, 1.0, width, derive_seed(seed, f"width {width}"))(x)


def best_fixed(wanted: Tensor, x: Tensor, width: int, seed: int) -> Tensor:
    """The best combination of waves of the target's frequencies, whose directions are fixed beforehand."""
    fixed = torch.from_numpy(waves(seed, "fixed", width // 2, x.shape[1]))
    phase = 2 * math.pi * x @ fixed.mT
    features = torch.cat([phase.cos(), phase.sin()], 1)
    return features @ torch.linalg.lstsq(features, wanted[:, None]).solution[:, 0]


STUDY = Study(
    name="barron-any-dimension",
    family=Family.THEORY,
    claim="The error of a network with one hidden layer is governed by its target's spectrum: squared, it falls as one "
    "over the width in every number of dimensions.",
    source="Barron 1993, Universal approximation bounds for superpositions of a sigmoidal function, theorem 1, "
    "IEEE Transactions on Information Theory 39",
    statistic="exponent with which the mean squared error on the unit ball falls with the width, if it stays below "
    "Barron's bound at every width",
    criterion=Between(-1.15, -0.85),
    conditions=tuple(Condition(f"{d} dimensions", {"dimension": d, "drawn": True}) for d in (2, 5, 10)),
    control=Condition("fixed waves, 10 dimensions", {"dimension": 10, "drawn": False, "draws": 5}),
    measure=measure,
    axes=Axes("Units", "Mean squared error", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"widths": [8, 16, 32], "draws": 2, "points": 200}),
        Size.QUICK: Effort(3, {"widths": [16, 32, 64, 128, 256, 512], "draws": 40, "points": 1000}),
        Size.FULL: Effort(
            20, {"widths": [16, 32, 64, 128, 256, 512, 1024, 2048], "draws": 400, "points": 10_000}
        ),
    },
    depends="the dimension",
    caveat="The networks are drawn from the target's own spectrum, as the theorem's proof does. That such networks "
    "exist does not say that training finds them.",
)
