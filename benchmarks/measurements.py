"""Bandwidths chosen from k-space, projections and blurred samples: `python -m benchmarks measurements`.

Problems of "design" were looked at while the sources were written; those of "first sealed" were run once, after which
dominant measurements were set apart, and those of "second sealed" once after that. The evidence of all measurements
replaced held-out ones on these fifteen; those of "third sealed" were run once after that. Each bandwidth of the ladder
trains the same network, three layers of 64 ReLU units after 64 Gaussian frequencies, for 400 steps of Adam; two seeds.
The regret is the error of the chosen bandwidth over the least of the ladder, by the relative L2 error of the picture.
Classical reconstructions stand beside it: the adjoint ("zero-filled"; of trajectories weighted by the density of
samples), filtered back-projection and SART of scikit-image, and ridge least squares on the samples, its strength chosen
on held-out measurements.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import skimage.data
import torch
from skimage.filters import gaussian
from skimage.transform import iradon, iradon_sart, resize
from torch import Tensor

import overtone as ot
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.fitting import ModelConfig
from overtone.operators._choose import CYCLES
from overtone.signals import Measured
from overtone.units import gaussian_bandwidth

SIDE, STEPS, SEEDS = 32, 400, (0, 1)
DEFAULT = 10.0
"""Standard deviation in cycles per picture that papers and examples use unasked."""

NETWORK = ModelConfig("gaussian", activation=("relu",), width=64, depth=3, features=64)


@dataclass(frozen=True)
class Problem:
    """A measured picture with its truth and what a classical method makes of it."""

    name: str
    kind: str
    measured: Measured
    picture: np.ndarray
    classical: dict[str, np.ndarray]


def picture(name: str) -> np.ndarray:
    """Return a picture of 32 x 32 in [0, 1] within the circle that projections cover."""
    if name == "ellipses":
        values = resize(skimage.data.shepp_logan_phantom(), (SIDE, SIDE), anti_aliasing=True)
    elif name == "blobs":
        values = gaussian(numpy_generator(0, "benchmark", "blobs").standard_normal((SIDE, SIDE)), 2)
    else:
        raw = getattr(skimage.data, name)()
        values = resize(raw if raw.ndim == 2 else raw.mean(2), (SIDE, SIDE), anti_aliasing=True)
    values = (values - values.min()) / np.ptp(values)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    return values * (np.hypot(y, x) < SIDE // 2 - 1)


def kspace(name: str, speed: int) -> Problem:
    values, rng = picture(name), numpy_generator(0, "benchmark", name, str(speed))
    lines = np.zeros((SIDE, SIDE), bool)
    lines[SIDE // 2 - 2 : SIDE // 2 + 2] = True
    free = rng.permutation(np.flatnonzero(~lines[:, 0]))[: max(1, SIDE // speed - 4)]
    lines[free] = True
    full = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(values), norm="ortho"))
    noisy = full + 0.01 * (rng.standard_normal(full.shape) + 1j * rng.standard_normal(full.shape))
    measured = ot.signals.kspace(noisy, lines, complex_values=False, noise=0.014)
    filled = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(noisy * lines), norm="ortho")).real
    return Problem(f"k-space, {name}, {speed}x", "k-space", measured, values, {"zero-filled": filled})


def sampled(name: str, label: str, trajectory: np.ndarray) -> Problem:
    """k-space on a trajectory (readout, sample, axis) in cycles per pixel."""
    values, rng = picture(name), numpy_generator(0, "benchmark", name, label)
    ones = np.ones(trajectory.shape[:2], complex)
    empty = ot.signals.noncartesian_kspace(ones, trajectory, (SIDE, SIDE), complex_values=False)
    (clean,) = empty.apply(lambda _: torch.from_numpy(values.reshape(-1, 1)))
    noisy = clean.numpy().reshape(ones.shape)
    noisy = noisy + 0.01 * (rng.standard_normal(ones.shape) + 1j * rng.standard_normal(ones.shape))
    measured = ot.signals.noncartesian_kspace(
        noisy, trajectory, (SIDE, SIDE), complex_values=False, noise=0.014
    )
    pictures = ot.baselines.reconstruct(measured, lambda v: float(v.abs().mean()))
    classical = {
        one.name: one.values.numpy().reshape(SIDE, SIDE)
        for one in pictures
        if one.name == "density-compensated adjoint"
    }
    return Problem(f"k-space, {name}, {label}", "k-space", measured, values, classical)


def spokes(count: int) -> np.ndarray:
    angles, radii = np.arange(count)[:, None] * np.pi / count, (np.arange(2 * SIDE) - SIDE) / (2 * SIDE)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=-1)


def spirals(arms: int, turns: float, samples: int) -> np.ndarray:
    part = np.linspace(0, 1, samples)
    angles = 2 * np.pi * (turns * part + np.arange(arms)[:, None] / arms)
    return 0.49 * part[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def tomography(name: str, angles: int) -> Problem:
    values, rng = picture(name), numpy_generator(0, "benchmark", name, str(angles))
    turns = np.linspace(0, 180, angles, endpoint=False)
    empty = ot.signals.projections(np.zeros((angles, SIDE)), turns)
    (clean,) = empty.apply(lambda _: torch.from_numpy(values.reshape(-1, 1)))
    sinogram = clean.numpy().reshape(angles, SIDE)
    sinogram = sinogram + 0.01 * sinogram.max() * rng.standard_normal(sinogram.shape)
    measured = ot.signals.projections(sinogram, turns, noise=float(0.01 * sinogram.max()))
    back = iradon(sinogram.T, turns)
    sart = iradon_sart(sinogram.T, turns)
    sart = iradon_sart(sinogram.T, turns, image=sart)
    classical = {"filtered back-projection": back, "SART, 2 passes": sart}
    return Problem(f"projections, {name}, {angles} angles", "projections", measured, values, classical)


def blur(name: str, kernel: np.ndarray, label: str, factor: int = 1) -> Problem:
    values, rng = picture(name), numpy_generator(0, "benchmark", name, label)
    known = tuple((n - m) // factor + 1 for n, m in zip(values.shape, kernel.shape, strict=True))
    empty = ot.signals.blurred(np.zeros(known), kernel, factor=factor)
    part = values[tuple(slice(0, n) for n in empty.geometry.shape)]
    (clean,) = empty.apply(lambda _: torch.from_numpy(part.reshape(-1, 1).copy()))
    data = clean.numpy().reshape(known) + 0.01 * rng.standard_normal(known)
    measured = ot.signals.blurred(data, kernel, factor=factor, noise=0.01)
    return Problem(f"{label}, {name}", "blur", measured, part, {})


def gauss(width: float, size: int = 7) -> np.ndarray:
    distance = np.arange(size) - size // 2
    line = np.exp(-0.5 * (distance / width) ** 2)
    return np.outer(line, line) / line.sum() ** 2


PROBLEMS: dict[str, tuple[Callable[[], Problem], ...]] = {
    "design": (
        lambda: kspace("ellipses", 4),
        lambda: tomography("ellipses", 20),
        lambda: blur("ellipses", gauss(1.2), "Gaussian blur"),
        lambda: kspace("camera", 4),
    ),
    "first sealed": (
        lambda: kspace("coins", 8),
        lambda: kspace("blobs", 4),
        lambda: tomography("ellipses", 60),
        lambda: tomography("moon", 20),
        lambda: blur("camera", np.ones((1, 7)) / 7, "motion blur"),
        lambda: blur("coins", gauss(1.0, 5), "blur and every second sample", 2),
    ),
    "second sealed": (
        lambda: kspace("moon", 4),
        lambda: kspace("page", 6),
        lambda: kspace("clock", 8),
        lambda: tomography("camera", 30),
        lambda: blur("moon", gauss(1.5), "Gaussian blur"),
    ),
    "third sealed": (
        lambda: kspace("astronaut", 8),
        lambda: kspace("rocket", 5),
        lambda: sampled("coffee", "12 spokes", spokes(12)),
        lambda: sampled("cat", "5 spiral arms", spirals(5, 2.5, 80)),
        lambda: tomography("astronaut", 12),
        lambda: blur("text", np.eye(5) / 5, "oblique motion blur"),
        lambda: blur("brick", gauss(1.3), "blur and every second sample", 2),
    ),
}


def error(problem: Problem, values: np.ndarray) -> float:
    """Relative L2 error of a picture."""
    return float(np.linalg.norm(values - problem.picture) / np.linalg.norm(problem.picture))


def ridge(problem: Problem) -> np.ndarray:
    """Ridge least squares on the samples themselves, its strength chosen on held-out measurements."""
    fitted, held_out = problem.measured.split(0.25, 0)
    count = problem.picture.size

    def matrix(part: Measured) -> tuple[Tensor, Tensor]:
        unit = torch.eye(count, dtype=torch.float64)
        columns = torch.stack([part.apply(lambda _, u=u: u[:, None])[0].flatten() for u in unit], 1)
        data = part.terms[0].data.flatten()
        if columns.is_complex():
            return torch.cat([columns.real, columns.imag]), torch.cat([data.real, data.imag])
        return columns, data

    (a, d), (b, e) = matrix(fitted), matrix(held_out)
    u, s, v = torch.linalg.svd(a, full_matrices=False)

    def solution(strength: float) -> Tensor:
        return v.T @ (s / (s**2 + strength * s[0] ** 2) * (u.T @ d))

    best = min((10.0**-k for k in np.arange(0, 7, 0.5)), key=lambda k: float((b @ solution(k) - e).norm()))
    return solution(best).reshape(problem.picture.shape).numpy()


def trained(problem: Problem, cycles: float, seed: int) -> float:
    """Relative error of the network of a bandwidth after training."""
    builder = ot.operators._features.ConfiguredNetwork(problem.measured, NETWORK)
    sigma = cycles / max(problem.measured.geometry.extent)
    module = builder((gaussian_bandwidth(sigma),) * 2, derive_seed(seed, "benchmark"))
    ot.operators.train_network(problem.measured, module, STEPS)
    with torch.no_grad():
        values = module(problem.measured.geometry.coords()).double().numpy()
    return error(problem, values.reshape(problem.picture.shape))


def main() -> list[dict[str, object]]:
    """A row per problem, then the geometric mean and the largest regret of each half."""
    table: list[dict[str, object]] = []
    for half, builders in PROBLEMS.items():
        regrets, defaults = [], []
        for build in builders:
            problem = build()
            start = time.process_time()
            choice = ot.operators.choose_bandwidth(problem.measured, NETWORK, steps=STEPS)
            choosing = time.process_time() - start
            start = time.process_time()
            errors = {c: math.exp(np.mean([math.log(trained(problem, c, s)) for s in SEEDS])) for c in CYCLES}
            training = (time.process_time() - start) / len(SEEDS)
            default = math.exp(np.mean([math.log(trained(problem, DEFAULT, s)) for s in SEEDS]))
            best = min(errors.values())
            regrets.append(errors[choice.best.cycles] / best)
            defaults.append(default / best)
            others = problem.classical | {"ridge": ridge(problem)}
            classical = min(others, key=lambda name: error(problem, others[name]))
            table.append(
                {
                    "half": half,
                    "name": problem.name,
                    "chosen, cycles": choice.best.cycles,
                    "error": errors[choice.best.cycles],
                    "regret": regrets[-1],
                    f"sigma {DEFAULT:g}": default,
                    "best classical": f"{error(problem, others[classical]):.3f} ({classical})",
                    "time, share of the grid": choosing / training,
                }
            )
            print(table[-1], flush=True)
        for label, values in (("chosen", regrets), (f"sigma {DEFAULT:g}", defaults)):
            row = dict.fromkeys(table[0], "") | {"half": half, "name": f"{label}: geometric mean, worst"}
            row["regret"] = f"{math.exp(np.mean(np.log(values))):.2f}, {max(values):.2f}"
            table.append(row)
    return table
